//! The schema takes every value that the settings take, and refuses what has no right form.

use regex::Regex;
use serde_json::Value;

/// The pattern of a key, given the way to it in the schema.
fn pattern(schema: &Value, way: &str) -> Regex {
    let found = schema.pointer(way).and_then(|key| key["pattern"].as_str());
    Regex::new(found.unwrap_or_else(|| panic!("no pattern at {way}"))).expect("a pattern")
}

#[test]
fn values_of_every_form_are_told_from_others() {
    let schema = wsgate::config::schema();
    let route = "/properties/route/items/properties";
    for (way, right, wrong) in [
        (
            format!("{route}/host/anyOf/0"),
            &[
                "a.test",
                "*.a.test",
                "192.0.2.1",
                "[::1]",
                "::1",
                "a_b",
                "${HOST}",
            ][..],
            &[
                "",
                "https://a.test",
                "a.test/",
                "a*.test",
                "a b",
                "a..b",
                "a.test.",
                "a.test:80",
                "127.0.0.1:80",
                "10.0.0.256.1",
            ][..],
        ),
        (
            format!("{route}/path"),
            &[
                "/",
                "/*",
                "/ws/",
                "/ws/{id}/*",
                "/a%20b;c=d",
                "${PATH_OF_ROUTE}",
            ],
            &[
                "", "*", "ws", "/ws?a", "/ws#a", "/a b", "/ws*", "/a//b", "/a/*/b", "/a/{b",
                "/{1}", "/ä", "/a%2", "/ws/<id>",
            ],
        ),
        (
            format!("{route}/origin/properties/allow/items"),
            &[
                "same-origin",
                "*",
                "https://*.a.test:8443",
                "vscode-webview://*",
                "app://x",
            ],
            &[
                "",
                "a.test",
                "null",
                "//a.test",
                "https://a.test/",
                "https://a@b.test",
            ],
        ),
        (
            format!("{route}/address/properties/deny/items"),
            &[
                "10.0.0.0/8",
                "192.0.2.1",
                "2001:db8::/32",
                "::ffff:192.0.2.0/120",
            ],
            &[
                "",
                "a.test",
                "10.0.0.0/8/8",
                "10.0.0.0-10.0.0.9",
                "10.0/8",
                "10.0.0.0/255.0.0.0",
            ],
        ),
        (
            "/properties/listen/items/properties/address".to_owned(),
            &[
                "127.0.0.1:8080",
                "[::]:0",
                "[fe80::1%2]:80",
                "unix:/run/a.sock",
            ],
            &[
                "",
                "8080",
                ":8080",
                "localhost:80",
                "127.0.0.1",
                "unix:",
                "ws://[::]:80",
            ],
        ),
        (
            format!("{route}/rewrite"),
            &["/", "/a/{b}/*", "/{b}.x", "/*", "${REWRITE}"],
            &["", "a", "/a?b", "/a/*/b"],
        ),
        (
            format!("{route}/subprotocols/items"),
            &["chat.v2", "graphql-ws", "${NAME}"],
            &["", "a b", "a,b"],
        ),
        (
            format!("{route}/headers/properties/set/propertyNames"),
            &["X-Name", "x_name"],
            &["", "x gate", "x:"],
        ),
        (
            "/properties/publish/properties/tokens/items/properties/channels/items".to_owned(),
            &[
                "room.1",
                "user.*",
                "*.a.**",
                "**",
                "a-b_c~d@e:f+g=2E",
                "${CHANNEL}",
            ],
            &["", "user*", "**.a", "a..b", ".a", "a.", "a/b", "a b"],
        ),
        (
            "/properties/shared/properties/url".to_owned(),
            &[
                "redis://127.0.0.1:6379/0",
                "rediss://a:b@c",
                "redis-sentinel://a,b:1/main/2",
                "rediss-cluster://a,b",
                "${REDIS}",
            ],
            &[
                "",
                "redis://",
                "127.0.0.1:6379",
                "valkey://a",
                "redis://a?b",
            ],
        ),
        (
            format!("{route}/channels/properties/join/items"),
            &[
                "lobby",
                "room.{path.room}",
                "a-{subject}-z.{claim.a.b}",
                "{host}.{route}",
                "${CHANNEL}",
            ],
            &[
                "",
                "a..b",
                "a.",
                "a/b",
                "a.*",
                "{subject}{host}",
                "{subject}-{host}",
                "{{a}}",
            ],
        ),
        (
            format!("{route}/limits/properties/message_size"),
            &["1B", "64KiB", "010MB"],
            &["0B", "64k", "1 MiB", "64"],
        ),
        (
            format!("{route}/timeouts/properties/write"),
            &["1ms", "60s", "10m"],
            &["0s", "1m30s", "5 min", "10"],
        ),
        (
            "/properties/upstream/propertyNames".to_owned(),
            &["chat", "chat-2.a_b"],
            &["", "chat servers"],
        ),
    ] {
        let pattern = pattern(&schema, &way);
        for value in right {
            assert!(pattern.is_match(value), "{way}: {value:?} by {pattern}");
        }
        for value in wrong {
            assert!(!pattern.is_match(value), "{way}: {value:?} by {pattern}");
        }
    }
}

#[test]
fn lists_that_would_serve_nothing_are_refused() {
    let schema = wsgate::config::schema();
    assert_eq!(schema["required"], serde_json::json!(["route"]));
    assert_eq!(schema["title"], "wsgate");
    assert_eq!(schema["properties"]["route"]["minItems"], 1);
    let pool = &schema["properties"]["upstream"]["additionalProperties"];
    assert_eq!(pool["properties"]["servers"]["minItems"], 1);
    let tokens = &schema["properties"]["publish"]["properties"]["tokens"];
    assert_eq!(tokens["minItems"], 1);
    assert_eq!(schema["$id"], "urn:wsgate:settings");
}
