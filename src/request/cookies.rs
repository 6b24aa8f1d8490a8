//! `Cookie` in one line.

use http::{HeaderMap, HeaderValue, Version, header};

/// Joins the lines of `Cookie`, which HTTP/2 allows to be split for its compression: servers of HTTP/1.1
/// expect one line (RFC 9113 §8.2.3).
pub(crate) fn join_cookies(version: Version, headers: &mut HeaderMap) {
    if version < Version::HTTP_2 {
        return;
    }
    let mut lines = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return;
    };
    let crumbs: Vec<_> = [first, second].into_iter().chain(lines).collect();
    let joined = crumbs.iter().map(|crumb| crumb.as_bytes());
    let joined = joined.collect::<Vec<_>>().join(b"; ".as_slice());
    let is_sensitive = crumbs.iter().any(|crumb| crumb.is_sensitive());
    // What each line may hold, their sum may.
    if let Ok(mut joined) = HeaderValue::try_from(joined) {
        joined.set_sensitive(is_sensitive);
        headers.insert(header::COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(version: Version, lines: &[&'static str]) -> Vec<HeaderValue> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        join_cookies(version, &mut headers);
        headers.get_all(header::COOKIE).iter().cloned().collect()
    }

    #[test]
    fn only_crumbs_of_http_2_are_joined() {
        let http2 = |lines| joined(Version::HTTP_2, lines);
        assert_eq!(http2(&["a=1", "b=2; c=3", "d=4"]), ["a=1; b=2; c=3; d=4"]);
        assert_eq!(http2(&["a=1"]), ["a=1"]);
        assert!(http2(&[]).is_empty());
        assert_eq!(joined(Version::HTTP_11, &["a=1", "b=2"]), ["a=1", "b=2"]);
    }
}
