//! The program as a person runs it: a child process, its exit codes, its output, its sockets.

mod admin;
mod commands;
mod connections;
mod demo;
mod failures;
mod families;
mod forward;
pub(crate) mod kit;
mod logs;
mod metrics;
mod reload;
mod secrets;
mod serve;
mod signals;
mod unix;
