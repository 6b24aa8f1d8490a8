//! Whole numbers with bounds.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserializer};
use serde::ser::Serializer;

/// Serde's `with` for a whole number from `MIN` to `MAX`.
pub(in crate::config) struct Number<const MIN: u64, const MAX: u64>;

/// Serde's `with` for an `Option<u32>` that is written as a number, with 0 for `None`.
pub(in crate::config) struct ZeroForNone;

type Count = Number<0, { u32::MAX as u64 }>;

impl<const MIN: u64, const MAX: u64> Number<MIN, MAX> {
    pub(in crate::config) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: TryFrom<u64>,
    {
        deserializer.deserialize_u64(Visitor::<MIN, MAX, T>(PhantomData))
    }

    pub(in crate::config) fn serialize<T, S>(number: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy + TryInto<u64>,
        S: Serializer,
    {
        // What TOML cannot hold is far out of bounds.
        const LARGEST: u64 = i64::MAX as u64;
        let number = (*number).try_into().unwrap_or(LARGEST);
        serializer.serialize_u64(number.min(LARGEST))
    }
}

impl ZeroForNone {
    pub(in crate::config) fn deserialize<'de, D>(deserializer: D) -> Result<Option<u32>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let number: u32 = Count::deserialize(deserializer)?;
        Ok(Some(number).filter(|number| *number > 0))
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        number: &Option<u32>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(number.unwrap_or(0))
    }
}

struct Visitor<const MIN: u64, const MAX: u64, T>(PhantomData<T>);

impl<const MIN: u64, const MAX: u64, T: TryFrom<u64>> de::Visitor<'_> for Visitor<MIN, MAX, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        let number = Some(number).filter(|number| (MIN..=MAX).contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(out_of_bounds::<MIN, MAX, E>)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        let number = u64::try_from(number).map_err(|_| out_of_bounds::<MIN, MAX, E>())?;
        self.visit_u64(number)
    }
}

fn out_of_bounds<const MIN: u64, const MAX: u64, E: de::Error>() -> E {
    E::custom(format_args!("this must be a number from {MIN} to {MAX}"))
}

super::schema::schema!([const MIN: u64, const MAX: u64] Number<MIN, MAX>, |_| {
    json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
});

super::schema::schema!([] ZeroForNone, |generator| Count::json_schema(generator));
