//! The table of cases in the documents is that of the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::kit::docs;

/// The files of each case's tests, by its id.
type Cases = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_table_of_cases_is_that_of_the_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/hostile");
    let mut played = Cases::new();
    collect(&folder, &folder, &mut played);
    let pages = docs::pages();
    let mut told = Cases::new();
    for cells in docs::rows(&pages, is_id) {
        let files = cells[cells.len() - 1].split(", ");
        let files = files.map(|file| file.trim_matches('`').to_owned());
        let before = told.insert(cells[0].to_owned(), files.collect());
        assert!(before.is_none(), "{} twice", cells[0]);
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
            if let Some((id, _)) = name.filter(|(id, _)| is_id(&id.to_uppercase())) {
                let files = cases.entry(id.to_uppercase()).or_default();
                files.insert(file.clone());
            }
        }
    }
}

/// Whether this is the id of a case: a capital letter and two digits.
fn is_id(id: &str) -> bool {
    let [first, digits @ ..] = id.as_bytes() else {
        return false;
    };
    first.is_ascii_uppercase() && digits.len() == 2 && digits.iter().all(u8::is_ascii_digit)
}
