//! What `ganlet eval` prints: the numbers of each generator, as a table or as JSON.

use ganlet_metrics::{Estimate, Quality};
use serde::Serialize;

use super::table::{Table, estimate};

/// What is printed.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) dataset: String,
    pub(crate) digest: String,
    /// The feature network, where the images are of its size.
    pub(crate) features: Option<&'static str>,
    /// The mean distance of a test image to the nearest training image.
    pub(crate) test_nearest: Number,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Copy, Serialize)]
pub(crate) struct Number {
    value: f64,
    error: f64,
}

impl From<Estimate> for Number {
    fn from(Estimate { value, error }: Estimate) -> Self {
        Self { value, error }
    }
}

impl From<Number> for Estimate {
    fn from(Number { value, error }: Number) -> Self {
        Self { value, error }
    }
}

#[derive(Serialize)]
pub(crate) struct Row {
    name: String,
    anchor: bool,
    samples: usize,
    #[serde(flatten)]
    digits: Option<DigitRow>,
    parzen: Number,
    parzen_sigma: f64,
    nearest: Number,
    nearest_to_test: Number,
    /// The share of samples that are the digit of their label, of generators that take labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<Number>,
}

#[derive(Serialize)]
struct DigitRow {
    frechet: Number,
    kernel: Number,
    precision: Number,
    recall: Number,
    density: Number,
    coverage: Number,
    score: Number,
    confidence: Number,
    imbalance: Number,
    digits: Vec<f64>,
    dropped: Vec<usize>,
}

impl Row {
    pub(crate) fn new(name: &str, anchor: bool, quality: &Quality, asked: Option<Estimate>) -> Self {
        let digits = quality.digits.as_ref().map(|digits| {
            let (classes, overlap) = (&digits.judgement.classes, digits.overlap);
            DigitRow {
                frechet: digits.judgement.frechet.into(),
                kernel: digits.kernel.into(),
                precision: overlap.precision.into(),
                recall: overlap.recall.into(),
                density: overlap.density.into(),
                coverage: overlap.coverage.into(),
                score: classes.score.into(),
                confidence: classes.confidence.into(),
                imbalance: classes.divergence.into(),
                digits: classes.histogram.clone(),
                dropped: classes.dropped(),
            }
        });
        Self {
            name: name.into(),
            anchor,
            samples: quality.samples,
            digits,
            parzen: quality.parzen.log_likelihood.into(),
            parzen_sigma: quality.parzen.sigma,
            nearest: quality.nearest.into(),
            nearest_to_test: quality.nearest_to_test.into(),
            asked: asked.map(Number::from),
        }
    }

    /// A number for each of `MEASURES`.
    fn cells(&self) -> Vec<String> {
        let digits = self.digits.as_ref().map(|digits| {
            [
                digits.frechet,
                digits.kernel,
                digits.precision,
                digits.recall,
                digits.density,
                digits.coverage,
                digits.score,
                digits.confidence,
                digits.imbalance,
            ]
        });
        let digits = digits.map_or_else(|| [None; 9], |numbers| numbers.map(Some));
        let others = [Some(self.parzen), Some(self.nearest), Some(self.nearest_to_test), self.asked];
        let cell =
            |number: Option<Number>| number.map_or_else(|| "-".into(), |number| estimate(number.into()));
        digits.into_iter().chain(others).map(cell).collect()
    }
}

/// What is measured, and what is good.
const MEASURES: [&str; 13] = [
    "Fréchet     lower",
    "kernel      lower",
    "precision   higher",
    "recall      higher",
    "density     higher",
    "coverage    higher",
    "score       higher",
    "confidence  higher",
    "imbalance   lower",
    "Parzen      higher",
    "nearest",
    "  / test    near 1",
    ASKED,
];

/// Of generators that take labels alone.
const ASKED: &str = "as asked    higher";

impl Report {
    /// A column for each generator; then what their samples are of, a row for each. No line is longer than `width`, as long as no
    /// name is.
    pub(crate) fn table(&self, width: usize) -> String {
        let names = self.rows.iter().map(|row| row.name.clone());
        let mut table = Table::new(std::iter::once("measure     better".into()).chain(names));
        let cells: Vec<Vec<String>> = self.rows.iter().map(Row::cells).collect();
        let asked = self.rows.iter().any(|row| row.asked.is_some());
        for (at, measure) in MEASURES.iter().enumerate().filter(|&(_, &measure)| measure != ASKED || asked) {
            table
                .row(std::iter::once(measure.to_string()).chain(cells.iter().map(|cells| cells[at].clone())));
        }
        let numbers = table.render(width);

        let digits = (0..10).map(|digit| digit.to_string());
        let mut table = Table::new(std::iter::once("digits, %".into()).chain(digits));
        for row in &self.rows {
            let Some(digits) = &row.digits else { continue };
            let shares = digits.digits.iter().enumerate().map(|(digit, share)| {
                match digits.dropped.contains(&digit) {
                    true => "<1".into(),
                    false => format!("{:>2.0}", share * 100.),
                }
            });
            table.row(std::iter::once(row.name.clone()).chain(shares));
        }
        match self.rows.iter().any(|row| row.digits.is_some()) {
            true => format!("{numbers}\n{}", table.render(width)),
            false => numbers,
        }
    }
}
