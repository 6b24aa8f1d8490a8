//! One pass over the lines of a head.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::subprotocols::Subprotocols;
use super::{extensions, fields, list};
use crate::rejection::Rejection;

/// What one pass over a request's header lines finds: the lines that the checks are about, and the
/// faults that only a look at every line can show.
#[derive(Debug, Default)]
pub(crate) struct Lines<'a> {
    pub(super) host: Line<'a>,
    pub(super) origin: Line<'a>,
    pub(super) content_length: Line<'a>,
    pub(super) version: Line<'a>,
    pub(super) key: Line<'a>,
    pub(super) transfer_encoding: Vec<&'a HeaderValue>,
    pub(super) subprotocols: Vec<&'a HeaderValue>,
    pub(super) extensions: Vec<&'a HeaderValue>,
    /// The proxies that the request has passed (RFC 9110 §7.6.3).
    pub(crate) via: Vec<&'a HeaderValue>,
    /// `Upgrade` lists `websocket`.
    pub(super) upgrades_to_websocket: bool,
    /// `Connection` lists `upgrade`.
    pub(super) connection_upgrades: bool,
    /// The first header in which a proxy would name its client.
    forwarding: Option<&'static str>,
    /// What `Connection` nominates beside the headers that end at every hop.
    nominated: Vec<HeaderName>,
    connection_is_malformed: bool,
    /// A header whose name is no token.
    misnamed: Option<&'a HeaderName>,
    /// What `Connection` nominates of the gate's own.
    nominated_owned: Option<HeaderName>,
    /// A header that imitates one of the gate's own.
    alias: Option<&'a HeaderName>,
}

/// A header that may have one line only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Line<'a> {
    #[default]
    Missing,
    Once(&'a HeaderValue),
    Repeated,
}

/// The same without the request.
#[derive(Clone, Default)]
pub(crate) enum SingleLine {
    #[default]
    Missing,
    Once(HeaderValue),
    Repeated,
}

impl<'a> Lines<'a> {
    pub(crate) fn read(headers: &'a HeaderMap) -> Self {
        let mut lines = Self::default();
        for (name, value) in headers {
            lines.add(name, value);
        }
        lines
    }

    fn add(&mut self, name: &'a HeaderName, value: &'a HeaderValue) {
        match name.as_str() {
            "host" => self.host.add(value),
            "origin" => self.origin.add(value),
            "content-length" => self.content_length.add(value),
            "sec-websocket-version" => self.version.add(value),
            "sec-websocket-key" => self.key.add(value),
            "transfer-encoding" => self.transfer_encoding.push(value),
            "sec-websocket-protocol" => self.subprotocols.push(value),
            "sec-websocket-extensions" => self.extensions.push(value),
            "x-forwarded-for" => self.note_forwarding("x-forwarded-for"),
            "forwarded" => self.note_forwarding("forwarded"),
            "x-real-ip" => self.note_forwarding("x-real-ip"),
            "upgrade" => self.upgrades_to_websocket |= list::has_token([value], "websocket"),
            "connection" => self.add_connection(value),
            "via" => self.via.push(value),
            other if fields::is_alias(other) => self.alias = Some(name),
            other if !fields::is_token(other) => self.misnamed = Some(name),
            _ => {}
        }
    }

    fn note_forwarding(&mut self, name: &'static str) {
        self.forwarding.get_or_insert(name);
    }

    fn add_connection(&mut self, value: &'a HeaderValue) {
        for element in list::elements([value]) {
            match element {
                [] => {}
                upgrade if upgrade.eq_ignore_ascii_case(b"upgrade") => {
                    self.connection_upgrades = true;
                }
                element => match list::token(element) {
                    Some(name) => self.nominate(name),
                    None => self.connection_is_malformed = true,
                },
            }
        }
    }

    fn nominate(&mut self, name: &str) {
        if name.eq_ignore_ascii_case("keep-alive") {
            return;
        }
        let is_owned = fields::is_owned(name);
        let Ok(name) = HeaderName::try_from(name) else {
            return;
        };
        if is_owned {
            self.nominated_owned = Some(name);
        } else if !fields::is_hop_by_hop(name.as_str()) {
            self.nominated.push(name);
        }
    }

    /// What every request has to pass before any of its headers is believed or sent on.
    ///
    /// A name in `Connection` takes that header out of the forwarded request (RFC 9110 §7.6.1), so
    /// one that says where a request belongs or who sent it may not stand there; nor may a
    /// header's name be one of those in a spelling that CGI-like backends fold into it
    /// (`X_Forwarded_For`).
    ///
    /// # Errors
    /// [`Rejection::Header`] for a `Connection` that is no list of tokens and for a name that is no token,
    /// [`Rejection::ConnectionNominates`], [`Rejection::HeaderAlias`].
    pub(super) fn check_names(&self) -> Result<(), Rejection> {
        if self.connection_is_malformed || self.misnamed.is_some() {
            return Err(Rejection::Header);
        }
        if self.nominated_owned.is_some() {
            return Err(Rejection::ConnectionNominates);
        }
        match self.alias {
            Some(_) => Err(Rejection::HeaderAlias),
            None => Ok(()),
        }
    }

    /// Checks a plain request. Hyper takes any codings whose last is `chunked`, undoes that one and
    /// frames the body anew: the upstream would get a `gzip` body that no header announces
    /// (RFC 9112 §6.1). It makes one line of equal lengths; with HTTP/2 they come as they are, and only the first
    /// was compared with the body.
    ///
    /// # Errors
    /// Those of [`Lines::check_names`], and [`Rejection::Framing`] for a body in another coding
    /// than `chunked` and for a second `Content-Length` (RFC 9110 §8.6).
    pub(crate) fn check_plain(&self) -> Result<(), Rejection> {
        self.check_names()?;
        if matches!(self.content_length, Line::Repeated) {
            return Err(Rejection::Framing);
        }
        let codings = list::tokens(self.transfer_encoding.iter().copied());
        match codings.map_err(|_| Rejection::Framing)?[..] {
            [] => Ok(()),
            [coding] if coding.eq_ignore_ascii_case("chunked") => Ok(()),
            _ => Err(Rejection::Framing),
        }
    }

    /// The header that this request is refused for with `rejection`.
    pub(crate) fn at_fault(&self, rejection: &Rejection) -> Option<HeaderName> {
        match rejection {
            Rejection::ConnectionNominates => self.nominated_owned.clone(),
            Rejection::HeaderAlias => self.alias.cloned(),
            Rejection::NotUpgrade if self.upgrades_to_websocket => Some(header::CONNECTION),
            Rejection::Framing => Some(match self.transfer_encoding.is_empty() {
                true => header::CONTENT_LENGTH,
                false => header::TRANSFER_ENCODING,
            }),
            Rejection::Header => self.malformed(),
            other => other.header(),
        }
    }

    /// The first header that is not of its form, in the order of the checks.
    fn malformed(&self) -> Option<HeaderName> {
        if self.connection_is_malformed {
            return Some(header::CONNECTION);
        }
        if let Some(misnamed) = self.misnamed {
            return Some(misnamed.clone());
        }
        if Subprotocols::read(&self.subprotocols).is_err() {
            return Some(header::SEC_WEBSOCKET_PROTOCOL);
        }
        if extensions::offers(self.extensions.iter().copied()).is_err() {
            return Some(header::SEC_WEBSOCKET_EXTENSIONS);
        }
        // Only that of an extended CONNECT is refused for this (RFC 8441 §5).
        let has_key = !matches!(self.key, Line::Missing);
        has_key.then_some(header::SEC_WEBSOCKET_KEY)
    }

    /// The first header of the request in which a proxy would name its client.
    pub(crate) fn forwarding(&self) -> Option<&'static str> {
        self.forwarding
    }

    /// What outlives the request's borrow.
    pub(crate) fn into_kept(self) -> (SingleLine, Vec<HeaderName>) {
        (self.origin.into_single(), self.nominated)
    }
}

impl<'a> Line<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Missing => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }

    /// The value, where there is one line.
    pub(super) fn once(self) -> Option<&'a HeaderValue> {
        match self {
            Self::Once(value) => Some(value),
            Self::Missing | Self::Repeated => None,
        }
    }

    fn into_single(self) -> SingleLine {
        match self {
            Self::Missing => SingleLine::Missing,
            Self::Once(value) => SingleLine::Once(value.clone()),
            Self::Repeated => SingleLine::Repeated,
        }
    }
}
