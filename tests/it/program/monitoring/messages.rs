//! docs/operations/log.md has every message of the log from info on.

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

use crate::kit::docs;

const MACROS: [&str; 3] = ["tracing::info!(", "tracing::warn!(", "tracing::error!("];

#[test]
fn every_message_of_the_log_is_in_the_documents() {
    let pages = docs::pages();
    let mut files = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let mut missing = Vec::new();
    let mut found = 0;
    for file in files {
        let source = read_to_string(&file).unwrap();
        for message in MACROS.iter().flat_map(|start| messages(&source, start)) {
            found += 1;
            if !pages.contains(&message) {
                missing.push(format!("{}: {message}", file.display()));
            }
        }
    }
    assert!(found > 40, "{found}");
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The sources of the program and the library; the demo's log is for the person before it.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        match path.is_dir() {
            true if matches!(name, "tests" | "demo") => {}
            true => collect(&path, files),
            false if name == "tests.rs" => {}
            false => files.push(path),
        }
    }
}

/// The messages of one macro: the last string in its parentheses.
fn messages<'s>(source: &'s str, start: &'s str) -> impl Iterator<Item = String> {
    let code = source.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let arguments = code.split(start).skip(1);
    arguments.filter_map(|rest| last_string(rest).filter(|text| !text.starts_with('{')))
}

/// The last string before the parenthesis that closes.
fn last_string(arguments: &str) -> Option<String> {
    let (mut last, mut depth) = (None, 0);
    let mut characters = arguments.chars();
    while let Some(character) = characters.next() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return last,
            ')' => depth -= 1,
            '"' => last = Some(string(&mut characters)),
            _ => {}
        }
    }
    last
}

/// What stands up to the closing quote; a line that goes on has no break in it.
fn string(characters: &mut std::str::Chars<'_>) -> String {
    let mut text = String::new();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => match characters.next() {
                Some('\n') => {
                    let rest = characters.as_str().trim_start();
                    *characters = rest.chars();
                }
                escaped => text.extend(escaped),
            },
            _ => text.push(character),
        }
    }
    text
}
