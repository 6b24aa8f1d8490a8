//! An OpenTelemetry collector that keeps what it is sent.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::{Head, Upstream, soon};

/// Takes batches of spans, one after the other, when a test asks for them.
pub(crate) struct Collector {
    server: Upstream,
    /// What it answers.
    answer: Vec<u8>,
}

/// One batch, as it came.
pub(crate) struct Batch {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec();
        let server = Upstream::start().await;
        Self { server, answer }
    }

    /// One that answers this.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        Self {
            answer: answer.into(),
            ..Self::start().await
        }
    }

    /// As the environment names it.
    pub(crate) fn url(&self) -> String {
        self.server.url().replacen("ws://", "http://", 1)
    }

    /// The next batch, once it is answered.
    #[track_caller]
    pub(crate) fn batch(&self) -> impl Future<Output = Batch> {
        soon("a batch of spans", async {
            let (mut wire, head) = self.server.request().await;
            let body = wire.body(&head).await;
            wire.send(&self.answer).await;
            Batch { head, body }
        })
    }

    /// The next spans, so many or more: what is sent together stays together.
    #[track_caller]
    pub(crate) fn spans(&self, least: usize) -> impl Future<Output = Vec<Span>> {
        soon("spans", async move {
            let mut spans = Vec::new();
            while spans.len() < least {
                spans.extend(self.batch().await.spans());
            }
            spans
        })
    }
}

impl Batch {
    pub(crate) fn request(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(&*self.body).expect("what OTLP has")
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.request().resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

/// The only one with this name.
#[track_caller]
pub(crate) fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let named: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(named.len(), 1, "{name} in {spans:#?}");
    named[0]
}

/// The value of the only attribute with this key, as text; "" is none.
#[track_caller]
pub(crate) fn says(attributes: &[KeyValue], key: &str) -> String {
    let all = attributes.iter().filter(|one| one.key == key);
    let values: Vec<_> = all.map(text).collect();
    assert!(values.len() < 2, "{key} is {values:?}");
    values.concat()
}

fn text(attribute: &KeyValue) -> String {
    let value = attribute
        .value
        .as_ref()
        .and_then(|value| value.value.as_ref());
    match value {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => panic!("{} is {other:?}", attribute.key),
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
