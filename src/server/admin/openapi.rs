//! `GET /openapi.json`: the interface as OpenAPI 3.1 describes it.
//!
//! The document is a file beside this one. The tests here hold its paths, methods and keys to the
//! router; tests of the program hold its schemas to real answers.

use http::StatusCode;

use super::answer::{Answer, answer};

const DOCUMENT: &str = include_str!("openapi.json");

pub(super) fn document() -> Answer {
    answer(StatusCode::OK, "application/json", DOCUMENT.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::router::{ENDPOINTS, Keys};
    use super::*;

    fn parsed() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// The names of the parameters that stand there.
    fn parameters<'a>(operation: &'a Value, place: &str) -> BTreeSet<&'a str> {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let there = parameters.filter(|parameter| parameter["in"] == place);
        there
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn every_endpoint_is_described_and_no_other() {
        let document = parsed();
        let mut described = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                described.insert((path.clone(), method.to_uppercase()));
            }
        }
        let mut served = BTreeSet::new();
        for endpoint in ENDPOINTS {
            let method = endpoint.method.as_str();
            let is_new = served.insert((endpoint.path.to_owned(), method.to_owned()));
            assert!(is_new, "{method} {} is there twice", endpoint.path);
        }
        assert_eq!(described, served);
    }

    #[test]
    fn what_an_endpoint_takes_is_what_is_described() {
        let document = parsed();
        for endpoint in ENDPOINTS {
            let method = endpoint.method.as_str().to_lowercase();
            let operation = &document["paths"][endpoint.path][&method];
            let keys = match endpoint.keys {
                Keys::Any => &[][..],
                Keys::Only(keys) => keys,
            };
            let path = endpoint.path;
            let keys = keys.iter().copied().collect();
            assert_eq!(parameters(operation, "query"), keys, "{method} {path}");
            let braces = path
                .split('/')
                .filter_map(|segment| segment.strip_prefix('{'));
            let braces = braces
                .map(|segment| segment.trim_end_matches('}'))
                .collect();
            assert_eq!(parameters(operation, "path"), braces, "{method} {path}");
            // Only a query that is looked at can be wrong.
            let may_be_wrong = operation["responses"].get("400").is_some();
            assert_eq!(
                may_be_wrong,
                matches!(endpoint.keys, Keys::Only(_)),
                "{method} {path}"
            );
            let is_open = matches!(path, "/healthz" | "/readyz");
            assert_eq!(
                operation.get("security").is_some(),
                is_open,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn the_document_is_of_this_version() {
        let document = parsed();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
