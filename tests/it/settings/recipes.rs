//! The settings of the recipes are complete: each loads as it stands, and without a warning.

use wsgate::Config;
use wsgate::config::ConfigErrors;

use super::{read, root};
use crate::kit::{Authority, Validity};

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

/// A folder with the certificate and the key that the pages name.
fn folder() -> Authority {
    let authority = Authority::new();
    let issued = authority.issue("chat.example.com", Validity::Now);
    let (_, key) = authority.write_identity_as("fullchain", &issued);
    std::fs::rename(key, authority.file_of("privkey.pem")).unwrap();
    authority
}

/// What the settings of a page come to in that folder.
fn loaded(folder: &Authority, name: &str, settings: &str) -> Result<Config, ConfigErrors> {
    let file = folder.file_of(name);
    std::fs::write(&file, with_variables(settings)).unwrap();
    Config::from_file(&file)
}

/// Settings with a value for each variable. A test sets none: the environment belongs to all tests.
fn with_variables(settings: &str) -> String {
    let mut parts = settings.split("${");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').expect("a name in braces");
        filled.push_str(&format!("a-value-of-thirty-two-bytes-for-{name}"));
        filled.push_str(rest);
    }
    filled
}

#[test]
fn the_first_settings_of_a_recipe_load_without_a_warning() {
    let (mut count, folder) = (0, folder());
    for (name, page) in pages() {
        let Some(settings) = blocks(&page).first().copied() else {
            continue;
        };
        let config = loaded(&folder, &name, settings);
        let config = config.unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        assert_eq!(Vec::from_iter(config.warnings()), [""; 0], "{name}");
        count += 1;
    }
    assert!(count >= 10, "{count} recipes");
}

/// What a page shows to be added goes behind its own settings: a table of the route, in all pages.
#[test]
fn further_settings_of_a_recipe_load_behind_the_first() {
    let folder = folder();
    for (name, page) in pages() {
        let blocks = blocks(&page);
        for further in blocks.iter().skip(1) {
            let settings = format!("{}\n{further}", blocks[0]);
            let loaded = loaded(&folder, &name, &settings);
            assert!(loaded.is_ok(), "{name}:\n{further}");
        }
    }
}

/// A recipe of authentication is a part of a page, so each block stands alone.
#[test]
fn each_settings_of_the_page_about_authentication_load_without_a_warning() {
    let page = read(&root().join("docs/authentication.md"));
    let (blocks, folder) = (blocks(&page), folder());
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let line = format!("device-17 = sha256:{hash}\n");
    std::fs::write(folder.file_of("devices.keys"), line).unwrap();
    for settings in &blocks {
        let config = loaded(&folder, "authentication.md", settings);
        let config = config.unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        assert_eq!(Vec::from_iter(config.warnings()), [""; 0], "{settings}");
    }
    assert!(blocks.len() >= 10, "{} blocks", blocks.len());
}

/// What gates share goes into any settings.
#[test]
fn each_settings_of_the_page_about_several_machines_load_without_a_warning() {
    const GATE: &str = "[[listen]]\naddress = \"127.0.0.1:0\"\n\
        [upstream.chat]\nservers = [\"ws://127.0.0.1:9001\"]\n\
        [[route]]\nname = \"chat\"\npath = \"/ws/*\"\nupstream = \"chat\"\norigin.allow = [\"https://a.test\"]\n";
    let page = read(&root().join("docs/several-machines.md"));
    let (blocks, folder) = (blocks(&page), folder());
    for settings in &blocks {
        let config = loaded(&folder, "several-machines.md", &format!("{GATE}{settings}"));
        let config = config.unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        assert_eq!(Vec::from_iter(config.warnings()), [""; 0], "{settings}");
    }
    assert!(blocks.len() >= 3, "{} blocks", blocks.len());
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
