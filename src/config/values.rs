//! The values of settings, each parsed once into a type that cannot be wrong.

pub(super) mod channel_name;
pub(super) mod channel_pattern;
pub(super) mod channel_template;
pub(super) mod claim_values;
pub(super) mod close_code;
pub(super) mod credential_source;
pub(super) mod directory_url;
pub(super) mod duration;
pub(super) mod error;
pub(super) mod file_path;
pub(super) mod header_name;
pub(super) mod health_path;
pub(super) mod host;
#[cfg_attr(not(feature = "auth"), allow(dead_code))]
pub(super) mod http_url;
pub(super) mod listen;
pub(super) mod log_filter;
pub(super) mod name;
pub(super) mod network;
pub(super) mod normal_path;
pub(super) mod number;
pub(super) mod on_expiry;
pub(super) mod origin;
pub(super) mod path;
pub(super) mod rate;
pub(super) mod retries;
pub(super) mod rewrite;
pub(super) mod schema;
pub(super) mod secret;
pub(super) mod server_name;
pub(super) mod server_url;
pub(super) mod shared_url;
pub(super) mod size;
pub(super) mod template;
pub(super) mod text;
pub(super) mod verdict;

pub(super) use channel_pattern::ChannelPattern;
pub(super) use channel_template::ChannelTemplate;
#[cfg(feature = "auth")]
pub(super) use claim_values::ClaimValue;
pub(super) use claim_values::ClaimValues;
pub(super) use credential_source::CredentialSource;
pub(super) use directory_url::DirectoryUrl;
pub(super) use duration::{AnyDuration, Positive, ZeroForNever};
pub(super) use error::{ValueError, nearest};
pub(super) use file_path::FilePath;
pub(super) use header_name::{parse_removed, parse_set};
pub(super) use health_path::HealthPath;
pub(super) use host::HostPattern;
#[cfg(feature = "auth")]
pub(super) use http_url::{parse_http_url, parse_secure_url};
pub(super) use listen::ListenAddress;
pub(super) use log_filter::LogFilter;
pub(super) use name::{Name, check_subprotocol};
pub(super) use network::{Network, networks_contain};
pub(super) use number::{Number, ZeroForNone};
pub(super) use on_expiry::OnExpiry;
pub(super) use origin::OriginPattern;
pub(super) use path::PathPattern;
pub(super) use rate::{Bytes, Counts, Rate};
pub(super) use retries::Retries;
pub(super) use rewrite::Rewrite;
pub(super) use schema::schema;
pub(super) use secret::{MASK, Secret, check_token, required_token, token};
pub(super) use server_name::ServerName;
pub(super) use server_url::{ServerAddress, ServerUrl};
#[cfg(feature = "shared")]
pub(super) use shared_url::EngineLayout;
pub(super) use shared_url::SharedUrl;
pub(super) use size::{HeadSize, Size};
pub(super) use template::Template;
pub(super) use text::{As, OneOrMany, Text};
pub(super) use verdict::Verdict;
