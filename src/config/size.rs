//! Sizes: `"512B"`, `"64KiB"`, `"1MiB"`, `"1MB"`.

use super::duration::split_unit;
use super::error::Problem;
use super::reader::FromText;

/// A number of bytes, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

impl FromText for Size {
    const FORM: &'static str = "a size such as \"64KiB\"";

    fn from_text(text: &str) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(format!("`{text}` is not a size"))
                .help("a size is a whole number and one of B, KiB, MiB, GiB, KB, MB, GB: \"64KiB\"")
        };
        let (number, unit) = split_unit(text).ok_or_else(wrong)?;
        let (_, bytes) = (UNITS.iter())
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        match number.checked_mul(*bytes) {
            Some(0) => Err(Problem::new("this size cannot be zero")),
            // A frame's length has 63 bits (RFC 6455 §5.2).
            Some(bytes) if i64::try_from(bytes).is_ok() => Ok(Self(bytes)),
            _ => Err(Problem::new(format!(
                "`{text}` is more than can be counted"
            ))),
        }
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "string", "pattern": r"^[0-9]+([KMG]i?)?B$|\$\{" })
    }
}

/// A size as the settings write it.
pub(super) fn written(bytes: u64) -> String {
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
            let size = Size::from_text(text).unwrap();
            assert_eq!(size.0, bytes, "{text}");
            assert_eq!(written(bytes), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", "5", "0B", "B", "5 B", "5b", "5kB", "5K", "1.5MiB", "-1B", "9GiBs",
        ] {
            assert!(Size::from_text(text).is_err(), "{text}");
        }
        assert!(Size::from_text("9223372036854775807B").is_ok());
        assert!(Size::from_text("9223372036854775808B").is_err());
        assert!(Size::from_text("18446744073709551615GiB").is_err());
    }
}
