//! The process's own figures: memory, processor time, descriptors.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The figures of one moment. `None` where the system has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    /// Since 1970.
    pub(crate) started: Duration,
    /// User and system time of all threads.
    pub(crate) processor_time: Option<Duration>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) open_descriptors: Option<u64>,
    /// `None` also where there is no limit.
    pub(crate) most_descriptors: Option<u64>,
}

impl Process {
    /// Reads the figures of this moment.
    pub(crate) fn read(started: SystemTime) -> Self {
        let status = fs::read_to_string("/proc/self/status");
        Self {
            started: started.duration_since(UNIX_EPOCH).unwrap_or_default(),
            processor_time: clock_gettime(ClockId::ProcessCPUTime).try_into().ok(),
            resident_bytes: status.ok().as_deref().and_then(resident),
            open_descriptors: descriptors(Path::new("/proc/self/fd")),
            most_descriptors: getrlimit(Resource::Nofile).current,
        }
    }
}

/// The line `VmRSS:    1234 kB`.
fn resident(status: &str) -> Option<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// How many there are, without the one that counting takes.
fn descriptors(folder: &Path) -> Option<u64> {
    // From Linux 6.2 on the folder's size is their number: one system call. Listing takes one call for
    // some dozens, and a session holds two.
    match fs::metadata(folder).ok()?.len() {
        0 => listed(folder),
        count => Some(count),
    }
}

fn listed(folder: &Path) -> Option<u64> {
    let count = fs::read_dir(folder).ok()?.count() as u64;
    Some(count.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_the_line_of_its_name() {
        let status = "VmHWM:\t   99 kB\nVmRSS:\t    2048 kB\nRssAnon:\t 1 kB\n";
        assert_eq!(resident(status), Some(2 << 20));
        for odd in [
            "",
            "VmRSS:\n",
            "VmRSS: 1 MB\n",
            "VmRSS: 99999999999999999999 kB",
        ] {
            assert_eq!(resident(odd), None, "{odd}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_is_seen_as_it_is() {
        let process = Process::read(SystemTime::now());
        assert!(process.resident_bytes.unwrap() > 1 << 20);
        let (open, most) = (process.open_descriptors, process.most_descriptors);
        assert!((3..most.unwrap()).contains(&open.unwrap()), "{process:?}");
        assert!(process.processor_time.unwrap() > Duration::ZERO);
        assert!(process.started > Duration::from_secs(1 << 30));
        // Tests run side by side: others open and close files meanwhile.
        let listed = listed(Path::new("/proc/self/fd")).unwrap();
        assert!(
            listed.abs_diff(open.unwrap()) < 500,
            "{listed} and {open:?}"
        );
    }
}
