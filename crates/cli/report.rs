//! What `ganlet eval` prints: a row of numbers for each generator, as a table or as JSON.

use ganlet_metrics::{Estimate, Quality};
use serde::Serialize;

use crate::table::{Cell, Table};

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
    pub(crate) fn new(name: &str, anchor: bool, quality: &Quality) -> Self {
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
        }
    }

    fn cells(&self) -> Vec<Cell> {
        let cell = |number: Number| Cell::estimate(number.into());
        let mut cells: Vec<Cell> = match &self.digits {
            None => (0..9).map(|_| Cell::none()).collect(),
            Some(digits) => [
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
            .map(cell)
            .into(),
        };
        cells.extend([self.parzen, self.nearest, self.nearest_to_test].map(cell));
        cells.push(self.digits.as_ref().map_or_else(Cell::none, |digits| {
            let percent = digits.digits.iter().map(|share| format!("{:>3.0}", share * 100.));
            let dropped: Vec<String> = digits.dropped.iter().map(usize::to_string).collect();
            let dropped = match dropped.is_empty() {
                true => String::new(),
                false => format!("dropped: {}", dropped.join(" ")),
            };
            Cell::new(percent.collect::<String>(), dropped)
        }));
        cells
    }
}

impl Report {
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new(&[
            "",
            "Fréchet",
            "kernel",
            "precision",
            "recall",
            "density",
            "coverage",
            "score",
            "confidence",
            "imbalance",
            "Parzen",
            "nearest",
            "/ test",
            "digits 0 to 9, %",
        ]);
        for row in &self.rows {
            table.row(&row.name, row.cells());
        }
        table.render()
    }
}
