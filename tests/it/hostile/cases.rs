//! The table of cases in docs/security.md is that of the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The files of each case's tests, by its id.
type Cases = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_table_of_cases_is_that_of_the_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/hostile");
    let mut played = Cases::new();
    collect(&folder, &folder, &mut played);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("\n## The cases\n").expect("the section");
    let (table, _) = table.split_once("\n## ").expect("another section");
    let mut told = Cases::new();
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, _, _, files] = cells[..] else {
            panic!("{row}");
        };
        let files = files
            .split(", ")
            .map(|file| file.trim_matches('`').to_owned());
        assert!(
            told.insert(id.to_owned(), files.collect()).is_none(),
            "{id} twice"
        );
    }
    assert!(played.len() > 50, "{played:?}");
    assert_eq!(told, played);
}

/// Finds the tests that are named by a case.
fn collect(root: &Path, folder: &Path, cases: &mut Cases) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, cases);
            continue;
        }
        let file = path.strip_prefix(root).unwrap().display().to_string();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let name = line
                .strip_prefix("async fn ")
                .and_then(|name| name.split_once('_'));
            let is_id =
                |id: &str| id.len() == 3 && id[1..].bytes().all(|digit| digit.is_ascii_digit());
            if let Some((id, _)) = name.filter(|(id, _)| is_id(id)) {
                let files = cases.entry(id.to_uppercase()).or_default();
                files.insert(file.clone());
            }
        }
    }
}
