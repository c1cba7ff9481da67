//! Line charts as SVG, both axes logarithmic. White behind them, so that they are read on light pages and on dark ones.

/// One chart.
pub(super) struct Panel {
    /// What is across.
    pub(super) label: String,
    pub(super) series: Vec<Series>,
}

pub(super) struct Series {
    pub(super) name: String,
    pub(super) colour: &'static str,
    pub(super) dashed: bool,
    /// Both positive; from left to right.
    pub(super) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 400.;
const HEIGHT: f64 = 330.;
/// From a panel's edges to its axes.
const LEFT: f64 = 48.;
const RIGHT: f64 = 16.;
const TOP: f64 = 34.;
const BOTTOM: f64 = 46.;

/// The panels side by side, with one scale upwards; `title` is for those who do not see it, `up` says what is upwards.
pub(super) fn svg(title: &str, up: &str, panels: &[Panel]) -> String {
    let all = || panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.points);
    let vertical = Axis {
        from: all().map(|&(_, y)| y).fold(f64::INFINITY, f64::min) / 1.2,
        to: all().map(|&(_, y)| y).fold(0., f64::max) * 1.2,
        start: HEIGHT - BOTTOM,
        end: TOP,
    };
    let total = WIDTH * panels.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#374151\">\n<title>{title}</title>\n\
         <rect width=\"{total}\" height=\"{HEIGHT}\" rx=\"6\" fill=\"#ffffff\"/>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        out += &format!("<g transform=\"translate({} 0)\">\n", WIDTH * number as f64);
        out += &draw(panel, &vertical, up);
        out += "</g>\n";
    }
    out + "</svg>\n"
}

/// Where a value stands: `from` at `start`, `to` at `end`.
struct Axis {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        self.start + (self.end - self.start) * (value / self.from).ln() / (self.to / self.from).ln()
    }

    /// 1, 2 and 5 times the powers of ten.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        let decades = self.from.log10().floor() as i32..=self.to.log10().ceil() as i32;
        let ticks = decades.flat_map(|decade| [1., 2., 5.].map(|n| n * 10f64.powi(decade)));
        ticks.filter(|tick| (self.from..=self.to).contains(tick))
    }
}

fn draw(Panel { label, series }: &Panel, vertical: &Axis, up: &str) -> String {
    let across: Vec<f64> =
        series.first().into_iter().flat_map(|s| s.points.iter().map(|&(x, _)| x)).collect();
    let (Some(&first), Some(&last)) = (across.first(), across.last()) else { return String::new() };
    let horizontal = Axis { from: first / 1.1, to: last * 1.1, start: LEFT, end: WIDTH - RIGHT };
    let (left, right, bottom) = (LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM);

    let mut out = format!("<text x=\"8\" y=\"20\">{up}</text>\n");
    for tick in vertical.ticks() {
        let y = vertical.at(tick);
        out += &format!(
            "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#e5e7eb\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{tick}</text>\n",
            left - 6.,
            y + 4.
        );
    }
    for &x in &across {
        out += &format!(
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{x}</text>\n",
            horizontal.at(x),
            bottom + 17.
        );
    }
    let middle = (left + right) / 2.;
    out += &format!("<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{label}</text>\n", bottom + 36.);

    for (row, Series { name, colour, dashed, points }) in series.iter().enumerate() {
        let dash = if *dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let place = |&(x, y): &(f64, f64)| format!("{:.1} {:.1}", horizontal.at(x), vertical.at(y));
        let line: Vec<String> = points.iter().map(place).collect();
        out += &format!(
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/>\n",
            line.join("L")
        );
        if !dashed {
            for (x, y) in points {
                let (x, y) = (horizontal.at(*x), vertical.at(*y));
                out += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n");
            }
        }
        // The legend, where lines that rise leave room.
        let y = TOP + 14. + 18. * row as f64;
        let (x, end) = (left + 12., left + 36.);
        out += &format!("<path d=\"M{x} {y}H{end}\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/>");
        out += &format!("<text x=\"{}\" y=\"{}\">{name}</text>\n", end + 6., y + 4.);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_their_logarithms_do() {
        let axis = Axis { from: 1., to: 100., start: 300., end: 100. };
        assert_eq!([1., 10., 100.].map(|value| axis.at(value).round()), [300., 200., 100.]);
        assert_eq!(axis.ticks().collect::<Vec<_>>(), [1., 2., 5., 10., 20., 50., 100.]);
    }

    #[test]
    fn a_line_goes_through_its_points() {
        let series = |points| Series { name: "a".into(), colour: "#000", dashed: true, points };
        let panel = Panel { label: "n".into(), series: vec![series(vec![(1., 1.), (10., 10.)])] };
        let svg = svg("title", "ms", &[panel]);
        let line = svg.lines().find(|line| line.contains("dasharray")).unwrap_or_default();
        assert_eq!(line.matches('L').count(), 1, "{line}");
        assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"), "{svg}");
    }
}
