use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::super::tests::{admin_of, gate, serve};
use crate::ClientAddr;
use crate::Gate;
use crate::server::api::guard::WRITE_TIMEOUT;

const HOUR: Duration = Duration::from_secs(3600);

const ASK: &[u8] = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A listener that has been let in, and the task that serves it.
async fn listener(gate: &Gate, pipe: usize) -> (DuplexStream, tokio::task::JoinHandle<()>) {
    let admin = admin_of(gate.clone(), None);
    let (socket, mut peer) = duplex(pipe);
    let served = tokio::task::spawn_local(async move { serve(admin, socket).await });
    peer.write_all(ASK).await.unwrap();
    (peer, served)
}

/// What came until this has.
async fn read_until(peer: &mut DuplexStream, got: &mut String, end: &str) {
    let mut piece = [0; 4096];
    while !got.contains(end) {
        let length = peer.read(&mut piece).await.unwrap();
        assert!(length > 0, "no {end:?} in {got}");
        got.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
}

fn refuse(gate: &Gate, times: usize) {
    for _ in 0..times {
        gate.handle()
            .report_malformed(ClientAddr::Unix, "bad_request");
    }
}

async fn locally(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_lives_for_as_long_as_it_is_read() {
    locally(async {
        let gate = gate();
        let (mut peer, served) = listener(&gate, 1024).await;
        let began = Instant::now();
        let mut got = String::new();
        read_until(&mut peer, &mut got, ": listening").await;
        while began.elapsed() < 10 * HOUR {
            got.clear();
            read_until(&mut peer, &mut got, ": ping").await;
        }
        refuse(&gate, 1);
        read_until(&mut peer, &mut got, "event: reject").await;
        assert!(!served.is_finished());
        drop(peer);
        served.await.unwrap();
        // It has left, and makes room for another.
        for _ in 0..20 {
            let (mut peer, served) = listener(&gate, 1024).await;
            read_until(&mut peer, &mut String::new(), ": listening").await;
            drop(peer);
            served.await.unwrap();
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_cut_off() {
    locally(async {
        let gate = gate();
        let (mut peer, served) = listener(&gate, 1024).await;
        read_until(&mut peer, &mut String::new(), ": listening").await;
        let began = Instant::now();
        refuse(&gate, 100);
        timeout(HOUR, served).await.expect("an end").unwrap();
        assert_eq!(began.elapsed(), WRITE_TIMEOUT);
        drop(peer);
        // Even where nothing but pings is to be taken.
        let (_peer, served) = listener(&gate, 1024).await;
        timeout(HOUR, served).await.expect("an end").unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_is_told_how_much_was_lost() {
    const HAPPENED: usize = 5000;
    locally(async {
        let gate = gate();
        let (mut peer, served) = listener(&gate, 1024).await;
        let mut got = String::new();
        read_until(&mut peer, &mut got, ": listening").await;
        refuse(&gate, HAPPENED);
        read_until(&mut peer, &mut got, "event: lost\ndata: {\"count\":").await;
        read_until(&mut peer, &mut got, ": ping").await;
        let lost = got.split("event: lost\ndata: {\"count\":").skip(1);
        let lost = lost.map(|rest| rest.split('}').next().unwrap().parse::<usize>().unwrap());
        let told = got.matches("event: reject").count();
        assert!(told >= 512, "{told}");
        assert_eq!(lost.sum::<usize>() + told, HAPPENED);
        drop(peer);
        served.await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_who_reads_it_would_not_be_let_in_any_more() {
    locally(async {
        let gate = gate();
        for leave in [true, false] {
            let closing = CancellationToken::new();
            let address = crate::config::ListenAddress::Unix("/run/admin.sock".into());
            let admin = admin_of(gate.clone(), Some("0ld")).at(&address, closing.clone());
            let (socket, mut peer) = duplex(1024);
            let service = admin.clone();
            let served = tokio::task::spawn_local(async move { serve(service, socket).await });
            let token = "Authorization: Bearer 0ld\r\n";
            let ask = format!("GET /events HTTP/1.1\r\nHost: x\r\n{token}\r\n");
            peer.write_all(ask.as_bytes()).await.unwrap();
            let mut got = String::new();
            read_until(&mut peer, &mut got, ": listening").await;
            let token = |token: &str| Some(crate::config::Secret::new(token.to_owned()));
            admin.own().require(token("0ld"));
            refuse(&gate, 1);
            read_until(&mut peer, &mut got, "event: reject").await;
            match leave {
                true => closing.cancel(),
                false => admin.own().require(token("n3w")),
            }
            refuse(&gate, 1);
            let mut rest = String::new();
            timeout(HOUR, peer.read_to_string(&mut rest))
                .await
                .expect("an end")
                .unwrap();
            assert_eq!(rest, "\r\n0\r\n\r\n".trim_start_matches("\r\n"), "{leave}");
            served.await.unwrap();
        }
    })
    .await;
}
