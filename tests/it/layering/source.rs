//! Source text, as the tests of its layers read it: without comments, strings and tests.

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below src/ that are not only there for tests.
pub(super) fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    let tests: BTreeSet<_> = files.iter().flat_map(|file| test_modules(file)).collect();
    files.retain(|file| !tests.contains(file));
    files
}

/// A file's code, without comments, what its strings say, and tests.
pub(super) fn code(file: &Path) -> String {
    without_tests(&plain(&read_to_string(file).unwrap()))
}

pub(super) fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
}

/// The files of modules that stand behind `#[cfg(test)]` in this one.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let code = plain(&read_to_string(file).unwrap());
    let folder = match file.file_name().unwrap().to_str().unwrap() {
        "mod.rs" | "lib.rs" | "main.rs" => file.parent().unwrap().to_owned(),
        _ => file.with_extension(""),
    };
    let behind = code.split(CFG_TEST).skip(1);
    let modules = behind.filter_map(|item| names_behind(item.split(';').next()?, "mod ").next());
    modules
        .map(|name| folder.join(format!("{name}.rs")))
        .collect()
}

const CFG_TEST: &str = "#[cfg(test)]";

/// The code without comments, and with nothing in its strings.
pub(super) fn plain(code: &str) -> String {
    let mut plain = String::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            'r' if rest.starts_with("r\"") || rest.starts_with("r#\"") => {
                let end = if rest.starts_with("r#") { "\"#" } else { "\"" };
                let start = rest.find('"').unwrap() + 1;
                start + rest[start..].find(end).unwrap() + end.len()
            }
            '"' => end_of_literal(rest, '"'),
            // A character, and not a lifetime.
            '\'' if rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'') => {
                end_of_literal(rest, '\'')
            }
            _ => {
                plain.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    plain
}

fn end_of_literal(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if letter == quote && !escaped {
            return at + 1;
        }
        escaped = letter == '\\' && !escaped;
    }
    text.len()
}

/// The code without the items that are only there for tests.
pub(super) fn without_tests(code: &str) -> String {
    let code = code.replace("#[cfg(doctest)]", CFG_TEST);
    let mut parts = code.split(CFG_TEST);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str(&part[end_of_item(part)..]);
    }
    kept
}

fn end_of_item(code: &str) -> usize {
    let mut open = 0;
    for (at, letter) in code.char_indices() {
        match letter {
            '{' => open += 1,
            '}' if open == 1 => return at + 1,
            '}' => open -= 1,
            ';' if open == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

pub(super) fn name(text: &str) -> Option<String> {
    let is_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let end = text
        .find(|letter| !is_of_name(letter))
        .unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

pub(super) fn names_behind<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let whole_word = |at: usize| !code[..at].ends_with(|letter: char| letter.is_alphanumeric());
    let found = code
        .match_indices(word)
        .filter(move |(at, _)| whole_word(*at));
    found.map(move |(at, _)| {
        let rest = &code[at + word.len()..];
        &rest[..name(rest).map_or(0, |name| name.len())]
    })
}
