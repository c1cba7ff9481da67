//! Numbers with their standard errors, in columns as wide as what is in them.

use ganlet_metrics::Estimate;

/// A table of right-aligned columns after a left-aligned first one. The first line is the headings.
pub(crate) struct Table {
    lines: Vec<Vec<String>>,
}

/// Between two columns.
const GAP: usize = 2;

impl Table {
    pub(crate) fn new(headings: impl IntoIterator<Item = String>) -> Self {
        Self { lines: vec![headings.into_iter().collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.lines.push(cells.into_iter().collect());
    }

    /// In blocks below each other, each with the first column and as many of the others as `width` has room for, and at least one.
    pub(crate) fn render(&self, width: usize) -> String {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        let extent = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let extents: Vec<usize> = (0..columns).map(extent).collect();
        let mut blocks = Vec::new();
        let mut from = 1;
        while from < columns {
            let mut to = from + 1;
            let used =
                |to: usize| extents[0] + extents[from..to].iter().map(|extent| GAP + extent).sum::<usize>();
            while to < columns && used(to + 1) <= width {
                to += 1;
            }
            blocks.push(self.block(&extents, from..to));
            from = to;
        }
        blocks.join("\n")
    }

    fn block(&self, extents: &[usize], columns: std::ops::Range<usize>) -> String {
        let cell = |line: &[String], column: usize| line.get(column).cloned().unwrap_or_default();
        let line = |line: &Vec<String>| {
            let first = extents[0];
            let mut text = format!("{:<first$}", cell(line, 0));
            for column in columns.clone() {
                let extent = GAP + extents[column];
                text += &format!("{:>extent$}", cell(line, column));
            }
            text.trim_end().to_owned() + "\n"
        };
        self.lines.iter().map(line).collect()
    }
}

/// A number with as many decimals as its error is worth, and the error.
pub(crate) fn estimate(Estimate { value, error }: Estimate) -> String {
    let decimals = match error > 0. && error.is_finite() {
        true => (1. - error.log10().floor()).clamp(0., 4.) as usize,
        false => 3,
    };
    format!("{value:.decimals$} ± {error:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_what_their_errors_are_worth() {
        let shown = |value, error| estimate(Estimate { value, error });
        assert_eq!(shown(153.7342, 1.2444), "153.7 ± 1.2");
        assert_eq!(shown(225.04, 25.), "225 ± 25");
        assert_eq!(shown(0.85561, 0.0035), "0.8556 ± 0.0035");
        assert_eq!(shown(1., 0.), "1.000 ± 0.000");
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen_and_go_on_below_where_there_is_no_room() {
        let mut table = Table::new(["", "a", "b", "long"].map(String::from));
        table.row(["Fréchet", "1 ± 2", "-", "3"].map(String::from));
        let [a, b, long] = [
            "             a\nFréchet  1 ± 2\n",
            "         b\nFréchet  -\n",
            "         long\nFréchet     3\n",
        ];
        for width in [0, 14, 15] {
            assert_eq!(table.render(width), [a, b, long].join("\n"), "{width}");
        }
        assert_eq!(table.render(17), format!("             a  b\nFréchet  1 ± 2  -\n\n{long}"));
        assert_eq!(table.render(23), "             a  b  long\nFréchet  1 ± 2  -     3\n");
    }
}
