//! The runtime of a command that waits for something.

use std::future::Future;

use tokio::runtime;

use super::error::CommandError;

/// Runs a command that waits for something.
pub(super) fn on_this_thread(
    task: impl Future<Output = Result<(), CommandError>>,
) -> Result<(), CommandError> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CommandError::system)?;
    let done = runtime.block_on(task);
    // A plain drop would wait for a lookup of a name that is still on its way.
    runtime.shutdown_background();
    done
}
