//! What a process takes, together with those that it started: nginx works in a second one.

use std::io;
use std::time::Duration;

use crate::common::process::Process;
use crate::machine;

impl Process {
    pub(crate) fn processor_time(&self) -> io::Result<Duration> {
        self.family()?
            .into_iter()
            .map(machine::processor_time)
            .sum()
    }

    /// In bytes.
    pub(crate) fn memory(&self) -> io::Result<u64> {
        self.family()?.into_iter().map(machine::memory).sum()
    }

    fn family(&self) -> io::Result<Vec<u32>> {
        let process = self.id();
        let mut family = machine::children(process)?;
        family.push(process);
        Ok(family)
    }
}
