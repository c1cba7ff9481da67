//! Numbers with their standard errors, in columns.

use ganlet_metrics::Estimate;

/// A table of right-aligned columns after a left-aligned first one.
pub(crate) struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { lines: vec![headings.iter().map(|heading| heading.to_string()).collect()] }
    }

    /// Two lines: the name and the numbers, and their standard errors under them.
    pub(crate) fn row(&mut self, name: &str, cells: impl IntoIterator<Item = Cell>) {
        let mut lines = [vec![name.to_owned()], vec![String::new()]];
        for cell in cells {
            lines[0].push(cell.upper);
            lines[1].push(cell.lower);
        }
        self.lines.extend(lines);
    }

    pub(crate) fn render(&self) -> String {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |line: &Vec<String>| {
            let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| match at {
                0 => format!("{cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            });
            cells.collect::<String>().trim_end().to_owned() + "\n"
        };
        self.lines.iter().map(line).collect()
    }
}

/// What stands in a column, and under it.
pub(crate) struct Cell {
    upper: String,
    lower: String,
}

impl Cell {
    pub(crate) fn new(upper: impl Into<String>, lower: impl Into<String>) -> Self {
        Self { upper: upper.into(), lower: lower.into() }
    }

    /// A number with as many decimals as its error is worth, and the error.
    pub(crate) fn estimate(Estimate { value, error }: Estimate) -> Self {
        let decimals = match error > 0. && error.is_finite() {
            true => (1. - error.log10().floor()).clamp(0., 4.) as usize,
            false => 3,
        };
        Self::new(format!("{value:.decimals$}"), format!("±{error:.decimals$}"))
    }

    /// Where there is no number.
    pub(crate) fn none() -> Self {
        Self::new("-", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_what_their_errors_are_worth() {
        let shown = |value, error| {
            let Cell { upper, lower } = Cell::estimate(Estimate { value, error });
            format!("{upper} {lower}")
        };
        assert_eq!(shown(153.7342, 1.2444), "153.7 ±1.2");
        assert_eq!(shown(225.04, 25.), "225 ±25");
        assert_eq!(shown(0.85561, 0.0035), "0.8556 ±0.0035");
        assert_eq!(shown(1., 0.), "1.000 ±0.000");
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let mut table = Table::new(&["", "Fréchet", "x"]);
        table.row("a", [Cell::estimate(Estimate { value: 12., error: 1. }), Cell::none()]);
        assert_eq!(table.render(), "   Fréchet  x\na     12.0  -\n      ±1.0\n");
    }
}
