//! Scripts, which the engine runs each as one step.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use redis::{Cmd, ToRedisArgs, cmd};

/// A script that servers keep, and know by its SHA-1.
#[derive(Debug)]
pub(in crate::shared) struct Script {
    source: &'static str,
    sha1: String,
}

/// A script with its keys and arguments, ready to be sent.
#[derive(Clone, Debug)]
pub(in crate::shared) struct Call {
    short: Cmd,
    source: &'static str,
}

impl Script {
    pub(in crate::shared) fn new(source: &'static str) -> Self {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, source.as_bytes());
        let mut sha1 = String::with_capacity(40);
        for byte in digest.as_ref() {
            // A String takes everything.
            let _ = write!(sha1, "{byte:02x}");
        }
        Self { source, sha1 }
    }

    /// A call with these keys, which are in one slot.
    pub(in crate::shared) fn call(&self, keys: &[impl ToRedisArgs]) -> Call {
        let mut short = cmd("EVALSHA");
        short.arg(&self.sha1).arg(keys.len());
        keys.iter().for_each(|key| {
            short.arg(key);
        });
        Call {
            short,
            source: self.source,
        }
    }

    /// Has a server keep the script.
    pub(in crate::shared) fn load(&self) -> Cmd {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(self.source);
        load
    }
}

impl Call {
    pub(in crate::shared) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.short.arg(argument);
        self
    }

    /// For a server that keeps the script.
    pub(super) fn short(&self) -> &Cmd {
        &self.short
    }

    /// For one that does not; it keeps it then.
    pub(super) fn long(&self) -> Cmd {
        let mut long = cmd("EVAL");
        long.arg(self.source);
        // The name of the command, and the digest.
        for argument in self.short.args_iter().skip(2) {
            match argument {
                redis::Arg::Simple(bytes) => long.arg(bytes),
                _ => continue,
            };
        }
        long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_the_script_or_brings_it_along() {
        let script = Script::new("return 1");
        let mut call = script.call(&["a", "b"]);
        call.arg(7).arg(&b"\xff"[..]);
        let packed =
            |cmd: &Cmd| String::from_utf8_lossy(&cmd.get_packed_command()).replace("\r\n", " ");
        let short = packed(call.short());
        assert!(
            short.starts_with(
                "*7 $7 EVALSHA $40 e0e1f9fabfc9d4800c877a703b823ac0578ff8db $1 2 $1 a $1 b $1 7 "
            ),
            "{short}"
        );
        let long = packed(&call.long());
        assert!(
            long.starts_with("*7 $4 EVAL $8 return 1 $1 2 $1 a $1 b $1 7 "),
            "{long}"
        );
    }
}
