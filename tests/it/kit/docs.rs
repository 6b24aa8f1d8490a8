//! What the documents say, in tables whose rows are found by their keys.

use std::path::Path;

/// All pages of docs/, one behind the other.
pub(crate) fn pages() -> String {
    let mut pages = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("docs"),
        &mut pages,
    );
    assert!(pages.len() > 4, "{} pages", pages.len());
    pages.concat()
}

fn collect(folder: &Path, pages: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(std::fs::read_to_string(path).expect("a page"));
        }
    }
}

/// The cells of all rows whose first cell is such a key, without its backquotes.
pub(crate) fn rows<'a>(
    pages: &'a str,
    is_key: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = Vec<&'a str>> + 'a {
    pages.lines().filter_map(move |line| {
        let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let mut cells: Vec<_> = row.split(" | ").map(str::trim).collect();
        cells[0] = cells[0].trim_matches('`');
        is_key(cells[0]).then_some(cells)
    })
}
