//! A request that a client could send, and the answer of the program to it.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use http::{HeaderValue, Request, Uri, header};
use wsgate::Config;
use wsgate::server::{Explanation, OverTls, TriedRoute};

use super::tls;

/// A request to explain.
pub(super) struct Question<'a> {
    pub(super) url: &'a str,
    pub(super) origin: Option<&'a str>,
    pub(super) from: IpAddr,
    pub(super) subprotocols: &'a [String],
}

/// Why there is no such request. Nothing of the URL is repeated: its query may hold a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum QuestionError {
    #[error("this is no URL of a request: write ws://host/path or http://host/path")]
    Url,
    #[error("no request has this value of {0}")]
    Value(&'static str),
}

/// The key of RFC 6455 §1.3: any will do.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

impl Question<'_> {
    /// The request as a client would send it.
    pub(super) fn request(&self, config: &Config) -> Result<Request<()>, QuestionError> {
        let (uri, is_websocket) = self.target()?;
        let authority = uri.authority().ok_or(QuestionError::Url)?.as_str();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::get(path).header(header::HOST, authority);
        if is_websocket {
            request = request
                .header(header::CONNECTION, "Upgrade")
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_VERSION, "13")
                .header(header::SEC_WEBSOCKET_KEY, KEY);
        }
        if let Some(origin) = self.origin {
            let value = HeaderValue::from_str(origin);
            let value = value.map_err(|_| QuestionError::Value("Origin"))?;
            request = request.header(header::ORIGIN, value);
        }
        if !self.subprotocols.is_empty() {
            let value = HeaderValue::from_str(&self.subprotocols.join(", "));
            let value = value.map_err(|_| QuestionError::Value("Sec-WebSocket-Protocol"))?;
            request = request.header(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        // Without a listener that speaks TLS a proxy does, and tells nothing of it here.
        if is_secure(&uri) && !config.listen_tls().is_empty() {
            let over_tls = OverTls::new();
            request = request.extension(match tls::server_name(&uri) {
                Some(name) => over_tls.server_name(name),
                None => over_tls,
            });
        }
        request.body(()).map_err(|_| QuestionError::Url)
    }

    /// What TLS has to do with it.
    pub(super) fn tls(&self, config: &Config) -> Vec<String> {
        match self.target() {
            Ok((uri, _)) if is_secure(&uri) => tls::certificates(config, &uri),
            Ok(_) => tls::refusal_of_plain(config),
            Err(_) => Vec::new(),
        }
    }

    fn target(&self) -> Result<(Uri, bool), QuestionError> {
        // `Uri` cuts a fragment off, which no client sends.
        if self.url.contains('#') {
            return Err(QuestionError::Url);
        }
        let uri: Uri = self.url.parse().map_err(|_| QuestionError::Url)?;
        // No client sends a user in its `Host`, and it comes with a password.
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err(QuestionError::Url);
        }
        match uri.scheme_str() {
            Some("ws" | "wss") => Ok((uri, true)),
            Some("http" | "https") => Ok((uri, false)),
            _ => Err(QuestionError::Url),
        }
    }

    /// The answer in the words of a person. None is an explanation where the request is for the health
    /// path.
    pub(super) fn answer(
        &self,
        file: &Path,
        tls: &[String],
        explanation: Option<&Explanation>,
    ) -> String {
        let mut answer = Answer::default();
        let (kind, host, path) = match self.target() {
            Ok((uri, is_websocket)) => (
                if is_websocket { "WebSocket" } else { "GET" },
                uri.authority().map_or("", |host| host.as_str()).to_owned(),
                uri.path().to_owned(),
            ),
            Err(_) => return String::new(),
        };
        answer.line("request", &format!("{kind} of {host}{path}"));
        match self.origin {
            Some(origin) => answer.line("", &format!("from {}, Origin {origin}", self.from)),
            None => answer.line("", &format!("from {}, no Origin", self.from)),
        }
        let mut title = "tls";
        for line in tls {
            answer.line(std::mem::take(&mut title), line);
        }
        let Some(explanation) = explanation else {
            answer.line(
                "answer",
                "200, or 503 while draining: it is for server.health_path",
            );
            return answer.text;
        };
        tell_routes(&explanation.routes, &mut answer);
        if let Some(server) = &explanation.asks {
            answer.line("asks", &format!("{server} first, which was not done here"));
        }
        if let Some(destination) = &explanation.destination {
            let upstream = &destination.upstream;
            answer.line("answer", &format!("that of the upstream {upstream}"));
            let path = destination.path.as_deref().unwrap_or("***");
            answer.line("sent", &format!("as {path} to one of"));
            for server in &destination.servers {
                answer.line("", server);
            }
        }
        if let Some(refused) = &explanation.refused {
            let status = refused.status.map_or(0, |status| status.as_u16());
            let message = explanation.message.as_deref().unwrap_or_default();
            answer.line("answer", &format!("{status} {}: {message}", refused.reason));
            if let Some(header) = &refused.header {
                answer.line("header", header);
            }
            if let Some(rule) = refused.rule {
                let place = match refused.line {
                    Some(line) => format!("{}:{line}", file.display()),
                    None => "the default".to_owned(),
                };
                answer.line("rule", &format!("{rule}, {place}"));
            }
        }
        answer.text
    }
}

/// Whether the request comes over TLS.
fn is_secure(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("wss" | "https"))
}

/// The most routes that are listed; of a file with more, those next to the end are.
const LISTED: usize = 20;

fn tell_routes(routes: &[TriedRoute], answer: &mut Answer) {
    let left_out = routes.len().saturating_sub(LISTED);
    let mut title = "routes";
    if left_out > 0 {
        answer.line(title, &format!("{left_out} before these do not match"));
        title = "";
    }
    let listed = &routes[left_out..];
    let width = listed.iter().map(|route| route.name.len()).max();
    for route in listed {
        let verdict = match route.mismatch {
            None => "takes it".to_owned(),
            Some(what) => format!("has another {what}"),
        };
        let verdict = match route.mismatch {
            Some("subprotocols") => "wants a subprotocol that is not offered".to_owned(),
            _ => verdict,
        };
        let line = route
            .line
            .map_or(String::new(), |line| format!(" (line {line})"));
        let width = width.unwrap_or_default();
        answer.line(title, &format!("{:width$}  {verdict}{line}", route.name));
        title = "";
    }
}

/// Lines, each with a title.
#[derive(Default)]
struct Answer {
    text: String,
}

impl Answer {
    fn line(&mut self, title: &str, text: &str) {
        let is_control = |letter: char| letter.is_control();
        let text = text.replace(is_control, "\u{fffd}");
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{title:7}  {text}");
    }
}
