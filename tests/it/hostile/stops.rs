//! Cases O03 and O05: the process is told to stop, and is killed.

use std::io::ErrorKind;

use futures_util::future::{join_all, select_all};
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::kit::{
    AT_ONCE, CANARY, Echo, Frame, Program, Socket, Stage, Upstream, Wire, settings, soon, switching,
};

const SESSIONS: usize = 20;

/// What the first of these is to hear, and how many of the others have heard it by then.
async fn spread_out(clients: &mut Vec<Wire>) -> usize {
    let hearing = clients.iter_mut().map(|client| {
        Box::pin(async {
            client.expect_close(1001).await;
        })
    });
    let ((), first, others) = select_all(hearing).await;
    drop(others);
    clients.swap_remove(first);
    let heard = clients.iter_mut().map(|client| client.there().len());
    heard.filter(|heard| *heard > 0).count()
}

#[tokio::test]
async fn o03_sigterm_with_live_sessions_one_of_which_never_closes() {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]", upstream.url());
    let more = "[drain]\nspread = \"1500ms\"\ndeadline = \"3s\"";
    let route = "timeouts.close = \"1h\"";
    let mut stage = Stage::set_with(upstream, &pool, route, more).await;
    let admin = stage.program().admin().await;
    let mut clients = Vec::new();
    let mut servers = Vec::new();
    for _ in 0..SESSIONS {
        let (client, server) = stage.session().await;
        clients.push(client);
        servers.push(server);
    }
    let (mut stuck, mut stuck_server) = stage.session().await;
    let mut asking = stage.client().await;
    asking.send(Stage::handshake().text()).await;
    let (mut asked_server, asked) = stage.upstream.request().await;
    let mut idle = stage.client().await;
    assert_eq!(readiness(&admin).await, 200);

    stage.program().signal(Signal::TERM);
    stage.program().event("draining").await;
    assert_eq!(readiness(&admin).await, 503);
    let late = TcpStream::connect(stage.address()).await;
    assert_eq!(
        late.map(drop).map_err(|error| error.kind()),
        Err(ErrorKind::ConnectionRefused)
    );
    idle.end().await;
    // A handshake that is under way comes too late.
    asked_server.send(switching(&asked, "")).await;
    assert_eq!(asking.response().await.status(), 503);
    asking.expect_end().await;
    asked_server.end().await;
    stage.refuses("draining");

    let heard = spread_out(&mut clients).await;
    assert!(heard <= SESSIONS / 2, "{heard} were told in one instant");
    // Those whose turn has not come go on as before.
    let ends = clients.iter_mut().map(|client| async {
        client.expect_close(1001).await;
        client.send_frame(&Frame::close(1001, "")).await;
        client.end().await;
        client.shut().await;
    });
    let answers = servers.iter_mut().map(|server| async {
        server.expect_close(1001).await;
        server.send_frame(&Frame::close(1001, "")).await;
        server.shut().await;
        server.end().await;
    });
    tokio::join!(join_all(ends), join_all(answers));
    // The stuck one heard it as well, and is cut in the end.
    stuck.expect_close(1001).await;
    stuck_server.expect_close(1001).await;
    let (code, log) = stage.program_mut().ended().await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(stuck.rest().await.unwrap_or_default(), b"");
    assert_eq!(stuck_server.rest().await.unwrap_or_default(), b"");
    let drained = stage.program().event("drained").await;
    // The connection of the first to be told was dropped, and so has ended as well.
    assert_eq!(
        (&drained["closed"], &drained["cut"]),
        (&SESSIONS.into(), &1.into())
    );
    for reason in ["drain", "cut"] {
        let count = match reason {
            "drain" => SESSIONS,
            _ => 1,
        };
        (0..count).for_each(|_| stage.ends(reason));
    }
    for word in ["stopping", "draining", "drained", "stopped"] {
        stage.tells(word);
    }
    stage.tells_once().await;
}

async fn readiness(admin: &str) -> u16 {
    let mut wire = Wire::connect(admin).await;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    wire.send(request).await;
    wire.response().await.status()
}

#[tokio::test]
async fn o03_the_code_is_that_of_a_restart_where_the_settings_say_so() {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]", upstream.url());
    let more = "[drain]\nclose_code = 1012\nspread = \"0s\"";
    let mut stage = Stage::set_with(upstream, &pool, "", more).await;
    let (mut client, mut server) = stage.session().await;
    stage.program().signal(Signal::TERM);
    client.expect_close(1012).await;
    server.expect_close(1001).await;
    for (wire, code) in [(&mut client, 1012), (&mut server, 1001)] {
        wire.send_frame(&Frame::close(code, "")).await;
        wire.shut().await;
        wire.end().await;
    }
    assert_eq!(stage.program_mut().ended().await.0, Some(0));
    stage.ends("drain");
    for word in ["stopping", "draining", "drained", "stopped"] {
        stage.tells(word);
    }
    stage.tells_once().await;
}

/// A client that opens sessions, says something on each and leaves, until it finds nobody.
async fn load(address: &str) -> usize {
    let mut sessions = 0;
    loop {
        let Ok(stream) = TcpStream::connect(address).await else {
            return sessions;
        };
        let wire = Wire::client(stream);
        let opening = Socket::open_on(wire, address, "/ws/load?c4nary", &[]);
        let opening = std::panic::AssertUnwindSafe(opening);
        let opened = futures_util::FutureExt::catch_unwind(opening).await;
        let Ok(Ok(mut peer)) = opened else {
            return sessions;
        };
        peer.try_send(CANARY.to_owned()).await;
        sessions += 1;
    }
}

#[tokio::test]
async fn o05_it_is_killed_under_load_and_listens_again_on_the_same_port() {
    let echo = Echo::start().await;
    let text = settings(echo.url(), "");
    let mut program = Program::run(&text).await;
    let text = text.replacen("127.0.0.1:0", &program.address, 1);
    for _ in 0..3 {
        let address = program.address.clone();
        // Sessions that live when it dies, and others that come and go.
        let mut held = Vec::new();
        for _ in 0..50 {
            let mut peer = Socket::open(&address, "/ws/held").await;
            peer.echoes("before").await;
            held.push(peer);
        }
        let clients = (0..4).map(|_| load(&address));
        let killed = async {
            let opened = |program: &Program| program.events("session closed").len();
            program.until("some load", || opened(&program) > 20).await;
            program.signal(Signal::KILL);
            program.ended().await
        };
        let (loads, (code, log)) = tokio::join!(join_all(clients), killed);
        assert_eq!(code, None, "{log}");
        assert!(!log.contains(CANARY), "{log}");
        assert!(loads.iter().sum::<usize>() > 20, "{loads:?}");
        let again = timeout(AT_ONCE, Program::run(&text)).await;
        program = again.expect("a listener soon enough");
        assert_eq!(program.address, address);
        drop(held);
        let mut peer = Socket::open(&address, "/ws/again").await;
        peer.echoes("after").await;
        peer.close().await;
    }
    program.stop().await;
}

#[tokio::test]
async fn o05_it_is_killed_and_its_unix_socket_is_not_in_the_way() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("gate.sock");
    let listen = format!("unix:{}", socket.display());
    let text = settings(echo.url(), "").replacen("127.0.0.1:0", &listen, 1);
    for _ in 0..3 {
        let running = timeout(AT_ONCE, Program::run(&text)).await;
        let mut program = running.expect("a listener soon enough");
        let wire = Wire::connect_unix(&socket).await;
        let opened = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
        let mut peer = opened.unwrap_or_else(|status| panic!("refused with {status}"));
        peer.echoes("over the file").await;
        program.signal(Signal::KILL);
        assert_eq!(program.ended().await.0, None);
        assert!(socket.exists(), "nobody was left to remove it");
        drop(peer);
    }
    let program = Program::run(&text).await;
    program.stop().await;
    assert!(!socket.exists());
}

/// A client whose sessions were lost comes back, and its upstream was told.
#[tokio::test]
async fn o05_both_peers_of_a_session_learn_that_it_was_killed() {
    let mut stage = Stage::set("").await;
    let (mut client, mut server) = stage.session().await;
    client.send_frame(&Frame::text("before")).await;
    server.expect(Frame::text("before")).await;
    stage.program().signal(Signal::KILL);
    stage.program_mut().ended().await;
    assert_eq!(client.rest().await.unwrap_or_default(), b"");
    assert_eq!(server.rest().await.unwrap_or_default(), b"");
    let again = TcpStream::connect(stage.address());
    assert!(soon("an answer", again).await.is_err());
}
