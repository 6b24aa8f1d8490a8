//! Case S04: a service manager that reads none of its notifications.

use std::os::unix::net::UnixDatagram;

use tokio::time::timeout;

use super::{STOPS, goes_on, reloads, stops};
use crate::kit::{AT_ONCE, Echo, Program, settings};

#[tokio::test]
async fn s04_a_service_manager_that_reads_nothing_holds_up_no_session_and_no_signal() {
    let echo = Echo::start().await;
    for signal in STOPS {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let _manager = UnixDatagram::bind(&path).expect("a socket");
        let filling = UnixDatagram::unbound().expect("a socket");
        filling.set_nonblocking(true).expect("an option");
        while filling.send_to(b"x", &path).is_ok() {}
        let path = path.to_str().expect("a path");
        let variables = [("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "20000")];
        let text = settings(echo.url(), "[admin]\naddress = \"127.0.0.1:0\"");
        let mut program = Program::run_with(&text, &variables).await;
        let admin = program.admin().await;
        goes_on(&program.address).await;
        // Each of them has two messages for it.
        let all = async {
            for _ in 0..20 {
                reloads(&program, &admin).await;
            }
        };
        timeout(AT_ONCE, all).await.expect("twenty reloads");
        stops(&mut program, signal).await;
    }
}
