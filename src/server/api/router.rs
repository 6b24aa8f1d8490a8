//! Which request is answered by whom.

use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use utoipa_axum::router::OpenApiRouter;

use super::response::Refusal;

/// Answers all requests, also those that no endpoint takes.
pub(crate) fn router<S>(endpoints: OpenApiRouter<S>, state: S) -> Router
where
    S: Clone + Send + Sync + 'static,
{
    let (router, _document) = endpoints.split_for_parts();
    router
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "no such resource"))
        .method_not_allowed_fallback(async || {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "wrong method")
        })
        .with_state(state)
}

/// Names the methods of a path as its documentation does: a HEAD goes with each GET.
pub(super) fn tidy_allow(response: &mut Response<Body>) {
    let Some(allow) = response.headers_mut().get_mut(header::ALLOW) else {
        return;
    };
    let methods = allow.to_str().unwrap_or_default().split(',');
    let methods: Vec<_> = methods.filter(|method| *method != "HEAD").collect();
    if let Ok(methods) = HeaderValue::from_str(&methods.join(", ")) {
        *allow = methods;
    }
}
