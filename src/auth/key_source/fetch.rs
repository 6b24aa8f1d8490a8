//! Fetches the keys of an issuer from their URL.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::Empty;

use crate::client::{Client, ClientError, PlainHttp};
use crate::jwt::{KeySet, KeySetError};
use crate::tls::ClientTls;

/// Where keys come from.
pub(super) trait Fetch: Send + Sync {
    fn fetch(&self) -> Fetching<'_>;
}

pub(super) type Fetching<'f> =
    Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send + 'f>>;

/// The keys of a server, and for how long it wants them to be kept.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    pub(super) max_age: Option<Duration>,
}

/// Why there are no new keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the server of the keys gives no answer")]
    Client(#[from] ClientError),
    #[error("the server of the keys answers {0} instead of 200")]
    Status(StatusCode),
    #[error("the answer cannot be used")]
    Keys(#[from] KeySetError),
}

/// A URL, and how it is asked.
pub(super) struct HttpFetch {
    url: Uri,
    client: Client,
}

/// From the look-up of the name to the last byte.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest set of keys: a handful with their certificates is 20 KiB.
const LONGEST: usize = 256 * 1024;

impl HttpFetch {
    pub(super) fn new(url: Uri, tls: Option<ClientTls>) -> Self {
        let client = Client {
            tls,
            plain: PlainHttp::Loopback,
            timeout: TIMEOUT,
            body: |status| match status {
                StatusCode::OK => LONGEST,
                _ => 0,
            },
        };
        Self { url, client }
    }

    async fn answer(&self) -> Result<Fetched, FetchError> {
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = self.url.clone();
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, json);
        let (parts, body) = self.client.send(request).await?.into_parts();
        if parts.status != StatusCode::OK {
            return Err(FetchError::Status(parts.status));
        }
        let body = body.ok_or(ClientError::TooLong { limit: LONGEST })?;
        Ok(Fetched {
            keys: KeySet::parse(&body)?,
            max_age: max_age(&parts.headers),
        })
    }
}

impl Fetch for HttpFetch {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.answer())
    }
}

/// How long an answer is fresh (RFC 9111 §5.2.2.1).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(CACHE_CONTROL).into_iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    let mut directives = texts.flat_map(|text| text.split(','));
    directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let seconds = value.trim().trim_matches('"').parse::<u32>();
        let is_max_age = name.trim().eq_ignore_ascii_case("max-age");
        is_max_age.then(|| {
            seconds.map_or(Duration::ZERO, |seconds| {
                Duration::from_secs(seconds.into())
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_found_among_other_directives() {
        for (text, expected) in [
            ("", None),
            ("no-store", None),
            ("public, max-age=600", Some(600)),
            ("Max-Age=\"7\" , public", Some(7)),
            ("s-maxage=5", None),
            ("max-age=-1", Some(0)),
            ("max-age=soon", Some(0)),
        ] {
            let line = (CACHE_CONTROL, text.parse().unwrap());
            let found = max_age(&HeaderMap::from_iter([line]));
            assert_eq!(found, expected.map(Duration::from_secs), "{text}");
        }
    }
}
