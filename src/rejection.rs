//! Each way to refuse a request, once: its status, its word in logs, and its sentence for the client.

mod answer;
mod denial;
mod named_header;
mod token_fault;

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Version, header};

pub use denial::Denial;
pub use token_fault::TokenFault;

/// A refused handshake.
///
/// A rejection is an answer, never a service error: [`Rejection::into_response`] is the only
/// place that maps it to HTTP. The cause of an upstream rejection is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    // --- The request is not a right WebSocket handshake (RFC 6455 §4.2.1). ---
    /// No `Sec-WebSocket-Key`, an empty one or two of them.
    KeyMissing,
    /// `Sec-WebSocket-Key` is not the base64 of 16 bytes.
    KeyInvalid,
    /// `Sec-WebSocket-Version` is not 13 (§4.4).
    Version,
    /// The method is not GET.
    Method,
    /// The request carries `Transfer-Encoding`, which an upgrade has no use for.
    TransferEncoding,
    /// A handshake announces a body, or a plain request one that is in another coding than
    /// `chunked`.
    Framing,
    /// `Host` is missing from HTTP/1.1 (RFC 9112 §3.2), doubled or not an authority (RFC 9110 §7.2).
    Host,
    /// An absolute-form target and `Host` name different authorities (RFC 9112 §3.2.2).
    AuthorityMismatch,
    /// The path holds dot segments, encoded backslashes or bytes that no path has, or the request
    /// target is none of HTTP's (RFC 9112 §3.2): it has a fragment, another scheme, raw UTF-8.
    Path,
    /// The path holds an encoded slash (`%2F`), and its route refuses those.
    EncodedSlash,
    /// A header value or list is not of its form.
    Header,
    /// `Connection` names a header that belongs to the gate (RFC 9110 §7.6.1).
    ConnectionNominates,
    /// A header is spelled so that a backend could take it for one that the gate owns.
    HeaderAlias,
    /// A TRACE or an OPTIONS with `Max-Forwards: 0`, which ends here (RFC 9110 §7.6.2).
    MaxForwards(Method),
    /// It has passed this gate before, which its `Via` says (RFC 9110 §7.6.3).
    LoopDetected,
    /// A plain request where only WebSockets are served, or an upgrade to something else.
    NotUpgrade,
    /// The body of a plain request broke off, or is malformed.
    Body,
    /// The body of a plain request stopped coming.
    BodyTimeout,

    // --- Nobody here serves it. ---
    /// No route for this path.
    NoRoute,
    /// No route at all for this host.
    HostNotOurs,
    /// The client has named another host in its TLS handshake (SNI) than in its request (RFC 9110 §7.4).
    Misdirected,
    /// The request's version or transport cannot be upgraded.
    NotUpgradable,
    /// A CONNECT of HTTP/2 that is not for a WebSocket (RFC 8441 §4).
    Connect,

    // --- Policy. ---
    /// The client's address is not allowed.
    AddressDenied,
    /// No `Origin`, where the route wants one.
    OriginMissing,
    /// The `Origin` is not on the route's list.
    OriginDenied,
    /// More than one `Origin`, or one that is not an origin (RFC 6454 §7.1).
    OriginInvalid,
    /// The client has as many sessions as one address may have.
    TooManySessions,
    /// The client's address makes handshakes too fast.
    HandshakeRate {
        /// When the next one would be accepted.
        retry_after: Duration,
    },

    /// The client shows no credential, where the route wants one.
    CredentialMissing,
    /// It shows two credentials that differ.
    CredentialAmbiguous,
    /// Nobody knows the key or the ticket that it shows.
    CredentialUnknown,
    /// The token that it shows lets nobody in.
    Token(TokenFault),
    /// The token lacks a claim that the route requires.
    ClaimRefused,
    /// Whoever knows who may come in cannot be asked.
    AuthUnavailable,

    /// The user has as many sessions as one may have.
    SubjectSessions,
    /// The user makes handshakes too fast.
    SubjectHandshakes {
        /// When the next one would be accepted.
        retry_after: Duration,
    },
    /// Several gates share a limit, and cannot be asked about it.
    LimitsUnavailable,
    /// A policy of the embedder's refused it.
    Denied(Box<Denial>),
    /// A policy of the embedder's did not decide in time.
    PolicyTimeout,

    // --- The gate itself. ---
    /// The host did not say where the request came from ([`ClientAddr`](crate::ClientAddr)).
    ClientAddrMissing,
    /// The process has as many sessions as it may have, or the system has nothing left (file
    /// descriptors, memory, local ports) for one more connection to a server.
    Full,
    /// The gate is draining.
    Draining,

    // --- The upstream side. ---
    /// No server took the connection.
    UpstreamRefused,
    /// No server took the connection, or none answered the handshake, in time.
    UpstreamTimeout,
    /// A server that is to speak TLS sends something else.
    UpstreamNotTls,
    /// The server's certificate is for another name (RFC 9110 §4.3.4).
    UpstreamCertificateName,
    /// The server's certificate is not valid any more, or not yet.
    UpstreamCertificateExpired,
    /// The server's certificate is wrong in another way, such as by an issuer that is not trusted.
    UpstreamCertificate,
    /// There is no TLS with the server for another reason.
    UpstreamTls,
    /// A server that is to speak HTTP/2 does not.
    UpstreamNoHttp2,
    /// A server speaks HTTP/2 without WebSockets (RFC 8441 §3).
    UpstreamNoWebSockets,
    /// The server hung up before it had answered the handshake.
    UpstreamReset,
    /// The server answered the handshake with something that is not HTTP, or too much of it.
    UpstreamBadResponse,
    /// The server neither accepted the handshake nor refused it: 304, or a 2xx of HTTP/1.1.
    UpstreamNot101,
    /// The server's 101 is not the answer to our request (§4.1).
    UpstreamBad101,
    /// The server chose an extension or a parameter that was not offered (§9.1).
    UpstreamBadExtension,
    /// The server chose a subprotocol that was not offered (§4.1).
    UpstreamBadSubprotocol,
    /// Every server of the pool is at its limit.
    UpstreamFull,
    /// Every server of the pool is being drained.
    UpstreamDraining,
    /// The server refused the handshake itself, with a redirect, a 4xx or a 5xx that is passed on.
    UpstreamAnswered(StatusCode),
}

impl Rejection {
    /// The HTTP status that the client is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::KeyMissing
            | Self::KeyInvalid
            | Self::TransferEncoding
            | Self::Framing
            | Self::Host
            | Self::AuthorityMismatch
            | Self::Path
            | Self::EncodedSlash
            | Self::Header
            | Self::ConnectionNominates
            | Self::HeaderAlias
            | Self::Body
            | Self::OriginInvalid
            | Self::CredentialAmbiguous => StatusCode::BAD_REQUEST,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::AddressDenied | Self::OriginMissing | Self::OriginDenied | Self::ClaimRefused => {
                StatusCode::FORBIDDEN
            }
            Self::CredentialMissing | Self::CredentialUnknown | Self::Token(_) => {
                StatusCode::UNAUTHORIZED
            }
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::MaxForwards(method) if *method == Method::OPTIONS => StatusCode::OK,
            // A TRACE would send back what may hold secrets (RFC 9110 §9.3.8).
            Self::MaxForwards(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::HostNotOurs | Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            // RFC 5842 §7.2.
            Self::LoopDetected => StatusCode::LOOP_DETECTED,
            Self::NotUpgrade | Self::Version | Self::NotUpgradable => StatusCode::UPGRADE_REQUIRED,
            // RFC 9220 §3 says so of an unknown `:protocol`.
            Self::Connect => StatusCode::NOT_IMPLEMENTED,
            Self::TooManySessions
            | Self::HandshakeRate { .. }
            | Self::SubjectSessions
            | Self::SubjectHandshakes { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Denied(denial) => denial.status,
            Self::ClientAddrMissing => StatusCode::INTERNAL_SERVER_ERROR,
            Self::UpstreamRefused
            | Self::UpstreamNotTls
            | Self::UpstreamCertificateName
            | Self::UpstreamCertificateExpired
            | Self::UpstreamCertificate
            | Self::UpstreamTls
            | Self::UpstreamNoHttp2
            | Self::UpstreamNoWebSockets
            | Self::UpstreamReset
            | Self::UpstreamBadResponse
            | Self::UpstreamNot101
            | Self::UpstreamBad101
            | Self::UpstreamBadExtension
            | Self::UpstreamBadSubprotocol => StatusCode::BAD_GATEWAY,
            Self::AuthUnavailable
            | Self::LimitsUnavailable
            | Self::PolicyTimeout
            | Self::Full
            | Self::Draining
            | Self::UpstreamFull
            | Self::UpstreamDraining => StatusCode::SERVICE_UNAVAILABLE,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::UpstreamAnswered(status) => *status,
        }
    }

    /// The word for logs; one a variant, and never changed once released. A [`Denial`] brings its
    /// own.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::KeyMissing => "ws_key_missing",
            Self::KeyInvalid => "ws_key_invalid",
            Self::Version => "ws_version",
            Self::Method => "method",
            Self::TransferEncoding => "te_on_upgrade",
            Self::Framing => "bad_framing",
            Self::Host => "bad_host",
            Self::AuthorityMismatch => "authority_mismatch",
            Self::Path => "bad_path",
            Self::EncodedSlash => "encoded_slash",
            Self::Header => "bad_header",
            Self::ConnectionNominates => "connection_nominates",
            Self::HeaderAlias => "header_alias",
            Self::MaxForwards(_) => "max_forwards",
            Self::LoopDetected => "loop_detected",
            Self::NotUpgrade => "not_upgrade",
            Self::Body => "bad_body",
            Self::BodyTimeout => "body_timeout",
            Self::NoRoute => "no_route",
            Self::HostNotOurs => "host_not_ours",
            Self::Misdirected => "misdirected",
            Self::NotUpgradable => "not_upgradable",
            Self::Connect => "h2_connect",
            Self::AddressDenied => "address_denied",
            Self::OriginMissing => "origin_missing",
            Self::OriginDenied => "origin_denied",
            Self::OriginInvalid => "origin_invalid",
            Self::TooManySessions => "ip_connections",
            Self::HandshakeRate { .. } => "handshake_rate",
            Self::SubjectSessions => "subject_sessions",
            Self::SubjectHandshakes { .. } => "subject_handshakes",
            Self::CredentialMissing => "credential_missing",
            Self::CredentialAmbiguous => "credential_ambiguous",
            Self::CredentialUnknown => "credential_unknown",
            Self::Token(fault) => fault.reason(),
            Self::ClaimRefused => "claim_refused",
            Self::AuthUnavailable => "auth_unavailable",
            Self::LimitsUnavailable => "limits_unavailable",
            Self::Denied(denial) => denial.reason,
            Self::PolicyTimeout => "policy_timeout",
            Self::ClientAddrMissing => "client_addr_missing",
            Self::Full => "overload",
            Self::Draining => "draining",
            Self::UpstreamRefused => "upstream_refused",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamNotTls => "upstream_not_tls",
            Self::UpstreamCertificateName => "upstream_certificate_name",
            Self::UpstreamCertificateExpired => "upstream_certificate_expired",
            Self::UpstreamCertificate => "upstream_certificate",
            Self::UpstreamTls => "upstream_tls",
            Self::UpstreamNoHttp2 => "upstream_no_http2",
            Self::UpstreamNoWebSockets => "upstream_no_websockets",
            Self::UpstreamReset => "upstream_reset",
            Self::UpstreamBadResponse => "upstream_bad_response",
            Self::UpstreamNot101 => "upstream_not_101",
            Self::UpstreamBad101 => "bad_101",
            Self::UpstreamBadExtension => "bad_extension",
            Self::UpstreamBadSubprotocol => "bad_subprotocol",
            Self::UpstreamFull => "upstream_full",
            Self::UpstreamDraining => "upstream_draining",
            Self::UpstreamAnswered(_) => "upstream_answered",
        }
    }

    /// The sentence in the answer's body: it says what a person can mend, and nothing about the
    /// inside.
    pub fn message(&self) -> &str {
        match self {
            Self::KeyMissing => "the handshake has no Sec-WebSocket-Key",
            Self::KeyInvalid => "Sec-WebSocket-Key is not the base64 of 16 bytes",
            Self::Version => "only version 13 of the WebSocket protocol is spoken here",
            Self::Method => "a WebSocket handshake is a GET",
            Self::TransferEncoding => "a WebSocket handshake has no Transfer-Encoding",
            Self::Framing => "the request has a body that is not accepted here",
            Self::Host => "the Host header is missing or wrong",
            Self::AuthorityMismatch => "the request target and the Host header differ",
            Self::Path => "the request target is malformed or ambiguous",
            Self::EncodedSlash => "the path has an encoded slash (%2F), which is not accepted here",
            Self::Header => "a header is malformed",
            Self::ConnectionNominates => "Connection names a header that belongs to this proxy",
            Self::HeaderAlias => "a header imitates one that belongs to this proxy",
            Self::MaxForwards(_) => "the request goes no further than this proxy",
            Self::LoopDetected => "the request has come back to this proxy",
            Self::NotUpgrade => "this is a WebSocket endpoint",
            Self::Body => "the request's body broke off or is malformed",
            Self::BodyTimeout => "the request's body did not arrive in time",
            Self::NoRoute => "nothing is served under this path",
            Self::HostNotOurs => "nothing is served under this host",
            Self::Misdirected => "this connection was opened for another host",
            Self::NotUpgradable => "this connection cannot be upgraded to a WebSocket",
            Self::Connect => "a CONNECT is for WebSockets only here",
            Self::AddressDenied => "this address is not allowed",
            Self::OriginMissing => "the handshake has no Origin",
            Self::OriginDenied => "this origin is not allowed",
            Self::OriginInvalid => "the Origin header is malformed",
            Self::TooManySessions => "too many connections from this address",
            Self::HandshakeRate { .. } => "too many connection attempts from this address",
            Self::SubjectSessions => "too many connections of this user",
            Self::SubjectHandshakes { .. } => "too many connection attempts of this user",
            Self::CredentialMissing => "this needs a login",
            Self::CredentialAmbiguous => "the request has two credentials that differ",
            Self::CredentialUnknown => "this credential is not known here, or not any more",
            Self::Token(fault) => fault.message(),
            Self::ClaimRefused => "this login is not allowed here",
            Self::AuthUnavailable => "logins cannot be checked at the moment",
            Self::LimitsUnavailable => "limits cannot be checked at the moment",
            Self::Denied(denial) => &denial.message,
            Self::PolicyTimeout => "the server could not decide in time",
            Self::ClientAddrMissing => "the server does not know the client's address",
            Self::Full => "the server is full",
            Self::Draining => "the server is shutting down",
            Self::UpstreamRefused => "the backend cannot be reached",
            Self::UpstreamTimeout => "the backend did not answer in time",
            Self::UpstreamNotTls
            | Self::UpstreamCertificateName
            | Self::UpstreamCertificateExpired
            | Self::UpstreamCertificate
            | Self::UpstreamTls => "the connection to the backend cannot be secured",
            Self::UpstreamReset => "the backend hung up",
            Self::UpstreamNoHttp2 | Self::UpstreamBadResponse | Self::UpstreamBad101 => {
                "the backend answered wrongly"
            }
            Self::UpstreamNoWebSockets => "the backend has no WebSockets",
            Self::UpstreamNot101 => "the backend did not accept the WebSocket",
            Self::UpstreamBadExtension => "the backend chose an extension that was not offered",
            Self::UpstreamBadSubprotocol => "the backend chose a subprotocol that was not offered",
            Self::UpstreamFull => "the backend is full",
            Self::UpstreamDraining => "the backend accepts no new connections",
            Self::UpstreamAnswered(_) => "the backend refused the WebSocket",
        }
    }
}

impl From<Denial> for Rejection {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial))
    }
}

/// Takes out of an answer what only HTTP/1 has: from HTTP/2 on, a refusal ends its stream, and `Upgrade` asks for
/// nothing (RFC 9113 §8.2.2).
pub(crate) fn fit_to_version(version: Version, headers: &mut HeaderMap) {
    if version >= Version::HTTP_2 {
        headers.remove(header::CONNECTION);
        headers.remove(header::UPGRADE);
    }
}

/// Whether an upstream's answer to a handshake goes on to the client: a refusal, or a redirect, which
/// says where to sign in or where the service has moved. Nothing is in the others for a client that wanted a
/// WebSocket.
pub(crate) fn is_passed_on(status: StatusCode) -> bool {
    let is_redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    is_redirect || status.is_client_error() || status.is_server_error()
}
