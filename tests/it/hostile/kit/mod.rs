//! What the cases stand on: the program with a scripted upstream and an honest one behind it, a
//! TCP hop that does harm, a network of a test's own, and the look at what the program is like
//! afterwards.

mod answering;
mod fault;
mod hop;
mod metrics;
mod network;
mod stage;
mod stall;
mod vitals;

pub(super) use answering::{ACCEPT, Answer};
pub(super) use fault::{Fault, Side};
pub(super) use hop::{Hop, Mood};
pub(super) use network::in_a_network_of_its_own;
pub(super) use stage::{CANARY, Stage};
pub(super) use vitals::Vitals;
