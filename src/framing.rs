//! How a server frames the body of its answer, read strictly.
//!
//! hyper's client repairs what two readers could read in two ways: it takes a list of equal lengths and
//! a length beside `chunked`, and of several transfer codings it undoes `chunked` alone. The answer to the
//! client is framed anew, so the client would get a body that its head does not describe (RFC 9112 §6).

use http::response::Parts;
use http::{HeaderMap, StatusCode, Version, header};

/// Why a body is not passed on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FramingError {
    /// RFC 9110 §8.6: not a number, a list, or lines that differ.
    #[error("`Content-Length` is not one length")]
    Length,
    /// Only `chunked` is undone here, and once (RFC 9112 §6.1).
    #[error("`Transfer-Encoding` is not `chunked` alone")]
    Coding,
    /// RFC 9112 §6.1.
    #[error("`Transfer-Encoding` in HTTP/1.0")]
    Version,
    /// RFC 9112 §6.3 (3).
    #[error("`Content-Length` beside `Transfer-Encoding`")]
    Both,
    /// RFC 9110 §15.3.5, §15.3.6.
    #[error("a body behind a status {0}, which has none")]
    Bodiless(StatusCode),
}

/// Checks that every reader finds the same end of the body, and writes its length once.
///
/// The answer to a `HEAD` and a 304 have no body, but say how the one of a `GET` would be framed.
pub(crate) fn check(response: &mut Parts) -> Result<(), FramingError> {
    let length = length(&response.headers)?;
    let coded = response.headers.contains_key(header::TRANSFER_ENCODING);
    if coded {
        check_coding(response)?;
    }
    match (coded, length) {
        (true, Some(_)) => return Err(FramingError::Both),
        (true, None) if response.status == StatusCode::NO_CONTENT => {
            return Err(FramingError::Bodiless(response.status));
        }
        (false, Some(1..)) if has_no_content(response.status) => {
            return Err(FramingError::Bodiless(response.status));
        }
        _ => {}
    }
    // Equal lines are one (RFC 9110 §8.6).
    if let Some(value) = response.headers.get(header::CONTENT_LENGTH).cloned() {
        response.headers.insert(header::CONTENT_LENGTH, value);
    }
    Ok(())
}

/// The one length that every line gives.
fn length(headers: &HeaderMap) -> Result<Option<u64>, FramingError> {
    let mut lines = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lines.next() else {
        return Ok(None);
    };
    let digits = first.to_str().ok();
    let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let length = digits.and_then(|digits| digits.parse().ok());
    match lines.all(|line| line == first) {
        true => length.map(Some).ok_or(FramingError::Length),
        false => Err(FramingError::Length),
    }
}

fn check_coding(response: &Parts) -> Result<(), FramingError> {
    if response.version != Version::HTTP_11 {
        return Err(FramingError::Version);
    }
    let mut lines = response.headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |line: &[u8]| line.eq_ignore_ascii_case(b"chunked");
    match (lines.next(), lines.next()) {
        (Some(coding), None) if is_chunked(coding.as_bytes()) => Ok(()),
        _ => Err(FramingError::Coding),
    }
}

fn has_no_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT)
}

#[cfg(test)]
mod tests {
    use http::Response;
    use rstest::rstest;

    use super::*;

    /// An answer with these lines, each with its name before a colon.
    fn answer(status: u16, lines: &[&str]) -> Parts {
        let mut answer = Response::builder().status(status);
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            answer = answer.header(name, value);
        }
        answer.body(()).unwrap().into_parts().0
    }

    #[rstest]
    #[case(200, &[])]
    #[case(200, &["content-length: 0"])]
    #[case(200, &["content-length: 18446744073709551615"])]
    #[case(200, &["transfer-encoding: chunked"])]
    #[case(200, &["transfer-encoding: CHUNKED"])]
    #[case(204, &["content-length: 0"])]
    #[case(205, &["content-length: 0"])]
    #[case(205, &["transfer-encoding: chunked"])]
    #[case(304, &["content-length: 6"])]
    #[case(304, &["transfer-encoding: chunked"])]
    fn a_body_of_one_frame_passes(#[case] status: u16, #[case] lines: &[&str]) {
        let mut answer = answer(status, lines);
        let before = answer.headers.clone();
        assert_eq!(check(&mut answer), Ok(()));
        assert_eq!(answer.headers, before);
    }

    #[test]
    fn equal_lengths_become_one() {
        let mut answer = answer(200, &["content-length: 2", "content-length: 2"]);
        assert_eq!(check(&mut answer), Ok(()));
        let lengths = answer.headers.get_all("content-length").iter();
        assert_eq!(lengths.collect::<Vec<_>>(), ["2"]);
    }

    #[rstest]
    #[case(&["content-length: 2, 2"])]
    #[case(&["content-length: 2,2"])]
    #[case(&["content-length: 2,"])]
    #[case(&["content-length: 2", "content-length: 3"])]
    #[case(&["content-length: 2", "content-length: 02"])]
    #[case(&["content-length: 2", "content-length: "])]
    #[case(&["content-length: "])]
    #[case(&["content-length: +2"])]
    #[case(&["content-length: -2"])]
    #[case(&["content-length: 0x2"])]
    #[case(&["content-length: 2 2"])]
    #[case(&["content-length: \u{e9}"])]
    #[case(&["content-length: 18446744073709551616"])]
    fn anything_but_one_length_is_refused(#[case] lines: &[&str]) {
        for status in [200, 204, 304, 403] {
            let refused = check(&mut answer(status, lines));
            assert_eq!(refused, Err(FramingError::Length), "{status}");
        }
    }

    #[rstest]
    #[case(&["transfer-encoding: gzip"])]
    #[case(&["transfer-encoding: gzip, chunked"])]
    #[case(&["transfer-encoding: gzip", "transfer-encoding: chunked"])]
    #[case(&["transfer-encoding: chunked, gzip"])]
    #[case(&["transfer-encoding: chunked, chunked"])]
    #[case(&["transfer-encoding: chunked", "transfer-encoding: chunked"])]
    #[case(&["transfer-encoding: chunked,"])]
    #[case(&["transfer-encoding: , chunked"])]
    #[case(&["transfer-encoding: chunked;q=1"])]
    #[case(&["transfer-encoding: \"chunked\""])]
    #[case(&["transfer-encoding: identity"])]
    #[case(&["transfer-encoding: "])]
    #[case(&["transfer-encoding: \u{e9}"])]
    fn any_coding_but_chunked_is_refused(#[case] lines: &[&str]) {
        for status in [200, 204, 304, 403] {
            let refused = check(&mut answer(status, lines));
            assert_eq!(refused, Err(FramingError::Coding), "{status}");
        }
    }

    #[test]
    fn a_length_beside_a_coding_is_refused() {
        for status in [200, 304, 403] {
            let lines = ["content-length: 2", "transfer-encoding: chunked"];
            assert_eq!(check(&mut answer(status, &lines)), Err(FramingError::Both));
        }
    }

    #[test]
    fn the_older_version_has_no_coding() {
        let mut old = answer(200, &["transfer-encoding: chunked"]);
        old.version = Version::HTTP_10;
        assert_eq!(check(&mut old), Err(FramingError::Version));
    }

    #[rstest]
    #[case(204, "content-length: 6")]
    #[case(205, "content-length: 6")]
    #[case(204, "transfer-encoding: chunked")]
    fn a_status_without_a_body_has_none(#[case] status: u16, #[case] line: &str) {
        let mut answer = answer(status, &[line]);
        let status = answer.status;
        assert_eq!(check(&mut answer), Err(FramingError::Bodiless(status)));
    }
}
