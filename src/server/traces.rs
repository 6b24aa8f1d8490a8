//! Traces: spans of handshakes and sessions go to an OpenTelemetry collector (feature `otel`).
//!
//! ```text
//! workers ─► queue, bounded ─► a thread of its own ─► OTLP, protobuf over HTTP ─► collector
//! ```
//!
//! Sessions never wait for the collector: a span that finds the queue full is lost, and so is one that the
//! collector does not take. The log has the number.

mod collector;
mod environment;
mod exporter;
mod losses;

use std::env;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, ResourceDetector};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tokio::task::spawn_blocking;

use crate::Tracing;
use collector::Collector;
use environment::Environment;
use exporter::{Bounded, Exporter};
use losses::Losses;

pub use environment::TracesError;

/// Sends spans to a collector, if there is one.
#[derive(Debug, Default)]
pub(super) struct Traces {
    export: Option<Export>,
}

/// Sends them until [`Export::finish`].
#[derive(Debug)]
struct Export {
    provider: SdkTracerProvider,
    losses: Arc<Losses>,
}

/// How long the end of the process waits for the collector to take what is left.
const LAST_EXPORT: Duration = Duration::from_secs(5);

/// Checks the environment's settings of traces.
pub(super) fn check() -> Result<(), TracesError> {
    environment()?;
    Ok(())
}

fn environment() -> Result<Option<Environment>, TracesError> {
    Environment::read(|name| {
        let value = env::var_os(name)?;
        Some(value.to_string_lossy().into_owned())
    })
}

impl Traces {
    /// Begins if the environment names a collector.
    pub(super) fn from_environment() -> Result<Self, TracesError> {
        let export = environment()?.map(Export::begin).transpose()?;
        Ok(Self { export })
    }

    /// The tracing of the gate.
    pub(super) fn tracing(&self) -> Tracing {
        let tracing = |export: &Export| Tracing::with(export.provider.tracer("wsgate"));
        self.export.as_ref().map(tracing).unwrap_or_default()
    }

    /// Sends what is left, within a time limit.
    pub(super) async fn finish(self) {
        if let Some(export) = self.export {
            export.finish().await;
        }
    }
}

impl Export {
    fn begin(environment: Environment) -> Result<Self, TracesError> {
        let Environment {
            endpoint,
            timeout,
            queue,
        } = environment;
        let losses = Arc::new(Losses::new(queue));
        let collector = Collector::new(timeout, Arc::clone(&losses));
        let otlp = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(endpoint.to_string())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(timeout)
            .build()
            .map_err(TracesError::unusable)?;
        let exporter = Exporter::new(otlp, Arc::clone(&losses));
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(queue)
            .build();
        let processor = BatchSpanProcessor::builder(exporter)
            .with_batch_config(batches)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Bounded::new(processor, Arc::clone(&losses)))
            .with_resource(resource())
            .build();
        // Dropping the last one waits for the collector, which a second signal must not. So one is never
        // dropped: a process has only one.
        mem::forget(provider.clone());
        tracing::info!(%endpoint, "spans are sent to a collector");
        Ok(Self { provider, losses })
    }

    async fn finish(self) {
        let Self { provider, losses } = self;
        // It waits without yielding.
        let done = spawn_blocking(move || provider.shutdown_with_timeout(LAST_EXPORT)).await;
        if !matches!(done, Ok(Ok(()))) {
            losses.left_behind();
        }
        losses.log_rest();
    }
}

/// The service that spans are from: by the environment, or else our own name.
fn resource() -> Resource {
    let attributes = EnvResourceDetector::new().detect();
    let says = |key: &'static str| attributes.get(&Key::from_static_str(key));
    // In the library the attributes take precedence over the variable; in the specification, the
    // variable does.
    let name = env::var("OTEL_SERVICE_NAME").ok();
    let name = name.filter(|name| !name.is_empty()).map(Value::from);
    let name = name.or_else(|| says("service.name"));
    let version = says("service.version");
    Resource::builder()
        .with_service_name(name.unwrap_or_else(|| "wsgate".into()))
        .with_attribute(KeyValue::new(
            "service.version",
            version.unwrap_or_else(|| env!("CARGO_PKG_VERSION").into()),
        ))
        .build()
}
