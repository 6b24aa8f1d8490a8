//! The URL of an engine: `redis://host:port/0`, `redis-sentinel://host,host/NAME`, `redis-cluster://host,host`.

use std::fmt;
use std::str::FromStr;

use super::error::ValueError;
use super::secret::{MASK, Secret};
use super::server_url::host_and_port;
use super::text::text;

/// The URL of an engine (Redis or Valkey). What it prints and shows has `***` in the place of the password.
///
/// A server is `redis://host:port/DATABASE`; Sentinel is `redis-sentinel://host:port,host:port/NAME`, with the name of the
/// servers that it watches and perhaps `/DATABASE` behind it; a cluster is `redis-cluster://host:port,host:port`. With
/// `rediss` in the place of `redis` there is TLS. `USER:PASSWORD@` or `:PASSWORD@` may stand before the hosts,
/// percent-encoded.
///
/// ```
/// use wsgate::config::SharedUrl;
///
/// let url: SharedUrl = "rediss://wsgate:hunter2@cache.internal/0".parse()?;
/// assert_eq!(url.to_string(), "rediss://wsgate:***@cache.internal/0");
/// # Ok::<(), wsgate::config::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SharedUrl {
    scheme: &'static str,
    /// As it is written, decoded.
    pub(in crate::config) username: Option<String>,
    pub(in crate::config) password: Option<Secret>,
    /// Before the hosts, without what is secret.
    shown_user: String,
    /// All behind the user, as it is written.
    place: String,
    pub(in crate::config) layout: EngineLayout,
    /// The hosts with their ports; there is at least one.
    pub(in crate::config) endpoints: Vec<(String, u16)>,
    pub(in crate::config) database: u32,
    pub(in crate::config) is_tls: bool,
}

/// How the servers of an engine belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "shared"), allow(dead_code))]
pub(crate) enum EngineLayout {
    /// One server.
    Single,
    /// The endpoints are sentinels, which know where the server is that `master` names.
    Sentinel { master: String },
    /// The endpoints are some of the servers, which know the others.
    Cluster,
}

/// The schemes, whether they have TLS, and their kinds.
const SCHEMES: [(&str, bool, Kind); 6] = [
    ("redis", false, Kind::Single),
    ("rediss", true, Kind::Single),
    ("redis-sentinel", false, Kind::Sentinel),
    ("rediss-sentinel", true, Kind::Sentinel),
    ("redis-cluster", false, Kind::Cluster),
    ("rediss-cluster", true, Kind::Cluster),
];

#[derive(Clone, Copy)]
enum Kind {
    Single,
    Sentinel,
    Cluster,
}

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// The numbers that databases may have: servers have 16, unless their settings say otherwise.
const DATABASES: u32 = 65_536;

/// No error repeats a part of the text, which may be a password.
impl FromStr for SharedUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (written, rest) = text.split_once("://").ok_or_else(|| no_url(""))?;
        let schemes = SCHEMES.iter();
        let (scheme, is_tls, kind) = *schemes
            .clone()
            .find(|(scheme, _, _)| *scheme == written)
            .ok_or_else(|| no_url(written))?;
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        if place.contains(['?', '#']) || place.contains(char::is_whitespace) {
            return Err(ValueError::new(
                "the URL of an engine has no query, no fragment and no space",
            ));
        }
        let (hosts, path) = match place.split_once('/') {
            Some((hosts, path)) => (hosts, path),
            None => (place, ""),
        };
        let port = match kind {
            Kind::Sentinel => DEFAULT_SENTINEL_PORT,
            Kind::Single | Kind::Cluster => DEFAULT_PORT,
        };
        let endpoints = hosts.split(',').map(|host| host_and_port(host, port));
        let endpoints: Vec<_> = endpoints.collect::<Result<_, _>>()?;
        let (layout, database) = layout(kind, endpoints.len(), path)?;
        let (username, password) = user.map(credentials).transpose()?.unwrap_or_default();
        let shown_user = user.map(|user| {
            let name = user.split_once(':').map_or("", |(name, _)| name);
            format!("{name}:{MASK}@")
        });
        Ok(Self {
            scheme,
            username,
            password,
            shown_user: shown_user.unwrap_or_default(),
            place: place.to_owned(),
            layout,
            endpoints,
            database,
            is_tls,
        })
    }
}

impl SharedUrl {
    /// The URL without user and password.
    #[cfg_attr(not(feature = "shared"), allow(dead_code))]
    pub(in crate::config) fn without_user(&self) -> String {
        format!("{}://{}", self.scheme, self.place)
    }
}

fn no_url(scheme: &str) -> ValueError {
    let problem = ValueError::new("this is not the URL of an engine");
    match scheme {
        "valkey" => problem.help("write it with redis://, which Valkey speaks too"),
        "valkeys" => problem.help("write it with rediss://, which Valkey speaks too"),
        "redis+sentinel" | "sentinel" => problem.help("write it with redis-sentinel://"),
        "redis+cluster" | "cluster" => problem.help("write it with redis-cluster://"),
        _ => problem.help(
            "an engine is redis://host:port/0, redis-sentinel://host:port,host:port/NAME or \
             redis-cluster://host:port,host:port; rediss is the same with TLS",
        ),
    }
}

/// What the path behind the hosts says.
fn layout(kind: Kind, hosts: usize, path: &str) -> Result<(EngineLayout, u32), ValueError> {
    match kind {
        Kind::Single if hosts > 1 => Err(ValueError::new("redis:// is one server").help(
            "several hosts are redis-sentinel://host,host/NAME or redis-cluster://host,host",
        )),
        Kind::Single => Ok((EngineLayout::Single, database(path)?)),
        Kind::Cluster if !matches!(path, "" | "0") => {
            Err(ValueError::new("a cluster has the database 0 only")
                .help("leave out what stands behind the hosts"))
        }
        Kind::Cluster => Ok((EngineLayout::Cluster, 0)),
        Kind::Sentinel => {
            let (master, path) = path.split_once('/').unwrap_or((path, ""));
            let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            match !master.is_empty() && master.bytes().all(is_of_name) {
                true => {
                    let master = master.to_owned();
                    Ok((EngineLayout::Sentinel { master }, database(path)?))
                }
                false => Err(ValueError::new(
                    "the name of the servers that Sentinel watches is missing",
                )
                .help("write it behind the hosts: redis-sentinel://host:port,host:port/NAME")),
            }
        }
    }
}

fn database(path: &str) -> Result<u32, ValueError> {
    let digits = path.bytes().all(|byte| byte.is_ascii_digit());
    match path {
        "" => Ok(0),
        path => (path.parse().ok())
            .filter(|number| digits && *number < DATABASES)
            .ok_or_else(|| {
                ValueError::new("the database of an engine is a number")
                    .help("the first one is 0, which is also the default")
            }),
    }
}

/// A user, if there is one, and a password.
fn credentials(text: &str) -> Result<(Option<String>, Option<Secret>), ValueError> {
    let wrong = || {
        ValueError::new("the user and the password of the URL are not complete")
            .help("write USER:PASSWORD@ or :PASSWORD@ before the host")
    };
    let (user, password) = text.split_once(':').ok_or_else(wrong)?;
    if password.is_empty() {
        return Err(wrong());
    }
    let user = Some(decoded(user)?).filter(|user| !user.is_empty());
    Ok((user, Some(Secret::new(decoded(password)?))))
}

/// Takes percent-encoding off (RFC 3986 §2.1).
fn decoded(text: &str) -> Result<String, ValueError> {
    let wrong = || {
        ValueError::new("a percent sign in a user or a password is written %25")
            .help("each % stands before two hexadecimal digits")
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit(), digit());
        let value = high.zip(low).map(|(high, low)| high * 16 + low);
        let value = value.and_then(|value| u8::try_from(value).ok());
        bytes.push(value.ok_or_else(wrong)?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

impl fmt::Display for SharedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.shown_user, self.place)
    }
}

impl fmt::Debug for SharedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

text!(
    SharedUrl,
    "the URL of an engine such as \"redis://127.0.0.1:6379\"",
    r"^rediss?(-sentinel|-cluster)?://[^?#\s]+$"
);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn sentinel(master: &str) -> EngineLayout {
        let master = master.to_owned();
        EngineLayout::Sentinel { master }
    }

    #[rstest]
    #[case("redis://127.0.0.1:6379", EngineLayout::Single, &[("127.0.0.1", 6379)], 0)]
    #[case("redis://cache", EngineLayout::Single, &[("cache", 6379)], 0)]
    #[case("redis://cache/", EngineLayout::Single, &[("cache", 6379)], 0)]
    #[case("rediss://[::1]:6380/12", EngineLayout::Single, &[("::1", 6380)], 12)]
    #[case("redis-sentinel://a,b:1/main", sentinel("main"), &[("a", 26379), ("b", 1)], 0)]
    #[case("rediss-sentinel://a/my.main_1/3", sentinel("my.main_1"), &[("a", 26379)], 3)]
    #[case("redis-cluster://a,b:7001", EngineLayout::Cluster, &[("a", 6379), ("b", 7001)], 0)]
    #[case("rediss-cluster://a/0", EngineLayout::Cluster, &[("a", 6379)], 0)]
    fn a_url_names_the_servers_of_an_engine(
        #[case] text: &str,
        #[case] layout: EngineLayout,
        #[case] endpoints: &[(&str, u16)],
        #[case] database: u32,
    ) {
        let url: SharedUrl = text.parse().unwrap();
        assert_eq!(url.layout, layout);
        let found = url.endpoints.iter().map(|(host, port)| (&**host, *port));
        assert_eq!(found.collect::<Vec<_>>(), endpoints);
        assert_eq!(url.database, database);
        assert_eq!(url.is_tls, text.starts_with("rediss"));
        assert_eq!((url.username.as_deref(), &url.password), (None, &None));
        assert_eq!(
            (url.to_string(), url.without_user()),
            (text.to_owned(), text.to_owned())
        );
    }

    #[rstest]
    #[case(
        "redis://wsgate:hunter2@a/0",
        Some("wsgate"),
        "hunter2",
        "redis://wsgate:***@a/0"
    )]
    #[case("redis://:hunter2@a", None, "hunter2", "redis://:***@a")]
    #[case("redis://:hun%40ter%252@a", None, "hun@ter%2", "redis://:***@a")]
    #[case(
        "redis://:hun@ter/2?#:x@a:1",
        None,
        "hun@ter/2?#:x",
        "redis://:***@a:1"
    )]
    #[case(
        "redis-cluster://a%3Ab:hunter2@a,b",
        Some("a:b"),
        "hunter2",
        "redis-cluster://a%3Ab:***@a,b"
    )]
    fn a_url_may_have_a_password_and_does_not_show_it(
        #[case] text: &str,
        #[case] username: Option<&str>,
        #[case] password: &str,
        #[case] shown: &str,
    ) {
        let url: SharedUrl = text.parse().unwrap();
        assert_eq!(url.username.as_deref(), username);
        assert_eq!(url.password.as_ref().unwrap().expose(), password);
        assert_eq!(url.to_string(), shown);
        for text in [format!("{url:?}"), url.without_user()] {
            assert!(!text.contains("hun"), "{text}");
        }
        // What is shown is a URL again.
        assert_eq!(shown.parse::<SharedUrl>().unwrap().to_string(), shown);
    }

    #[rstest]
    #[case("")]
    #[case("hunter2")]
    #[case("127.0.0.1:6379")]
    #[case("redis:hunter2")]
    #[case("http://hunter2")]
    #[case("valkey://:hunter2@a")]
    #[case("redis+sentinel://:hunter2@a/main")]
    #[case("redis://")]
    #[case("redis://:hunter2@")]
    #[case("redis://hunter2@a")]
    #[case("redis://hunter2:@a")]
    #[case("redis://:@a")]
    #[case("redis://:%hunter2@a")]
    #[case("redis://:hunter2%F@a")]
    #[case("redis://:hunter2%FF@a")]
    #[case("redis://a,b")]
    #[case("redis://a:0")]
    #[case("redis://a/hunter2")]
    #[case("redis://a/+1")]
    #[case("redis://a/65536")]
    #[case("redis://a/0/1")]
    #[case("redis://a?hunter2")]
    #[case("redis://a#hunter2")]
    #[case("redis://a b")]
    #[case("redis-sentinel://a,b")]
    #[case("redis-sentinel://a,/main")]
    #[case("redis-sentinel://a/hunter2 x")]
    #[case("redis-sentinel://a/main/x")]
    #[case("redis-cluster://a,b/1")]
    fn anything_else_is_refused_and_not_repeated(#[case] text: &str) {
        let problem = text.parse::<SharedUrl>().unwrap_err();
        assert!(
            !format!("{problem:?} {problem}").contains("hunter2"),
            "{problem}"
        );
        // Such an error would not be shown where the URL has a password.
        assert!(!problem.quotes(), "{problem}");
    }
}
