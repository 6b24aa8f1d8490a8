//! Settings as files: what loads, what every error looks like, and what the documentation says.

mod keys;
mod patterns;
mod recipes;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use wsgate::Config;

/// The `.toml` files of a folder of the repository, with their names.
fn files(folder: &str) -> Vec<(String, PathBuf)> {
    let folder = root().join(folder);
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn valid_files_load() {
    let files = files("tests/corpus/valid");
    assert!(files.len() >= 5, "{} files", files.len());
    for (name, path) in files {
        let config = Config::from_file(&path).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(Vec::from_iter(config.warnings()), [""; 0], "{name}");
    }
}

#[test]
fn invalid_files_say_everything_that_is_wrong() {
    let bless = std::env::var_os("WSGATE_BLESS").is_some();
    let files = files("tests/corpus/invalid");
    assert!(files.len() >= 25, "{} files", files.len());
    let mut differences = String::new();
    for (name, path) in files {
        let rendered = match Config::from_toml(&name, &read(&path)) {
            Ok(_) => "it loads\n".to_owned(),
            Err(errors) => errors.render(false),
        };
        let expected_path = path.with_extension("expected");
        if bless {
            std::fs::write(&expected_path, &rendered).unwrap();
        }
        let expected = read(&expected_path);
        if rendered != expected {
            let _ = writeln!(differences, "{name}:\n{}", difference(&expected, &rendered));
        }
    }
    assert!(
        differences.is_empty(),
        "{differences}\nWSGATE_BLESS=1 takes what is found for what is expected"
    );
}

#[test]
fn no_invalid_file_loads() {
    for (name, path) in files("tests/corpus/invalid") {
        assert!(Config::from_file(&path).is_err(), "{name}");
    }
}

#[test]
fn a_masked_token_is_in_no_expected_error() {
    let mut masked = 0;
    for (name, path) in files("tests/corpus/invalid") {
        let expected = read(&path.with_extension("expected"));
        assert!(
            !["hidden", "to be shown", "hunter2", "canary"]
                .iter()
                .any(|secret| expected.contains(secret)),
            "{name}"
        );
        masked += usize::from(expected.contains("***"));
    }
    assert!(masked >= 2, "{masked} files");
}

/// The lines from the first to the last that differ, those expected with `-`.
fn difference(expected: &str, found: &str) -> String {
    let expected: Vec<_> = expected.lines().collect();
    let found: Vec<_> = found.lines().collect();
    let pairs = || expected.iter().zip(&found);
    let start = pairs()
        .take_while(|(expected, found)| expected == found)
        .count();
    let shortest = expected.len().min(found.len());
    let end = (expected.iter().rev().zip(found.iter().rev()))
        .take(shortest - start)
        .take_while(|(expected, found)| expected == found)
        .count();
    let lines = |sign: char, lines: &[&str]| -> String {
        lines
            .iter()
            .map(|line| format!("{sign} {line}\n"))
            .collect()
    };
    let removed = lines('-', &expected[start..expected.len() - end]);
    removed + &lines('+', &found[start..found.len() - end])
}

#[test]
fn a_difference_is_what_changed_and_no_more() {
    for (expected, found, difference) in [
        ("a\nb\nc", "a\nx\nc", "- b\n+ x\n"),
        ("a\nc", "a\nb\nc", "+ b\n"),
        ("a\na", "a", "- a\n"),
        ("", "a", "+ a\n"),
    ] {
        assert_eq!(self::difference(expected, found), difference);
    }
}
