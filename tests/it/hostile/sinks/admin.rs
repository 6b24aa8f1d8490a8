//! Cases S02 and S05: clients of the admin interface that read nothing of what they asked for.

use std::net::SocketAddr;

use rustix::process::Signal;
use tokio::time::timeout;

use super::{STOPS, ask, goes_on, reloads, stops};
use crate::kit::{AT_ONCE, Echo, Program, Wire, settings};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// The streams that there may be.
const STREAMS: usize = 8;

/// Of all connections to the interface, these take no byte of what they asked for.
const UNREAD: usize = 55;

/// Asks, and reads nothing, on a connection for which the kernel keeps little.
async fn unread(admin: SocketAddr, requests: &str) -> Wire {
    let mut wire = Wire::connect_small(admin).await;
    wire.send(requests).await;
    wire
}

#[tokio::test]
async fn s02_event_streams_that_nobody_reads_hold_up_no_session_and_no_signal() {
    let echo = Echo::start().await;
    for signal in STOPS {
        let mut program = Program::run(&settings(echo.url(), ADMIN)).await;
        let admin = program.admin().await;
        let mut streams = Vec::new();
        for _ in 0..STREAMS {
            let request = format!("GET /events HTTP/1.1\r\nHost: {admin}\r\n\r\n");
            let mut wire = unread(admin.parse().expect("an address"), &request).await;
            // It has begun, and no more of it is read.
            assert_eq!(wire.head().await.status(), 200);
            streams.push(wire);
        }
        // More events than wait for a stream and fit into its socket.
        for _ in 0..8 {
            goes_on(&program.address).await;
        }
        reloads(&program, &admin).await;
        stops(&mut program, signal).await;
    }
}

#[tokio::test]
async fn s05_answers_of_the_admin_interface_that_nobody_reads_hold_up_no_session_and_no_signal() {
    let echo = Echo::start().await;
    for signal in STOPS {
        let mut program = Program::run(&settings(echo.url(), ADMIN)).await;
        let admin = program.admin().await;
        let request = format!("GET /openapi.json HTTP/1.1\r\nHost: {admin}\r\n\r\n");
        let mut clients = Vec::new();
        for _ in 0..UNREAD {
            let requests = request.repeat(20);
            clients.push(unread(admin.parse().expect("an address"), &requests).await);
        }
        goes_on(&program.address).await;
        // Probes have places of their own, and other requests may have to wait.
        assert!(ask(&admin, "GET /healthz").await.contains("alive"));
        program.signal(Signal::HUP);
        let reloaded = timeout(AT_ONCE, program.event("settings unchanged")).await;
        assert_eq!(reloaded.expect("a reload")["trigger"], "SIGHUP");
        stops(&mut program, signal).await;
    }
}
