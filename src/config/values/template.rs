//! Values of headers that are set on the request sent upstream.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use super::error::ValueError;
use super::normal_path::decoded;
use super::path::PathPattern;
use crate::types::SessionName;

/// A header value with placeholders: `{client_ip}`, `{host}` (without the port), `{route}`, `{session}`, `{subject}`,
/// `{claim.NAME}`, `{tls.subject}` and `{path.NAME}`; `{{` and `}}` are plain braces.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    ClientIp,
    Host,
    Route,
    Session,
    TlsSubject,
    Subject,
    Claim(String),
    Path(String),
}

/// What a request puts in the place of the placeholders.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) client_ip: IpAddr,
    pub(crate) host: &'a str,
    pub(crate) route: &'a str,
    /// The name of the session, if there is one already.
    pub(crate) session: Option<SessionName>,
    /// The subject of the client's certificate, if it has shown one.
    pub(crate) tls_subject: Option<&'a str>,
    /// Who the client is, if a policy has found out.
    pub(crate) subject: Option<&'a str>,
    /// What else is known of the client under a name.
    pub(crate) claim: &'a (dyn Fn(&str) -> Option<&'a str> + Sync),
    /// What the route's path captured under a name, in the normal form of a path.
    pub(crate) path: &'a (dyn Fn(&str) -> Option<&'a str> + Sync),
}

impl Template {
    /// Parses a value for a route with this path: `{path.NAME}` must be captured there.
    pub(crate) fn parse(text: &str, path: &PathPattern) -> Result<Self, ValueError> {
        match text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
            true => pieces(text, path).map(Self),
            false => Err(ValueError::new(
                "a header value is made of printable ASCII characters",
            )),
        }
    }

    /// The claims that it uses.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(in crate::config) fn claims(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Claim(name) => Some(&**name),
            _ => None,
        })
    }

    /// Whether it names the session, which there is only after all policies.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(in crate::config) fn uses_session(&self) -> bool {
        self.0.contains(&Piece::Session)
    }

    /// Whether it says who the client is.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(in crate::config) fn uses_identity(&self) -> bool {
        let mut pieces = self.0.iter();
        pieces.any(|piece| matches!(piece, Piece::Subject | Piece::Claim(_)))
    }

    /// The value for one request; none where it is about something that is not there: a certificate of the client, its
    /// subject, a claim, a session. It need not be legal: what a path captured may not be.
    pub(crate) fn render(&self, values: &Values<'_>) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            text.push_str(&piece.value(values)?);
        }
        Some(text)
    }

    /// The value to compare with something that is no path: what a path captured is decoded. None as with
    /// [`Template::render`], and where it is no text then.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(crate) fn render_decoded(&self, values: &Values<'_>) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            text.push_str(std::str::from_utf8(&piece.decoded(values)?).ok()?);
        }
        Some(text)
    }
}

impl Piece {
    /// What it is for one request, if that is known.
    pub(super) fn value<'a>(&'a self, values: &'a Values<'_>) -> Option<Cow<'a, str>> {
        let known = match self {
            Self::ClientIp => return Some(values.client_ip.to_string().into()),
            Self::Session => return Some(values.session?.to_string().into()),
            Self::Text(literal) => Some(&**literal),
            Self::Host => Some(values.host),
            Self::Route => Some(values.route),
            Self::TlsSubject => values.tls_subject,
            Self::Subject => values.subject,
            Self::Claim(name) => (values.claim)(name),
            Self::Path(name) => Some((values.path)(name).unwrap_or_default()),
        };
        known.map(Cow::Borrowed)
    }

    /// The bytes of that, without the escapes of what a path captured.
    pub(super) fn decoded<'a>(&'a self, values: &'a Values<'_>) -> Option<Cow<'a, [u8]>> {
        match (self, self.value(values)?) {
            (Self::Path(_), captured) => decoded(&captured).map(Cow::Owned),
            (_, Cow::Borrowed(text)) => Some(Cow::Borrowed(text.as_bytes())),
            (_, Cow::Owned(text)) => Some(Cow::Owned(text.into_bytes())),
        }
    }
}

/// The text stays out: a value may be a credential for the upstream.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template(..)")
    }
}

/// The parts of a template.
pub(super) fn pieces(text: &str, path: &PathPattern) -> Result<Vec<Piece>, ValueError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        literal.push_str(before);
        if let Some(brace) = ["{{", "}}"].iter().find(|pair| after.starts_with(**pair)) {
            literal.push_str(&brace[..1]);
            rest = &after[2..];
            continue;
        }
        let Some((name, after)) = after.strip_prefix('{').and_then(|a| a.split_once('}')) else {
            return Err(unbalanced(after));
        };
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
        }
        pieces.push(placeholder(name, path)?);
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}

/// The errors repeat no part of the value, which may be a credential.
fn placeholder(name: &str, path: &PathPattern) -> Result<Piece, ValueError> {
    match name {
        "client_ip" => return Ok(Piece::ClientIp),
        "host" => return Ok(Piece::Host),
        "route" => return Ok(Piece::Route),
        "session" => return Ok(Piece::Session),
        "tls.subject" => return Ok(Piece::TlsSubject),
        "subject" => return Ok(Piece::Subject),
        _ => {}
    }
    if let Some(claim) = name
        .strip_prefix("claim.")
        .filter(|claim| !claim.is_empty())
    {
        return Ok(Piece::Claim(claim.to_owned()));
    }
    match name.strip_prefix("path.") {
        Some(captured) if path.captures(captured) => Ok(Piece::Path(captured.to_owned())),
        Some(_) => Err(ValueError::new(
            "the route's path has no such parameter: {path.NAME} is the segment `{NAME}` of the path",
        )),
        None => Err(ValueError::new(
            "unknown placeholder: there are {client_ip}, {host}, {route}, {session}, {subject}, {claim.NAME}, \
             {tls.subject} and {path.NAME}; a plain brace is written `{{` or `}}`",
        )),
    }
}

fn unbalanced(text: &str) -> ValueError {
    ValueError::new(match text.starts_with('{') {
        true => "`{` without its `}`; a plain brace is written `{{`".to_owned(),
        false => "`}` without its `{`; a plain brace is written `}}`".to_owned(),
    })
}

#[cfg(test)]
impl Values<'_> {
    /// Those of a request of which only the address is known.
    pub(crate) fn for_tests() -> Self {
        Self {
            client_ip: [192, 0, 2, 1].into(),
            host: "",
            route: "",
            session: None,
            tls_subject: None,
            subject: None,
            claim: &|_| None,
            path: &|_| None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn render(text: &str) -> Result<String, String> {
        let path: PathPattern = "/rooms/{id}".parse().unwrap();
        let template = Template::parse(text, &path).map_err(|error| error.to_string())?;
        let rendered = template.render(&Values {
            client_ip: "2001:db8::1".parse().unwrap(),
            host: "chat.example.com",
            route: "chat",
            session: "4f1c09a2b37d-7".parse().ok(),
            tls_subject: Some("CN=a client"),
            subject: Some("alice"),
            claim: &|name| (name == "a.b").then_some("c"),
            path: &|name| (name == "id").then_some("42"),
        });
        Ok(rendered.unwrap())
    }

    #[rstest]
    #[case("", "")]
    #[case("plain value", "plain value")]
    #[case("{client_ip}", "2001:db8::1")]
    #[case("a{host}b{route}c", "achat.example.combchatc")]
    #[case("{path.id}{path.id}", "4242")]
    #[case("{{route}}", "{route}")]
    #[case("{{{route}}}", "{chat}")]
    #[case("}}{{", "}{")]
    #[case("<{tls.subject}>", "<CN=a client>")]
    #[case("{subject}: {claim.a.b}", "alice: c")]
    #[case("{session}", "4f1c09a2b37d-7")]
    fn a_template_fills_its_placeholders(#[case] text: &str, #[case] rendered: &str) {
        assert_eq!(render(text).as_deref(), Ok(rendered));
    }

    #[rstest]
    #[case("{client_ip", "`{` without its `}`")]
    #[case("{{}", "`}` without its `{`")]
    #[case("a}b", "`}` without its `{`")]
    #[case("{}", "unknown placeholder")]
    #[case("{Host}", "unknown placeholder")]
    #[case(
        "{query}",
        "there are {client_ip}, {host}, {route}, {session}, {subject}, {claim.NAME}, {tls.subject}"
    )]
    #[case("{path.room}", "the route's path has no such parameter")]
    #[case("a\r\nb", "printable ASCII")]
    #[case("caf\u{e9}", "printable ASCII")]
    fn a_wrong_template_says_what_is_wrong(#[case] text: &str, #[case] message: &str) {
        let error = render(text).unwrap_err();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn there_is_no_value_about_what_is_not_known() {
        let path = "/".parse().unwrap();
        let values = Values::for_tests();
        for text in [
            "{tls.subject}",
            "verified {tls.subject}",
            "{subject}",
            "{claim.a}",
            "{session}",
        ] {
            let template = Template::parse(text, &path).unwrap();
            assert_eq!(template.render(&values), None, "{text}");
        }
    }

    #[rstest]
    #[case("%C3%BC", Some("<\u{fc}>"))]
    #[case("a%40b:c", Some("<a@b:c>"))]
    #[case::once("%2540", Some("<%40>"))]
    #[case::no_text("%FF", None)]
    #[case::half_an_escape("%4", None)]
    fn what_a_path_captured_is_compared_decoded(
        #[case] captured: &str,
        #[case] expected: Option<&str>,
    ) {
        let path = "/rooms/{id}".parse().unwrap();
        let values = Values {
            subject: Some("%40"),
            path: &|_| Some(captured),
            ..Values::for_tests()
        };
        let rendered = |text: &str| {
            let template = Template::parse(text, &path).unwrap();
            template.render_decoded(&values)
        };
        assert_eq!(rendered("<{path.id}>").as_deref(), expected);
        assert_eq!(rendered("{subject}").as_deref(), Some("%40"));
    }

    #[test]
    fn no_error_repeats_a_part_of_the_value() {
        for text in [
            "{canary}",
            "{path.canary}",
            "{canary",
            "canary}",
            "canary\u{e9}",
        ] {
            let error = render(text).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_template_does_not_show_its_text() {
        let template = Template::parse("Bearer canary", &"/rooms/{id}".parse().unwrap()).unwrap();
        assert!(!format!("{template:?}").contains("canary"));
    }
}
