//! What a variable holds and what stands under a masked key is in no error, whatever is wrong.

use std::env::VarError;
use std::path::Path;

use serde_json::{Value, json};

use crate::config::{Config, ConfigErrors};

/// In the place of every secret.
const CANARY: &str = "c4nary";

/// Settings with each table, and with a secret under each masked key.
const SETTINGS: &str = r#"
[[listen]]
address = "127.0.0.1:8080"

[admin]
address = "127.0.0.1:9900"
token = "c4nary-token"

[publish]
address = "127.0.0.1:9901"
tokens = [
  { name = "billing", token = "c4nary-publisher", channels = ["user.*"] },
  { name = "rooms", channels = ["room.**"], token = 'c4nary-rooms', direct = true },
]

[shared]
url = "redis://wsgate:c4nary-password@127.0.0.1/0"

[log]
level = "info"

[upstream.chat]
servers = ["ws://127.0.0.1:9001", { url = "ws://127.0.0.1:9002", weight = 2 }]

[defaults.headers]
set = { x-default = "c4nary-default" } # and no other

[[route]]
name = "chat"
path = "/ws/{room}"
upstream = "chat"
rewrite = "/{room}"
limits.per_ip.bytes = { rate = "1MiB/s", burst = "16MiB" }
channels.join = ["room.{path.room}"]
headers.set.x-dotted = "c4nary-dotted"
headers.set.x-literal = 'c4nary-literal'
headers.set."x-quoted" = "c4nary\"quoted"
headers.set.x-lines = """\
  c4nary = "lines" \
  c4nary-line"""

[[route]]
name = "rest"
path = "/rest/*"
upstream = "chat"
host = ["a.test"]

[route.headers]
remove = ["cookie"]
set = { x-one = "c4nary-one", x-two = "Bearer c4nary two=" }

[[route]]
name = "last"
path = "/last"
upstream = "chat"
[route.headers.set]
x-table = "c4nary-table"
"#;

/// Reads a text where the variable `V` holds this.
fn read(text: &str, value: &str) -> Result<Config, ConfigErrors> {
    let environment = |name: &str| match name {
        "V" => Ok(value.to_owned()),
        _ => Err(VarError::NotPresent),
    };
    Config::read("test.toml", text, Path::new("/etc"), &environment)
}

/// Everything that says what is wrong with the settings; nothing if nothing is.
fn said(read: &Result<Config, ConfigErrors>) -> String {
    match read {
        Ok(config) => config.warnings().collect::<Vec<_>>().join("\n"),
        Err(errors) => {
            let parts = errors.iter().map(|error| format!("{error:?} {error}"));
            let parts: String = parts.collect();
            format!("{errors} {errors:?} {parts} {}", errors.render(false))
        }
    }
}

/// Where the values of settings are.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(table) if !table.is_empty() => {
            for (key, value) in table {
                places(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

/// TOML has no null.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(table) => {
            table.retain(|_, value| !value.is_null());
            table.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// What a variable may hold: wrong almost everywhere, and right here and there.
const VALUES: [&str; 9] = [
    "c4nary",
    "c4nary value",
    "/c4nary/../x",
    "/c4nary/{nope}",
    "ws://user:c4nary@a.test/c4nary?c4nary",
    "info,c4nary",
    "c4nary=inof",
    "{c4nary",
    "1c4nary/s",
];

#[test]
fn no_value_of_a_variable_is_in_an_error_at_any_key() {
    let settings = read(SETTINGS, "").unwrap().resolved();
    let mut keys = Vec::new();
    places(&settings, "", &mut keys);
    assert!(keys.len() > 100, "{keys:?}");
    let mut wrong = 0;
    for key in &keys {
        let forms = [json!("${V}"), json!(["${V}"]), json!({ "x": "${V}" })];
        for (form, values) in forms
            .into_iter()
            .zip([&VALUES[..], &VALUES[..2], &VALUES[..2]])
        {
            let mut settings = settings.clone();
            *settings.pointer_mut(key).unwrap() = form;
            without_nulls(&mut settings);
            let text = toml::to_string(&settings).unwrap();
            for value in values {
                let read = read(&text, value);
                wrong += usize::from(read.is_err());
                let said = said(&read);
                assert!(!said.contains(CANARY), "{key} with {value}:\n{said}");
            }
        }
    }
    assert!(wrong > keys.len() * VALUES.len(), "{wrong} wrong ones");
}

#[test]
fn no_value_of_a_variable_is_in_an_error_about_another_key() {
    for (written, other) in [
        ("rewrite = \"/{room}\"", "rewrite = \"/{nope}\""),
        ("rewrite = \"/{room}\"", "rewrite = \"/x/*\""),
        ("x-dotted = \"c4nary-dotted\"", "x-dotted = \"{path.nope}\""),
        ("name = \"rest\"", "name = \"${V}\"\nhttp = \"no\""),
        ("level = \"info\"", "level = \"info\"\nformat = \"no\""),
    ] {
        let text = SETTINGS.replacen(written, other, 1);
        assert_ne!(text, SETTINGS);
        let text = text.replacen("/ws/{room}", "/${V}/{room}", 1);
        let errors = read(&text, "c4nary").unwrap_err();
        let said = said(&Err(errors));
        assert!(!said.contains(CANARY), "{other}:\n{said}");
    }
    let bursts = SETTINGS.replace("burst = \"16MiB\"", "burst = \"${V}\"");
    let said = said(&read(&bursts, "1234567B"));
    assert!(
        said.contains("burst") && !said.contains("1234567"),
        "{said}"
    );
}

#[test]
fn no_value_of_a_variable_is_in_the_help_for_another_form() {
    let pool = "[upstream.chat]\nservers = [\"ws://a.test\"]\n";
    let route = "[[route]]\nname = \"chat\"\npath = \"/ws\"\nupstream = \"chat\"\n";
    for (text, value) in [
        (
            format!("listen = \"${{V}}\"\n{pool}{route}"),
            "192.0.2.7:4321",
        ),
        (
            format!("listen = [\"${{V}}\"]\n{pool}{route}"),
            "192.0.2.7:4321",
        ),
        (
            format!("[[upstream]]\nname = \"${{V}}\"\n{route}"),
            "c4nary",
        ),
        (
            format!("[upstream]\nname = \"${{V}}\"\nservers = []\n{route}"),
            "c4nary",
        ),
        (
            format!("{pool}max_connections = \"${{V}}\"\n{route}"),
            "4321",
        ),
        (
            format!("{pool}{route}limits.message_size = \"${{V}}\"\n"),
            "4321k",
        ),
        (
            format!("{pool}{route}timeouts.idle = \"${{V}}\"\n"),
            "43m21s",
        ),
        (
            format!("{pool}[[route]]\nname = \"a\"\npath = \"${{V}}\"\nupstream = \"chat\"\n"),
            "/:c4nary",
        ),
    ] {
        let said = said(&read(&text, value));
        assert!(!said.contains(value), "{text}:\n{said}");
        assert!(
            !said.contains("4321") && !said.contains(CANARY),
            "{text}:\n{said}"
        );
    }
}

#[test]
fn nothing_of_a_masked_key_is_in_an_error_about_it_or_its_neighbours() {
    for line in [
        // Wrong values.
        "headers.set = { x-key = \"{c4nary}\" }",
        "headers.set = { x-key = \"{path.c4nary}\" }",
        "headers.set = { x-key = \"{c4nary\" }",
        "headers.set = { x-key = \"c4nary}\" }",
        "headers.set = { x-key = \"c4nary\u{7f}\" }",
        "headers.set = { x-key = \"${c4nary nary}\" }",
        "headers.set = { x-key = \"${c4nary\" }",
        "headers.set = { x-key = [\"c4nary\"] }",
        "headers.set = { x-key = { c4nary = \"c4nary\" } }",
        "headers.set = \"c4nary\"",
        "headers.set = [\"c4nary\"]",
        "headers = \"c4nary\"",
        "headers = [{ set = \"c4nary\" }]",
        // Right ones, beside something wrong.
        "headers = { set = { x-key = \"c4nary\", Connection = \"x\" }, remove = [\"te\"] }",
        "headers = { set = { x-key = \"c4nary\" }, forwarded = \"no\" }",
        "headers.set = { x-key = \"c4nary\", X-Key = \"c4nary\" }",
        "headers.set = { x-key = \"c4nary\", x-other = \"${UNSET}\" }",
        // Keys that are written wrongly or stand elsewhere.
        "headers.st = { x-key = \"c4nary\" }",
        "headers.x-key = \"c4nary\"",
        "heders.set = { x-key = \"c4nary\" }",
        "header.x-key = \"c4nary\"",
        "headers.Set = { x-key = \"c4nary\" }",
        "set = { x-key = \"c4nary\" }",
        "x-key = \"c4nary\"",
        "authorization = [\"c4nary\", { x = \"c4nary\" }]",
        "request.headers.x-key = \"c4nary\"",
        "admin.token = \"c4nary\"",
        "password = 'c4nary'",
        // Credentials in what should be no URL.
        "host = \"https://user:c4nary@a.test/\"",
        "origin.allow = [\"https://user:c4nary@a.test\"]",
        "origin.allow = [\"https://a.test/?c4nary\"]",
        "rewrite = \"ws://user:c4nary@a.test\"",
        "upstream_lost = \"ws://user:c4nary@a.test\"",
        "timeouts.idle = \"ws://c4nary@a.test ws://c4nary@b.test\"",
        "host = \"user:c4nary@a.test\"",
        "origin.allow = [\"//user:c4nary@a.test\"]",
        "rewrite = \"ws:/user:c4nary@a.test\"",
        "timeouts.idle = \"user:c4nary@a.test:80\"",
        "proxy_pass = \"user:c4nary@a.test:80\"",
    ] {
        let text = format!(
            "[upstream.chat]\nservers = [\"ws://127.0.0.1:9001\"]\n\
             [[route]]\nname = \"chat\"\npath = \"/ws\"\nupstream = \"chat\"\n{line}\n"
        );
        let read = read(&text, "");
        assert!(read.is_err(), "{line}");
        let said = said(&read);
        assert!(!said.contains(CANARY), "{line}:\n{said}");
    }
    for (right, wrong) in [
        ("name = \"billing\"", "name = \"rooms\""),
        ("name = \"billing\"", "nam = \"c4nary\""),
        ("token = 'c4nary-rooms'", "token = \"c4nary-publisher\""),
        ("token = 'c4nary-rooms'", "token = 'c4nary rooms'"),
        ("token = 'c4nary-rooms'", "token = ['c4nary-rooms']"),
        ("token = 'c4nary-rooms'", "tokn = 'c4nary-rooms'"),
        ("token = 'c4nary-rooms'", "secret_key = 'c4nary-rooms'"),
        ("[\"room.**\"]", "[\"room*\"]"),
        ("tokens = [", "tokens = \"c4nary\"\nx = ["),
        ("tokens = [", "tokns = ["),
        ("[publish]", "[pub]"),
        ("/0\"", "/x\""),
        ("redis://", "reddis://"),
        ("wsgate:c4nary", "c4nary"),
        ("url = \"redis", "urls = \"redis"),
        ("url = \"redis", "prefix = \"redis"),
    ] {
        let text = SETTINGS.replacen(right, wrong, 1);
        assert_ne!(text, SETTINGS, "{right}");
        let read = read(&text, "");
        assert!(read.is_err(), "{wrong}");
        let said = said(&read);
        assert!(!said.contains(CANARY), "{wrong}:\n{said}");
    }
    for line in [
        "token = 51423",
        "token = [51423]",
        "token = 2051-04-23",
        "tokn = 51423",
        "key = 51423",
    ] {
        let text = SETTINGS.replace("token = \"c4nary-token\"", line);
        let said = said(&read(&text, ""));
        assert!(
            said.contains("admin") || said.contains("unknown key"),
            "{said}"
        );
        assert!(!said.contains("514") && !said.contains("04-23"), "{said}");
    }
}

#[test]
fn no_credentials_of_a_misspelled_url_are_in_an_error_about_it() {
    for url in [
        "user:c4nary@a.test:9001",
        "c4nary@a.test",
        "//user:c4nary@a.test",
        "ws:/user:c4nary@a.test",
        "wss:user:c4nary@a.test",
        "ws//user:c4nary@a.test",
        "a.test:9001/x?token=c4nary",
        "ws://user:c4nary\\u0040a.test",
    ] {
        for (right, wrong) in [
            ("[\"ws://127.0.0.1:9001\", {", format!("[\"{url}\", {{")),
            ("\"ws://127.0.0.1:9002\"", format!("\"{url}\"")),
            ("upstream = \"chat\"", format!("upstream = \"{url}\"")),
            ("\"127.0.0.1:8080\"", format!("\"{url}\"")),
            ("\"127.0.0.1:9900\"", format!("\"{url}\"")),
            ("path = \"/last\"", format!("path = \"{url}\"")),
        ] {
            let text = SETTINGS.replace(right, &wrong);
            let read = read(&text, "");
            assert!(read.is_err(), "{wrong}");
            let said = said(&read);
            assert!(!said.contains(CANARY), "{wrong}:\n{said}");
        }
    }
}

/// What a slip of the hand leaves behind.
const SLIPS: [&str; 12] = [
    "x", "\"", "'", "\"\"\"", "\n", "=", "[", "]", "{", "}", "#", "\\",
];

#[test]
fn nothing_of_a_masked_key_is_in_an_error_after_a_slip_at_any_place() {
    let (mut wrong, mut shown) = (0, 0);
    let places = SETTINGS.char_indices().map(|(at, _)| at);
    for (turn, at) in places.step_by(3).enumerate() {
        let (before, behind) = SETTINGS.split_at(at);
        // By turns: all of them at each place would take a minute.
        let slips = SLIPS.iter().skip(turn % 6).step_by(6);
        let inserted = slips.map(|slip| format!("{before}{slip}{behind}"));
        let cut = [format!("{before}{}", &behind[1..]), before.to_owned()];
        for text in inserted.chain(cut) {
            let read = read(&text, "");
            wrong += usize::from(read.is_err());
            let said = said(&read);
            shown += usize::from(said.contains("x-one"));
            assert!(
                !said.contains("c4n") && !said.contains("ary"),
                "at {at}, {text}:\n{said}"
            );
        }
    }
    assert!(wrong > 800 && shown > 0, "{wrong} wrong, {shown} shown");
}
