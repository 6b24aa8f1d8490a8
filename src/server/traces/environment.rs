//! What the environment says about traces.
//!
//! The variables are OpenTelemetry's. What decides whether, where and how many spans go is read here,
//! so that a wrong word is an error at the start and not a trace that is missing; the libraries read
//! the rest (names, headers, batches) themselves.

use std::error::Error;
use std::time::Duration;

use http::Uri;

/// What is exported to where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Environment {
    /// An `http` URL with a host, and without a user and a query.
    pub(super) endpoint: Uri,
    /// For one batch, with its retries.
    pub(super) timeout: Duration,
    /// The most spans that wait.
    pub(super) queue: usize,
}

/// An environment variable of OpenTelemetry's that traces cannot be made from. Its value is in no
/// error: it may hold a secret, or be one by mistake.
#[derive(Debug, thiserror::Error)]
#[error("`{variable}` {problem}")]
pub struct TracesError {
    variable: &'static str,
    problem: String,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Where a collector takes traces, below its [`ENDPOINT`].
const TRACES_PATH: &str = "v1/traces";

/// OpenTelemetry's own defaults.
const TIMEOUT: Duration = Duration::from_secs(10);
const QUEUE: usize = 2048;

/// The longest queue; a span is about a kilobyte.
const LONGEST_QUEUE: usize = 1 << 20;

const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

impl Environment {
    /// Nothing, if no collector is named or traces are turned off.
    ///
    /// A variable that is empty is one that is not set, as the specification has it.
    pub(super) fn read(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, TracesError> {
        let variable = |name: &str| {
            let value = variable(name)?;
            (!value.trim().is_empty()).then_some(value)
        };
        let is = |name: &str, word: &str| {
            variable(name).is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        let endpoint = match (variable(TRACES_ENDPOINT), variable(ENDPOINT)) {
            (Some(url), _) => endpoint(TRACES_ENDPOINT, &url)?,
            (None, Some(url)) => {
                endpoint(ENDPOINT, &url)?;
                let slash = if url.ends_with('/') { "" } else { "/" };
                endpoint(ENDPOINT, &format!("{url}{slash}{TRACES_PATH}"))?
            }
            (None, None) => return Ok(None),
        };
        one_of(&variable, "OTEL_TRACES_EXPORTER", &["otlp"])?;
        let protocols = ["http/protobuf"];
        one_of(&variable, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", &protocols)?;
        if variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").is_none() {
            one_of(&variable, "OTEL_EXPORTER_OTLP_PROTOCOL", &protocols)?;
        }
        one_of(&variable, "OTEL_TRACES_SAMPLER", &SAMPLERS)?;
        check_ratio(&variable)?;
        let timeout = match number(&variable, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", 1..=600_000)? {
            None => number(&variable, "OTEL_EXPORTER_OTLP_TIMEOUT", 1..=600_000)?,
            own => own,
        };
        let queue = number(&variable, "OTEL_BSP_MAX_QUEUE_SIZE", 1..=LONGEST_QUEUE)?;
        Ok(Some(Self {
            endpoint,
            timeout: timeout.map_or(TIMEOUT, |ms| Duration::from_millis(ms as u64)),
            queue: queue.unwrap_or(QUEUE),
        }))
    }
}

fn endpoint(variable: &'static str, url: &str) -> Result<Uri, TracesError> {
    let wrong = |problem: &str| Err(TracesError::of(variable, problem));
    let Ok(uri) = url.parse::<Uri>() else {
        return wrong("is not a URL");
    };
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return wrong("is an https URL: spans are sent over plain HTTP, to a collector nearby");
        }
        _ => return wrong("is not a URL that begins with http://"),
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') || uri.query().is_some() {
        return wrong("has a user or a query: use OTEL_EXPORTER_OTLP_HEADERS for secrets");
    }
    if uri.host().is_none_or(str::is_empty) {
        return wrong("has no host");
    }
    // What is behind the host is a port, or nothing.
    let behind_host = &authority[uri.host().unwrap_or_default().len()..];
    if !behind_host.is_empty() && uri.port_u16().is_none_or(|port| port == 0) {
        return wrong("has a port that is not from 1 to 65535");
    }
    Ok(uri)
}

fn one_of(
    variable: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    words: &[&str],
) -> Result<(), TracesError> {
    match variable(name) {
        Some(value) if !words.contains(&value.as_str()) => Err(TracesError::of(
            name,
            &format!("is none of: {}", words.join(", ")),
        )),
        _ => Ok(()),
    }
}

/// The samplers by ratio need one.
fn check_ratio(variable: &impl Fn(&str) -> Option<String>) -> Result<(), TracesError> {
    let sampler = variable("OTEL_TRACES_SAMPLER").unwrap_or_default();
    if !sampler.ends_with("traceidratio") {
        return Ok(());
    }
    let name = "OTEL_TRACES_SAMPLER_ARG";
    let ratio = variable(name).and_then(|ratio| ratio.parse::<f64>().ok());
    match ratio.is_some_and(|ratio| (0.0..=1.0).contains(&ratio)) {
        true => Ok(()),
        false => Err(TracesError::of(
            name,
            &format!("has to be a number from 0 to 1 for the sampler {sampler:?}"),
        )),
    }
}

fn number(
    variable: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<Option<usize>, TracesError> {
    let Some(value) = variable(name) else {
        return Ok(None);
    };
    let number = value.parse().ok().filter(|number| range.contains(number));
    let (least, most) = range.into_inner();
    let problem = || format!("is not a number from {least} to {most}");
    let number = number.ok_or_else(|| TracesError::of(name, &problem()))?;
    Ok(Some(number))
}

impl TracesError {
    fn of(variable: &'static str, problem: &str) -> Self {
        Self {
            variable,
            problem: problem.to_owned(),
            cause: None,
        }
    }

    /// What the library would not take for another reason.
    pub(super) fn unusable(cause: impl Error + Send + Sync + 'static) -> Self {
        Self {
            variable: "OTEL_EXPORTER_OTLP_*",
            problem: "cannot be used".to_owned(),
            cause: Some(Box::new(cause)),
        }
    }
}

#[cfg(test)]
mod tests;
