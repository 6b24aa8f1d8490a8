//! Between the spans and OTLP: a bound, and an eye on what is lost.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

use super::losses::Losses;

/// Lets no more spans wait than may. The queue behind it has the same bound, and no count of what
/// it turns away.
#[derive(Debug)]
pub(super) struct Bounded {
    queue: BatchSpanProcessor,
    losses: Arc<Losses>,
}

/// Exports, and counts what does not arrive.
#[derive(Debug)]
pub(super) struct Exporter {
    otlp: Otlp,
    losses: Arc<Losses>,
}

impl Bounded {
    pub(super) fn new(queue: BatchSpanProcessor, losses: Arc<Losses>) -> Self {
        Self { queue, losses }
    }
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.queue.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.losses.admit() {
            self.queue.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.queue.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.queue.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.queue.set_resource(resource);
    }
}

impl Exporter {
    pub(super) fn new(otlp: Otlp, losses: Arc<Losses>) -> Self {
        Self { otlp, losses }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.otlp.export(batch).await;
        if exported.is_err() {
            self.losses.add(spans as u64);
        }
        self.losses.finished(spans);
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.otlp.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}
