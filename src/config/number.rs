//! Whole numbers with bounds.

use toml::Spanned;
use toml::de::DeValue;

use super::error::Problem;
use super::reader::{FromToml, Reader};
use crate::close::CloseCode;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number<const MIN: u64, const MAX: u64>(u64);

/// A number that a `u32` holds.
pub(super) type Count = Number<0, { u32::MAX as u64 }>;

impl<const MIN: u64, const MAX: u64> Number<MIN, MAX> {
    pub(super) fn get(self) -> u64 {
        self.0
    }

    pub(super) fn as_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    pub(super) fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MIN: u64, const MAX: u64> FromToml for Number<MIN, MAX> {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Integer(integer) = value.get_ref() else {
            reader.type_error(value, "a whole number");
            return None;
        };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if (MIN..=MAX).contains(&number) => Some(Self(number)),
            _ => {
                let problem = Problem::new(format!("this must be a number from {MIN} to {MAX}"));
                reader.error(value.span(), problem);
                None
            }
        }
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

impl FromToml for CloseCode {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Integer(integer) = value.get_ref() else {
            reader.type_error(value, "a close code such as 1001");
            return None;
        };
        let code = u16::from_str_radix(integer.as_str(), integer.radix()).ok();
        let code = code.and_then(CloseCode::new);
        if code.is_none() {
            let problem = Problem::new(format!("{integer} cannot stand in a close frame"))
                .help("a close code is 1000 to 1003, 1007 to 1014 or 3000 to 4999");
            reader.error(value.span(), problem);
        }
        code
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "integer", "anyOf": [
            { "minimum": 1000, "maximum": 1003 },
            { "minimum": 1007, "maximum": 1014 },
            { "minimum": 3000, "maximum": 4999 },
        ] })
    }
}
