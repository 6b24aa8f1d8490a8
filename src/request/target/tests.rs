use http::Request;
use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn target(uri: &str, hosts: &[&str]) -> Result<Target, Rejection> {
    let mut request = Request::get(uri);
    for host in hosts {
        request = request.header("host", *host);
    }
    Target::of(&request.body(()).unwrap().into_parts().0)
}

#[rstest]
#[case("example.com", "example.com", "example.com", None)]
#[case("EXAMPLE.com.", "example.com", "example.com", None)]
#[case("example.com:8080", "example.com:8080", "example.com", Some(8080))]
#[case("example.com.:80", "example.com:80", "example.com", Some(80))]
#[case("example.com:", "example.com", "example.com", None)]
#[case("my_app:1", "my_app:1", "my_app", Some(1))]
#[case("192.0.2.1:65535", "192.0.2.1:65535", "192.0.2.1", Some(65535))]
#[case("[::1]", "[::1]", "[::1]", None)]
#[case("[2001:DB8:0::1]:443", "[2001:db8::1]:443", "[2001:db8::1]", Some(443))]
fn an_authority_has_one_form(
    #[case] host: &str,
    #[case] authority: &str,
    #[case] name: &str,
    #[case] port: Option<u16>,
) {
    let target = target("/ws", &[host]).unwrap();
    assert_eq!(target.authority(), Some(authority));
    assert_eq!(target.host(), Some(name));
    assert_eq!(target.port(), port);
}

#[rstest]
#[case(&[])]
#[case(&["a.example", "a.example"])]
#[case(&[""])]
#[case(&["a.example,b.example"])]
#[case(&["a.example b.example"])]
#[case(&["user@a.example"])]
#[case(&["user:secret@a.example"])]
#[case(&["a.example:0"])]
#[case(&["a.example:65536"])]
#[case(&["a.example:99999"])]
#[case(&["a.example:+80"])]
#[case(&["a.example:80:80"])]
#[case(&["a.example:http"])]
#[case(&["a.example/ws"])]
#[case(&[".example"])]
#[case(&["a..example"])]
#[case(&["."])]
#[case(&["%61.example"])]
#[case(&["::1"])]
#[case(&["[::1"])]
#[case(&["[::1]8080"])]
#[case(&["[fe80::1%25eth0]"])]
#[case(&["[example.com]"])]
#[case(&["a\u{e9}.example"])]
fn a_wrong_host_is_refused(#[case] hosts: &[&str]) {
    assert_eq!(target("/ws", hosts), Err(Rejection::Host));
}

#[test]
fn a_host_name_has_an_end() {
    let long = |length| "a".repeat(length);
    assert!(target("/", &[&long(253)]).is_ok());
    assert_eq!(target("/", &[&long(254)]), Err(Rejection::Host));
}

#[test]
fn an_absolute_target_and_its_host_are_one_authority() {
    let same = target("http://A.example:80/ws?x", &["a.example.:80"]).unwrap();
    assert_eq!(same.authority(), Some("a.example:80"));
    assert_eq!((same.path(), same.query()), ("/ws", Some("x")));
    for (uri, host) in [
        ("http://b.example/ws", "a.example"),
        ("http://a.example:81/ws", "a.example"),
        ("http://a.example:81/ws", "a.example:80"),
    ] {
        assert_eq!(
            target(uri, &[host]),
            Err(Rejection::AuthorityMismatch),
            "{uri}"
        );
    }
    let user = target("http://a.example@b.example/ws", &["b.example"]);
    assert_eq!(user, Err(Rejection::Host));
    assert_eq!(target("http://a.example/ws", &[]), Err(Rejection::Host));
}

#[test]
fn a_forwarded_host_is_one_authority() {
    let with_host = |host| target("/ws", &["a.example"]).unwrap().with_host(host);
    let found = with_host("App.example:8443").unwrap();
    assert_eq!(
        (found.authority(), found.path()),
        (Some("app.example:8443"), "/ws")
    );
    for wrong in [
        "",
        "a.example, b.example",
        "a.example/",
        "a.example:0",
        "-\t",
    ] {
        assert_eq!(with_host(wrong), Err(Rejection::Header), "{wrong}");
    }
}

#[rstest]
#[case::http_2("https://A.example/", Version::HTTP_2, Ok(Some("a.example")))]
#[case::http_2_without_one("/", Version::HTTP_2, Err(Rejection::Host))]
#[case::http_1_1("http://A.example/", Version::HTTP_11, Err(Rejection::Host))]
#[case::http_1_1_without_one("/", Version::HTTP_11, Err(Rejection::Host))]
#[case::http_1_0("http://A.example:80/", Version::HTTP_10, Ok(Some("a.example:80")))]
#[case::http_1_0_without_one("/", Version::HTTP_10, Ok(None))]
#[case::http_1_0_with_a_wrong_one("http://a@b/", Version::HTTP_10, Err(Rejection::Host))]
fn an_authority_without_a_host_line_depends_on_the_version(
    #[case] uri: &str,
    #[case] version: Version,
    #[case] expected: Result<Option<&str>, Rejection>,
) {
    let request = Request::get(uri).version(version);
    let target = Target::of(&request.body(()).unwrap().into_parts().0);
    let authority = target.map(|target| target.authority().map(str::to_owned));
    assert_eq!(authority, expected.map(|text| text.map(str::to_owned)));
}

#[test]
fn a_target_without_an_authority_has_none_until_a_proxy_forwards_one() {
    let request = Request::get("/ws").version(Version::HTTP_10);
    let target = Target::of(&request.body(()).unwrap().into_parts().0).unwrap();
    assert_eq!((target.host(), target.port()), (None, None));
    let target = target.with_host("a.example:80").unwrap();
    assert_eq!(
        (target.host(), target.port()),
        (Some("a.example"), Some(80))
    );
}

#[rstest]
#[case("/../admin")]
#[case("/ws/..")]
#[case("/ws/./x")]
#[case("/ws/.")]
#[case("/ws/%2e%2e/admin")]
#[case("/ws/.%2E/admin")]
#[case("/ws/..;/admin")]
#[case("/ws/..;x=1/admin")]
#[case("/ws/.%2e%3b/admin")]
#[case("/ws/.;/admin")]
#[case("/ws%2f..%2fadmin")]
#[case("/ws/..%2Fadmin")]
#[case("/ws/a%2F%2e")]
#[case("/ws%5c..%5cadmin")]
#[case("/ws\\admin")]
#[case("/ws/%00")]
#[case("/ws/%0d%0ax")]
#[case("/ws/%7f")]
#[case("/ws/%")]
#[case("/ws/%2")]
#[case("/ws/%+1")]
#[case("/ws/%zz")]
#[case("/ws/%c0%ae%C0%AE/admin")]
#[case("/ws/%c1%bf")]
#[case("/ws%e0%80%afadmin")]
#[case("/ws%f0%80%80%afadmin")]
#[case("/ws/\u{e9}")]
#[case("/ws/\"a\"")]
#[case("*")]
fn a_path_that_could_mean_two_things_is_refused(#[case] path: &str) {
    assert_eq!(target(path, &["a.example"]), Err(Rejection::Path));
}

#[rstest]
#[case("/", None)]
#[case("//ws//x/", None)]
#[case("/ws/...", None)]
#[case("/ws/..x/.y", None)]
#[case("/ws/a%20b;v=1", None)]
#[case("/ws/%252e%252e", None)]
#[case("/WS/%C3%A9", None)]
#[case("/ws?a=../..&b=%2f%00%61", Some("a=../..&b=%2f%00%61"))]
#[case("/ws?q={[a|b]}^`\\'", Some("q={[a|b]}^`\\'"))]
#[case("/ws?", Some(""))]
fn any_other_path_stays_as_it_is(#[case] uri: &str, #[case] query: Option<&str>) {
    let target = target(uri, &["a.example"]).unwrap();
    assert_eq!(target.path(), uri.split('?').next().unwrap());
    assert_eq!(target.query(), query);
}

#[rstest]
#[case("/ws/%61dmin", "/ws/admin")]
#[case("/caf%c3%a9/%7euser", "/caf%C3%A9/~user")]
#[case("/ws/a|b", "/ws/a%7Cb")]
#[case("http://a.example/%77s?%77", "/ws")]
#[case("/ws%2fadmin/%2F", "/ws%2Fadmin/%2F")]
fn a_path_has_one_form(#[case] uri: &str, #[case] path: &str) {
    assert_eq!(target(uri, &["a.example"]).unwrap().path(), path);
}

#[rstest]
#[case("/ws?\u{e9}")]
#[case("http://a.example/ws?\u{e9}")]
#[case("http://a.example/\u{e9}")]
#[case("ftp://a.example/ws")]
#[case("file://a.example/ws")]
#[case("httpx://a.example/ws")]
fn a_target_that_is_none_of_http_is_refused(#[case] uri: &str) {
    assert_eq!(target(uri, &["a.example"]), Err(Rejection::Path));
}

#[rstest]
#[case("http")]
#[case("HTTPS")]
#[case("ws")]
#[case("Wss")]
fn an_absolute_target_has_a_scheme_of_http(#[case] scheme: &str) {
    let uri = format!("{scheme}://a.example/ws");
    assert!(target(&uri, &["a.example"]).is_ok());
}

#[test]
fn a_target_does_not_show_its_query() {
    let target = target("/ws?token=canary", &["a.example"]).unwrap();
    assert!(!format!("{target:?}").contains("canary"));
}

proptest! {
    #[test]
    fn an_authority_is_its_own_normal_form(text in "[a-zA-Z0-9.:\\[\\]_%@, -]{0,24}") {
        if let Some(authority) = Authority::parse(text.as_bytes()) {
            let again = Authority::parse(authority.text.as_bytes());
            prop_assert_eq!(again, Some(authority));
        }
    }

    #[test]
    fn no_host_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..16)) {
        if let Some(authority) = Authority::parse(&text) {
            let again = Authority::parse(authority.text.as_bytes());
            prop_assert_eq!(again, Some(authority));
        }
    }
}
