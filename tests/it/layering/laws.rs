//! What a level may use that the table of imports does not say.

use std::collections::BTreeSet;
use std::fs::read_to_string;

use super::source::{code, files, names_behind, root};
use super::{depth, exports, imported};

/// Where features of the crate may be asked for: at the root of the library and of the binary, and in
/// the file that stands in for what a feature leaves out.
const FEATURE_FILES: &[&str] = &[
    "auth.rs",
    "lib.rs",
    "main.rs",
    "observe/spans.rs",
    "request/mod.rs",
    "request/protocol.rs",
    "server/mod.rs",
    "session/mod.rs",
    "shared.rs",
    "tls.rs",
    "tls/failure.rs",
    "transport.rs",
    "upstream/http2.rs",
];

/// Folders that ask in more files: the schema of the settings is derived, type by type.
const FEATURE_FOLDERS: &[&str] = &["config"];

#[test]
fn the_program_imports_what_an_embedder_can() {
    let library = code(&root().join("src/lib.rs"));
    let public: BTreeSet<_> = names_behind(&library, "pub mod ").collect();
    let exports = exports(&library);
    let mut wrong = Vec::new();
    let mut imports = 0;
    for file in files() {
        let inside = file.strip_prefix(root().join("src")).unwrap();
        if !inside.starts_with("server") {
            continue;
        }
        for name in imported(&code(&file), depth(&file)) {
            imports += 1;
            if !exports.contains_key(&name) && !public.contains(&*name) {
                wrong.push(format!("{} imports {name}", inside.display()));
            }
        }
    }
    assert!(imports > 80, "{imports} imports");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn features_are_asked_for_in_few_files() {
    let folder = root().join("src");
    let mut found = BTreeSet::new();
    for file in files() {
        let inside = file.strip_prefix(&folder).unwrap();
        let asks = read_to_string(&file).unwrap().contains("feature = \"");
        if asks
            && !FEATURE_FOLDERS
                .iter()
                .any(|folder| inside.starts_with(folder))
        {
            found.insert(inside.to_str().unwrap().to_owned());
        }
    }
    assert!(found.contains("lib.rs"), "{found:?}");
    found.retain(|file| !FEATURE_FILES.contains(&&**file));
    assert!(found.is_empty(), "{found:?}");
}
