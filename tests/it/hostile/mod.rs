//! Hostile and faulty peers against the running program, over real sockets: one test a case of
//! the table in docs/security.md, named by the case's id and words.
//!
//! After each case the gate stands as it did before it: see [`kit::Stage::stands`].

mod compression;
mod floods;
mod frames;
mod handshake;
mod integrity;
mod kit;
mod limits;
mod load;
mod messages;
mod pressure;
