//! What the kernel says about the machine and about a process.

use std::fs::{read_dir, read_to_string};
use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Lets this process, and those that it starts, have as many descriptors as it may. Returns how many.
pub(crate) fn raise_limit() -> io::Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised)?;
    Ok(maximum.unwrap_or(u64::MAX))
}

/// The processor time of all threads of a process, by user and system together.
pub(crate) fn processor_time(process: u32) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for thread in read_dir(format!("/proc/{process}/task"))? {
        // A thread may have ended meanwhile.
        let Ok(schedule) = read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let running = schedule.split(' ').next().map(str::parse::<u64>);
        nanoseconds += running.and_then(Result::ok).unwrap_or(0);
    }
    match nanoseconds {
        0 => ticks(process),
        nanoseconds => Ok(Duration::from_nanos(nanoseconds)),
    }
}

/// The same in the kernel's hundredths of a second, where it does not count finer.
fn ticks(process: u32) -> io::Result<Duration> {
    let stat = read_to_string(format!("/proc/{process}/stat"))?;
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = behind_name.split_whitespace().skip(11).take(2);
    let ticks = fields
        .filter_map(|field| field.parse::<u64>().ok())
        .sum::<u64>();
    Ok(Duration::from_millis(10 * ticks))
}

/// The memory of a process, what it shares with others in shares (`Pss`), in bytes.
pub(crate) fn memory(process: u32) -> io::Result<u64> {
    let rollup = read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes
        .map(|kibibytes| kibibytes * 1024)
        .ok_or_else(|| io::Error::other("no Pss in smaps_rollup"))
}

/// The processes that this one started and that live.
pub(crate) fn children(process: u32) -> io::Result<Vec<u32>> {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = read_to_string(path)?;
    Ok(children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect())
}

/// Which processors the proxies have, and which the load.
pub(crate) struct Processors {
    proxy: CpuSet,
    load: CpuSet,
}

impl Processors {
    /// The last one for the proxy, all others for backend and clients.
    pub(crate) fn split() -> io::Result<Option<Self>> {
        let all = sched_getaffinity(None)?;
        let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|&index| all.is_set(index)) else {
            return Ok(None);
        };
        let (mut proxy, mut load) = (CpuSet::new(), all);
        proxy.set(last);
        load.unset(last);
        Ok((load.count() > 0).then_some(Self { proxy, load }))
    }

    /// What is started from now on runs on the proxy's.
    pub(crate) fn for_proxy(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.proxy)?)
    }

    pub(crate) fn for_load(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.load)?)
    }
}

/// Processor, cores and kernel, in a line.
pub(crate) fn description() -> String {
    let processors = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    // All of them, and not those that this process may have.
    let cores = processors.matches("processor\t").count();
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = kernel
        .split('-')
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    format!("{model}, {cores} cores, Linux {version}")
}
