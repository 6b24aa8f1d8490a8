//! The way to the collector: a runtime and a connection for each batch.
//!
//! The thread that makes the batches has no runtime. Between two batches nothing would notice that an idle
//! connection ended, so none is kept.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::losses::Losses;
use crate::ErrorReport;

/// Sends requests to a collector.
#[derive(Debug)]
pub(super) struct Collector {
    timeout: Duration,
    losses: Arc<Losses>,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
enum CollectorError {
    #[error("the process lacks a resource of the system")]
    System(#[source] io::Error),
    #[error("the collector did not answer in time")]
    Timeout,
    #[error("the collector cannot be reached")]
    Connect(#[source] legacy::Error),
    #[error("the collector's answer cannot be read")]
    Http(#[source] legacy::Error),
    #[error("the collector's answer cannot be read to its end")]
    Body(#[source] Box<dyn Error + Send + Sync>),
}

/// The largest answer; it says no more than how many spans were refused, and why.
const ANSWER_SIZE: usize = 64 * 1024;

impl Collector {
    pub(super) fn new(timeout: Duration, losses: Arc<Losses>) -> Self {
        Self { timeout, losses }
    }

    /// Sends a request and waits for the answer: the thread has nothing else to do.
    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CollectorError> {
        let answer = self.block_on(post(request));
        match &answer {
            Ok(response) if response.status().is_success() => self.look_into(response.body()),
            Ok(response) => {
                let status = response.status();
                self.losses
                    .set_cause(format!("the collector answered {status}"));
            }
            Err(error) => self.losses.set_cause(ErrorReport(error).to_string()),
        }
        answer
    }

    fn block_on<T>(
        &self,
        exchange: impl Future<Output = Result<T, CollectorError>>,
    ) -> Result<T, CollectorError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .thread_name("wsgate-lookup-otlp")
            .build()
            .map_err(CollectorError::System)?;
        let answer = runtime.block_on(async { timeout(self.timeout, exchange).await });
        // A plain drop would wait for a name look-up that is still running.
        runtime.shutdown_background();
        answer.unwrap_or(Err(CollectorError::Timeout))
    }

    /// A collector may take a batch and yet not all of it.
    fn look_into(&self, body: &Bytes) {
        let answer = ExportTraceServiceResponse::decode(body.as_ref());
        let partial = answer.ok().and_then(|answer| answer.partial_success);
        let refused = partial.map_or(0, |partial| partial.rejected_spans);
        if let Ok(refused @ 1..) = u64::try_from(refused) {
            // Its own words may repeat what the spans say.
            self.losses
                .set_cause("the collector took only a part".to_owned());
            self.losses.add(refused);
        }
    }
}

// As the macro of the trait would write it.
impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move { Ok(self.send(request)?) })
    }
}

/// One request on a connection of its own.
async fn post(request: Request<Bytes>) -> Result<Response<Bytes>, CollectorError> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.map(Full::new)).await;
    let response = response.map_err(|error| match error.is_connect() {
        true => CollectorError::Connect(error),
        false => CollectorError::Http(error),
    })?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_SIZE).collect().await;
    let body = body.map_err(CollectorError::Body)?.to_bytes();
    Ok(Response::from_parts(parts, body))
}
