//! The opening handshake (RFC 6455 §4.1), as a client makes and checks it.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::{self, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use wsgate::config::Secret;

use super::connect::Stream;
use super::error::ProbeError;
use super::tls::fault::TlsFault;
use super::url::ProbeUrl;

/// The headers of the request, but for those of the handshake itself.
#[derive(Debug)]
pub(super) struct Offer {
    subprotocols: Vec<Secret>,
    extensions: Vec<String>,
    headers: HeaderMap,
}

/// A session that is open.
pub(super) struct Opened {
    pub(super) stream: TokioIo<Upgraded>,
    pub(super) negotiated: Negotiated,
}

/// What the server chose.
#[derive(Debug)]
pub(super) struct Negotiated {
    pub(super) subprotocol: Option<String>,
    pub(super) extensions: Option<String>,
}

/// Bytes of the body of a refusal that are shown.
const LONGEST_BODY: usize = 1024;

/// A refusal is shown without its body where that takes longer.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

impl Offer {
    pub(super) fn new(
        subprotocols: &[Secret],
        extensions: &[String],
        given: &[Secret],
        origin: Option<&str>,
    ) -> Result<Self, ProbeError> {
        let mut headers = HeaderMap::new();
        let agent = concat!("wsgate/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        for (number, text) in (1..).zip(given) {
            let wrong = |why| ProbeError::Header(format!("header number {number}"), why);
            let (name, value) = parse(text).ok_or_else(|| wrong("write `Name: value`"))?;
            if is_of_handshake(&name) {
                return Err(wrong("the handshake has its own"));
            }
            match name {
                // One of each, in place of our own.
                header::HOST | header::USER_AGENT => drop(headers.insert(name, value)),
                _ => drop(headers.append(name, value)),
            }
        }
        let names: Vec<_> = subprotocols.iter().map(Secret::expose).collect();
        for (name, option, text) in [
            (header::ORIGIN, "--origin", origin.unwrap_or_default()),
            (
                header::SEC_WEBSOCKET_PROTOCOL,
                "--subprotocol",
                &names.join(", "),
            ),
            (
                header::SEC_WEBSOCKET_EXTENSIONS,
                "--extension",
                &extensions.join(", "),
            ),
        ] {
            let wrong = |_| ProbeError::Header(option.to_owned(), "no header may hold it");
            if !text.is_empty() {
                headers.insert(name, HeaderValue::from_str(text).map_err(wrong)?);
            }
        }
        Ok(Self {
            subprotocols: subprotocols.to_vec(),
            extensions: extensions.to_vec(),
            headers,
        })
    }

    /// Sends the request, and returns the session of a 101.
    pub(super) async fn exchange(
        &self,
        url: &ProbeUrl,
        stream: Stream,
    ) -> Result<Opened, ProbeError> {
        let key = generate_key();
        let request = self.request(url, &key)?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(ProbeError::Unanswered)?;
        let mut opened = pin!(async {
            let response = sender.send_request(request).await;
            let response = response.map_err(|error| unanswered(url, error))?;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Err(refusal(response).await);
            }
            let negotiated = self.check(response.headers(), &key)?;
            let upgraded = upgrade::on(response).await;
            let upgraded = upgraded.map_err(|error| unanswered(url, error))?;
            Ok(Opened {
                stream: TokioIo::new(upgraded),
                negotiated,
            })
        });
        tokio::select! {
            opened = &mut opened => opened,
            // Either it is upgraded, or what it has read is there for the response.
            _ended = connection.with_upgrades() => opened.await,
        }
    }

    fn request(&self, url: &ProbeUrl, key: &str) -> Result<Request<Empty<Bytes>>, ProbeError> {
        let request = Request::get(&url.path_and_query)
            .header(header::HOST, &url.authority)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, key)
            .body(Empty::new());
        let mut request = request.map_err(|_| ProbeError::Url("its path cannot be sent"))?;
        // A name that is there already gives way to the one of the command line.
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }

    /// Checks a 101 (RFC 6455 §4.1, the client's list).
    fn check(&self, headers: &HeaderMap, key: &str) -> Result<Negotiated, ProbeError> {
        let has = |name: HeaderName, token: &str| {
            let values = headers.get_all(name).into_iter();
            let mut tokens = values
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','));
            tokens.any(|found| found.trim().eq_ignore_ascii_case(token))
        };
        if !has(header::UPGRADE, "websocket") || !has(header::CONNECTION, "upgrade") {
            return Err(ProbeError::Handshake("it upgrades to something else"));
        }
        let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT);
        if accept.is_none_or(|accept| *accept != *derive_accept_key(key.as_bytes())) {
            return Err(ProbeError::Handshake("its Sec-WebSocket-Accept is wrong"));
        }
        let subprotocol = text(headers, &header::SEC_WEBSOCKET_PROTOCOL);
        if let Some(chosen) = &subprotocol
            && !self.subprotocols.iter().any(|name| name.expose() == chosen)
        {
            return Err(ProbeError::Handshake("its subprotocol was not offered"));
        }
        let extensions = text(headers, &header::SEC_WEBSOCKET_EXTENSIONS);
        for chosen in extensions.iter().flat_map(|list| list.split(',')) {
            if !self
                .extensions
                .iter()
                .any(|offered| name_of(offered) == name_of(chosen))
            {
                return Err(ProbeError::Handshake("its extension was not offered"));
            }
        }
        Ok(Negotiated {
            subprotocol,
            extensions,
        })
    }
}

/// `Name: value`, which no `Debug` shows.
fn parse(text: &Secret) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.expose().split_once(':')?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name.parse().ok()?, value))
}

fn is_of_handshake(name: &HeaderName) -> bool {
    let own = [
        header::CONNECTION,
        header::UPGRADE,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ];
    own.contains(name) || name.as_str().starts_with("sec-websocket-")
}

/// All values of a header, as one list.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values = headers.get_all(name).into_iter();
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// An extension without its parameters.
fn name_of(extension: &str) -> &str {
    extension.split(';').next().unwrap_or_default().trim()
}

fn unanswered(url: &ProbeUrl, error: hyper::Error) -> ProbeError {
    match TlsFault::of_alert(&error) {
        Some(fault) => ProbeError::TlsEnded(url.authority.clone(), fault, error),
        None if error.is_parse() => ProbeError::Handshake("it is not HTTP/1.1"),
        None => ProbeError::Unanswered(error),
    }
}

async fn refusal(response: Response<Incoming>) -> ProbeError {
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    let read = async {
        while bytes.len() < LONGEST_BODY
            && let Some(Ok(frame)) = body.frame().await
        {
            bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
        }
    };
    let _in_time = timeout(BODY_TIMEOUT, read).await;
    bytes.truncate(LONGEST_BODY);
    ProbeError::Refused {
        status: head.status,
        body: String::from_utf8_lossy(&bytes).trim().to_owned(),
        retry_after: text(&head.headers, &header::RETRY_AFTER),
    }
}
