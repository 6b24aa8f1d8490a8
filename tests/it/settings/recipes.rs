//! The settings of the recipes are complete: each loads as it stands, and without a warning.

use wsgate::Config;

use super::{read, root};

/// The blocks of TOML of a page, in their order.
fn blocks(page: &str) -> Vec<&str> {
    page.split("\n```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .collect()
}

/// The pages of the recipes, with their names.
fn pages() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(root().join("docs/recipes")).unwrap();
    let mut pages: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, read(&path))
        })
        .collect();
    pages.sort();
    pages
}

#[test]
fn the_first_settings_of_a_recipe_load_without_a_warning() {
    let mut loaded = 0;
    for (name, page) in pages() {
        let Some(settings) = blocks(&page).first().copied() else {
            continue;
        };
        let config = Config::from_toml(&name, settings)
            .unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        let summary = config.summary();
        assert!(!summary.contains("warning"), "{name}:\n{summary}");
        loaded += 1;
    }
    assert!(loaded >= 10, "{loaded} recipes");
}

/// What a page shows to be added goes behind its own settings: a table of the route, in all pages.
#[test]
fn further_settings_of_a_recipe_load_behind_the_first() {
    for (name, page) in pages() {
        let blocks = blocks(&page);
        for further in blocks.iter().skip(1) {
            let settings = format!("{}\n{further}", blocks[0]);
            let loaded = Config::from_toml(&name, &settings);
            assert!(loaded.is_ok(), "{name}:\n{further}");
        }
    }
}

#[test]
fn the_index_of_recipes_names_every_page() {
    let pages = pages();
    let (_, index) = pages
        .iter()
        .find(|(name, _)| name == "README.md")
        .expect("an index");
    for (name, _) in pages.iter().filter(|(name, _)| name != "README.md") {
        assert!(index.contains(&format!("({name})")), "{name}");
    }
}
