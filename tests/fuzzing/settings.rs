//! A file of settings, whatever is in it.

use std::collections::HashSet;

use super::path;
use crate::Gate;
use crate::config::{Config, EncodedSlashes, SharedUrl};

/// The text of a settings file.
pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Config::from_toml("fuzz.toml", text) {
        Ok(config) => check_config(config, text),
        Err(errors) => {
            let count = errors.iter().count();
            assert!(count > 0, "refused for nothing");
            for error in &errors {
                assert!(!error.message().is_empty());
                let (Some(line), Some(column)) = (error.line(), error.column()) else {
                    assert_eq!((error.line(), error.column()), (None, None));
                    continue;
                };
                let place = text.split('\n').nth(line - 1);
                let length = place.expect("a line of the file").chars().count();
                assert!((1..=length + 1).contains(&column), "column {column}");
            }
            let shown = errors.to_string();
            // Of too many, the last line counts the rest.
            let lines = shown.lines().count();
            assert!(
                lines == count || lines == count + 1,
                "one line an error: {lines}"
            );
            // To draw them takes longer than all else, and the ninth is drawn as the first is.
            #[cfg(feature = "server")]
            if count <= 8 {
                assert!(!errors.render(count % 2 == 0).is_empty());
            }
        }
    }
}

/// Settings that were taken: whole, the same when read again, and good for a gate.
fn check_config(config: Config, text: &str) {
    let again = Config::from_toml("fuzz.toml", text).expect("it was right before");
    assert_eq!(format!("{config:?}"), format!("{again:?}"));
    let mut names = HashSet::new();
    for route in &config.routes {
        assert!(names.insert(&route.name), "two routes of one name");
        assert!(!route.upstream.servers.is_empty());
        let mut upstreams = config.upstreams.iter();
        assert!(upstreams.any(|upstream| upstream.name == route.upstream.name));
        let printed = route.path.to_string();
        assert_eq!(printed.parse().as_ref(), Ok(&route.path), "{printed}");
        let rewrite = route.rewrite.iter().map(ToString::to_string);
        let passes_slashes = route.encoded_slashes == EncodedSlashes::Pass;
        assert!(passes_slashes || !printed.contains("%2F"), "{printed}");
        for printed in rewrite.chain([printed]) {
            // The braces of parameters stand for themselves.
            let plain = printed.replace(['{', '}'], "_");
            let normal = path::normal(plain.as_bytes());
            assert_eq!(normal.as_deref(), Some(plain.as_bytes()), "{printed}");
        }
    }
    let mut tokens = HashSet::new();
    for token in config.publish.iter().flat_map(|publish| &publish.tokens) {
        assert!(tokens.insert(&token.name), "two tokens of one name");
        for pattern in &token.channels {
            let printed = pattern.to_string();
            assert_eq!(printed.parse().as_ref(), Ok(pattern), "{printed}");
        }
    }
    if let Some(url) = config.settings().shared.and_then(|shared| shared.url) {
        let printed = url.to_string();
        let again = printed.parse::<SharedUrl>().expect("it is a URL");
        assert_eq!(again.to_string(), printed);
    }
    for warning in config.warnings() {
        assert!(!warning.chars().any(|letter| letter.is_control()));
    }
    Gate::builder(config).build().expect("no filter is wrong");
}
