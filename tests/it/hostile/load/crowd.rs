//! Crowds that do nothing: sessions, and handshakes that are never ended.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::backend::{Backend, Manner};
use super::honest::Latency;
use super::{Gate, mebibytes};
use crate::kit::Request;

/// What a session may take of memory while it does nothing.
const IDLE: usize = 8 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the machine for itself"]
async fn r08_9500_idle_sessions_and_a_round_of_pings() {
    let route = "[route.keepalive]\nclient = { interval = \"20s\", timeout = \"10s\" }\n\
                 upstream = { interval = \"0s\" }\n[route.limits.per_ip]\nmessages = \"50/s\"";
    let gate = Gate::start(Backend::start(Manner::Quiet).await, route, "").await;
    drop(session(gate.address()).await);
    let before = gate.vitals();
    let begun = Instant::now();
    let mut crowd = Vec::new();
    for _ in 0..9_500 {
        crowd.push(session(gate.address()).await);
    }
    let opened = begun.elapsed();
    let full = gate.vitals();
    let a_session = (full.memory - before.memory) / crowd.len();
    let latency = Latency::over(gate.address(), Duration::from_secs(5)).await;
    for stream in &mut crowd {
        // An empty ping; whoever does not answer it in time is closed.
        let mut ping = [0; 2];
        stream.read_exact(&mut ping).await.expect("a ping");
        assert_eq!(ping[0], 0x89);
        let pong = [0x8A, 0x80 | ping[1], 0, 0, 0, 0];
        let mut payload = vec![0; usize::from(ping[1])];
        stream.read_exact(&mut payload).await.expect("its payload");
        let pong = [&pong[..], &payload].concat();
        stream.write_all(&pong).await.expect("a session");
    }
    println!(
        "9,500 idle sessions: opened in {opened:.1?}, {a_session} bytes of resident memory each \
         ({:.1} MiB), {} descriptors; the others: {latency}",
        mebibytes(full.memory),
        full.descriptors,
    );
    assert!(a_session < IDLE, "{a_session}");
    drop(crowd);
    gate.lets_go(before).await;
    let after = gate.vitals();
    println!(
        "afterwards: {:.1} MiB, {} descriptors",
        mebibytes(after.memory),
        after.descriptors
    );
    gate.program.stop().await;
}

/// The header of a text of 16 MiB and a few bytes of it, as a client sends them.
const MASKED: &[u8] = b"\x81\xFF\0\0\0\0\x01\0\0\0\0\0\0\0abcde";

/// The same as an upstream does.
const PLAIN: &[u8] = b"\x81\x7F\0\0\0\0\x01\0\0\0abcde";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the machine for itself"]
async fn f06_1000_frames_of_16_mebibytes_announced_and_never_sent() {
    let quiet = (Manner::Quiet, MASKED);
    let announcing = (Manner::Saying(PLAIN), &b""[..]);
    // Whoever announces is asked for a sign of life, and nobody else.
    let of_client = "[route.keepalive]\nclient = { interval = \"5s\", timeout = \"5s\" }\n\
                     upstream.interval = \"0s\"";
    let of_upstream = "[route.keepalive]\nupstream = { interval = \"5s\", timeout = \"5s\" }\n\
                       client.interval = \"0s\"";
    let client_silent = &b"\x88\x0F\x03\xE9frame timeout"[..];
    let upstream_silent = &b"\x88\x18\x03\xE9upstream frame timeout"[..];
    for (what, (manner, said), keepalive, validates, last) in [
        ("clients", quiet, of_client, false, client_silent),
        (
            "clients, held until whole",
            quiet,
            of_client,
            true,
            client_silent,
        ),
        // Inside of its frame no close frame can stand.
        ("upstreams", announcing, of_upstream, false, PLAIN),
        (
            "upstreams, held until whole",
            announcing,
            of_upstream,
            true,
            upstream_silent,
        ),
    ] {
        let route = format!("validate_utf8 = {validates}\n{keepalive}");
        let gate = Gate::start(Backend::start(manner).await, &route, "").await;
        drop(opened(gate.address()).await);
        let before = gate.vitals();
        let mut crowd = Vec::new();
        for _ in 0..1_000 {
            let (mut stream, heard) = opened(gate.address()).await;
            stream.write_all(said).await.expect("a session");
            crowd.push((stream, heard));
        }
        let latency = Latency::over(gate.address(), Duration::from_secs(3)).await;
        let full = gate.vitals();
        assert!(full.descriptors > 2 * crowd.len(), "{full:?}");
        let a_session = full.memory.saturating_sub(before.memory) / crowd.len();
        println!(
            "1,000 frames of 16 MiB announced by {what}: {a_session} bytes of resident memory \
             each; the others: {latency}"
        );
        assert!(a_session < IDLE, "{what}: {a_session}");
        for (stream, heard) in &mut crowd {
            let _reset = stream.read_to_end(heard).await;
            assert!(heard.ends_with(last), "{what}: {}", heard.escape_ascii());
        }
        drop(crowd);
        gate.lets_go(before).await;
        gate.program.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the machine for itself"]
async fn r01_1000_handshakes_that_are_never_ended() {
    let more = "[server]\nhandshake_timeout = \"10s\"";
    let gate = Gate::start(Backend::start(Manner::Quiet).await, "", more).await;
    drop(session(gate.address()).await);
    let before = gate.vitals();
    let mut crowd = Vec::new();
    for index in 0..1_000 {
        let mut stream = TcpStream::connect(gate.address())
            .await
            .expect("a connection");
        // Half of them never say a word.
        if index % 2 == 0 {
            let half = "GET /ws/room HTTP/1.1\r\nHost: gate.test\r\nX-Slow: ";
            stream.write_all(half.as_bytes()).await.expect("a peer");
        }
        crowd.push(stream);
    }
    let begun = Instant::now();
    let full = gate.vitals();
    let latency = Latency::over(gate.address(), Duration::from_secs(5)).await;
    let mut late = 0;
    for (index, stream) in crowd.iter_mut().enumerate() {
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        match index % 2 {
            0 => late += usize::from(answer.starts_with(b"HTTP/1.1 408 ")),
            _ => assert!(answer.is_empty(), "{}", answer.escape_ascii()),
        }
    }
    println!(
        "1,000 handshakes never ended: {} bytes of resident memory each, all closed {:.1?} \
         after the last of them, {late} with 408; the others: {latency}",
        full.memory.saturating_sub(before.memory) / crowd.len(),
        begun.elapsed(),
    );
    assert_eq!(late, crowd.len() / 2);
    drop(crowd);
    gate.lets_go(before).await;
    assert_eq!(gate.backend.taken(), 1, "none of them was a handshake");
    gate.program.stop().await;
}

/// A session with a backend that says nothing of its own accord.
async fn session(address: &str) -> TcpStream {
    let (stream, heard) = opened(address).await;
    assert!(heard.is_empty(), "{}", heard.escape_ascii());
    stream
}

/// A session, and what came right behind the 101.
async fn opened(address: &str) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = Request::websocket("/ws/room").text();
    stream.write_all(request.as_bytes()).await.expect("a peer");
    let mut head = Vec::new();
    let end = loop {
        let length = stream.read_buf(&mut head).await.expect("an answer");
        assert!(length > 0, "{}", head.escape_ascii());
        if let Some(end) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let heard = head.split_off(end);
    assert!(
        head.starts_with(b"HTTP/1.1 101 "),
        "{}",
        head.escape_ascii()
    );
    (stream, heard)
}
