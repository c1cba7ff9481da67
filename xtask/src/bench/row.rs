//! A row of the table: a figure, and its aim.

use std::fmt;

/// What stands for one figure.
pub(super) struct Row {
    what: String,
    /// None where this machine cannot tell.
    measured: Option<f64>,
    unit: Unit,
    /// At most this.
    aim: Option<f64>,
}

#[derive(Clone, Copy)]
pub(super) enum Unit {
    Ratio,
    Milliseconds,
    Megabytes,
}

impl Row {
    pub(super) fn new(
        what: impl Into<String>,
        measured: Option<f64>,
        unit: Unit,
        aim: impl Into<Option<f64>>,
    ) -> Self {
        Self { what: what.into(), measured, unit, aim: aim.into() }
    }

    /// A figure that stands there for comparison.
    pub(super) fn without_aim(what: impl Into<String>, measured: Option<f64>, unit: Unit) -> Self {
        Self { what: what.into(), measured, unit, aim: None }
    }

    fn verdict(&self) -> &'static str {
        match (self.measured, self.aim) {
            (None, _) => "not measured here",
            (_, None) => "",
            (Some(measured), Some(aim)) if measured <= aim => "reached",
            _ => "not reached",
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (measured, aim) = (self.unit.show(self.measured), self.unit.show(self.aim));
        write!(f, "{:<70}{measured:>12}{aim:>12}  {}", self.what, self.verdict())
    }
}

impl Unit {
    fn show(self, value: Option<f64>) -> String {
        match (value, self) {
            (None, _) => String::new(),
            (Some(value), Self::Ratio) => format!("{value:.3}"),
            (Some(value), Self::Milliseconds) => format!("{value:.1} ms"),
            (Some(value), Self::Megabytes) => format!("{value:.0} MB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_is_reached_or_not_or_unknown() {
        let row = |measured| Row::new("", measured, Unit::Ratio, 0.2);
        assert_eq!([row(Some(0.2)).verdict(), row(Some(0.21)).verdict()], ["reached", "not reached"]);
        assert_eq!(
            [row(Some(f64::NAN)).verdict(), row(None).verdict()],
            ["not reached", "not measured here"]
        );
        assert_eq!(Row::without_aim("", Some(1.), Unit::Megabytes).verdict(), "");
    }
}
