//! What a process takes of the machine.

use std::fs;

/// A process's descriptors and memory, at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals {
    pub(crate) descriptors: usize,
    /// Bytes of memory that are resident.
    pub(crate) memory: usize,
}

impl Vitals {
    /// Those of a process that lives.
    pub(crate) fn of(process: u32) -> Self {
        let descriptors = fs::read_dir(format!("/proc/{process}/fd")).expect("a process");
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|memory| memory.trim().strip_suffix(" kB"));
        let memory: usize = memory.expect("memory").parse().expect("a number");
        Self {
            descriptors: descriptors.count(),
            memory: memory * 1024,
        }
    }
}
