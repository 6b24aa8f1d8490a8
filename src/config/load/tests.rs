mod built;
#[cfg(feature = "server")]
mod many;
#[cfg(feature = "server")]
mod secrets;

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderName;

use super::*;
use crate::close::CloseCode;
use crate::config::{
    Balance, ClientIp, Compression, Drain, Keepalive, Limits, ListenAddress, OnExceed, OriginRules,
    Ping, Rate, ServerAddress, Template, Timeouts,
};

const SERVED: &str = "
[upstream.chat]
servers = [\"ws://127.0.0.1:9001\"]
[[route]]
name = \"chat\"
path = \"/ws/{room}\"
upstream = \"chat\"
";

fn variables(name: &str) -> Result<String, VarError> {
    match name {
        "WSGATE_ADMIN_TOKEN" => Ok("hunter2".to_owned()),
        "SERVER" => Ok("127.0.0.1:9001".to_owned()),
        "CANARY" => Ok("canary value".to_owned()),
        "CANARY2" => Ok("canary".to_owned()),
        _ => Err(VarError::NotPresent),
    }
}

fn read(text: &str) -> Result<Config, ConfigErrors> {
    Config::read("test.toml", text, Path::new("/etc/wsgate"), &variables)
}

/// Reads a text behind the least that is served.
fn served(text: &str) -> Result<Config, ConfigErrors> {
    read(&format!("{SERVED}{text}"))
}

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_text_without_variables_reads_none() {
    let text = "[upstream.a]\nservers = [\"ws://127.0.0.1:1\"]\n[[route]]\nname = \"a\"\npath = \"/*\"\n\
                upstream = \"a\"\nheaders.set = { x-path = \"${PATH}\" }";
    let config = Config::from_toml_without_variables("text", text);
    let errors = config.unwrap_err().to_string();
    assert!(!errors.contains("/bin"), "{errors}");
    assert!(Config::from_toml("text", text).is_ok());
}

#[test]
fn all_shipped_settings_load_without_a_warning() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.ends_with(".toml"), "{name}");
        let config = read(&shipped(&name)).unwrap();
        assert_eq!(Vec::from_iter(config.warnings()), [""; 0], "{name}");
        assert!(!config.routes.is_empty(), "{name}");
        count += 1;
    }
    assert!(count >= 4, "{count} files");
}

#[test]
fn the_full_settings_are_the_defaults() {
    let full = read(&shipped("full.toml")).unwrap();
    let mut bare = read(&shipped("minimal.toml").replace("/ws/*", "/*")).unwrap();
    bare.has_default_listener = false;
    assert_eq!(format!("{full:#?}"), format!("{bare:#?}"));
}

#[test]
fn what_a_file_leaves_out_has_the_typed_defaults() {
    let config = served("").unwrap();
    assert_eq!(config.client_ip, ClientIp::default());
    assert_eq!(config.drain, Drain::default());
    assert!(config.admin.is_none());
    let route = &config.routes[0];
    assert!(route.hosts.is_empty() && route.rewrite.is_none());
    assert_eq!(route.origin, OriginRules::default());
    assert_eq!(route.limits, Limits::default());
    assert_eq!(route.keepalive, Keepalive::default());
    assert_eq!(route.timeouts, Timeouts::default());
    assert_eq!(route.upstream_lost, CloseCode::INTERNAL_ERROR);
    assert_eq!(route.compression, Compression::Passthrough);
}

#[test]
fn a_route_overrides_the_defaults_key_by_key() {
    let config = served(
        "
http = \"forward\"
keepalive.client = { timeout = \"5s\" }
limits.per_ip.connections = 0
limits.message_size = \"1KiB\"
headers.set = { x-b = \"route\", X-C = \"route\" }
address.deny = [\"192.0.2.0/24\"]
[defaults]
http = \"refuse\"
upstream_lost = 1014
[defaults.keepalive]
client = { interval = \"20s\", timeout = \"10s\" }
upstream = { interval = \"0s\" }
[defaults.limits]
per_ip.connections = 5
per_ip.messages = \"7/s\"
on_exceed = \"delay\"
[defaults.headers]
set = { x-a = \"defaults\", x-c = \"defaults\" }
[defaults.address]
deny = [\"198.51.100.0/24\", \"203.0.113.0/24\"]
",
    )
    .unwrap();
    let route = &config.routes[0];
    assert_eq!(route.http.mode, crate::config::HttpMode::Forward);
    assert_eq!(route.upstream_lost.get(), 1014);
    let ping = |interval: u64, timeout| Ping {
        interval: Some(Duration::from_secs(interval)).filter(|interval| !interval.is_zero()),
        timeout: Duration::from_secs(timeout),
    };
    assert_eq!(route.keepalive.client, ping(20, 5));
    assert_eq!(route.keepalive.upstream, ping(0, 60));
    assert_eq!(route.limits.per_ip.connections, None);
    assert_eq!(route.limits.per_ip.messages.unwrap().count, 7);
    assert_eq!(route.limits.on_exceed, OnExceed::Delay);
    assert_eq!(route.limits.message_size, 1024);
    let text = |text| Template::parse(text, &route.path).unwrap();
    let name = HeaderName::from_static;
    assert_eq!(
        route.headers.set,
        [
            (name("x-a"), text("defaults")),
            (name("x-b"), text("route")),
            (name("x-c"), text("route")),
        ]
    );
    assert_eq!(route.address.deny.len(), 1);
}

#[test]
fn a_rate_of_the_defaults_is_one_value_and_a_header_of_that_name_is_none() {
    let config = served(
        "
limits.per_ip.messages = { rate = \"9/s\" }
headers.set = { x-a = \"route\" }
[defaults]
limits.per_ip.messages = { rate = \"5/s\", burst = 50 }
headers.set = { rate = \"defaults\", x-b = \"defaults\" }
",
    )
    .unwrap();
    let route = &config.routes[0];
    let messages = route.limits.per_ip.messages.unwrap();
    assert_eq!((messages.count, messages.burst), (9, 9));
    let names = route.headers.set.iter().map(|(name, _)| name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["rate", "x-a", "x-b"]);
}

#[test]
fn every_form_of_a_value_is_read() {
    let config = read(
        "
listen = [{ address = \"unix:run/wsgate.sock\" }, { address = \"[::1]:8080\" }]
[client_ip]
trusted_proxies = [\"10.0.0.1\", \"2001:db8::/32\"]
[upstream.chat]
servers = [{ url = \"ws://${SERVER}/base/\", weight = 3 }, \"unix:chat.sock\"]
balance = \"ip_hash\"
max_connections = 10
[[route]]
name = \"chat\"
host = \"chat.example.com\"
path = \"/*\"
upstream = \"chat\"
validate_utf8 = true
[route.limits.per_connection]
messages = { rate = \"60/m\", burst = 5 }
bytes = { rate = \"1MiB/s\", burst = \"32MiB\" }
",
    )
    .unwrap();
    assert_eq!(
        config.listen[0].address,
        ListenAddress::Unix("/etc/wsgate/run/wsgate.sock".into())
    );
    assert_eq!(config.listen.len(), 2);
    let proxy: IpAddr = "10.0.0.1".parse().unwrap();
    assert_eq!(config.client_ip.trusted_proxies[0], proxy.into());
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.balance, Balance::IpHash);
    assert_eq!(upstream.max_connections, Some(10));
    assert_eq!(upstream.servers[0].weight, 3);
    assert_eq!(upstream.servers[0].base_path, "/base");
    assert_eq!(
        upstream.servers[1].address,
        ServerAddress::Unix("/etc/wsgate/chat.sock".into())
    );
    let route = &config.routes[0];
    assert_eq!(route.hosts.len(), 1);
    assert_eq!(
        (route.compression, route.validate_utf8),
        (Compression::Off, true)
    );
    let rate = |count, seconds, burst| Rate {
        count,
        per: Duration::from_secs(seconds),
        burst,
    };
    let limits = route.limits.per_connection;
    assert_eq!(limits.messages, Some(rate(60, 60, 5)));
    assert_eq!(limits.bytes, Some(rate(1 << 20, 1, 32 << 20)));
}

#[test]
fn a_file_without_listeners_listens_on_loopback() {
    let config = served("").unwrap();
    let default = ListenAddress::Tcp("127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.listen.len(), 1);
    assert_eq!(config.listen[0].address, default);
}

#[test]
fn a_url_alone_is_served_with_the_defaults() {
    let config = Config::to("ws://127.0.0.1:9001", None).unwrap();
    let written = read(
        &SERVED
            .replace("/ws/{room}", "/*")
            .replace("\"chat\"", "\"default\"")
            .replace(".chat", ".default"),
    );
    assert_eq!(format!("{config:?}"), format!("{:?}", written.unwrap()));
    let config = Config::to("unix:/run/chat.sock", Some("[::]:0")).unwrap();
    assert_eq!(config.listen.len(), 1);
    assert_eq!(
        config.listen[0].address,
        ListenAddress::Tcp("[::]:0".parse().unwrap())
    );
    for (url, listen) in [
        ("tcp://127.0.0.1:9001", None),
        ("127.0.0.1:9001", None),
        ("ws://127.0.0.1:9001", Some("8080")),
    ] {
        let errors = Config::to(url, listen).unwrap_err();
        assert_eq!(errors.iter().count(), 1, "{errors}");
    }
    let errors = Config::to("ws://user:hunter2@chat", None).unwrap_err();
    assert!(!errors.to_string().contains("hunter2"), "{errors}");
}

#[test]
fn what_a_variable_holds_is_in_no_error() {
    for text in [
        "[[listen]]\naddress = \"${CANARY}\"",
        "[admin]\naddress = \"127.0.0.1:1\"\ntoken = \"${CANARY}\"",
        "[log]\nlevel = \"${CANARY2}\"",
        "[log]\nformat = \"${CANARY}\"",
        "[drain]\nspread = \"${CANARY}\"",
        "[server]\nhead_size = \"${CANARY}\"",
        "[upstream.other]\nservers = [\"ws://${CANARY}:1\"]",
        "[[route]]\nname = \"${CANARY}\"\npath = \"/a\"\nupstream = \"chat\"",
        "[[route]]\nname = \"a\"\npath = \"/a\"\nupstream = \"${CANARY}\"",
        "rewrite = \"${CANARY}\"",
        "host = [\"${CANARY}\"]",
        "headers.set = { x-a = \"{path.${CANARY}}\" }",
        "headers.remove = [\"${CANARY}\"]",
        "origin.allow = [\"${CANARY}\"]",
        "[defaults.address]\nallow = [\"${CANARY}\"]",
        "[defaults.limits.per_ip]\nmessages = \"${CANARY}\"",
    ] {
        let errors = served(text).unwrap_err();
        assert_eq!(errors.iter().count(), 1, "{errors}");
        let shown = format!("{errors} {errors:?}");
        #[cfg(feature = "server")]
        let shown = shown + &errors.render(false);
        assert!(
            !shown.contains("canary") && shown.contains("environment"),
            "{shown}"
        );
    }
}

#[cfg(feature = "server")]
#[test]
fn the_admin_token_is_in_no_error() {
    for text in [
        "admin = { address = \"0.0.0.0\", token = \"hunter2\" }",
        "[admin]\naddress = \"127.0.0.1:1\"\ntoken = \"hunter2 \"",
        "[admin]\naddress = \"127.0.0.1:1\"\ntokn = \"hunter2\"",
        "[admin]\naddress = \"127.0.0.1:1\"\ntoken = [\"hunter2\"]",
        "[admin]\naddress = \"127.0.0.1:1\"\ntoken = \"hunter2",
        "[admin]\ntoken = \"hunter2\" \"",
    ] {
        let errors = served(text).unwrap_err();
        let shown = format!("{errors} {errors:?} {}", errors.render(false));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let config = served("[admin]\naddress = \"0.0.0.0:1\"\ntoken = \"${WSGATE_ADMIN_TOKEN}\"");
    let config = config.unwrap();
    let token = config.admin.as_ref().unwrap().token.as_ref().unwrap();
    assert_eq!(token.expose(), "hunter2");
    assert!(!format!("{config:?} {}", config.summary()).contains("hunter2"));
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    for (text, expected) in [
        ("", None),
        (
            "[upstream.spare]\nservers = [\"ws://a\"]",
            Some("test.toml:8:11: no route uses the upstream `spare`"),
        ),
        (
            "[[route]]\nname = \"b\"\nhost = \"a.com\"\npath = \"/ws/a\"\nupstream = \"chat\"",
            Some(
                "test.toml:8:1: this route never matches: the one in line 4 takes all of its requests",
            ),
        ),
        (
            "[[route]]\nname = \"b\"\npath = \"/b\"\nupstream = \"chat\"",
            None,
        ),
        (
            "[route.limits.per_ip]\nbytes = \"1MiB/s\"",
            Some(
                "test.toml:9:9: a message larger than the burst of 1MiB is always refused, although \
                 message_size lets 16MiB in",
            ),
        ),
        (
            "[route.limits]\nper_ip.bytes = \"1MiB/s\"\non_exceed = \"delay\"",
            None,
        ),
        (
            "[client_ip]\ntrusted_proxies = [\"::/0\"]",
            Some("test.toml:9:20: everybody is a trusted proxy: any client can claim any address"),
        ),
        (
            "[drain]\nspread = \"1m\"",
            Some(
                "test.toml:9:10: the closes are spread over three quarters of the deadline, which is less \
                 than `spread`: the last ones need time to be answered",
            ),
        ),
        (
            "[drain]\ndeadline = \"13s\"",
            Some(
                "test.toml:9:12: the closes are spread over three quarters of the deadline, which is less \
                 than `spread`: the last ones need time to be answered",
            ),
        ),
        ("[drain]\nspread = \"30s\"\ndeadline = \"40s\"", None),
    ] {
        let config = served(text).unwrap();
        let warnings: Vec<_> = config.warnings().collect();
        assert_eq!(warnings, Vec::from_iter(expected), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("absent.toml");
    let errors = Config::from_file(&absent).unwrap_err();
    let source = std::error::Error::source(&errors).unwrap().to_string();
    assert!(
        errors
            .to_string()
            .contains("absent.toml: this file cannot be read")
    );
    #[cfg(feature = "server")]
    assert!(errors.render(false).contains(&source));
    assert!(!source.is_empty());
    let latin1 = directory.path().join("latin1.toml");
    std::fs::write(&latin1, b"# \xe4").unwrap();
    let errors = Config::from_file(&latin1).unwrap_err();
    assert!(errors.to_string().contains("not UTF-8"));
}
