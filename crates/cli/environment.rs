//! `environment.json`: what a run was made with, beside its recipe.

use std::io::ErrorKind;
use std::time::{SystemTime, UNIX_EPOCH};

use candle_core::Device;
use ganlet_data::Loaded;
use serde::{Deserialize, Serialize};

use crate::console::{duration, grouped};
use crate::error::{Error, Result};
use crate::run_dir::{self, RunDir};
use crate::{console, data, device, files};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Environment {
    /// The version of this program.
    ganlet: String,
    device: String,
    /// Threads on the CPU.
    threads: usize,
    dataset: DataSet,
    /// In UTC, as RFC 3339 has it.
    started: String,
    /// Each time that it went on after an interruption.
    #[serde(default)]
    resumed: Vec<Resumption>,
    /// None while the run goes on, and for ever if it was stopped.
    finished: Option<String>,
    /// From the first step to the last, without the time that it was interrupted for.
    seconds: Option<f64>,
}

/// With what, and from where, an interrupted run went on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Resumption {
    at: String,
    step: u64,
    ganlet: String,
    device: String,
    threads: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct DataSet {
    name: String,
    /// The folder of its files, or how it was come by.
    source: String,
    /// The name of the content.
    digest: String,
    images: usize,
    rows: usize,
    columns: usize,
    /// Why it is not the data set that one would expect, where it is not.
    warning: Option<String>,
}

impl Environment {
    pub(crate) fn new(loaded: &Loaded, device: &Device) -> Self {
        let Loaded { dataset, source, fallback, .. } = loaded;
        Self {
            ganlet: env!("CARGO_PKG_VERSION").into(),
            device: device::name(device),
            threads: ganlet_ops::threads(),
            dataset: DataSet {
                name: dataset.name().into(),
                source: data::place(source),
                digest: dataset.digest(),
                images: dataset.train().len(),
                rows: dataset.rows(),
                columns: dataset.cols(),
                warning: fallback.clone(),
            },
            started: timestamp(SystemTime::now()),
            resumed: Vec::new(),
            finished: None,
            seconds: None,
        }
    }

    /// That of a run which was begun in this one, and goes on after `step` steps in `now`.
    pub(crate) fn resumed(mut self, step: u64, now: &Self) -> Self {
        let Self { ganlet, device, threads, started, .. } = now.clone();
        self.resumed.push(Resumption { at: started, step, ganlet, device, threads });
        (self.finished, self.seconds) = (None, None);
        self
    }

    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    /// Of the data.
    pub(crate) fn digest(&self) -> &str {
        &self.dataset.digest
    }

    /// Training images.
    pub(crate) fn images(&self) -> usize {
        self.dataset.images
    }

    /// How long the training took, once it is finished.
    pub(crate) fn seconds(&self) -> Option<f64> {
        self.seconds
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// All of it for people to read, by name.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let Self { ganlet, device, threads, dataset, started, resumed, finished, seconds } = self;
        let DataSet { name, source, digest, images, rows, columns, .. } = dataset;
        let images = grouped(*images as u64);
        let mut all = vec![
            ("ganlet", ganlet.clone()),
            ("device", device.clone()),
            ("threads", threads.to_string()),
            ("data", format!("{name}, {images} images of {rows} x {columns}")),
            ("from", source.clone()),
            ("digest", digest.clone()),
            ("started", started.clone()),
        ];
        for Resumption { at, step, ganlet, device, threads } in resumed {
            let step = grouped(*step);
            all.push((
                "went on",
                format!("{at}, after step {step}, by ganlet {ganlet} on {device}, {threads} threads"),
            ));
        }
        all.extend(finished.iter().map(|at| ("finished", at.clone())));
        all.extend(seconds.map(|seconds| ("time", duration(seconds))));
        all.into_iter().map(|(name, value)| (name.into(), value)).collect()
    }

    /// What in it is not as one might think.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let data = self.dataset.warning.iter().map(|reason| {
            format!(
                "it was not trained on the data set that was to be expected, but on {}: {reason}",
                self.dataset.name
            )
        });
        let mut all: Vec<String> = data.collect();
        for Resumption { step, ganlet, device, .. } in &self.resumed {
            let step = grouped(*step);
            if *ganlet != self.ganlet {
                all.push(format!("it went on after step {step} with ganlet {ganlet}, and may not have come to the same bits"));
            }
            if *device != self.device {
                all.push(format!(
                    "it went on after step {step} on device {device}, and has not come to the same bits"
                ));
            }
        }
        all
    }

    pub(crate) fn finish(&mut self, seconds: f64) {
        self.finished = Some(timestamp(SystemTime::now()));
        self.seconds = Some((seconds * 1e3).round() / 1e3);
    }

    /// The environment of a run; none, and a warning, if it cannot be made out.
    pub(crate) fn read(run: &RunDir) -> Result<Option<Self>> {
        let path = run.file(run_dir::ENVIRONMENT);
        let bytes = match files::read(&path) {
            Err(Error::Read { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let environment = serde_json::from_slice(&bytes).inspect_err(|error| {
            console::warning(format_args!("{} is damaged, and written anew: {error}", path.display()));
        });
        Ok(environment.ok())
    }

    pub(crate) fn write(&self, run: &RunDir) -> Result<()> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        files::persist(&run.file(run_dir::ENVIRONMENT), json.as_bytes())
    }
}

/// `2026-11-24T15:45:13Z`.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The inverse of [`timestamp`], in seconds; none where it is another text.
pub(crate) fn seconds_since_1970(timestamp: &str) -> Option<u64> {
    let (date, time) = timestamp.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, between| -> Option<[u64; 3]> {
        let numbers: Option<Vec<u64>> = text.split(between).map(|number| number.parse().ok()).collect();
        numbers?.try_into().ok()
    };
    let ([year, month, day], [hour, minute, second]) = (numbers(date, '-')?, numbers(time, ':')?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // In years that begin with March, as below.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    ((days - 719_468) * 86_400).checked_add(hour * 3600 + minute * 60 + second)
}

/// Year, month and day of the Gregorian calendar, from the days since 1970-01-01.
///
/// Counted in years that begin with March, so that the leap day is the last: in them month m begins on day
/// (153 m + 2) / 5, and 400 years are 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    match month < 10 {
        true => (era * 400 + year, month + 3, day),
        false => (era * 400 + year + 1, month - 9, day),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| {
            let text = timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(seconds_since_1970(&text), Some(seconds));
            text
        };
        // From `date -u -d @SECONDS`.
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(at(1_795_535_113), "2026-11-24T15:45:13Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
        for text in
            ["", "today", "2026-11-24", "2026-11-24T15:45:13", "2026-13-24T15:45:13Z", "1969-01-01T0:0:0Z"]
        {
            assert_eq!(seconds_since_1970(text), None, "{text}");
        }
    }

    #[test]
    fn no_cut_and_no_flipped_bit_is_more_than_an_error() {
        let json = r#"{"ganlet":"0","device":"cpu","threads":2,"dataset":{"name":"d","source":"s","digest":"5",
            "images":1,"rows":1,"columns":1,"warning":null},"started":"t","resumed":[{"at":"t","step":3,"ganlet":"0",
            "device":"cpu","threads":1}],"finished":null,"seconds":null}"#;
        let read = |bytes: &[u8]| serde_json::from_slice::<Environment>(bytes);
        assert!(read(json.as_bytes()).is_ok());
        for length in 0..json.len() {
            assert!(read(&json.as_bytes()[..length]).is_err(), "cut at {length}");
        }
        for bit in 0..json.len() * 8 {
            let mut bytes = json.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = read(&bytes);
        }
    }
}
