//! What a server has said, by a simple reader of RFC 9112: its answer, and the one end of its body.

/// A final answer, and what stands behind its head.
pub(super) struct Said<'a> {
    version: u8,
    pub(super) status: u16,
    /// Names are in lower case.
    fields: Vec<(String, &'a [u8])>,
    behind: &'a [u8],
}

impl<'a> Said<'a> {
    /// Passes over interim answers.
    pub(super) fn read(mut bytes: &'a [u8]) -> Option<Self> {
        loop {
            let said = Self::read_one(bytes)?;
            if !(100..200).contains(&said.status) || said.status == 101 {
                return Some(said);
            }
            bytes = said.behind;
        }
    }

    fn read_one(bytes: &'a [u8]) -> Option<Self> {
        let (mut first, mut behind) = line(bytes)?;
        while first.is_empty() {
            (first, behind) = line(behind)?;
        }
        let version = first.strip_prefix(b"HTTP/1.")?;
        let [version @ (b'0' | b'1'), b' ', status @ ..] = version else {
            return None;
        };
        let status = std::str::from_utf8(status.get(..3)?).ok()?;
        let mut fields = Vec::new();
        loop {
            let (field, rest) = line(behind)?;
            behind = rest;
            if field.is_empty() {
                break;
            }
            let colon = field.iter().position(|&byte| byte == b':')?;
            let name = std::str::from_utf8(&field[..colon]).ok()?;
            fields.push((name.to_ascii_lowercase(), field[colon + 1..].trim_ascii()));
        }
        Some(Self {
            version: version - b'0',
            status: status.parse().ok()?,
            fields,
            behind,
        })
    }

    fn all(&self, name: &str) -> Vec<&'a [u8]> {
        let fields = self.fields.iter().filter(|(other, _)| other == name);
        fields.map(|(_, value)| *value).collect()
    }

    /// The one length that all lines give.
    pub(super) fn length(&self) -> Option<u64> {
        let lines = self.all("content-length");
        let first = *lines.first()?;
        let same = lines.iter().all(|line| *line == first);
        let digits = first.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(first).ok()?.parse().ok();
        length.filter(|_| same && digits)
    }

    /// The body in the answer to a `GET`, if every reader finds the same one, and all of it came.
    pub(super) fn body(&self) -> Option<Vec<u8>> {
        let codings = self.all("transfer-encoding");
        let length = match self.all("content-length")[..] {
            [] => None,
            _ => Some(usize::try_from(self.length()?).ok()?),
        };
        let chunked = match codings[..] {
            [] => false,
            [coding] if coding.eq_ignore_ascii_case(b"chunked") => true,
            _ => return None,
        };
        let (has_both, is_old) = (chunked && length.is_some(), chunked && self.version == 0);
        let is_wrong = match self.status {
            204 => chunked || length.is_some_and(|length| length > 0),
            205 => length.is_some_and(|length| length > 0),
            _ => false,
        };
        if has_both || is_old || is_wrong {
            return None;
        }
        match (self.status, chunked, length) {
            (204 | 304, _, _) => Some(Vec::new()),
            (_, true, _) => chunks(self.behind),
            (_, _, Some(length)) => self.behind.get(..length).map(<[u8]>::to_vec),
            _ => Some(self.behind.to_vec()),
        }
    }
}

/// The body in chunks up to the last of them and its trailers.
fn chunks(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (size, rest) = crlf(bytes)?;
        let size = size.split(|&byte| byte == b';').next()?;
        let size = std::str::from_utf8(size)
            .ok()?
            .trim_end_matches([' ', '\t']);
        let digits = size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(size, 16).ok().filter(|_| digits)?;
        if size == 0 {
            bytes = rest;
            break;
        }
        body.extend_from_slice(rest.get(..size)?);
        bytes = rest[size..].strip_prefix(b"\r\n")?;
    }
    loop {
        let (trailer, rest) = crlf(bytes)?;
        if trailer.is_empty() {
            return Some(body);
        }
        bytes = rest;
    }
}

/// The first line without its end, which need not have a CR (RFC 9112 §2.2).
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}

/// The first line without its end, which is CRLF.
fn crlf(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}
