//! The buffer that every session of a thread reads into.

use std::cell::RefCell;

/// What one read takes at most, unless it is in the middle of a frame bigger than that.
pub(super) const READ: usize = 64 * 1024;

/// What one read takes at most of such a frame.
pub(super) const BULK_READ: usize = 512 * 1024;

/// What one read takes at most of a sender whose last read was full of small frames. Those cost the
/// thread's time by their number and not by their bytes.
pub(super) const SMALL_READ: usize = 4 * 1024;

/// Room for what a direction may hold back (its early bytes at most), and a bulk read behind it.
const SIZE: usize = 2 * BULK_READ;

/// Where a read goes begins a cache line. The kernel copies to there several times as fast as to
/// what the allocator gives, which is a few bytes off the start of a page: on an EPYC of the first
/// generation 64 KiB take 6 µs in the place of 31.
const LINE: usize = 64;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the buffer: `held` bytes of anything to put before what is read, and `read` behind them.
///
/// It is one a thread and not one a session, so that an idle session holds none, and it stays warm
/// in the cache.
pub(super) fn with<R>(held: usize, read: usize, use_it: impl FnOnce(&mut [u8]) -> R) -> R {
    let needed = (held + read).max(SIZE) + 2 * LINE;
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < needed {
            // A new one, of pages that the system gives when they are first touched: what is never
            // read into takes no memory.
            *scratch = vec![0; needed];
        }
        let line = scratch.as_ptr().align_offset(LINE);
        let start = line + (LINE - held % LINE) % LINE;
        use_it(&mut scratch[start..start + held + read])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_begins_a_cache_line_whatever_is_held_before_it() {
        for (held, read) in [
            (0, READ),
            (1, READ),
            (63, BULK_READ),
            (64, SMALL_READ),
            (5 * BULK_READ, 7),
        ] {
            with(held, read, |buffer| {
                assert_eq!(buffer.len(), held + read);
                assert_eq!(buffer[held..].as_ptr().align_offset(LINE), 0, "{held}");
            });
        }
    }
}
