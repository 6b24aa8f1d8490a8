//! A network of a test's own, for what cannot be done to the machine's.

use std::process::Stdio;

use tokio::process::Command;

use super::soon;

/// Runs a test once more, by itself, in a network that has nothing but a loopback and forgets
/// all settings with its last process. Returns true there, and false to the first run once the
/// other has passed.
///
/// That takes `unshare` of util-linux, a kernel that lets this user make namespaces, and any of
/// `ip`, `ifconfig` and `busybox`: a new network's loopback is down.
#[track_caller]
pub(crate) fn in_a_network_of_its_own(test: &str) -> impl Future<Output = bool> {
    let within = std::env::var_os(MARK).is_some();
    let again = std::env::current_exe().expect("this program");
    let mut command = Command::new("unshare");
    command
        .args(["-rn", "sh", "-c", UP_AND_GO])
        .arg(again)
        .args(["--ignored", "--exact", test])
        .env(MARK, "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let at = std::panic::Location::caller();
    let ended = soon("a test in a network of its own", async move {
        command.output().await
    });
    async move {
        if within {
            return true;
        }
        let output = ended.await.unwrap_or_else(|error| {
            panic!("{at}: this test needs `unshare` of util-linux: {error}");
        });
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        // A filter that finds no test is no failure to the harness.
        assert!(
            output.status.success() && stdout.contains("test result: ok. 1 passed"),
            "{at}: in a network of its own, by `unshare -rn`:\n{stdout}\n{stderr}"
        );
        false
    }
}

/// Set in the environment of a test that runs in a network of its own.
const MARK: &str = "WSGATE_TEST_HAS_ITS_OWN_NETWORK";

const UP_AND_GO: &str = r#"
for up in 'ip link set lo up' 'ifconfig lo up' 'busybox ip link set lo up'; do
    if $up; then exec "$0" "$@"; fi
done
echo "this test needs ip, ifconfig or busybox, to bring the loopback up" >&2
exit 1
"#;
