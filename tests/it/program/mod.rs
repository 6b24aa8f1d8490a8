//! The program as a person runs it: a child process, its exit codes, its output, its sockets.

mod access;
mod activation;
mod admin;
mod auth;
mod command;
mod commands;
mod connections;
mod conversation;
mod demo;
mod failures;
mod families;
mod forward;
mod health;
mod http2;
mod http2_connections;
mod http2_plain;
mod http2_slow_clients;
mod interim;
mod logs;
mod metrics;
mod monitoring;
mod notify;
mod old_clients;
mod packaging;
mod plain_http;
mod publish;
mod reload;
mod restart;
mod secrets;
mod serve;
mod signals;
mod tls;
#[cfg(feature = "otel")]
mod traces;
mod unix;

pub(crate) use crate::kit;
