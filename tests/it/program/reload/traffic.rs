//! Reloads while sessions open, talk and close.

use std::collections::BTreeMap;

use tokio_tungstenite::tungstenite::Message;

use super::{ADMIN, OTHER, reloaded};
use crate::kit::{Echo, Program, Socket, settings};

/// Open descriptors by what they are, and resident memory in KiB.
fn held(program: &Program) -> (BTreeMap<String, usize>, u64) {
    let process = format!("/proc/{}", program.id());
    let mut kinds = BTreeMap::new();
    for entry in std::fs::read_dir(format!("{process}/fd")).unwrap() {
        if let Ok(target) = std::fs::read_link(entry.unwrap().path()) {
            let target = target.display().to_string();
            let kind = target.split([':', '[']).next().unwrap_or_default();
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.unwrap().trim().trim_end_matches(" kB");
    (kinds, resident.parse().unwrap())
}

#[tokio::test]
async fn a_hundred_reloads_under_traffic_cost_nobody_anything() {
    const RELOADS: usize = 100;
    let echo = Echo::start().await;
    let text = |round: usize| {
        let listener = ["127.0.0.2:0", "unix:gate.sock"][round % 2];
        let more = format!(
            "limits.message_size = \"{}KiB\"\nlimits.per_ip.connections = 100\n{}\n\
             [[listen]]\naddress = \"{listener}\"\n{ADMIN}",
            64 + round % 3,
            ["", OTHER][round / 2 % 2],
        );
        settings(echo.url(), &more)
    };
    let program = Program::run(&text(0)).await;
    let mut sockets = Vec::new();
    for _ in 0..8 {
        sockets.push(Socket::open(&program.address, "/ws/").await);
    }
    let mut at_first = None;
    for round in 1..=RELOADS {
        let traffic = async {
            for socket in &mut sockets {
                socket.send(format!("in reload {round}")).await;
            }
            // Opened while the settings are swapped.
            let mut new = Socket::open(&program.address, "/ws/").await;
            new.echoes("new").await;
            for socket in &mut sockets {
                assert_eq!(
                    socket.next().await,
                    Message::from(format!("in reload {round}"))
                );
            }
            new.close().await;
        };
        let settings = text(round);
        let (changes, ()) = tokio::join!(reloaded(&program, &settings), traffic);
        assert_eq!(changes["changed"], true);
        if round == RELOADS / 2 {
            at_first = Some(held(&program));
        }
    }
    let closed = program.events("session closed");
    let lost = closed.iter().filter(|event| event["reason"] != "closed");
    assert_eq!(lost.count(), 0, "{closed:?}");
    assert_eq!(program.events("session open").len(), 8 + RELOADS);
    assert!(program.events("handshake rejected").is_empty());
    let (descriptors_before, memory_before) = at_first.unwrap();
    let (descriptors, memory) = held(&program);
    let count = |kinds: &BTreeMap<_, usize>| kinds.values().sum::<usize>();
    // Connections that are just closing come and go.
    let most = count(&descriptors_before) + 6;
    assert!(
        count(&descriptors) <= most,
        "{descriptors_before:?} {descriptors:?}"
    );
    assert!(
        memory < memory_before + 4096,
        "{memory_before} KiB, {memory} KiB"
    );
    for socket in sockets {
        socket.close().await;
    }
    program.stop().await;
}
