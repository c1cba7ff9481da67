//! The lines of `metrics.jsonl` as curves.

use ganlet_train::Loss;
use ganlet_viz::report::{Chart, Curve, Scale};

use crate::evaluation;
use crate::metrics::{Entry, Line, SheetLine};

/// Points of a curve, at most: more than a screen has columns.
const POINTS: usize = 1500;

/// The curves of a run, one among `runs` on a page.
pub(crate) fn charts(entries: &[Entry], loss: Loss, runs: usize) -> Vec<Chart> {
    let (unit, scores, scale) = match loss.is_logistic() {
        true => ("in nats", "mean probability that the discriminator gives", Scale::Unit),
        false => ("", "mean of what the discriminator says", Scale::Linear),
    };
    let points = POINTS / runs.max(1);
    let reports = thin(entries.iter().filter_map(Entry::report), points);
    let qualities = thin(entries.iter().filter_map(Entry::quality), points);
    let sheets = thin(entries.iter().filter_map(Entry::sheet), points);

    let report = |name: &str, value: fn(&Line) -> f32| curve(name, &reports, value);
    let quality = |name: &str, value: fn(&evaluation::Line) -> f32| curve(name, &qualities, value);
    let of_reports = |title: &str, note: &str, scale, curves| {
        chart(title, note, scale, reports.iter().map(|line| line.step), curves)
    };
    let of_qualities = |title: &str, note: &str, curves| {
        chart(title, note, Scale::Linear, qualities.iter().map(|line| line.step), curves)
    };

    let frechet = Curve {
        errors: qualities.iter().map(|line| line.frechet_error as f32).collect(),
        ..quality("to the test images", |line| line.frechet as f32)
    };
    vec![
        of_reports(
            "Losses",
            unit,
            Scale::Linear,
            vec![report("discriminator", |line| line.d_loss), report("generator", |line| line.g_loss)],
        ),
        of_reports(
            "Scores",
            scores,
            scale,
            vec![report("D(x), real", |line| line.d_real), report("D(G(z)), generated", |line| line.d_fake)],
        ),
        Chart {
            scale: Scale::Log,
            ..of_qualities("Fréchet distance", "of 10,000 samples; lower is better", vec![frechet])
        },
        of_qualities(
            "Classifier's score",
            "1 to 10; higher is better",
            vec![quality("score", |line| line.score as f32)],
        ),
        of_qualities(
            "Confidence and imbalance",
            "the surer and the more even, the better",
            vec![
                quality("confidence, 0 to 1", |line| line.confidence as f32),
                quality("imbalance, in nats", |line| line.imbalance as f32),
            ],
        ),
        chart(
            "Variety",
            "of the pictures, as a share of the real images'; near 0 they are all alike",
            Scale::Linear,
            sheets.iter().map(|line| line.step),
            vec![curve("variety", &sheets, |line: &SheetLine| line.variety as f32)],
        ),
        of_reports(
            "Speed",
            "steps in a second",
            Scale::Linear,
            vec![report("steps/s", |line| line.steps_per_second as f32)],
        ),
    ]
}

fn chart(
    title: &str,
    note: &str,
    scale: Scale,
    steps: impl Iterator<Item = u64>,
    curves: Vec<Curve>,
) -> Chart {
    Chart { title: title.into(), note: note.into(), scale, steps: steps.collect(), curves }
}

fn curve<L>(name: &str, lines: &[&L], value: impl Fn(&L) -> f32) -> Curve {
    Curve { name: name.into(), values: lines.iter().map(|line| value(line)).collect(), errors: Vec::new() }
}

/// The last and every k-th before it, so that there are no more than `most`.
fn thin<'a, L>(lines: impl Iterator<Item = &'a L>, most: usize) -> Vec<&'a L> {
    let lines: Vec<&L> = lines.collect();
    let every = lines.len().div_ceil(most.max(1)).max(1);
    let first = (lines.len() + every - 1) % every;
    lines.into_iter().skip(first).step_by(every).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_lines_the_last_and_some_before_it_are_drawn() {
        for count in 0..50 {
            let lines: Vec<u64> = (0..count).collect();
            let thin = thin(lines.iter(), 7);
            assert!(thin.len() <= 7 && thin.last().copied() == lines.last(), "{count}: {thin:?}");
            assert!(count > 7 || thin.len() as u64 == count);
            assert!(count == 0 || thin.len() > 3 || count < 4, "{count}: {thin:?}");
        }
    }
}
