//! What the documents say is there is there.
//!
//! A word in backticks or in a code block is taken for a path of the repository if it is made of path characters and
//! begins with a folder at the root (`docs/...`) or ends like a source (`.rs`, `.md`, `.py`, `.sh`). It is looked for
//! from the root, then from the document's folder; a bare file name may lie anywhere. What training and building
//! write (`runs/`, `target/`) and places to be filled in (`crates/X`) are no such paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const SOURCES: &[&str] = &[".rs", ".md", ".py", ".sh"];
const WRITTEN: &[&str] = &["runs", "target"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The entries of a folder, in order.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The folders at the root that belong to the repository.
fn folders() -> Vec<PathBuf> {
    let ours = |path: &PathBuf| path.is_dir() && ![".git", "runs", "target"].contains(&name(path));
    entries(root()).into_iter().filter(ours).collect()
}

/// Every file below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries(dir).into_iter().flat_map(below).collect()
}

/// The documents at the root, in `docs` and in `crates`, each with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut documents = entries(root());
    documents.retain(|path| path.is_file());
    let with_documents = |dir: &PathBuf| ["docs", "crates"].contains(&name(dir));
    documents.extend(folders().into_iter().filter(with_documents).flat_map(|dir| files(&dir)));
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents
        .into_iter()
        .map(|path| {
            let text = read(&path);
            (path, text)
        })
        .collect()
}

/// The words of `document` that are in backticks or in a code block.
fn code_words(document: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut in_block = false;
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            words.extend(line.split_whitespace());
        } else {
            words.extend(line.split('`').skip(1).step_by(2).flat_map(str::split_whitespace));
        }
    }
    words
}

/// Whether `word` names a path of the repository: see the rule at the top.
fn is_path(word: &str, folders: &[PathBuf]) -> bool {
    let path_character = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let to_be_filled_in = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase());
    let (first, has_folder) = word.split_once('/').map_or((word, false), |(first, _)| (first, true));
    if !word.chars().all(path_character) || word.split('/').any(to_be_filled_in) || WRITTEN.contains(&first) {
        return false;
    }
    let in_folder = has_folder && folders.iter().any(|folder| name(folder) == first);
    let is_source = SOURCES.iter().any(|end| word.len() > end.len() && word.ends_with(end));
    in_folder || is_source && !first.is_empty()
}

/// The targets of links and pictures, without those that lead elsewhere and without `#fragment`.
fn links(document: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for (opening, closing) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
        links.extend(document.split(opening).skip(1).filter_map(|rest| rest.split(closing).next()));
    }
    let here = |link: &&str| !link.contains(':') && !link.is_empty();
    links.into_iter().filter_map(|link| link.split(['#', ' ']).next()).filter(here).collect()
}

#[test]
fn paths_in_documents_exist() {
    let folders = folders();
    let all: BTreeSet<String> =
        folders.iter().flat_map(|dir| files(dir)).map(|path| name(&path).to_string()).collect();
    let mut missing = Vec::new();
    for (document, text) in documents() {
        for word in code_words(&text).into_iter().map(|word| word.trim_end_matches([',', ';', '.', ':'])) {
            let there = || {
                let from = |dir: &Path| dir.join(word).exists();
                from(root()) || from(document.parent().unwrap()) || !word.contains('/') && all.contains(word)
            };
            if is_path(word, &folders) && !there() {
                missing.push(format!("{}: `{word}`", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "these paths do not exist:\n{}", missing.join("\n"));
}

#[test]
fn links_in_documents_resolve() {
    let mut broken = Vec::new();
    for (document, text) in documents() {
        for link in links(&text) {
            if !document.parent().unwrap().join(link).exists() {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

/// The code blocks of `document` in this language.
fn blocks<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("\n```{language}\n");
    document.split(&opening[..]).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn code_in_the_guide_is_part_of_a_program_that_the_tests_run() {
    let guide = read(&root().join("docs/guide.md"));
    let is_example = |path: &PathBuf| path.parent().is_some_and(|folder| name(folder) == "examples");
    let examples = files(&root().join("crates")).into_iter().filter(is_example);
    let scripts = files(&root().join("scripts")).into_iter();
    for (language, programs) in [("rust", examples.collect::<Vec<_>>()), ("python", scripts.collect())] {
        let programs: Vec<String> =
            programs.iter().filter(|path| path.extension().is_some()).map(|path| read(path)).collect();
        let blocks = blocks(&guide, language);
        assert!(blocks.len() > 4, "{language}");
        for block in blocks {
            assert!(programs.iter().any(|program| program.contains(block)), "in no program:\n{block}");
        }
    }
}

/// The table of crates/README.md: a crate's name, and the crates that it may depend on.
fn table_of_crates() -> Vec<(String, BTreeSet<String>)> {
    let text = read(&root().join("crates/README.md"));
    let in_backticks = |cell: &str| cell.split('`').skip(1).step_by(2).map(String::from).collect();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        let [_, first, _, last, _] = cells[..] else {
            return None;
        };
        let first = first.trim().strip_prefix('`')?.strip_suffix('`')?;
        Some((first.to_string(), in_backticks(last)))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn every_crate_has_its_line_and_depends_on_no_other_than_it_says() {
    let table = table_of_crates();
    let listed: BTreeSet<&str> = table.iter().map(|(name, _)| name.as_str()).collect();
    let crates = entries(&root().join("crates"));
    let there: BTreeSet<&str> = crates.iter().filter(|path| path.is_dir()).map(|path| name(path)).collect();
    assert_eq!(listed, there, "the table in crates/README.md, and the folders beside it");

    // `cli` is the root package, which may use all of them.
    for (krate, allowed) in table.iter().filter(|(krate, _)| krate != "cli") {
        let manifest = read(&root().join("crates").join(krate).join("Cargo.toml"));
        let manifest: toml::Table = toml::from_str(&manifest).unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap().keys();
        for other in dependencies.filter_map(|dependency| dependency.strip_prefix("ganlet-")) {
            assert!(allowed.contains(other), "crates/README.md does not let `{krate}` depend on `{other}`");
        }
    }
}

#[test]
fn the_rule_tells_paths_from_other_words() {
    let folders = [PathBuf::from("crates"), PathBuf::from("docs")];
    for word in
        ["crates/ops/src/lib.rs", "docs/", "crates/nothing", "architecture.md", "./setup.sh", "odd/x.py"]
    {
        assert!(is_path(word, &folders), "{word}");
    }
    for word in
        ["crates/X", "runs/NAME/x.md", "target/doc", "p/255", "docs/*.md", "https://a.b/c.md", ".rs", "--out"]
    {
        assert!(!is_path(word, &folders), "{word}");
    }
    assert_eq!(code_words("a `b c` d\n```sh\ne f\n```\n`g`"), ["b", "c", "e", "f", "g"]);
    assert_eq!(
        links("[a](b.md#c) ![d](e.png \"f\") [g](https://h) [i](#j) <img src=\"k.png\">"),
        ["b.md", "e.png", "k.png"]
    );
}
