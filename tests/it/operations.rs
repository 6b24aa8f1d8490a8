//! What an operator sees of a running gate, and does to it.

mod drain;
mod logs;
mod metrics;
mod reload;
mod servers;
mod sessions;
mod subjects;
