use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::*;
use crate::config::schema::schema;
use crate::config::values::secret::MASK;

/// Every key with a value that is not its default.
const EVERYTHING: &str = r#"
[[listen]]
address = "[::1]:8081"
[[listen]]
address = "unix:/run/wsgate.sock"
[issuer.main]
issuer = "https://id.example.com/"
secret = "s3cret-of-an-issuer-of-32-bytes."
algorithms = ["HS512"]
audience = ["chat"]
leeway = "5s"
[client_ip]
trusted_proxies = ["10.0.0.0/8", "::1"]
header = "forwarded"
ipv6_prefix = 56
tracked = 1000
[admin]
address = "127.0.0.1:9900"
token = "s3cret-token"
[publish]
address = "127.0.0.1:9901"
message_size = "64KiB"
[[publish.tokens]]
name = "billing"
token = "s3cret-of-a-publisher"
channels = ["user.*", "room.**"]
direct = true
tickets = true
[shared]
url = "redis-sentinel://wsgate:s3cret-password@10.0.0.1,10.0.0.2:26380/main/2"
limits = ["connections"]
on_failure = "deny"
prefix = "chat"
[log]
level = "debug"
format = "json"
access = false
[drain]
close_code = 1012
spread = "1500ms"
deadline = "2m"
[server]
workers = 3
sessions = 500
handshake_timeout = "7s"
head_size = "32KiB"
[upstream.chat]
servers = [{ url = "ws://Chat.local/base", weight = 3 }, "unix:/run/chat.sock:/v1"]
balance = "ip_hash"
connect_timeout = "1s"
handshake_timeout = "2s"
head_size = "64KiB"
retries = 4
retry_timeout = "20s"
max_connections = 50
[upstream.chat.passive]
failures = 3
within = "30s"
[[route]]
name = "chat"
host = ["chat.example.com", "*.example.com"]
path = "/rooms/{id}/*"
subprotocols = ["chat.v1"]
upstream = "chat"
rewrite = "/r/{id}/*"
http = { mode = "forward", response_timeout = "2m", idle_timeout = "1h", write_timeout = "9s", origin = "check" }
compression = "off"
validate_utf8 = true
upstream_lost = 1014
[route.origin]
allow = ["https://*.example.com", "https://a.test:8443", "same-origin"]
missing = "deny"
null = "allow"
[route.address]
allow = ["10.0.0.0/8"]
deny = ["10.1.0.0/16"]
[route.auth]
from = ["header:x-token", "query:token", "subprotocol:bearer."]
jwt = "main"
require = { scope = ["chat", 1, true], sub = "{path.id}" }
claims = ["team"]
on_expiry = "keep"
[route.auth.forward]
url = "http://127.0.0.1:4180/auth"
copy = ["x-user"]
timeout = "1s"
recheck = "1m"
[route.auth.tickets]
lifetime = "1m"
[route.limits]
on_exceed = "delay"
message_size = "1MB"
[route.limits.per_ip]
connections = 9
handshakes = "10/m"
messages = { rate = "20/s", burst = 40 }
bytes = "1MiB/h"
[route.limits.per_connection]
messages = "5/s"
bytes = { rate = "64KiB/s", burst = "2MiB" }
[route.channels]
join = ["room.{path.id}", "user.{subject}"]
upstream_header = true
queue = "1MiB"
on_slow = "drop_oldest"
retain = 20
[route.keepalive]
client = { interval = "20s", timeout = "5s" }
upstream = { interval = "0s", timeout = "1s" }
[route.timeouts]
idle = "1h"
lifetime = "24h"
write = "3s"
close = "4s"
[route.headers]
set = { x-key = "s3cret-header" }
remove = ["cookie"]
forwarded = "both"
[[route]]
name = "rest"
path = "/*"
upstream = "chat"
"#;

fn config(text: &str) -> Config {
    Config::from_toml("/etc/wsgate.toml", text).unwrap()
}

/// What of the settings does not fit the schema, and what of the schema is not in the settings.
fn differences(at: &str, value: &Value, schema: &Value, wrong: &mut Vec<String>) {
    let branches = schema["anyOf"].as_array().map_or(&[][..], Vec::as_slice);
    let fits = |branch: &&Value| {
        value.is_object() == branch.get("properties").is_some()
            && value.is_array() == branch.get("items").is_some()
    };
    if let Some(branch) = branches.iter().find(fits) {
        return differences(at, value, branch, wrong);
    }
    match value {
        Value::Object(entries) => {
            for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
                let known = schema["properties"]
                    .get(key)
                    .or(schema.get("additionalProperties"));
                match known.filter(|known| known.is_object()) {
                    Some(known) => differences(&format!("{at}.{key}"), value, known, wrong),
                    None => wrong.push(format!("{at}.{key} is no setting")),
                }
            }
            for key in schema["properties"]
                .as_object()
                .into_iter()
                .flat_map(Map::keys)
            {
                if entries.get(key).is_none_or(Value::is_null) {
                    wrong.push(format!("{at}.{key} is not there"));
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                differences(&format!("{at}[]"), item, &schema["items"], wrong);
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_of_the_schema_is_there_and_no_other() {
    let mut resolved = config(EVERYTHING).resolved();
    resolved["route"].as_array_mut().unwrap().truncate(1);
    let mut wrong = Vec::new();
    differences("", &resolved, &schema(), &mut wrong);
    // Without these tables there is no TLS, and no file of keys.
    wrong.retain(|wrong| {
        !wrong.ends_with(".tls is not there") && !wrong.ends_with(".auth.keys is not there")
    });
    assert_eq!(wrong, [".defaults is not there"]);
}

#[test]
fn what_has_no_value_is_null_and_all_else_is_there() {
    let resolved = config(EVERYTHING).resolved();
    let mut wrong = Vec::new();
    differences(
        "",
        &json!({ "route": [resolved["route"][1]] }),
        &schema(),
        &mut wrong,
    );
    wrong.retain(|key| key.starts_with(".route"));
    assert_eq!(
        wrong,
        [
            ".route[].auth is not there",
            ".route[].host is not there",
            ".route[].rewrite is not there"
        ]
    );
    let bare = Config::to("ws://127.0.0.1:9001", None).unwrap().resolved();
    assert_eq!(bare["admin"], Value::Null);
    let listen = json!([{ "address": "127.0.0.1:8080", "http": ["h1"], "proxy_protocol": "off" }]);
    assert_eq!(bare["listen"], listen);
}

/// JSON as a value of TOML.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries = entries.iter().filter(|(_, value)| !value.is_null());
            let entries = entries.map(|(key, value)| format!("{key:?} = {}", toml(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(toml).collect::<Vec<_>>().join(", ")
            )
        }
        // A `$` of the value is no variable's.
        other => other.to_string().replace("${", "$${"),
    }
}

#[test]
fn the_settings_are_what_a_file_with_them_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![
        root.join("config/full.toml"),
        PathBuf::from("/etc/wsgate.toml"),
    ];
    for entry in std::fs::read_dir(root.join("tests/corpus/valid")).unwrap() {
        files.push(entry.unwrap().path());
    }
    assert!(files.len() > 6, "{files:?}");
    for file in files {
        let name = file.to_str().unwrap();
        let config = match std::fs::read_to_string(&file) {
            Ok(text) => Config::from_toml(name, &text).unwrap(),
            Err(_) => config(EVERYTHING),
        };
        let resolved = config.resolved();
        let entries = resolved.as_object().unwrap().iter();
        let lines = entries.filter(|(_, value)| !value.is_null());
        let lines = lines.map(|(key, value)| format!("{key} = {}\n", toml(value)));
        // A secret has a length of its own.
        let secret = format!("\"secret\" = \"{}\"", "*".repeat(32));
        let again = lines.collect::<String>();
        let again = again.replace("\"secret\" = \"***\"", &secret);
        // No two tokens are the same.
        let parts = again.split("\"token\" = \"***\"").map(str::to_owned);
        let again = parts.enumerate().reduce(|(_, text), (index, part)| {
            (index, format!("{text}\"token\" = \"token-{index}\"{part}"))
        });
        let (_, again) = again.unwrap();
        let again =
            Config::from_toml(name, &again).unwrap_or_else(|errors| panic!("{errors}\n{again}"));
        assert_eq!(again.resolved(), resolved, "{name}");
        // The types show no secret either, and all the rest.
        let all = |config: &Config| {
            let mut config = config.clone();
            config
                .upstreams
                .sort_by_key(|upstream| upstream.name.clone());
            config.has_default_listener = false;
            config.warnings = Default::default();
            format!("{config:#?}")
        };
        assert_eq!(all(&again), all(&config), "{name}");
    }
}

#[test]
fn the_query_of_a_url_and_what_is_filled_into_one_are_not_shown() {
    let environment = |_: &str| Ok("s3cret".to_owned());
    let file = |url: &str| {
        EVERYTHING
            .replace("http://127.0.0.1:4180/auth", url)
            .replace("jwt = \"main\"", "jwt = [\"main\", \"other\"]")
            + &format!("[issuer.other]\nissuer = \"i\"\naudience = [\"a\"]\njwks = \"{url}\"\n")
    };
    for (url, shown) in [
        (
            "http://127.0.0.1:1/a?key=s3cret",
            "http://127.0.0.1:1/a?***",
        ),
        ("http://127.0.0.1:1/${PART}", MASK),
        ("http://127.0.0.1:1/a?key=${PART}", MASK),
        ("http://127.0.0.1:1/a", "http://127.0.0.1:1/a"),
    ] {
        let config = Config::read("file", &file(url), Path::new(""), &environment).unwrap();
        let resolved = config.resolved();
        assert_eq!(resolved["route"][0]["auth"]["forward"]["url"], shown);
        assert_eq!(resolved["issuer"]["other"]["jwks"], shown);
        let debug = format!("{config:#?}");
        assert!(!debug.contains("key="), "{debug}");
    }
}

#[test]
fn no_secret_is_shown() {
    let environment = |name: &str| match name {
        "PART" => Ok("s3cret-path".to_owned()),
        _ => Err(std::env::VarError::NotPresent),
    };
    let text = EVERYTHING.replace("/r/{id}/*", "/${PART}/*");
    let config = Config::read("file", &text, Path::new(""), &environment).unwrap();
    let resolved = config.resolved();
    let shown = resolved.to_string();
    assert!(!shown.contains("s3cret"), "{shown}");
    for secret in [
        &resolved["admin"]["token"],
        &resolved["publish"]["tokens"][0]["token"],
        &resolved["route"][0]["headers"]["set"]["x-key"],
        &resolved["route"][0]["rewrite"],
    ] {
        assert_eq!(secret, MASK);
    }
    let url = "redis-sentinel://wsgate:***@10.0.0.1,10.0.0.2:26380/main/2";
    assert_eq!(resolved["shared"]["url"], url);
    let debug = format!("{config:#?} {:#?}", config.settings());
    for secret in ["s3cret-of-a-publisher", "s3cret-password"] {
        assert!(!debug.contains(secret), "{debug}");
    }
}
