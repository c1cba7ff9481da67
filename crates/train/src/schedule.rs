use serde::{Deserialize, Serialize};

/// How the learning rates change over a training: by a factor that begins at 1 and comes to `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// It stays 1.
    #[default]
    Constant,
    /// It falls in a line.
    Linear,
    /// It falls along half a cosine: slowly, fast, slowly (Loshchilov and Hutter, *SGDR*, ICLR 2017, equation 5).
    Cosine,
    /// It falls by the same factor at each step.
    Exponential,
}

impl Schedule {
    /// The factor where a share `progress` of the training is done, from 0 to 1.
    pub fn factor(self, progress: f64, end: f64) -> f64 {
        match self {
            Self::Constant => 1.,
            Self::Linear => 1. + (end - 1.) * progress,
            Self::Cosine => end + (1. - end) * 0.5 * (1. + (std::f64::consts::PI * progress).cos()),
            Self::Exponential => end.powf(progress),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_goes_from_1_to_the_end() {
        for (schedule, middle) in
            [(Schedule::Linear, 0.58), (Schedule::Cosine, 0.58), (Schedule::Exponential, 0.4)]
        {
            for (progress, expected) in [(0., 1.), (0.5, middle), (1., 0.16)] {
                assert!(
                    (schedule.factor(progress, 0.16) - expected).abs() < 1e-12,
                    "{schedule:?} {progress}"
                );
            }
        }
        assert_eq!(Schedule::Constant.factor(0.5, 0.16), 1.);
    }
}
