//! The demo's page.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, header};
use http_body_util::Full;
use wsgate::server::Page;

const PAGE: &str = include_str!("page.html");

/// The largest message that the demo's route takes.
const MESSAGE_SIZE: u64 = 1024 * 1024;

/// The page at `/`.
pub(super) fn page() -> Page {
    let page = PAGE.replace("{{message_size}}", &MESSAGE_SIZE.to_string());
    Page::new(move |request: &Parts| {
        let is_page = request.uri.path() == "/"
            && (request.method == Method::GET || request.method == Method::HEAD);
        is_page.then(|| render(&page)).flatten()
    })
}

/// Puts a new nonce into the page and its policy, so that only the page's own script and style run.
fn render(page: &str) -> Option<Response<Full<Bytes>>> {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = Response::new(Full::from(page.replace("{{nonce}}", &nonce)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_str(&policy).ok()?,
    );
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::BodyExt;

    use super::*;

    fn request(method: Method, path: &str) -> Parts {
        let request = Request::builder().method(method).uri(path).body(());
        request.unwrap().into_parts().0
    }

    async fn text_of(response: Response<Full<Bytes>>) -> String {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn only_what_bears_this_answers_nonce_runs() {
        let page = page();
        let mut nonces = std::collections::HashSet::new();
        for _ in 0..2 {
            let response = page.answer(&request(Method::GET, "/")).unwrap();
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
            assert!(html.contains("1048576"));
            for forbidden in ["{{", " style=", " onclick=", "http://", "https://"] {
                assert!(!html.contains(forbidden), "{forbidden}");
            }
            assert!(nonces.insert(nonce));
        }
    }

    #[test]
    fn nothing_but_the_root_is_the_pages() {
        let page = page();
        assert!(page.answer(&request(Method::HEAD, "/")).is_some());
        for (method, path) in [
            (Method::GET, "/echo"),
            (Method::POST, "/"),
            (Method::GET, "//"),
        ] {
            assert!(
                page.answer(&request(method.clone(), path)).is_none(),
                "{method} {path}"
            );
        }
    }
}
