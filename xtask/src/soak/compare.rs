//! Whether two runs left the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::failed;
use crate::command::Outcome;

/// Every file of a run by its path, without what tells the time.
pub(super) fn files(run: &Path) -> Outcome<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![run.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(failed("read the run"))? {
            let path = entry.map_err(failed("read the run"))?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut bytes = fs::read(&path).map_err(failed("read the run"))?;
            let name = path.strip_prefix(run).unwrap_or(&path).to_path_buf();
            match name.to_str() {
                Some("environment.json" | "report.html") => continue,
                Some("metrics.jsonl") => bytes = untimed(&bytes),
                _ => {}
            }
            found.insert(name, bytes);
        }
    }
    Ok(found)
}

/// Metrics without the last two fields of each line.
fn untimed(metrics: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(metrics);
    let line = |line: &str| format!("{}\n", line.split(",\"seconds\":").next().unwrap_or(line));
    text.lines().map(line).collect::<String>().into_bytes()
}

/// Says where they differ.
pub(super) fn compare(
    expected: &BTreeMap<PathBuf, Vec<u8>>,
    found: &BTreeMap<PathBuf, Vec<u8>>,
) -> Result<(), String> {
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    if names(expected) != names(found) {
        return Err(format!("expected the files {:?}, found {:?}", names(expected), names(found)));
    }
    match expected.iter().find(|(name, bytes)| found[*name] != **bytes) {
        Some((name, _)) => Err(format!("{} differs", name.display())),
        None => Ok(()),
    }
}
