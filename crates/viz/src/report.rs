//! What a training came to, as one page of HTML.

use serde::Serialize;

use crate::Result;

/// Everything that a report shows: one run, or several beside each other.
///
/// All text is shown as it is, whatever is in it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The runs; several are compared.
    pub runs: Vec<Run>,
    /// When this was written, in milliseconds since 1970.
    pub written: u64,
    /// Seconds after which the page should look for a newer one of itself; none if there will not be one.
    pub again: Option<f64>,
    /// What made it: a name and a version.
    pub maker: String,
}

/// What a report shows of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// What it is called.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// How it stands, in words.
    pub status: String,
    /// The share of it that is done, in `[0, 1]`.
    pub done: f64,
    /// Epochs in all, for the scale of the pictures.
    pub epochs: u64,
    /// Steps of an epoch; 0 if that is not known.
    pub steps_per_epoch: u64,
    /// What the reader should know first.
    pub warnings: Vec<Warning>,
    /// The numbers that it came to.
    pub figures: Vec<Figure>,
    /// Its curves. Those of the same title share a frame where runs are compared.
    pub charts: Vec<Chart>,
    /// Pictures of the same latents after several epochs, in order.
    pub sheets: Vec<Sheet>,
    /// As many real images, as [`data_uri`](crate::data_uri) gives them.
    pub real: Option<String>,
    /// What it was made of and with.
    pub tables: Vec<Table>,
}

/// Whether there is more to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It goes on.
    Training,
    /// It was stopped before its end.
    Stopped,
    /// It is done.
    Finished,
}

/// Something that is not as it should be, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What it is.
    pub text: String,
    /// What to try; may be empty.
    pub remedy: String,
}

/// A number with its name.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What it is the number of.
    pub name: String,
    /// As it is to be shown.
    pub value: String,
    /// Where runs are compared, the least of these is the best; none where no one is better than another.
    pub rank: Option<f64>,
}

/// Curves in a frame, over the steps of a training.
#[derive(Clone, Debug, Serialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// The unit, and what is good.
    pub note: String,
    /// The vertical axis.
    pub scale: Scale,
    /// The steps, ascending.
    pub steps: Vec<u64>,
    /// The curves, each with a number for each step.
    pub curves: Vec<Curve>,
}

/// A vertical axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// From 0, or from the least number if that is below.
    Linear,
    /// From 0 to 1.
    Unit,
    /// Logarithmic, as long as all numbers are positive.
    Log,
}

/// One curve.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Its numbers; what is none is a gap.
    pub values: Vec<f32>,
    /// The standard error of each number, or nothing.
    pub errors: Vec<f32>,
}

/// The pictures after an epoch.
#[derive(Clone, Debug, Serialize)]
pub struct Sheet {
    /// The epoch, from 1.
    pub epoch: u64,
    /// As [`data_uri`](crate::data_uri) gives it.
    pub picture: String,
}

/// Facts under a heading.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// The heading.
    pub title: String,
    /// Names and values. Where runs are compared, those of the same name stand side by side.
    pub rows: Vec<(String, String)>,
}

impl Report {
    /// The report as one page of HTML, which needs nothing else: no file, no network.
    ///
    /// It reads well on light and dark, narrow and wide screens, and forbids itself every connection. The data stands in it as JSON, in
    /// the element of id `data`.
    ///
    /// # Errors
    ///
    /// [`Error::Json`](crate::Error::Json) where the data cannot be written as JSON, which it has no reason not to be.
    pub fn to_html(&self) -> Result<String> {
        // No text in the data can end the element that it stands in.
        let data = serde_json::to_string(self)?.replace('<', "\\u003c");
        let mut html = String::with_capacity(data.len() + PAGE.len() + STYLE.len() + SCRIPT.len());
        let mut rest = PAGE;
        for (place, content) in [("{style}", STYLE), ("{data}", &data), ("{script}", SCRIPT)] {
            let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
            html.push_str(before);
            html.push_str(content);
            rest = after;
        }
        html.push_str(rest);
        Ok(html)
    }
}

const PAGE: &str = include_str!("report/page.html");
const STYLE: &str = include_str!("report/page.css");
const SCRIPT: &str = include_str!("report/page.js");

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str) -> Report {
        let chart = Chart {
            title: "c".into(),
            note: String::new(),
            scale: Scale::Linear,
            steps: vec![1, 2],
            curves: vec![Curve { name: "a".into(), values: vec![0.5, f32::NAN], errors: vec![] }],
        };
        let run = Run {
            name: name.into(),
            state: State::Finished,
            status: String::new(),
            done: 1.,
            epochs: 1,
            steps_per_epoch: 2,
            warnings: vec![],
            figures: vec![],
            charts: vec![chart],
            sheets: vec![],
            real: None,
            tables: vec![],
        };
        Report { runs: vec![run], written: 0, again: None, maker: "test".into() }
    }

    #[test]
    fn the_data_can_be_taken_out_again_whatever_is_in_it() {
        let plain = report("x").to_html().unwrap();
        for name in
            ["</script><script>alert(1)</script>", "<!--", "{script}{data}{style}", "\u{2028}\"'\\&lt;"]
        {
            let html = report(name).to_html().unwrap();
            let (before, rest) = html.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
            let (json, after) = rest.split_once("</script>").unwrap();
            let data: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(data["runs"][0]["name"], name);
            assert!(data["runs"][0]["charts"][0]["curves"][0]["values"][1].is_null());
            // Nothing of it stands anywhere else.
            assert_eq!(before.len() + after.len(), {
                let (before, rest) =
                    plain.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
                before.len() + rest.split_once("</script>").unwrap().1.len()
            });
        }
    }

    #[test]
    fn the_page_asks_for_nothing_from_outside() {
        // The name of a kind of element looks like an address.
        let html = report("x").to_html().unwrap().replace("http://www.w3.org/2000/svg", "");
        assert!(html.contains("default-src 'none'"));
        for address in ["http:", "https:", "src=\"", "href=\"", "@import", "url("] {
            assert!(!html.contains(address), "{address}");
        }
    }
}
