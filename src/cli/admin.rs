//! The admin interface of a running process: which one a command is for, and which sessions.

mod selection;
mod target;

pub(super) use selection::Selection;
pub(super) use target::Target;
