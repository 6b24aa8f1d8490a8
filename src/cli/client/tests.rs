//! Addresses and request targets.

use super::*;

#[test]
fn an_address_is_a_url_a_host_with_a_port_or_a_file() {
    for (text, expected) in [
        ("http://127.0.0.1:9900", "127.0.0.1:9900"),
        ("http://127.0.0.1:9900/", "127.0.0.1:9900"),
        ("http://localhost", "localhost:80"),
        ("http://[::1]:9900", "[::1]:9900"),
        ("http://[::1]", "[::1]:80"),
        ("127.0.0.1:9900", "127.0.0.1:9900"),
        ("wsgate.internal:9900", "wsgate.internal:9900"),
        ("unix:/run/wsgate/admin.sock", "unix:/run/wsgate/admin.sock"),
        ("unix:admin.sock", "unix:admin.sock"),
    ] {
        let place = Place::parse(text).unwrap();
        assert_eq!(place.to_string(), expected, "{text}");
    }
    for text in [
        "",
        "unix:",
        "9900",
        "127.0.0.1",
        "127.0.0.1:",
        "http://",
        "http://127.0.0.1:9900/sessions",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://user:c4nary@127.0.0.1:9900",
        "https://127.0.0.1:9900",
        "ftp://127.0.0.1",
        "two words:80",
    ] {
        let wrong = Place::parse(text).expect_err(text);
        assert!(!wrong.contains("c4nary"), "{wrong}");
    }
}

#[test]
fn a_request_target_holds_whatever_its_values_are() {
    let target = RequestTarget::path("/upstreams")
        .segment("chat")
        .segment("ws://10.0.0.7:9001/a b")
        .pair("close", Some(true))
        .pair("over", None::<&str>)
        .pair("reason", Some("so long & 100% ä"));
    assert_eq!(
        target.as_str(),
        "/upstreams/chat/ws%3A%2F%2F10.0.0.7%3A9001%2Fa%20b?close=true\
         &reason=so%20long%20%26%20100%25%20%C3%A4"
    );
}
