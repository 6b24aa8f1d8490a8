//! The buffer that every session of a thread reads into.

use std::cell::RefCell;

/// What one read takes at most, unless it is in the middle of a frame bigger than that.
pub(super) const READ: usize = 64 * 1024;

/// What one read takes at most of such a frame.
pub(super) const BULK_READ: usize = 512 * 1024;

/// What one read takes at most of a sender whose last one was a crowd of tiny frames: it is frames,
/// and not bytes, that take the thread's time then.
pub(super) const SMALL_READ: usize = 4 * 1024;

/// Room for what a direction may hold back (its early bytes at most), and a bulk read behind it.
const SIZE: usize = 2 * BULK_READ;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the buffer: at least `at_least` bytes of anything.
///
/// It is one a thread and not one a session, so that an idle session holds none, and it stays warm
/// in the cache.
pub(super) fn with<R>(at_least: usize, use_it: impl FnOnce(&mut [u8]) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < at_least.max(SIZE) {
            // A new one, of pages that the system gives when they are first touched: what is never
            // read into takes no memory.
            *scratch = vec![0; at_least.max(SIZE)];
        }
        use_it(scratch)
    })
}
