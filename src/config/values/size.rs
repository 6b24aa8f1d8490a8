//! Sizes: `"512B"`, `"64KiB"`, `"1MiB"`, `"1MB"`.

use super::duration::split_unit;
use super::error::ValueError;
use super::text::Text;

/// A number of bytes, at least one.
pub(in crate::config) struct Size;

/// The size of a request head, within what hyper takes.
pub(in crate::config) struct HeadSize;

const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl Text for Size {
    type Value = u64;
    const FORM: &'static str = "a size such as \"64KiB\"";
    const PATTERN: Option<&'static str> = Some(r"^0*[1-9][0-9]*([KMG]i?)?B$");

    fn parse(text: &str) -> Result<u64, ValueError> {
        let wrong = || {
            let problem = ValueError::new(format!("`{text}` is not a size"));
            match meant(text) {
                Some(size) => problem.help(format!("did you mean \"{size}\"?")),
                None => problem.help(
                    "a size is a whole number and one of B, KiB, MiB, GiB, KB, MB, GB: \"64KiB\"",
                ),
            }
        };
        let (number, unit) = split_unit(text).ok_or_else(wrong)?;
        let (_, bytes) = (UNITS.iter())
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        match number.checked_mul(*bytes) {
            Some(0) => Err(ValueError::new("this size cannot be zero")),
            // A frame's length has 63 bits (RFC 6455 §5.2).
            Some(bytes) if i64::try_from(bytes).is_ok() => Ok(bytes),
            _ => Err(ValueError::new(format!(
                "`{text}` is more than can be counted"
            ))),
        }
    }

    fn print(bytes: &u64) -> String {
        written(*bytes)
    }
}

impl Text for HeadSize {
    type Value = usize;
    const FORM: &'static str = Size::FORM;
    const PATTERN: Option<&'static str> = Size::PATTERN;

    fn parse(text: &str) -> Result<usize, ValueError> {
        /// Hyper panics below the lower bound.
        const BOUNDS: std::ops::RangeInclusive<usize> = 8 * 1024..=1024 * 1024;
        (usize::try_from(Size::parse(text)?).ok())
            .filter(|size| BOUNDS.contains(size))
            .ok_or_else(|| ValueError::new("this must be a size from 8KiB to 1MiB"))
    }

    fn print(bytes: &usize) -> String {
        written(u64::try_from(*bytes).unwrap_or(u64::MAX))
    }
}

/// The size that a person may have meant: `64k`, `1 MiB`, `65536`, `10mb`.
pub(in crate::config) fn meant(text: &str) -> Option<String> {
    let text = text.trim();
    let unit = text.find(|letter: char| !letter.is_ascii_digit());
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" | "byte" | "bytes" => "B",
        "k" | "kib" => "KiB",
        "m" | "mib" => "MiB",
        "g" | "gib" => "GiB",
        "kb" => "KB",
        "mb" => "MB",
        "gb" => "GB",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

/// A size as the settings write it.
pub(in crate::config) fn written(bytes: u64) -> String {
    let (unit, length) = (UNITS.iter())
        .filter(|(_, length)| bytes >= *length && bytes.is_multiple_of(*length))
        .max_by_key(|(_, length)| *length)
        .unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_a_number_and_a_unit() {
        for (text, bytes) in [
            ("512B", 512),
            ("64KiB", 65_536),
            ("1MiB", 1_048_576),
            ("2GiB", 2_147_483_648),
            ("1KB", 1000),
            ("3MB", 3_000_000),
            ("1GB", 1_000_000_000),
        ] {
            let size = Size::parse(text).unwrap();
            assert_eq!(size, bytes, "{text}");
            assert_eq!(written(bytes), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", "5", "0B", "B", "5 B", "5b", "5kB", "5K", "1.5MiB", "-1B", "9GiBs",
        ] {
            assert!(Size::parse(text).is_err(), "{text}");
        }
        assert!(Size::parse("9223372036854775807B").is_ok());
        assert!(Size::parse("9223372036854775808B").is_err());
        assert!(Size::parse("18446744073709551615GiB").is_err());
    }
}
