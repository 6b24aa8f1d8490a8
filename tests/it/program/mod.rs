//! The program as a person runs it: a child process, its exit codes, its output, its sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that fails is a test that fails"
)]

mod admin;
mod commands;
mod demo;
mod failures;
mod forward;
mod kit;
mod logs;
mod secrets;
mod serve;
mod signals;
mod unix;
