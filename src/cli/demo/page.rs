//! The demo's page, and what it asks for.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::json;
use wsgate::server::Page;

use super::commands::Commands;
use super::log::RecentLog;
use super::operator::Operator;

const PAGE: &str = include_str!("page.html");

const CHAT_PAGE: &str = include_str!("chat.html");

const STYLE: &str = include_str!("style.css");

/// The largest message that the demo's route takes.
const MESSAGE_SIZE: u64 = 1024 * 1024;

/// The header of the page's own requests: a page of another site cannot send it.
const OWN: &str = "x-wsgate-demo";

/// The page at `/` and that of the chat at `/chat`, and below `/demo/` what they show of the gate.
pub(super) fn page(commands: &Commands, log: Arc<RecentLog>, operator: Operator) -> Page {
    let page = PAGE
        .replace("{{style}}", STYLE)
        .replace("{{message_size}}", &MESSAGE_SIZE.to_string())
        .replace("{{commands}}", &list(commands.all(None, None)));
    let chat = CHAT_PAGE
        .replace("{{style}}", STYLE)
        .replace("{{commands}}", &list(commands.of_chat()));
    Page::new(move |request: &Parts| {
        let is_read = request.method == Method::GET || request.method == Method::HEAD;
        match request.uri.path() {
            "/" if is_read => render(&page),
            "/chat" if is_read => render(&chat),
            "/demo/state" if is_read && is_own(request) => Some(state(request, &log, &operator)),
            "/demo/drain" if request.method == Method::POST && is_own(request) => {
                operator.drain();
                Some(answer(StatusCode::ACCEPTED, json!({ "draining": true })))
            }
            _ => None,
        }
    })
}

/// Whether the demo's page asks: with its header, and by a name that nobody can point here.
fn is_own(request: &Parts) -> bool {
    let authority = request
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = authority.and_then(|host| host.parse::<http::uri::Authority>().ok());
    let is_here = authority.is_some_and(|authority| {
        let host = authority.host().trim_matches(['[', ']']);
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
    });
    is_here && request.headers.contains_key(OWN)
}

/// The lines of the log behind the one that the query names, and the figures.
fn state(request: &Parts, log: &RecentLog, operator: &Operator) -> Response<Full<Bytes>> {
    let query = request.uri.query().unwrap_or_default();
    let after = query
        .strip_prefix("after=")
        .and_then(|number| number.parse().ok());
    let (last, lines) = log.after(after.unwrap_or_default());
    let figures = operator.figures();
    answer(
        StatusCode::OK,
        json!({ "last": last, "lines": lines, "figures": figures }),
    )
}

fn answer(status: StatusCode, body: serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    set(&mut response, "application/json");
    response
}

fn set(response: &mut Response<Full<Bytes>>, content_type: &'static str) {
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Puts a new nonce into the page and its policy, so that only the page's own script and style run. The
/// page may connect to this machine by its other name too, which makes it a page of another origin there.
fn render(page: &str) -> Option<Response<Full<Bytes>>> {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self' ws://127.0.0.1:* ws://localhost:* wss://127.0.0.1:* wss://localhost:*; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = Response::new(Full::from(page.replace("{{nonce}}", &nonce)));
    let policy = HeaderValue::from_str(&policy).ok()?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    set(&mut response, "text/html; charset=utf-8");
    Some(response)
}

/// The commands as a list of HTML.
fn list(commands: Vec<(String, &'static str)>) -> String {
    let items = commands.into_iter().map(|(command, what)| {
        let command = escaped(&command);
        format!("<li><code>{command}</code> <span>{what}</span></li>\n")
    });
    items.collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use http::Request;
    use http_body_util::BodyExt;

    use super::*;

    fn page() -> Page {
        let folder = Path::new("/tmp/<none>");
        let operator = Operator::start(&folder.join("admin.sock")).unwrap();
        super::page(&Commands::of(folder), Arc::default(), operator)
    }

    fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    async fn text_of(response: Response<Full<Bytes>>) -> String {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn only_what_bears_this_answers_nonce_runs() {
        let page = page();
        let mut nonces = std::collections::HashSet::new();
        for path in ["/", "/", "/chat", "/chat"] {
            let response = page.answer(&request(Method::GET, path, &[])).unwrap();
            let policy = response.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .to_owned();
            let nonce = policy
                .split('\'')
                .find_map(|word| word.strip_prefix("nonce-"));
            let nonce = nonce.unwrap().to_owned();
            let html = text_of(response).await;
            let tag = |name: &str| format!("<{name} nonce=\"{nonce}\">");
            for name in ["script", "style"] {
                assert_eq!(html.matches(&format!("<{name}")).count(), 1);
                assert_eq!(html.matches(&tag(name)).count(), 1, "{name}");
            }
            let expected = match path {
                "/" => [
                    "1048576",
                    "top --admin unix:/tmp/&lt;none&gt;/admin.sock</code>",
                ],
                _ => ["room.", "--token-file /tmp/&lt;none&gt;/publish.token"],
            };
            for expected in expected {
                assert!(html.contains(expected), "{expected}");
            }
            for forbidden in ["{{", " style=", " onclick=", "http://", "https://"] {
                assert!(!html.contains(forbidden), "{forbidden}");
            }
            assert!(nonces.insert(nonce));
        }
    }

    #[tokio::test]
    async fn nothing_but_its_own_paths_is_the_pages() {
        let page = page();
        let is_answered = |request: &Parts| page.answer(request).is_some();
        assert!(is_answered(&request(Method::HEAD, "/", &[])));
        for (method, path) in [
            (Method::GET, "/echo"),
            (Method::POST, "/"),
            (Method::GET, "//"),
        ] {
            assert!(
                !is_answered(&request(method.clone(), path, &[])),
                "{method} {path}"
            );
        }
    }

    #[tokio::test]
    async fn the_state_is_for_the_page_alone() {
        let page = page();
        for (headers, expected) in [
            (&[("host", "127.0.0.1:8080"), (OWN, "1")][..], true),
            (&[("host", "localhost:8080"), (OWN, "1")], true),
            (&[("host", "[::1]:8080"), (OWN, "1")], true),
            (&[("host", "127.0.0.1:8080")], false),
            (&[("host", "evil.test:8080"), (OWN, "1")], false),
            (&[(OWN, "1")], false),
        ] {
            for (method, path) in [
                (Method::GET, "/demo/state?after=0"),
                (Method::POST, "/demo/drain"),
            ] {
                let answer = page.answer(&request(method, path, headers));
                assert_eq!(answer.is_some(), expected, "{path} {headers:?}");
            }
        }
        let own = [("host", "localhost"), (OWN, "1")];
        assert!(
            page.answer(&request(Method::GET, "/demo/drain", &own))
                .is_none()
        );
        let state = page.answer(&request(Method::GET, "/demo/state", &own));
        let state = text_of(state.unwrap()).await;
        assert!(state.contains("\"last\":0,\"lines\":[]"), "{state}");
    }
}
