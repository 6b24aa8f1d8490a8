//! `host`: which authority a route serves.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::error::ValueError;
use super::text::text;

/// A host name, an address, or `*.example.com` for the names below `example.com` (however deep,
/// but not `example.com` itself); without a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern(Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// In lower case.
    Name(String),
    /// What follows the `*`: `.example.com`, in lower case.
    Below(String),
    Address(IpAddr),
}

impl HostPattern {
    /// Whether a request's host (without its port; an IPv6 address with or without its brackets)
    /// is one that this pattern names.
    pub(crate) fn matches(&self, host: &str) -> bool {
        match &self.0 {
            Kind::Name(name) => name.eq_ignore_ascii_case(host),
            Kind::Below(suffix) => is_below(host, suffix),
            Kind::Address(address) => parse_address(host) == Some(*address),
        }
    }

    /// All patterns that name every host that this one names.
    pub(in crate::config) fn covering(&self) -> Vec<Self> {
        let (name, inner) = match &self.0 {
            Kind::Name(name) => (name.as_str(), 0),
            // The first dot is that of the pattern itself.
            Kind::Below(suffix) => (suffix.as_str(), 1),
            Kind::Address(_) => ("", 0),
        };
        let dots = name.match_indices('.').map(|(dot, _)| dot);
        let above = dots.filter(|dot| *dot >= inner);
        let above = above.map(|dot| Self(Kind::Below(name[dot..].to_owned())));
        [self.clone()].into_iter().chain(above).collect()
    }
}

impl FromStr for HostPattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(address) = parse_address(text) {
            return Ok(Self(Kind::Address(address)));
        }
        if text == "*" {
            let message = "`*` is no host: leave `host` out to serve every host".to_owned();
            return Err(ValueError::new(message));
        }
        let lower = text.to_ascii_lowercase();
        match lower.strip_prefix('*') {
            Some(suffix) if suffix.starts_with('.') => {
                check_name(&suffix[1..])?;
                Ok(Self(Kind::Below(suffix.to_owned())))
            }
            _ => {
                check_name(&lower)?;
                Ok(Self(Kind::Name(lower)))
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Name(name) => f.write_str(name),
            Kind::Below(suffix) => write!(f, "*{suffix}"),
            Kind::Address(IpAddr::V4(address)) => address.fmt(f),
            Kind::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

text!(
    HostPattern,
    "a host such as \"chat.example.com\"",
    r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|(\*\.)?([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?)$"
);

/// Whether `host` is one or more labels and then `suffix` (which begins with its dot), in
/// whatever case.
pub(in crate::config) fn is_below(host: &str, suffix: &str) -> bool {
    let Some(labels) = host.len().checked_sub(suffix.len()) else {
        return false;
    };
    let (labels, end) = host.as_bytes().split_at(labels);
    end.eq_ignore_ascii_case(suffix.as_bytes()) && !matches!(labels, [] | [b'.', ..] | [.., b'.'])
}

fn parse_address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[') {
        Some(rest) => {
            let address: Ipv6Addr = rest.strip_suffix(']')?.parse().ok()?;
            Some(IpAddr::V6(address))
        }
        None => text.parse().ok(),
    }
}

/// Checks a lower-case host name (RFC 1123 §2.1, and underscores, which internal names have).
pub(in crate::config) fn check_name(name: &str) -> Result<(), ValueError> {
    let error = |message: String| Err(ValueError::new(message));
    if name.is_empty() {
        return error("the host is empty".to_owned());
    }
    if !name.is_ascii() {
        return error(format!(
            "`{name}` is not ASCII: write an international name in its `xn--` form"
        ));
    }
    if name.contains("://") || name.contains('/') {
        return error(format!(
            "`{name}` is a URL: write the host alone, like `example.com`"
        ));
    }
    if name.contains('*') {
        return error(format!(
            "`{name}`: a `*` stands once, alone before the first dot, like `*.example.com`"
        ));
    }
    if name.contains(':') || name.contains('[') {
        return error(format!(
            "`{name}` has a port or is not an address: write the host alone, like `example.com` \
             or `[::1]`; a host is matched whatever its port"
        ));
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if let Some(wrong) = name.chars().find(|&c| c != '.' && !known(c as u8)) {
        return error(format!("`{name}`: {wrong:?} does not stand in a host name"));
    }
    if name.len() > 253 || name.split('.').any(|label| label.len() > 63) {
        return error(format!(
            "`{name}` is too long: a host name has at most 253 characters, 63 between two dots"
        ));
    }
    if name.split('.').any(str::is_empty) {
        return error(format!("`{name}` has nothing before or behind a dot"));
    }
    // A name whose last label is a number is an IPv4 address to every browser.
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return error(format!("`{name}` is not an IPv4 address nor a host name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    #[rstest]
    #[case::exact("example.com", "example.com", true)]
    #[case::pattern_case("Example.COM", "example.com", true)]
    #[case::host_case("example.com", "EXAMPLE.com", true)]
    #[case::below_exact("example.com", "a.example.com", false)]
    #[case::trailing_dot("example.com", "example.com.", false)]
    #[case::one_label("*.example.com", "a.example.com", true)]
    #[case::two_labels("*.example.com", "b.A.Example.com", true)]
    #[case::apex("*.example.com", "example.com", false)]
    #[case::empty_label("*.example.com", ".example.com", false)]
    #[case::empty_inner_label("*.example.com", "a..example.com", false)]
    #[case::other_domain("*.example.com", "evilexample.com", false)]
    #[case::suffix_only("*.example.com", "a.example.com.evil", false)]
    #[case::shorter("*.example.com", "com", false)]
    #[case::not_on_a_character("*.example.com", "é.example.co", false)]
    #[case::ipv4("192.0.2.1", "192.0.2.1", true)]
    #[case::other_ipv4("192.0.2.1", "192.0.2.10", false)]
    #[case::brackets("[::1]", "[::1]", true)]
    #[case::no_brackets("::1", "[::1]", true)]
    #[case::host_without_brackets("[::1]", "::1", true)]
    #[case::ipv6_long_form("[::1]", "[0:0:0:0:0:0:0:1]", true)]
    #[case::ipv4_in_brackets("192.0.2.1", "[192.0.2.1]", false)]
    fn a_host_matches_its_pattern(#[case] text: &str, #[case] host: &str, #[case] matches: bool) {
        assert_eq!(pattern(text).matches(host), matches);
    }

    #[rstest]
    #[case::empty("", "empty")]
    #[case::star("*", "leave `host` out")]
    #[case::no_name_below("*.", "empty")]
    #[case::star_inside("a.*.com", "before the first dot")]
    #[case::star_in_label("*a.com", "before the first dot")]
    #[case::two_stars("*.*.com", "before the first dot")]
    #[case::port("example.com:8080", "port")]
    #[case::ipv6_port("[::1]:80", "port")]
    #[case::ipv4_port("127.0.0.1:80", "port")]
    #[case::half_bracket("[::1", "not an address")]
    #[case::url("https://example.com", "URL")]
    #[case::path("example.com/ws", "URL")]
    #[case::not_ascii("bücher.example", "xn--")]
    #[case::space("exa mple.com", "' '")]
    #[case::user("user@example.com", "'@'")]
    #[case::two_dots("a..b", "dot")]
    #[case::trailing_dot("example.com.", "dot")]
    #[case::number("10.0.0.256", "IPv4")]
    #[case::below_an_address("*.10.0.0.1", "IPv4")]
    fn a_wrong_host_is_refused_with_its_reason(#[case] text: &str, #[case] reason: &str) {
        let error = text.parse::<HostPattern>().unwrap_err();
        assert!(error.message().contains(reason), "{error}");
    }

    #[test]
    fn a_label_and_a_name_have_a_length() {
        let label = "a".repeat(63);
        let name = [label.as_str(); 4].join(".");
        assert!(label.parse::<HostPattern>().is_ok());
        assert!(format!("{label}a").parse::<HostPattern>().is_err());
        assert!(name[..253].parse::<HostPattern>().is_ok());
        assert!(name[..254].parse::<HostPattern>().is_err());
    }

    #[rstest]
    #[case("a.example.com", "a.example.com", true)]
    #[case("a.example.com", "b.example.com", false)]
    #[case("*.example.com", "a.example.com", true)]
    #[case("*.example.com", "*.a.example.com", true)]
    #[case("*.example.com", "*.example.com", true)]
    #[case("*.a.example.com", "*.example.com", false)]
    #[case("*.example.com", "example.com", false)]
    #[case("a.example.com", "*.example.com", false)]
    #[case("*.ample.com", "*.example.com", false)]
    #[case("[::1]", "::1", true)]
    fn a_pattern_covers_what_it_names(
        #[case] wide: &str,
        #[case] narrow: &str,
        #[case] covers: bool,
    ) {
        let covering = pattern(narrow).covering();
        assert_eq!(covering.contains(&pattern(wide)), covers);
    }

    #[rstest]
    #[case("Example.com", "example.com")]
    #[case("*.Example.com", "*.example.com")]
    #[case("::1", "[::1]")]
    #[case("192.0.2.1", "192.0.2.1")]
    fn a_pattern_prints_as_it_would_be_written(#[case] text: &str, #[case] printed: &str) {
        assert_eq!(pattern(text).to_string(), printed);
        assert_eq!(pattern(printed), pattern(text));
    }
}
