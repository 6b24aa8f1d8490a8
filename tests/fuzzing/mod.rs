//! The bodies of the fuzz targets: a peer's bytes go in, and an invariant that does not hold
//! panics.
//!
//! They are compiled for `cargo test`, which runs every committed seed through them
//! (`seeds/`), and with `--cfg fuzzing`, which cargo-fuzz sets. No other build has them.
//! They are modules of the library, whose inside they reach. `fuzz/fuzz_targets/` holds a few lines for each. What the targets promise, and how to run them:
//! docs/security.md and CONTRIBUTING.md.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a target that cannot go on has found something"
)]

mod channel_name;
#[cfg(feature = "server")]
mod credential;
mod direction;
mod forwarding;
mod frame_walker;
mod frames;
mod head;
#[cfg(feature = "server")]
mod http2_request;
#[cfg(feature = "server")]
mod http2_wire;
mod origin;
mod path;
mod plain_answer;
#[cfg(feature = "server")]
mod proxy_header;
#[cfg(feature = "server")]
mod publish_request;
#[cfg(test)]
mod random;
#[cfg(test)]
mod random_paths;
mod request_head;
mod response_head;
mod said;
#[cfg(test)]
mod seeds;
mod settings;
mod upstream_request;
mod wire;

pub use channel_name::channel_name;
#[cfg(feature = "server")]
pub use credential::credential;
pub use direction::direction;
pub use forwarding::forwarding;
pub use frame_walker::frame_walker;
#[cfg(feature = "server")]
pub use http2_request::http2_request;
pub use origin::origin;
#[cfg(feature = "server")]
pub use proxy_header::proxy_header;
#[cfg(feature = "server")]
pub use publish_request::publish_request;
pub use request_head::request_head;
pub use response_head::response_head;
pub use settings::settings;

/// The first byte of an input: it chooses among the ways that a target can go. What follows is
/// what the peer sends.
///
/// Five of its bits count, so that a seed of text may begin with `@` (none of them), `A`, `B`, …
#[derive(Clone, Copy, Debug)]
struct Ways(u8);

impl Ways {
    fn split(data: &[u8]) -> Option<(Self, &[u8])> {
        let (first, rest) = data.split_first()?;
        Some((Self(first & 0x1F), rest))
    }

    /// Whether the bit (0 to 4) is set.
    fn has(self, bit: u8) -> bool {
        self.0 >> bit & 1 == 1
    }

    /// The two bits from this one on, as a number.
    fn two(self, bit: u8) -> usize {
        usize::from(self.0 >> bit & 3)
    }
}
