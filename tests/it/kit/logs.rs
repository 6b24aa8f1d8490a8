//! What was logged.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, Once};

use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

/// Keeps everything that this thread logs, until it is dropped. A test's gate and its sessions all
/// run on the test's own thread, so that this is what they log and nobody else.
pub(crate) struct Logs {
    events: Events,
}

type Events = Arc<Mutex<Vec<Event>>>;

thread_local! {
    static CAPTURED: RefCell<Option<Events>> = const { RefCell::new(None) };
    /// How many lines this thread has logged.
    static WRITTEN: watch::Sender<u64> = watch::Sender::new(0);
}

/// Changes with each line that this thread logs from now on.
pub(super) fn written() -> watch::Receiver<u64> {
    subscribe();
    WRITTEN.with(watch::Sender::subscribe)
}

fn subscribe() {
    // One for all threads: with one for each, a line that is first logged on a thread without
    // any would be off for a while on the others.
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| {
        tracing::subscriber::set_global_default(Capture).expect("the only subscriber");
    });
}

/// One line of a log.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) target: String,
    pub(crate) level: Level,
    pub(crate) message: String,
    fields: BTreeMap<&'static str, String>,
}

impl Logs {
    pub(crate) fn capture() -> Self {
        subscribe();
        let events = Events::default();
        CAPTURED.set(Some(Arc::clone(&events)));
        Self { events }
    }

    /// All lines with this target, in their order.
    pub(crate) fn of(&self, target: &str) -> Vec<Event> {
        let events = self.all();
        events
            .into_iter()
            .filter(|event| event.target == target)
            .collect()
    }

    pub(crate) fn all(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }
}

impl Event {
    /// A field's value; "" where there is none.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        let value = self.field(name);
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {value:?} in {self:?}"))
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.fields.keys().copied().collect()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        CAPTURED.set(None);
    }
}

struct Capture;

impl Capture {
    fn keep(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut dyn Visit)) {
        let Some(events) = CAPTURED.with_borrow(Clone::clone) else {
            return;
        };
        let mut event = Event {
            target: metadata.target().to_owned(),
            level: *metadata.level(),
            message: String::new(),
            fields: BTreeMap::new(),
        };
        record(&mut event);
        events.lock().unwrap().push(event);
    }
}

impl Subscriber for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.keep(span.metadata(), |visit| span.record(visit));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.keep(event.metadata(), |visit| event.record(visit));
        WRITTEN.with(|written| written.send_modify(|lines| *lines += 1));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Event {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let value = format!("{value:?}");
        match field.name() {
            "message" => self.message = value,
            name => drop(self.fields.insert(name, value)),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        self.record_debug(field, &format_args!("{text}"));
    }
}
