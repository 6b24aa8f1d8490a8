//! A table of the file: its keys, once, for the reader, the suggestions and the schema.

use toml::Spanned;
use toml::de::DeValue;

use super::error::{Problem, nearest};
use super::reader::{FromToml, Reader, in_file_order};

/// What [`table!`] makes.
pub(super) trait Table: FromToml + Default {
    /// Reads the value of a key; `false` if there is no such key.
    fn set(&mut self, key: &str, value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> bool;

    /// The keys, in the order of the documentation.
    fn keys() -> Vec<&'static str>;

    /// Where a key stands in the tables below this one.
    fn find_below(key: &str) -> Vec<String>;

    /// The keys that must be there and are not.
    fn missing(&self) -> Vec<&'static str>;

    /// The keys for the schema.
    #[cfg(feature = "server")]
    fn describe() -> Vec<KeyDescription>;

    /// What the table is for.
    #[cfg(feature = "server")]
    const ABOUT: &'static str;
}

/// A key for the schema.
#[cfg(feature = "server")]
pub(super) struct KeyDescription {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// As TOML; `required` for a key without a default that must be there.
    pub(super) default: Option<&'static str>,
    pub(super) schema: serde_json::Value,
}

/// Declares a table: for each key its documentation, its type and, behind `=`, its default as
/// TOML or `required`. A last entry `..name: Table` takes the keys of another table in.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $( $(#[doc = $doc:literal])+ $key:ident: $type:ty $(= $default:tt)?, )*
            $( ..$others:ident: $other_type:ty )?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Default)]
        pub(in crate::config) struct $name {
            $( $(#[doc = $doc])+ pub(in crate::config) $key: $crate::config::reader::Setting<$type>, )*
            $( pub(in crate::config) $others: $other_type, )?
        }

        impl $crate::config::table::Table for $name {
            fn set(
                &mut self,
                key: &str,
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                reader: &mut $crate::config::reader::Reader<'_>,
            ) -> bool {
                match key {
                    $( stringify!($key) => self.$key = reader.read(value), )*
                    _ => return false $( || self.$others.set(key, value, reader) )?,
                }
                true
            }

            fn keys() -> Vec<&'static str> {
                #[allow(unused_mut)]
                let mut keys = vec![$( stringify!($key) ),*];
                $( keys.extend(<$other_type>::keys()); )?
                keys
            }

            fn find_below(key: &str) -> Vec<String> {
                let mut found: Vec<String> = Vec::new();
                $(
                    let places = <$type as $crate::config::reader::FromToml>::find(key);
                    let below = |place: String| format!(concat!(stringify!($key), ".{}"), place);
                    found.extend(places.into_iter().map(below));
                )*
                $( found.extend(<$other_type>::find_below(key)); )?
                found
            }

            fn missing(&self) -> Vec<&'static str> {
                #[allow(unused_mut)]
                let mut missing = Vec::new();
                $(
                    if [$( stringify!($default) )?].contains(&"required") && self.$key.is_absent() {
                        missing.push(stringify!($key));
                    }
                )*
                $( missing.extend(self.$others.missing()); )?
                missing
            }

            #[cfg(feature = "server")]
            fn describe() -> Vec<$crate::config::table::KeyDescription> {
                #[allow(unused_mut)]
                let mut keys = vec![$( $crate::config::table::KeyDescription {
                    name: stringify!($key),
                    about: concat!($( $doc, "\n" ),+),
                    default: <[&'static str]>::first(&[$( stringify!($default) )?]).copied(),
                    schema: <$type as $crate::config::reader::FromToml>::schema(),
                } ),*];
                $( keys.extend(<$other_type>::describe()); )?
                keys
            }

            #[cfg(feature = "server")]
            const ABOUT: &'static str = concat!($( $about, "\n" ),+);
        }

        impl $crate::config::reader::FromToml for $name {
            fn from_toml(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                reader: &mut $crate::config::reader::Reader<'_>,
            ) -> Option<Self> {
                $crate::config::table::read_table(value, reader)
            }

            fn or_defaults(self, defaults: &Self) -> Self {
                Self {
                    $( $key: self.$key.or_defaults(&defaults.$key), )*
                    $( $others: self.$others.or_defaults(&defaults.$others), )?
                }
            }

            fn find(key: &str) -> Vec<String> {
                let own = <Self as $crate::config::table::Table>::keys();
                let own = own.into_iter().filter(|own| *own == key).map(str::to_owned);
                own.chain(<Self as $crate::config::table::Table>::find_below(key)).collect()
            }

            #[cfg(feature = "server")]
            fn schema() -> serde_json::Value {
                $crate::config::schema::table_schema::<Self>()
            }
        }
    };
}

pub(super) use table;

/// Reads a table key by key.
pub(super) fn read_table<T: Table>(
    value: &Spanned<DeValue<'_>>,
    reader: &mut Reader<'_>,
) -> Option<T> {
    let DeValue::Table(entries) = value.get_ref() else {
        reader.type_error(value, "a table");
        return None;
    };
    let mut table = T::default();
    let keys = T::keys();
    let mut meant = Vec::new();
    for (key, value) in in_file_order(entries) {
        if !table.set(key.get_ref(), value, reader) {
            reader.error(key.span(), unknown_key::<T>(key.get_ref()));
            meant.extend(nearest(key.get_ref(), keys.iter().copied()));
        }
    }
    // A mistyped key has been reported once.
    for key in (table.missing().iter()).filter(|key| !meant.contains(key)) {
        reader.error(value.span(), Problem::new(format!("`{key}` is missing")));
    }
    Some(table)
}

fn unknown_key<T: Table>(key: &str) -> Problem {
    let problem = Problem::new(format!("unknown key `{key}`")).label("no such key here");
    let places = T::find_below(key);
    if !places.is_empty() {
        return problem.help(format!("it is written `{}` here", places.join("` or `")));
    }
    let keys = T::keys();
    problem
        .did_you_mean(key, keys.iter().copied())
        .or_help(format!("the keys here are {}", keys.join(", ")))
}
