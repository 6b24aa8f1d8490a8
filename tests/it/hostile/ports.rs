//! Case R13 once more: the machine has no local port left to connect to a server from.
//!
//! It is played in a network of its own, whose ports are few, and so runs only when it is asked
//! for:
//!
//! ```sh
//! cargo test --test it -- --ignored hostile::ports
//! ```

use std::fs;

use super::limits::{listed, talk};
use crate::kit::{Stage, Upstream, Wire, in_a_network_of_its_own, switching};

/// How many local ports there are towards one address of a server.
const PORTS: usize = 4;

/// None of them is in the system's own range, from which listeners and clients had theirs before.
fn leave_few_ports() {
    let range = format!("20000 {}", 20_000 + PORTS - 1);
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", range).expect("a network of our own");
}

#[tokio::test]
#[ignore = "needs a network of its own (`unshare -rn`)"]
async fn r13_local_ports_run_out_and_sessions_stay() {
    let this = "hostile::ports::r13_local_ports_run_out_and_sessions_stay";
    if !in_a_network_of_its_own(this).await {
        return;
    }
    let mut stage = Stage::set("").await;
    let mut clients = clients(&stage, PORTS + 1).await;
    leave_few_ports();
    let mut sessions = Vec::new();
    for client in clients.drain(..PORTS) {
        sessions.push(opens(&mut stage, client).await);
    }
    for _ in 0..20 {
        let request = Stage::handshake().text();
        let answer = stage.refused("no port", request, 503, "overload").await;
        assert_eq!(answer.one("retry-after"), "5");
        talk(&mut sessions).await;
        // Towards another server there are ports.
        stage.serves_others().await;
    }
    let line = stage.line("overload").await;
    let error = line["error"].as_str().expect("an error");
    assert!(error.contains("no local port"), "{line}");
    assert_eq!(listed(&stage).await, PORTS);
    // A port that is given back is taken again.
    let (client, server) = sessions.remove(0);
    stage.parts(client, server).await;
    let client = clients.pop().expect("a client");
    sessions.push(opens(&mut stage, client).await);
    talk(&mut sessions).await;
    let request = Stage::handshake().text();
    stage.refused("none again", request, 503, "overload").await;
    for (client, server) in sessions {
        stage.parts(client, server).await;
    }
    stage.stands().await;
}

#[tokio::test]
#[ignore = "needs a network of its own (`unshare -rn`)"]
async fn r13_another_server_is_taken_when_ports_to_one_run_out() {
    let this = "hostile::ports::r13_another_server_is_taken_when_ports_to_one_run_out";
    if !in_a_network_of_its_own(this).await {
        return;
    }
    let (upstream, other) = (Upstream::start().await, Upstream::start().await);
    // By its weight the first is to have all of them, but for the one that goes to an idle server.
    let pool = format!(
        "servers = [{{ url = \"{}\", weight = 100 }}, \"{}\"]",
        upstream.url(),
        other.url()
    );
    let mut stage = Stage::set_with(upstream, &pool, "", "").await;
    let clients = clients(&stage, 2 * PORTS).await;
    leave_few_ports();
    let mut sessions = Vec::new();
    for mut client in clients {
        client.send(Stage::handshake().text()).await;
        let (mut server, asked) = tokio::select! {
            asked = stage.upstream.request() => asked,
            asked = other.request() => asked,
        };
        server.send(switching(&asked, "")).await;
        assert_eq!(client.head().await.status(), 101);
        stage.was_accepted();
        sessions.push((client, server));
    }
    let request = Stage::handshake().text();
    let answer = stage.refused("no port", request, 503, "overload").await;
    assert_eq!(answer.one("retry-after"), "5");
    assert!(other.untouched());
    // Each time that the first was missed, which no refused handshake tells of.
    for _ in 0..PORTS {
        stage.tells("no resources left to connect");
    }
    talk(&mut sessions).await;
    for (client, server) in sessions {
        stage.parts(client, server).await;
    }
    stage.stands().await;
}

/// Clients that are connected to the gate before ports are few.
async fn clients(stage: &Stage, count: usize) -> Vec<Wire> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(stage.client().await);
    }
    clients
}

/// Such a client's session.
async fn opens(stage: &mut Stage, mut client: Wire) -> (Wire, Wire) {
    client.send(Stage::handshake().text()).await;
    let (mut server, asked) = stage.upstream.request().await;
    server.send(switching(&asked, "")).await;
    let answer = client.head().await;
    assert_eq!(answer.status(), 101, "{answer:?}");
    stage.was_accepted();
    (client, server)
}
