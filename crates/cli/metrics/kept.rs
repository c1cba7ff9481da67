//! What of `metrics.jsonl` stays when an interrupted training goes on.
//!
//! On its own, so that it can be given any bytes: `fuzz` does.

use serde::Deserialize;

/// What of a line says where it belongs.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Place {
    pub(crate) step: u64,
    pub(crate) seconds: f64,
    /// Only a measurement of quality has it.
    pub(crate) frechet: Option<f64>,
    /// Only the line of a sheet of pictures has it.
    pub(crate) variety: Option<f64>,
}

/// The kinds of lines, in the order in which those of a step stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Report,
    Sheet,
    Quality,
}

impl Place {
    pub(crate) fn kind(&self) -> Kind {
        match (self.frechet, self.variety) {
            (Some(_), _) => Kind::Quality,
            (None, Some(_)) => Kind::Sheet,
            (None, None) => Kind::Report,
        }
    }
}

/// What stays of the lines of an interrupted training.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) lines: Vec<u8>,
    pub(crate) last: Option<Place>,
    /// The least Fréchet distance.
    pub(crate) best: Option<f64>,
    /// How many lines there were that say nothing, where others follow.
    pub(crate) unreadable: usize,
}

impl Kept {
    /// Of the bytes of a file, the lines up to `steps` that `is_due` says a training without an interruption has.
    pub(crate) fn of(bytes: &[u8], steps: u64, is_due: impl Fn(&Place) -> bool) -> Self {
        let mut kept = Self { lines: Vec::new(), last: None, best: None, unreadable: 0 };
        let mut unreadable = 0;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let Some(place) = serde_json::from_slice::<Place>(line).ok().filter(|_| line.ends_with(b"\n"))
            else {
                unreadable += 1;
                continue;
            };
            // What an interruption cut off is the end; anything else is damage.
            kept.unreadable = unreadable;
            let order = |place: Place| (place.step, place.kind());
            let follows = kept.last.is_none_or(|last| order(last) < order(place));
            if place.step <= steps && is_due(&place) && follows {
                kept.lines.extend_from_slice(line);
                kept.last = Some(place);
                kept.best = match (kept.best, place.frechet) {
                    (Some(best), Some(frechet)) => Some(best.min(frechet)),
                    (best, frechet) => best.or(frechet),
                };
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u64) -> String {
        format!(
            "{{\"epoch\":1,\"step\":{step},\"d_loss\":0.5,\"seconds\":{step}.5,\"steps_per_second\":1.0}}\n"
        )
    }

    fn lines(steps: impl IntoIterator<Item = u64>) -> String {
        steps.into_iter().map(line).collect()
    }

    fn kept(text: &str, steps: u64) -> (String, usize) {
        let kept = Kept::of(text.as_bytes(), steps, |place| place.step % 2 == 0);
        (String::from_utf8(kept.lines).unwrap(), kept.unreadable)
    }

    #[test]
    fn lines_after_the_checkpoint_and_half_a_line_are_cut_off() {
        let whole = lines([2, 4, 6, 8]);
        assert_eq!(kept(&whole, 8), (whole.clone(), 0));
        assert_eq!(kept(&whole, 5), (lines([2, 4]), 0));
        assert_eq!(kept(&whole, 0), (String::new(), 0));
        // Wherever the disk was full or the power went.
        for length in 0..whole.len() {
            let (text, unreadable) = kept(&whole[..length], 8);
            assert_eq!((text.len(), unreadable), (length / line(2).len() * line(2).len(), 0));
            assert!(whole.starts_with(&text));
        }
    }

    #[test]
    fn a_step_has_one_line_and_only_where_a_report_is_due() {
        // Step 5 was the last of a shorter training.
        assert_eq!(kept(&lines([2, 4, 5, 6, 4, 6, 8]), 8), (lines([2, 4, 6, 8]), 0));
        let damaged = lines([2]) + "\u{fffd}{\n" + &line(4) + "{}\n" + &line(6) + "{\"st";
        assert_eq!(kept(&damaged, 8), (lines([2, 4, 6]), 2));
    }

    #[test]
    fn a_step_has_a_report_then_a_sheet_then_a_measurement_of_quality() {
        let measured =
            |step: u64, frechet: f64| line(step).replace("\"d_loss\":0.5", &format!("\"frechet\":{frechet}"));
        let sheet = |step: u64| line(step).replace("\"d_loss\"", "\"variety\"");
        let whole = line(2) + &sheet(2) + &measured(2, 9.) + &line(4) + &measured(4, 7.5) + &measured(6, 8.);
        let of = |text: &str, steps| Kept::of(text.as_bytes(), steps, |_| true);
        assert_eq!((of(&whole, 6).lines, of(&whole, 6).best), (whole.clone().into_bytes(), Some(7.5)));
        assert_eq!((of(&whole, 3).best, of(&whole, 1).best), (Some(9.), None));
        let backward = measured(2, 9.) + &sheet(2) + &line(2);
        assert_eq!(of(&backward, 2).lines, measured(2, 9.).into_bytes());
        let twice = measured(2, 9.) + &line(2) + &measured(2, 9.);
        assert_eq!(of(&twice, 2).lines, measured(2, 9.).into_bytes());
    }

    #[test]
    fn no_flipped_bit_is_more_than_a_line_lost() {
        let whole = lines([2, 4, 6]).into_bytes();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let kept = Kept::of(&bytes, 8, |place| place.step % 2 == 0);
            assert!(kept.lines.len() <= whole.len());
        }
    }
}
