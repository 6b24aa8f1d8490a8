//! What a process takes of the machine.

use std::fs;

use super::looked_for;

/// A process's descriptors and memory, at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals {
    pub(crate) descriptors: usize,
    /// Bytes of memory that are resident.
    pub(crate) memory: usize,
    /// The most that ever were.
    pub(crate) peak: usize,
}

impl Vitals {
    /// Waits until a process has no more descriptors than these.
    pub(crate) async fn let_go(&self, process: u32) {
        let is_let_go = || Self::of(process).descriptors <= self.descriptors;
        looked_for("descriptors as before", is_let_go).await;
    }

    /// Those of a process that lives.
    pub(crate) fn of(process: u32) -> Self {
        let descriptors = fs::read_dir(format!("/proc/{process}/fd")).expect("a process");
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
        let bytes = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let size = line.and_then(|size| size.trim().strip_suffix(" kB"));
            size.expect("a size").parse::<usize>().expect("a number") * 1024
        };
        Self {
            descriptors: descriptors.count(),
            memory: bytes("VmRSS:"),
            peak: bytes("VmHWM:"),
        }
    }
}
