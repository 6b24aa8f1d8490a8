//! The answer to load balancers that ask on the serving port whether to send clients here.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use http_body_util::Full;

use crate::Handle;
use crate::config::normal_path;

/// Answers requests for `server.health_path`, whatever their host and ahead of every route.
///
/// Some load balancers ask by OPTIONS. Such requests are no handshakes: they are neither counted nor
/// logged.
#[derive(Debug)]
pub(crate) struct HealthPage {
    handle: Handle,
    /// Read once a request, and never held over a wait.
    path: RwLock<Arc<str>>,
}

impl HealthPage {
    /// An empty path is none.
    pub(crate) fn new(handle: Handle, path: &str) -> Self {
        Self {
            handle,
            path: RwLock::new(path.into()),
        }
    }

    /// Applies another path, also to the connections that are open.
    pub(crate) fn set_path(&self, path: &str) {
        *self.path.write().unwrap_or_else(PoisonError::into_inner) = path.into();
    }

    /// The answer, if the request is for this page. Its query and its headers are not looked at: a
    /// load balancer may write there what it likes.
    pub(crate) fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Option<Response<Full<Bytes>>> {
        let path = Arc::clone(&self.path.read().unwrap_or_else(PoisonError::into_inner));
        let is_asked = !path.is_empty()
            && normal_path(uri.path()).is_some_and(|asked| asked == *path)
            && matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        is_asked.then(|| {
            let (status, text) = match self.handle.is_ready() {
                true => (StatusCode::OK, "ready\n"),
                false => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            };
            let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
            *response.status_mut() = status;
            let answered = response.headers_mut();
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            answered.insert(header::CONTENT_TYPE, text);
            let no_store = HeaderValue::from_static("no-store");
            answered.insert(header::CACHE_CONTROL, no_store);
            if headers.contains_key(header::UPGRADE) {
                // What follows a refused upgrade on its connection is not trusted to be HTTP.
                let close = HeaderValue::from_static("close");
                answered.insert(header::CONNECTION, close);
            }
            response
        })
    }
}
