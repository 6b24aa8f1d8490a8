//! No file imports itself, not even by way of others.
//!
//! A file that takes a name from its parent while the parent takes one from it is a circle of two,
//! also where the parent only hands the name on. Declaring a module is no import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use super::source::{code, files, name, names_behind, root};

/// A module's place below the crate's root.
type ModulePath = Vec<String>;

#[test]
fn no_file_imports_itself_through_others() {
    let modules = modules(&files());
    let graph = graph(&modules);
    let edges: usize = graph.values().map(BTreeSet::len).sum();
    assert!(
        graph.len() > 150 && edges > 400,
        "{} files, {edges} imports",
        graph.len()
    );
    let circles = circles(&graph);
    let told: String = circles.iter().map(|circle| tell(circle, &graph)).collect();
    assert!(circles.is_empty(), "circles of files:\n{told}");
}

#[test]
fn a_circle_is_found_however_the_names_are_written() {
    let files = [
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "mod one; mod two; use one::One; pub struct A;"),
        ("src/a/one.rs", "use super::{A, two::Two}; pub struct One;"),
        ("src/a/two.rs", "pub struct Two; use crate::b;"),
        ("src/b/mod.rs", "fn f() -> crate::a::two::Two { todo() }"),
    ];
    let folder = Path::new("src");
    let modules: BTreeMap<_, _> = (files.iter())
        .map(|(file, code)| {
            (
                module_path(folder, Path::new(file)),
                (PathBuf::from(file), code.to_string()),
            )
        })
        .collect();
    let found = circles(&graph(&modules));
    let expected = [
        ["src/a/one.rs", "src/a.rs"],
        ["src/a/two.rs", "src/b/mod.rs"],
    ];
    assert_eq!(
        found,
        expected.map(|circle| circle.map(PathBuf::from).to_vec())
    );
}

/// What the files of a circle take from each other, a line each.
fn tell(circle: &[PathBuf], graph: &BTreeMap<PathBuf, BTreeSet<PathBuf>>) -> String {
    let short = |file: &PathBuf| file.strip_prefix(root()).unwrap().display().to_string();
    let mut told = String::new();
    for file in circle {
        let inside = graph[file].iter().filter(|other| circle.contains(other));
        let inside: Vec<_> = inside.map(short).collect();
        told += &format!("{} imports {}\n", short(file), inside.join(", "));
    }
    told + "\n"
}

type Modules = BTreeMap<ModulePath, (PathBuf, String)>;

/// Each module's file and code; of two that stand in for each other, both under names of their own.
fn modules(files: &[PathBuf]) -> Modules {
    let folder = root().join("src");
    let mut modules: Modules = files
        .iter()
        .map(|file| (module_path(&folder, file), (file.clone(), code(file))))
        .collect();
    // A stand-in sees the crate from its module's place: `#[cfg_attr(…, path = "trace/none.rs")]`.
    for file in files {
        for path in read_to_string(file).unwrap().split("path = \"").skip(1) {
            let name = path.split('"').next().unwrap();
            let stand_in = file.parent().unwrap().join(name);
            if !files.contains(&stand_in) {
                continue;
            }
            let mut module = module_path(&folder, &stand_in);
            let (file, code) = modules.remove(&module).unwrap();
            let name = module.pop().unwrap();
            *module.last_mut().unwrap() += &format!("#{name}");
            modules.insert(module, (file, code));
        }
    }
    modules
}

fn module_path(folder: &Path, file: &Path) -> ModulePath {
    let inside = file.strip_prefix(folder).unwrap().with_extension("");
    let mut path: ModulePath = inside
        .components()
        .map(|part| part.as_os_str().to_str().unwrap().to_owned())
        .collect();
    if ["mod", "lib", "main"].contains(&&**path.last().unwrap()) {
        let last = path.pop().unwrap();
        // The binary is a crate of its own.
        path.extend((last == "main").then_some(last));
    }
    path
}

/// Which files each file takes names from.
fn graph(modules: &Modules) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let mut graph = BTreeMap::new();
    for (module, (file, code)) in modules {
        let paths = paths(code).into_iter();
        let imported = paths.filter_map(|path| resolve(modules, module, &path));
        let mut imported: BTreeSet<_> = imported.collect();
        imported.remove(file);
        graph.insert(file.clone(), imported);
    }
    graph
}

/// The file that a path leads into, if it is one of the crate's.
fn resolve(modules: &Modules, module: &ModulePath, path: &[String]) -> Option<PathBuf> {
    let mut at = module.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => {
            at.truncate(usize::from(at.first().is_some_and(|first| first == "main")));
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while let Some(("super", after)) = rest
                .split_first()
                .map(|(first, after)| (first.as_str(), after))
            {
                at.pop()?;
                rest = after;
            }
        }
        first => {
            at.push(first.to_owned());
            modules.contains_key(&at).then_some(())?;
            rest = &rest[1..];
        }
    }
    for name in rest {
        at.push(name.clone());
        if !modules.contains_key(&at) {
            at.pop();
            break;
        }
    }
    // What stands at the root of the crate is not of one file.
    (!at.is_empty())
        .then(|| modules.get(&at))
        .flatten()
        .map(|(file, _)| file.clone())
}

/// All paths in the code: those of `use`, and those that stand where they are used.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = String::new();
    let mut after = code;
    while let Some(at) = next_use(after) {
        rest.push_str(&after[..at]);
        let tree = &after[at + "use ".len()..];
        let end = tree.find(';').unwrap_or(tree.len());
        expand(&tree[..end], &mut Vec::new(), &mut found);
        after = &tree[end..];
    }
    rest.push_str(after);
    // Who may see a thing is no import.
    let rest = rest.replace("pub(in crate::", "pub(");
    let mut in_path = false;
    let mut path: Vec<String> = Vec::new();
    let mut at = 0;
    while at < rest.len() {
        match name(&rest[at..]) {
            Some(word) => {
                at += word.len();
                if !in_path {
                    path.clear();
                }
                path.push(word);
                in_path = rest[at..].starts_with("::");
                if in_path {
                    at += 2;
                } else if path.len() > 1 {
                    found.push(std::mem::take(&mut path));
                }
            }
            None => {
                if std::mem::take(&mut in_path) && path.len() > 1 {
                    found.push(std::mem::take(&mut path));
                }
                at += rest[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
    }
    found
}

/// Where the next `use` begins as a word.
fn next_use(code: &str) -> Option<usize> {
    let word = names_behind(code, "use ").next()?;
    // It is a part of the code.
    Some(word.as_ptr() as usize - code.as_ptr() as usize - "use ".len())
}

/// The paths of a tree like `a::{self, b::C, d as e}`.
fn expand(tree: &str, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let length = before.len();
    match tree
        .strip_prefix('{')
        .and_then(|tree| tree.strip_suffix('}'))
    {
        Some(group) => {
            let mut open = 0;
            let is_between = |letter| {
                match letter {
                    '{' => open += 1,
                    '}' => open -= 1,
                    _ => {}
                }
                letter == ',' && open == 0
            };
            for branch in group
                .split(is_between)
                .filter(|branch| !branch.trim().is_empty())
            {
                expand(branch, before, found);
            }
        }
        None => match tree.split_once("::") {
            Some((first, rest)) => {
                before.push(first.trim().to_owned());
                expand(rest, before, found);
            }
            None => {
                let last = name(tree).filter(|last| last != "self" || before.is_empty());
                found.push(before.iter().cloned().chain(last).collect());
            }
        },
    }
    before.truncate(length);
}

/// The files that can be reached from themselves, together with those on the way.
fn circles(graph: &BTreeMap<PathBuf, BTreeSet<PathBuf>>) -> Vec<Vec<PathBuf>> {
    let reached: BTreeMap<_, _> = graph
        .keys()
        .map(|file| (file, reachable(graph, file)))
        .collect();
    let mut circles = BTreeSet::new();
    for (file, reached_from) in &reached {
        let is_with =
            |other: &&&PathBuf| reached_from.contains(**other) && reached[**other].contains(*file);
        let circle: Vec<_> = reached
            .keys()
            .filter(is_with)
            .map(|file| (*file).clone())
            .collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reachable<'a>(
    graph: &'a BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    from: &PathBuf,
) -> BTreeSet<&'a PathBuf> {
    let mut reached = BTreeSet::new();
    let mut left: Vec<_> = graph[from].iter().collect();
    while let Some(file) = left.pop() {
        if reached.insert(file) {
            left.extend(&graph[file]);
        }
    }
    reached
}
