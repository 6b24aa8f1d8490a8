use http::HeaderName;

use super::*;
use crate::config::Config;
use crate::proxy::Gate;
use crate::server::descriptors::Budget;

const ADDRESS: &str = "127.0.0.1:9900";

fn admin(token: Option<&str>) -> AdminService {
    let config = Config::to("ws://127.0.0.1:9001", None).unwrap();
    let gate = Gate::builder(config).build().unwrap();
    let (handle, tasks) = (gate.handle(), TaskTracker::new());
    let room = Room::new(gate, Budget::new(None, 0, 1));
    let admin = AdminService::new(handle, None, tasks.clone(), tasks, room);
    admin.ask_for(token.map(|token| Secret::new(token.to_owned())));
    let address = ListenAddress::Tcp(ADDRESS.parse().unwrap());
    admin.at(&address, CancellationToken::new())
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |&(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), value.parse().unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn status(admin: &AdminService, method: Method, path: &str, pairs: &[(&'static str, &str)]) -> u16 {
    admin
        .answer(&method, path, &headers(pairs))
        .status()
        .as_u16()
}

#[tokio::test]
async fn each_resource_has_its_methods() {
    let admin = admin(None);
    for (method, path, expected) in [
        (Method::GET, "/healthz", 200),
        (Method::HEAD, "/healthz", 200),
        (Method::POST, "/healthz", 405),
        (Method::GET, "/readyz", 200),
        (Method::GET, "/metrics", 200),
        (Method::POST, "/metrics", 405),
        (Method::GET, "/sessions", 200),
        (Method::DELETE, "/sessions", 405),
        (Method::DELETE, "/sessions/1", 404),
        (Method::DELETE, "/sessions/x", 404),
        (Method::GET, "/sessions/1", 405),
        (Method::GET, "/drain", 405),
        (Method::GET, "/reload", 405),
        (Method::POST, "/reload", 409),
        (Method::GET, "/", 404),
    ] {
        let got = status(&admin, method.clone(), path, &[("host", ADDRESS)]);
        assert_eq!(got, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_draining_gate_is_alive_but_not_ready() {
    let admin = admin(None);
    let host = [("host", ADDRESS)];
    for _ in 0..2 {
        assert_eq!(status(&admin, Method::POST, "/drain", &host), 202);
    }
    assert_eq!(status(&admin, Method::GET, "/healthz", &host), 200);
    assert_eq!(status(&admin, Method::GET, "/readyz", &host), 503);
}

#[test]
fn only_the_whole_token_lets_in() {
    let admin = admin(Some("s3cret"));
    for (authorization, expected) in [
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("Bearer s3cre", 401),
        ("Bearer s3cret!", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
    ] {
        let headers = [("host", "any.example"), ("authorization", authorization)];
        for path in ["/sessions", "/metrics"] {
            let got = status(&admin, Method::GET, path, &headers);
            assert_eq!(got, expected, "{path}: {authorization}");
        }
    }
    let host = [("host", "any.example")];
    assert_eq!(status(&admin, Method::POST, "/drain", &host), 401);
    assert_eq!(status(&admin, Method::GET, "/readyz", &host), 200);
}

#[test]
fn a_page_of_another_site_is_not_answered() {
    let admin = admin(Some("s3cret"));
    for (name, value, expected) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://127.0.0.1:9900", 200),
        ("origin", "http://127.0.0.1:9901", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
    ] {
        let headers = [
            ("host", ADDRESS),
            ("authorization", "Bearer s3cret"),
            (name, value),
        ];
        for path in ["/sessions", "/metrics"] {
            let got = status(&admin, Method::GET, path, &headers);
            assert_eq!(got, expected, "{path}, {name}: {value}");
        }
    }
}

#[test]
fn a_name_pointed_at_this_machine_does_not_reach_an_open_admin_interface() {
    let admin = admin(None);
    for (host, expected) in [
        ("127.0.0.1:9900", 200),
        ("localhost:9900", 200),
        ("[::1]:9900", 200),
        ("rebound.example:9900", 421),
        ("127.0.0.1.rebound.example", 421),
    ] {
        for path in ["/sessions", "/metrics"] {
            let got = status(&admin, Method::GET, path, &[("host", host)]);
            assert_eq!(got, expected, "{path}: {host}");
        }
    }
    assert_eq!(status(&admin, Method::GET, "/sessions", &[]), 421);
}

#[test]
fn another_token_holds_everywhere_at_once_and_an_address_that_was_left_answers_nobody() {
    let admin = admin(Some("0ld"));
    let closing = CancellationToken::new();
    let elsewhere = ListenAddress::Unix("/run/admin.sock".into());
    let elsewhere = admin.at(&elsewhere, closing.clone());
    admin.ask_for(Some(Secret::new("n3w".to_owned())));
    for (token, expected) in [("0ld", 401), ("n3w", 200)] {
        let bearer = format!("Bearer {token}");
        for admin in [&admin, &elsewhere] {
            let headers = [("host", ADDRESS), ("authorization", bearer.as_str())];
            assert_eq!(status(admin, Method::GET, "/sessions", &headers), expected);
        }
    }
    closing.cancel();
    let headers = [("host", ADDRESS), ("authorization", "Bearer n3w")];
    assert_eq!(status(&elsewhere, Method::GET, "/sessions", &headers), 503);
    assert_eq!(status(&admin, Method::GET, "/sessions", &headers), 200);
}
