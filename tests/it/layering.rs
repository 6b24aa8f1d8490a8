//! Holds the source to the table of imports in docs/architecture.md, and to small files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

mod circles;
mod laws;
mod source;

use source::{code, collect, files, name, names_behind, plain, root, without_tests};

/// What each level may import.
type Table = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_level_imports_what_the_table_does_not_allow() {
    let table = table(&read("docs/architecture.md"));
    let levels = table.keys().map(String::as_str).collect::<BTreeSet<_>>();
    let root = without_tests(&plain(&read("src/lib.rs")));
    let program = plain(&read("src/main.rs"));
    let modules = [&root, &program].map(|code| names_behind(code, "mod "));
    let modules: BTreeSet<_> = modules.into_iter().flatten().collect();
    assert_eq!(modules, levels, "the table has other levels");

    let exports = exports(&root);
    let (mut files, mut imports) = (0, 0);
    let mut wrong = Vec::new();
    for (level, path) in sources() {
        files += 1;
        let code = code(&path);
        if level != "cli" && code.contains("clap::") {
            wrong.push(format!("{}: only the binary uses clap", path.display()));
        }
        for name in imported(&code, depth(&path)) {
            imports += 1;
            let from = exports.get(&name).unwrap_or(&name);
            if *from != level && !table[&level].contains(from) {
                wrong.push(format!("{}: {level} imports {from}", path.display()));
            }
        }
    }
    assert!(
        files > 80 && imports > 150,
        "{files} files with {imports} imports"
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_file_is_short() {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        collect(&root().join(folder), &mut files);
    }
    assert!(files.len() > 200, "{} files", files.len());
    for path in files {
        let lines = read_to_string(&path).unwrap().lines().count();
        assert!(lines < 450, "{} has {lines} lines", path.display());
    }
}

#[test]
fn what_is_imported_is_found_however_it_is_written() {
    let code = r#"
        //! [`crate::server`]
        use crate::close::{CloseCode, CloseReason};
        use crate::{config, route::Table, types::{self, Side}, Rejection};
        pub(super) use super::super::limit::Limit;
        use super::sibling;
        const TEXT: &str = "crate::server and \" crate::main";
        /* crate::server */
        fn f<'a>(_: &'a crate::frame::Mask) { let c = '"'; crate::upstream::exchange(c, '\''); }
        #[cfg(test)]
        use crate::proxy;
        #[cfg(test)]
        mod tests { use crate::proxy; fn g() { { crate::proxy::x() } } }
        type After = crate::transport::Transport;
    "#;
    let found: BTreeSet<_> = imported(&without_tests(&plain(code)), 2).collect();
    let names = [
        "Rejection",
        "close",
        "config",
        "frame",
        "limit",
        "route",
        "transport",
        "types",
        "upstream",
    ];
    assert_eq!(found, names.map(str::to_owned).into());
}

fn read(path: &str) -> String {
    read_to_string(root().join(path)).unwrap()
}

/// The rows `| level | what it is | may import |`.
fn table(text: &str) -> Table {
    let mut table = Table::new();
    for line in text.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let ["", level, _, allowed, ""] = cells[..] else {
            continue;
        };
        let level = level
            .strip_prefix('`')
            .and_then(|level| level.strip_suffix('`'));
        let Some(level) = level.filter(|level| name(level).as_deref() == Some(*level)) else {
            continue;
        };
        let allowed = match allowed {
            "all above" => table.keys().cloned().collect(),
            "nothing of ours" | "–" => BTreeSet::new(),
            names => {
                let names: BTreeSet<_> = quoted(names).collect();
                assert!(!names.is_empty(), "{line}");
                names
            }
        };
        table.insert(level.to_owned(), allowed);
    }
    assert!(table.len() >= 14, "{table:?}");
    table
}

fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The files that belong to a level and are not only there for tests.
fn sources() -> Vec<(String, PathBuf)> {
    let level = |file: PathBuf| {
        let inside = inside(&file);
        let first = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        (first.trim_end_matches(".rs").to_owned(), file)
    };
    let mut fuzzing = Vec::new();
    collect(&root().join("tests/fuzzing"), &mut fuzzing);
    assert!(fuzzing.len() > 10, "{fuzzing:?}");
    (files().into_iter().chain(fuzzing))
        .map(level)
        .filter(|(level, _)| level != "lib" && level != "main")
        .collect()
}

/// A file's place below the folder of the crate's modules: `src/`, or `tests/` for what fuzzes them.
fn inside(file: &Path) -> &Path {
    let folders = ["src", "tests"].map(|folder| root().join(folder));
    let inside = folders
        .iter()
        .find_map(|folder| file.strip_prefix(folder).ok());
    inside.unwrap()
}

/// How many modules there are above a file's items.
fn depth(file: &Path) -> usize {
    let inside = inside(file);
    inside.components().count() - usize::from(inside.ends_with("mod.rs"))
}

/// The first names of all paths that begin at the crate's root, or for the binary at the library's.
fn imported(code: &str, depth: usize) -> impl Iterator<Item = String> {
    let supers = "super::".repeat(depth);
    let mut names = Vec::new();
    for start in ["crate::", "wsgate::", &supers] {
        for path in code.split(start).skip(1) {
            match path.strip_prefix('{') {
                Some(group) => names.extend(first_names(group)),
                None => names.extend(name(path)),
            }
        }
    }
    names.into_iter()
}

/// The first names of the paths in a group, up to its end.
fn first_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = 1;
    let mut begins = true;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => open += 1,
            '}' if open == 1 => break,
            '}' => open -= 1,
            ',' if open == 1 => begins = true,
            _ if begins && !letter.is_whitespace() => {
                names.extend(name(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

/// What the crate's root hands out under a name of its own, and which level it is from.
fn exports(root: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for line in root
        .split(';')
        .filter_map(|item| item.split("pub use ").nth(1))
    {
        let (level, names) = line.split_once("::").unwrap();
        let names = match names.strip_prefix('{') {
            Some(group) => first_names(group),
            None => name(names).into_iter().collect(),
        };
        exports.extend(names.into_iter().map(|name| (name, level.to_owned())));
    }
    assert!(exports.len() > 10, "{exports:?}");
    exports
}
