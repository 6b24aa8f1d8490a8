//! `[log]`: what is logged and how.

/// The log of the standalone program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    /// A level, or a filter of the `tracing` crates.
    pub(crate) level: String,
    pub(crate) format: LogFormat,
    /// One line when a session opens and one when it closes.
    pub(crate) access: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::default(),
            access: true,
        }
    }
}
