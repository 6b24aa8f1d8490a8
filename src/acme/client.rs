//! The HTTP client that the authority is asked with: TLS always, and a bound for everything.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};

use crate::client::{Client, ClientError, PlainHttp};
use crate::tls::ClientTls;

/// Asks an authority, on a new connection for each request.
#[derive(Clone)]
pub(super) struct DirectoryClient {
    client: Client,
    retry_after: Arc<Mutex<Option<SystemTime>>>,
}

/// A request and its answer.
const WHOLE: Duration = Duration::from_secs(30);

/// Chains of certificates are a few KiB, and directories less.
const MOST: usize = 1024 * 1024;

impl DirectoryClient {
    pub(super) fn new(tls: ClientTls) -> Self {
        let client = Client {
            tls: Some(tls),
            plain: PlainHttp::Never,
            timeout: WHOLE,
            body: |_| MOST,
        };
        Self {
            client,
            retry_after: Arc::default(),
        }
    }

    /// When the authority wants to be asked again, if it has refused a request since this was last called.
    pub(super) fn take_retry_after(&self) -> Option<SystemTime> {
        let retry_after = self.retry_after.lock();
        retry_after.unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn answer(
        self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, ClientError> {
        let response = self.client.send_for_whole(request).await?;
        let is_refused = matches!(
            response.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        if is_refused && let Some(at) = retry_after(&response) {
            let kept = self.retry_after.lock();
            *kept.unwrap_or_else(PoisonError::into_inner) = Some(at);
        }
        Ok(response.map(Full::new).into())
    }
}

impl HttpClient for DirectoryClient {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let answer = self.clone().answer(request);
        Box::pin(async move {
            let answer = answer.await;
            answer.map_err(|error| instant_acme::Error::Other(Box::new(error)))
        })
    }
}

/// Seconds or a date (RFC 9110 §10.2.3).
fn retry_after<B>(response: &Response<B>) -> Option<SystemTime> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse::<u32>() {
        Ok(seconds) => Some(SystemTime::now() + Duration::from_secs(seconds.into())),
        Err(_) => httpdate::parse_http_date(value).ok(),
    }
}
