//! The lines of a body, as they come.

use bytes::{Bytes, BytesMut};

use crate::server::api::body::{BodyError, Pieces};

/// Cuts a body into its lines; those without a word are left out.
pub(super) struct Lines {
    pieces: Pieces,
    /// What has come of the next lines.
    unread: BytesMut,
    /// So much of it has no end of a line.
    searched: usize,
    has_ended: bool,
}

impl Lines {
    pub(super) fn new(pieces: Pieces) -> Self {
        Self {
            pieces,
            unread: BytesMut::new(),
            searched: 0,
            has_ended: false,
        }
    }

    /// The next line without its end; `None` behind the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let line = match self.take() {
                Some(line) => line,
                None if self.has_ended => return Ok(None),
                None => {
                    match self.pieces.next().await? {
                        Some(piece) => self.unread.extend_from_slice(&piece),
                        None => self.has_ended = true,
                    }
                    continue;
                }
            };
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// The next line that has come whole.
    fn take(&mut self) -> Option<Bytes> {
        let end = self.unread[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n');
        match end {
            Some(end) => {
                let mut line = self.unread.split_to(self.searched + end + 1);
                line.truncate(self.searched + end);
                self.searched = 0;
                Some(line.freeze())
            }
            None if self.has_ended && !self.unread.is_empty() => {
                self.searched = 0;
                Some(self.unread.split().freeze())
            }
            None => {
                self.searched = self.unread.len();
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::stream;

    use super::*;

    async fn lines(pieces: &[&'static str], longest: usize) -> (Vec<String>, bool) {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, BodyError>(*piece))
            .collect();
        let body = Body::from_stream(stream::iter(pieces));
        let mut lines = Lines::new(Pieces::new(body, longest));
        let mut found = Vec::new();
        loop {
            match lines.next().await {
                Ok(Some(line)) => found.push(String::from_utf8(line.to_vec()).unwrap()),
                Ok(None) => return (found, true),
                Err(_) => return (found, false),
            }
        }
    }

    #[tokio::test]
    async fn a_body_is_cut_into_its_lines_however_it_comes() {
        for (pieces, expected) in [
            (&[][..], &[][..]),
            (&["a"], &["a"]),
            (&["a\nb\n"], &["a", "b"]),
            (&["a", "b\nc", "\n", "d"], &["ab", "c", "d"]),
            (&["\n\r\n \na\r\n\n"], &["a\r"]),
        ] {
            let (found, is_whole) = lines(pieces, 100).await;
            assert_eq!(found, expected, "{pieces:?}");
            assert!(is_whole);
        }
    }

    #[tokio::test]
    async fn what_comes_before_the_bound_is_read() {
        let (found, is_whole) = lines(&["a\nb\n", "c\nd\n"], 5).await;
        assert_eq!(found, ["a", "b"]);
        assert!(!is_whole);
    }
}
