//! Hostile and faulty peers against the running program, over real sockets: one test a case of
//! the table in docs/security.md, named by the case's id and words.
//!
//! After each case the gate stands as it did before it: see [`kit::Stage::stands`].

mod admin;
mod admin_crowds;
mod admin_places;
mod answer_framing;
mod answers;
mod bad_responses;
mod believed;
mod cases;
mod choices;
mod compression;
mod connections;
mod credentials;
mod descriptors;
mod early_data;
mod floods;
mod fragments;
mod frames;
mod framing;
mod handshake;
mod heads;
mod http2;
mod identity;
mod integrity;
mod last_hop;
mod limits;
mod load;
mod loops;
mod losses;
mod messages;
mod nominated;
mod ports;
mod pours;
mod pressure;
mod proxy_headers;
mod reload;
mod reuse;
mod secrets;
mod settings_file;
mod silence;
mod sinks;
mod slashes;
mod spellings;
mod stops;
mod switching;
mod targets;
mod upstreams;
