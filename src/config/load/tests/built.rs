//! Settings that stand in no file.

use std::time::Duration;

use serde_json::json;

use crate::config::{
    Admin, Config, HeaderSettings, Limits, OnExceed, OriginRules, PerIp, Publish, PublishToken,
    Rate, RouteSettings, Secret, Settings, SharedSettings, Timeouts, UpstreamSettings,
};
#[cfg(feature = "auth")]
use crate::config::{IssuerSettings, RouteAuth};

fn upstream() -> UpstreamSettings {
    UpstreamSettings {
        servers: vec!["ws://127.0.0.1:9001".parse().unwrap()],
        ..Default::default()
    }
}

fn route() -> RouteSettings {
    RouteSettings {
        name: "chat".to_owned(),
        path: Some("/rooms/{id}".parse().unwrap()),
        upstream: "chat".to_owned(),
        ..Default::default()
    }
}

fn settings() -> Settings {
    Settings {
        upstream: [("chat".to_owned(), upstream())].into(),
        route: vec![route()],
        ..Default::default()
    }
}

fn errors(settings: Settings) -> Vec<String> {
    let errors = Config::new(settings).unwrap_err();
    assert!(errors.iter().all(|error| error.line().is_none()));
    errors.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn settings_in_rust_mean_what_a_file_means() {
    let mut settings = settings();
    settings.client_ip.trusted_proxies = vec!["::ffff:10.0.0.0/104".parse().unwrap()];
    settings.route[0] = RouteSettings {
        rewrite: Some("/r/{id}".to_owned()),
        validate_utf8: true,
        origin: OriginRules {
            allow: vec!["https://*.example.com".parse().unwrap()],
            allow_missing: false,
            ..Default::default()
        },
        limits: Limits {
            per_ip: PerIp {
                messages: Some(Rate {
                    count: 50,
                    per: Duration::from_secs(1),
                    burst: 200,
                }),
                ..Default::default()
            },
            on_exceed: OnExceed::Delay,
            ..Default::default()
        },
        timeouts: Timeouts {
            idle: Some(Duration::from_millis(1500)),
            ..Default::default()
        },
        headers: HeaderSettings {
            set: [("x-key".to_owned(), Secret::new("{route} ${{HOME}}"))].into(),
            ..Default::default()
        },
        ..route()
    };
    let built = Config::new(settings).unwrap();
    let written = Config::from_toml(
        "file",
        r#"
        client_ip.trusted_proxies = ["10.0.0.0/8"]
        [upstream.chat]
        servers = ["ws://127.0.0.1:9001"]
        [[route]]
        name = "chat"
        path = "/rooms/{id}"
        upstream = "chat"
        rewrite = "/r/{id}"
        validate_utf8 = true
        origin = { allow = ["https://*.example.com"], missing = "deny" }
        limits.per_ip.messages = { rate = "50/s", burst = 200 }
        limits.on_exceed = "delay"
        timeouts.idle = "1500ms"
        headers.set.x-key = "{route} $${{HOME}}"
        "#,
    );
    let written = written.unwrap();
    assert_eq!(format!("{built:?}"), format!("{written:?}"));
    // `Debug` shows no header's value.
    assert_eq!(built.routes, written.routes);
}

#[test]
fn every_value_is_held_to_its_bounds() {
    let mut settings = settings();
    settings.client_ip.ipv6_prefix = 0;
    settings.server.head_size = 10;
    settings.log.level = "loud".to_owned();
    settings.drain.deadline = Duration::from_secs(1 << 40);
    let chat = settings.upstream.get_mut("chat").unwrap();
    chat.servers[0].weight = 0;
    chat.connect_timeout = Duration::ZERO;
    let route = &mut settings.route[0];
    route.name = "a b".to_owned();
    route.subprotocols = vec!["chat.v2".to_owned(), "a,b".to_owned()];
    route.limits.message_size = 0;
    route.limits.per_ip.bytes = Some(Rate {
        count: 10,
        per: Duration::from_secs(2),
        burst: 0,
    });
    let errors = errors(settings);
    for expected in [
        "the settings: client_ip.ipv6_prefix: this must be a number from 1 to 128",
        "the settings: server.head_size: this size cannot be zero",
        "the settings: server.head_size: this must be a size from 8KiB to 1MiB",
        "the settings: log.level: `loud` is none of",
        "is longer than a year",
        "the settings: upstream.chat.servers[0].weight: this must be a number from 1 to 65535",
        "the settings: upstream.chat.connect_timeout: this duration cannot be zero",
        "the settings: route[0].name: `a b` cannot be a name",
        "the settings: route[0].subprotocols[1]: `a,b` cannot be a subprotocol",
        "the settings: route[0].limits.message_size: this size cannot be zero",
        "the settings: route[0].limits.per_ip.bytes.rate: `10B` is not a byte rate",
        "the settings: route[0].limits.per_ip.bytes.burst: this size cannot be zero",
    ] {
        let is_there = errors.iter().any(|error| error.contains(expected));
        let is_other = expected.ends_with("head_size: this size cannot be zero");
        assert_ne!(is_there, is_other, "{expected}: {errors:#?}");
    }
    assert_eq!(errors.len(), 11, "{errors:#?}");
}

#[test]
fn what_does_not_hold_together_names_its_key() {
    let mut settings = settings();
    settings.admin = Some(Admin {
        address: "0.0.0.0:9900".parse().unwrap(),
        token: Some("hunter2 hunter2".into()),
        tls: None,
    });
    settings.route.push(RouteSettings {
        upstream: "chta".to_owned(),
        rewrite: Some("/r/{room}".to_owned()),
        ..route()
    });
    settings.route.push(RouteSettings {
        name: "rest".to_owned(),
        path: None,
        headers: HeaderSettings {
            remove: vec!["host".to_owned()],
            ..Default::default()
        },
        ..route()
    });
    settings
        .upstream
        .insert("empty".to_owned(), UpstreamSettings::default());
    let errors = errors(settings);
    let expected = [
        "upstream.empty.servers: an upstream needs at least one server",
        "route[1].name: two routes have the name `chat` (the first one stands at `route[0].name`)",
        "route[1].upstream: there is no upstream `chta` (did you mean `chat`?)",
        "route[1].rewrite: `/r/{room}`: the route's path `/rooms/{id}` has no parameter `{room}`",
        "route[2]: `path` is missing",
        "admin.token: this cannot be a token",
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(
            error.starts_with(&format!("the settings: {expected}")),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
    let nothing = self::errors(Settings::default());
    assert!(nothing[0].contains("there is no route"), "{nothing:?}");
}

#[test]
fn a_warning_names_its_key() {
    let mut settings = settings();
    settings.route.push(RouteSettings {
        name: "again".to_owned(),
        ..route()
    });
    settings.upstream.insert("spare".to_owned(), upstream());
    let config = Config::new(settings).unwrap();
    assert_eq!(
        Vec::from_iter(config.warnings()),
        [
            "the settings: upstream.spare: no route uses the upstream `spare`",
            "the settings: route[1]: this route never matches: the one at `route[0]` takes all of its requests",
        ]
    );
}

#[test]
fn secrets_are_kept_and_not_shown() {
    let mut settings = settings();
    settings.admin = Some(Admin {
        address: "0.0.0.0:9900".parse().unwrap(),
        token: Some("hunter2".into()),
        tls: None,
    });
    settings.route[0].headers.set = [("x-key".to_owned(), "hunter2".into())].into();
    let shown = format!("{settings:?} {}", serde_json::to_string(&settings).unwrap());
    let config = Config::new(settings).unwrap();
    let token = config.admin.as_ref().unwrap().token.as_ref().unwrap();
    assert_eq!(token.expose(), "hunter2");
    let shown = format!("{shown} {config:?}");
    assert!(
        !shown.contains("hunter2") && shown.contains("***"),
        "{shown}"
    );
}

#[test]
fn no_token_of_a_publisher_is_shown_and_all_are_kept() {
    let token = |name: &str| PublishToken {
        name: name.to_owned(),
        token: format!("hunter2-{name}").as_str().into(),
        channels: vec!["**".parse().unwrap()],
        direct: false,
        tickets: false,
    };
    let mut settings = settings();
    settings.publish = Some(Publish {
        address: "127.0.0.1:9901".parse().unwrap(),
        tokens: vec![token("a"), token("b")],
        message_size: 1024,
        tls: None,
    });
    let shown = format!("{settings:?} {}", toml::to_string(&settings).unwrap());
    let config = Config::new(settings.clone()).unwrap();
    let publish = config.publish.as_ref().unwrap();
    let tokens = publish.tokens.iter().map(|token| token.token.expose());
    assert_eq!(Vec::from_iter(tokens), ["hunter2-a", "hunter2-b"]);
    let shown = format!("{shown} {config:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    if let Some(publish) = &mut settings.publish {
        publish.tokens[1].token = publish.tokens[0].token.clone();
    }
    let errors = Config::new(settings).unwrap_err().to_string();
    let expected = "publish.tokens[1].token: this token is the same as another one of the list";
    assert!(errors.contains(expected), "{errors}");
    assert!(!errors.contains("hunter2"), "{errors}");
}

#[cfg(feature = "auth")]
#[test]
fn the_secret_of_an_issuer_is_kept() {
    let issuer = IssuerSettings {
        issuer: "tests".to_owned(),
        audience: vec!["chat".to_owned()],
        secret: Some("a secret of thirty-two bytes ...".into()),
        ..IssuerSettings::default()
    };
    let auth = RouteAuth {
        jwt: vec!["main".to_owned()],
        ..RouteAuth::default()
    };
    let mut settings = settings();
    settings.issuer = [("main".to_owned(), issuer)].into();
    settings.route[0].auth = Some(auth);
    let config = Config::new(settings.clone()).unwrap();
    assert_eq!(config.settings().issuer, settings.issuer);
}

#[cfg(feature = "shared")]
#[test]
fn the_password_of_an_engine_is_kept() {
    let shared = SharedSettings {
        url: Some("redis://wsgate:hunter2@127.0.0.1".parse().unwrap()),
        ..SharedSettings::default()
    };
    let mut settings = settings();
    settings.shared = Some(shared.clone());
    let config = Config::new(settings).unwrap();
    assert_eq!(config.settings().shared, Some(shared));
    let password = config.shared.unwrap().engine.password.unwrap();
    assert_eq!(password.expose(), "hunter2");
}

/// A build without the engine says so.
#[cfg(not(feature = "shared"))]
#[test]
fn nothing_is_shared_without_the_feature() {
    let mut settings = settings();
    settings.route[0].channels.join = vec!["lobby".to_owned()];
    assert!(Config::new(settings.clone()).is_ok());
    settings.shared = Some(SharedSettings::default());
    let errors = Config::new(settings).unwrap_err().to_string();
    let expected = "shared: this build of wsgate shares nothing with others";
    assert!(errors.contains(expected), "{errors}");
}

#[test]
fn settings_come_from_any_format_of_serde() {
    let settings: Settings = serde_json::from_value(json!({
        "upstream": { "chat": {
            "servers": ["ws://127.0.0.1:9001", { "url": "unix:/run/chat.sock", "weight": 2 }],
            "max_connections": 10,
        } },
        "route": [{
            "name": "chat",
            "host": "chat.example.com",
            "path": "/ws/*",
            "upstream": "chat",
            "upstream_lost": 1014,
            "limits": { "per_ip": { "messages": "50/s", "bytes": "off" } },
        }],
    }))
    .unwrap();
    let config = Config::new(settings).unwrap();
    assert_eq!(config.upstreams[0].servers[1].weight, 2);
    assert_eq!(config.routes[0].limits.per_ip.messages.unwrap().count, 50);

    for (wrong, expected) in [
        (json!({ "routes": [] }), "unknown field `routes`"),
        (
            json!({ "route": [{ "upstream_lost": 1006 }] }),
            "1006 cannot stand in a close frame",
        ),
        (
            json!({ "drain": { "spread": 5 } }),
            "expected a duration such as",
        ),
        (
            json!({ "client_ip": { "tracked": 0 } }),
            "from 1 to 1000000000",
        ),
    ] {
        let error = serde_json::from_value::<Settings>(wrong).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[cfg(feature = "server")]
#[test]
fn what_is_shown_is_read_again() {
    let mut settings = settings();
    settings.route[0].host = vec!["chat.example.com".parse().unwrap()];
    let config = Config::new(settings).unwrap();
    let again: Settings = serde_json::from_value(config.resolved()).unwrap();
    let again = Config::new(again).unwrap();
    assert_eq!(again.resolved(), config.resolved());
}
