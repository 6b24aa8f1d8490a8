//! A schema for a value that serde reads by hand.

/// Gives a type a schema, which stands wherever the type is used.
macro_rules! schema {
    ([$($bound:tt)*] $type:ty, |$generator:pat_param| $schema:expr) => {
        #[cfg(feature = "server")]
        const _: () = {
            #[allow(unused_imports, reason = "what a schema may need")]
            use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

            impl<$($bound)*> JsonSchema for $type {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($type).into()
                }

                fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                    $schema
                }
            }
        };
    };
}

pub(in crate::config) use schema;
