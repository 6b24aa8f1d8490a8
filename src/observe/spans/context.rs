//! W3C Trace Context: the trace that a request names, and the span that its upstream gets.
//!
//! A client is a stranger, and what it says is held to the letter of the specification: what is not
//! right to the last digit is as good as absent, and its `tracestate` with it (§4.3).

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The length of a `traceparent` of version 00; later ones may have more behind it (§3.2.4).
const LENGTH: usize = 55;

/// The longest `traceparent` of a later version that is looked at.
const LONGEST: usize = 512;

/// The longest `tracestate`, its lines together: every vendor has to pass this on (§3.3.1.5). It is
/// held for as long as a session lives, and exported.
const LONGEST_STATE: usize = 512;

/// The span in which the client made this request, if it says so.
pub(super) fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let mut lines = headers.get_all(TRACEPARENT).into_iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    let (trace, span, flags) = parse(line.as_bytes())?;
    Some(SpanContext::new(trace, span, flags, true, state(headers)))
}

/// Names this span as the parent of what the upstream does.
pub(super) fn inject(span: &SpanContext, headers: &mut HeaderMap) {
    let text = format!(
        "00-{}-{}-{:02x}",
        span.trace_id(),
        span.span_id(),
        span.trace_flags() & TraceFlags::SAMPLED
    );
    let Ok(value) = HeaderValue::try_from(text) else {
        return;
    };
    headers.insert(TRACEPARENT, value);
    // A route may have taken the client's out.
    if headers.remove(TRACESTATE).is_some() {
        let state = HeaderValue::try_from(span.trace_state().header());
        if let Some(state) = state.ok().filter(|state| !state.is_empty()) {
            headers.insert(TRACESTATE, state);
        }
    }
}

/// `version "-" trace-id "-" parent-id "-" trace-flags`, all in lower-case hexadecimal digits
/// (§3.2.2).
fn parse(text: &[u8]) -> Option<(TraceId, SpanId, TraceFlags)> {
    let (fields, rest) = text.split_at_checked(LENGTH)?;
    let is_later = match &fields[..2] {
        b"00" => false,
        b"ff" => return None,
        _ => true,
    };
    let ends_well = rest.is_empty() || is_later && rest[0] == b'-' && text.len() <= LONGEST;
    if !ends_well || [2, 35, 52].iter().any(|dash| fields[*dash] != b'-') {
        return None;
    }
    hexadecimal(&fields[..2])?;
    let trace = TraceId::from(hexadecimal(&fields[3..35])?);
    let span = SpanId::from(u64::try_from(hexadecimal(&fields[36..52])?).ok()?);
    let flags = TraceFlags::new(u8::try_from(hexadecimal(&fields[53..])?).ok()?);
    let is_valid = trace != TraceId::INVALID && span != SpanId::INVALID;
    // The other flags mean nothing to us, and are not to be passed on (§3.2.2.5.2).
    is_valid.then_some((trace, span, flags & TraceFlags::SAMPLED))
}

fn hexadecimal(digits: &[u8]) -> Option<u128> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let text = std::str::from_utf8(digits).ok()?;
    // The library takes a sign and capitals as well.
    match digits.iter().all(is_digit) {
        true => u128::from_str_radix(text, 16).ok(),
        false => None,
    }
}

/// What other systems say of the trace; nothing, if it is too long or not of its grammar.
fn state(headers: &HeaderMap) -> TraceState {
    let mut all = String::new();
    for line in headers.get_all(TRACESTATE) {
        let Ok(line) = line.to_str() else {
            return TraceState::NONE;
        };
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(line);
        if all.len() > LONGEST_STATE {
            return TraceState::NONE;
        }
    }
    // Members may be empty, and have blanks around them (§3.3.1.1).
    let members = all.split(',').map(str::trim);
    let members = members.filter(|member| !member.is_empty());
    let members: Option<Vec<_>> = members.map(|member| member.split_once('=')).collect();
    match members {
        Some(members) if members.len() <= MOST_MEMBERS => {
            TraceState::from_key_value(members).unwrap_or_default()
        }
        _ => TraceState::NONE,
    }
}

/// The most members of a `tracestate` (§3.3.1.1).
const MOST_MEMBERS: usize = 32;

#[cfg(test)]
mod tests;
