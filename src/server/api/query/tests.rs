use std::time::Duration;

use serde::Deserialize;

use super::super::library::{CloseCode, Network};
use super::super::value;
use super::*;

#[derive(Debug, Deserialize)]
struct Keys {
    #[serde(default, deserialize_with = "value::name")]
    route: Option<String>,
    #[serde(default, deserialize_with = "value::page_size")]
    limit: usize,
    #[serde(default, deserialize_with = "value::session")]
    after: u64,
    #[serde(default, deserialize_with = "value::flag")]
    close: bool,
    #[serde(default, deserialize_with = "value::network")]
    client: Option<Network>,
    #[serde(default, deserialize_with = "value::duration")]
    over: Option<Duration>,
    #[serde(default = "going_away", deserialize_with = "value::close_code")]
    code: CloseCode,
    #[serde(default, deserialize_with = "value::close_reason")]
    reason: String,
}

fn going_away() -> CloseCode {
    CloseCode::GOING_AWAY
}

fn read(query: &str) -> Keys {
    Keys::deserialize(Pairs(query)).unwrap()
}

fn problem(query: &str) -> String {
    Keys::deserialize(Pairs(query)).unwrap_err().to_string()
}

#[test]
fn a_query_is_its_keys_and_decoded_values() {
    for (query, expected) in [
        ("route=chat", Some("chat")),
        ("route=a+b%20c%2Bd", Some("a b c+d")),
        ("r%6fute=%C3%A4&limit=1", Some("ä")),
        ("&&route=a=b&", Some("a=b")),
        ("limit=1", None),
        ("", None),
    ] {
        assert_eq!(read(query).route.as_deref(), expected, "{query}");
    }
    NoKeys::deserialize(Pairs("")).unwrap();
}

#[test]
fn nothing_in_a_query_is_passed_over() {
    for (query, expected) in [
        (
            "routes=a",
            "key 1 of the query is unknown: the keys are route, limit",
        ),
        ("route=a&&c4nary", "key 2 of the query is unknown"),
        ("route=a&route=a", "`route` is there twice"),
        ("route=a&r%6fute=b", "`route` is there twice"),
        (
            "route=%",
            "key 1 of the query, or its value, is not percent",
        ),
        ("route=%f", "key 1 of the query, or its value, is not"),
        (
            "limit=1&route=%+1",
            "key 2 of the query, or its value, is not",
        ),
        ("route=%ff", "key 1 of the query, or its value, is not"),
        ("%zz=1", "key 1 of the query, or its value, is not"),
        // The keys come before the values.
        ("limit=x&c4nary", "key 2 of the query is unknown"),
    ] {
        let error = problem(query);
        assert!(error.contains(expected), "{query}: {error}");
        assert!(!error.contains("c4nary"), "{error}");
    }
    let error = NoKeys::deserialize(Pairs("a=1")).unwrap_err().to_string();
    let expected = "key 1 of the query is unknown: it takes no keys";
    assert_eq!(error, expected);
}

#[test]
fn a_value_is_of_its_form_or_named_as_wrong() {
    assert_eq!(read("limit=10").limit, 10);
    for query in ["limit=0", "limit=1001", "limit=", "limit=%2B1", "limit=x"] {
        assert_eq!(problem(query), "`limit` must be a number from 1 to 1000");
    }
    assert_eq!(read("after=0").after, 0);
    assert_eq!(problem("after=-1"), "`after` must be the id of a session");
    assert!(read("close=true").close);
    assert!(!read("close=false").close);
    assert!(!read("").close);
    assert_eq!(problem("close=1"), "`close` must be true or false");
    assert_eq!(problem("route="), "`route` must be a name");
    let net = read("client=10.0.0.0/8").client.unwrap();
    assert_eq!(net.to_string(), "10.0.0.0/8");
    assert!(problem("client=nobody").starts_with("`client` must be an address"));
    assert_eq!(read("over=10s").over, Some(Duration::from_secs(10)));
    assert!(problem("over=10").starts_with("`over` must be a duration"));
}

#[test]
fn what_a_client_is_told_fits_a_close_frame() {
    assert_eq!(read("").code, CloseCode::GOING_AWAY);
    let told = read("code=4001&reason=bye+bye");
    assert_eq!((told.code.get(), &*told.reason), (4001, "bye bye"));
    let longest = format!("reason={}", "x".repeat(123));
    assert_eq!(read(&longest).reason.len(), 123);
    for query in [
        "code=1005".to_owned(),
        "code=1006".to_owned(),
        "code=".to_owned(),
        "code=66537".to_owned(),
        format!("{longest}x"),
        // Bytes count, and not letters.
        format!("reason={}", "ä".repeat(62)),
    ] {
        problem(&query);
    }
}
