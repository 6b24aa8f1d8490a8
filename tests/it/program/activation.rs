//! Sockets that the program was started with, as a service manager passes them.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use super::admin::ask;
use crate::kit::{Echo, Program, Socket, Wire, settings, soon, spawn_passed};

const NOWHERE: &str = "ws://127.0.0.1:1";

/// A port that is listened on already.
fn bound() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// Settings that listen there, and there only.
fn settings_on(address: &str, server: &str) -> String {
    settings(server, "").replace("127.0.0.1:0", address)
}

#[tokio::test]
async fn passed_sockets_are_served_by_the_settings_of_their_addresses() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let (tcp, address) = bound();
    let unix = UnixListener::bind(&path).unwrap();
    // Connected before there is anybody to accept.
    let early = Wire::connect(&address).await;
    // Through a link: /var/run is often one to /run.
    let other_name = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &other_name).unwrap();
    let other_path = other_name.join("gate.sock");
    let more = format!("[[listen]]\naddress = \"unix:{}\"", other_path.display());
    let text = settings(echo.url(), &more).replace("127.0.0.1:0", &address);
    // In another order than that of the settings.
    let sockets: Vec<OwnedFd> = vec![unix.into(), tcp.into()];
    let program = Program::run_passed(&text, sockets, &[]).await;
    assert_eq!(program.address, address);

    let early = Socket::open_on(early, &address, "/ws/", &[]).await;
    let unix = Wire::connect_unix(&path).await;
    let unix = Socket::open_on(unix, "gate.test", "/ws/", &[]).await;
    for opened in [early, unix] {
        let mut socket = opened.ok().unwrap();
        socket.echoes("over what was passed").await;
        socket.close().await;
    }
    program.stop().await;
    assert!(path.exists(), "whoever made the file is to remove it");
}

#[tokio::test]
async fn a_passed_socket_that_cannot_be_served_is_an_error_that_names_it() {
    let (unnamed, address) = bound();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (listener, elsewhere) = bound();
    let connected = TcpStream::connect(&elsewhere).unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    drop(listener);
    let unnamed_says = format!("no setting has its address, {address}");
    for (socket, cause, help) in [
        (unnamed.into(), &*unnamed_says, "`[[listen]]`"),
        (udp.into(), "it is no stream socket", "ListenStream="),
        (connected.into(), "it is a connection", "Accept=no"),
        (file.into(), "it is no stream socket", "ListenStream="),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let name = ("LISTEN_FDNAMES", "wsgate.socket");
        let settings = settings(NOWHERE, "");
        let child = spawn_passed(folder.path(), &settings, vec![socket], &[name]);
        let output = soon("the program to end", child.wait_with_output()).await;
        let output = output.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        let which = "error: the descriptor 3 (\"wsgate.socket\") that the process was started with \
                     cannot be served: ";
        assert!(error.contains(&format!("{which}{cause}")), "{error}");
        let (_, found) = error.split_once("\nhelp: ").expect("a help");
        assert!(found.contains(help), "{error}");
    }
}

#[tokio::test]
async fn what_is_passed_to_another_process_is_left_alone() {
    let (listener, _) = bound();
    let variables = [("LISTEN_PID", "1")];
    let text = settings(NOWHERE, "");
    let program = Program::run_passed(&text, vec![listener.into()], &variables).await;
    program.stop().await;
}

#[tokio::test]
async fn a_passed_listener_that_a_reload_removes_can_come_back() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let (tcp, address) = bound();
    let unix = UnixListener::bind(&path).unwrap();
    let admin = format!("[admin]\naddress = \"unix:{}\"", path.display());
    let with = settings(echo.url(), &admin).replace("127.0.0.1:0", &address);
    let without = settings(echo.url(), "");
    let sockets: Vec<OwnedFd> = vec![tcp.into(), unix.into()];
    let program = Program::run_passed(&with, sockets, &[]).await;
    let mut socket = Socket::open(&address, "/ws/").await;
    let held =
        "the process that passed this socket still holds it open: no process accepts its clients";

    program.rewrite(&without);
    program.signal(rustix::process::Signal::HUP);
    assert_eq!(program.event(held).await["address"], address);
    let admin_held = program.nth_event(1, held).await;
    assert_eq!(admin_held["address"], format!("unix:{}", path.display()));
    let waiting = Wire::connect(&address).await;

    program.rewrite(&with);
    program.signal(rustix::process::Signal::HUP);
    let opened = Socket::open_on(waiting, &address, "/ws/", &[]).await;
    opened.ok().unwrap().echoes("served after all").await;
    socket.echoes("still here").await;
    let mut wire = Wire::connect_unix(&path).await;
    wire.send("GET /readyz HTTP/1.1\r\nHost: gate.test\r\n\r\n")
        .await;
    assert_eq!(wire.response().await.status(), 200);
    socket.close().await;
    program.stop().await;
}

#[tokio::test]
async fn the_admin_interface_takes_its_socket_too() {
    let (listener, address) = bound();
    let admin = format!("[admin]\naddress = \"{address}\"");
    let text = settings(NOWHERE, &admin);
    let program = Program::run_passed(&text, vec![listener.into()], &[]).await;
    assert_eq!(ask(&address, "GET /readyz", "").await.status(), 200);
    program.stop().await;
}

#[tokio::test]
async fn settings_of_another_address_do_not_take_a_passed_port_over() {
    let (listener, address) = bound();
    let folder = tempfile::tempdir().unwrap();
    // Not told about it, and so it is in use.
    let text = settings_on(&address, NOWHERE);
    let child = spawn_passed(folder.path(), &text, Vec::new(), &[]);
    let output = soon("the program to end", child.wait_with_output()).await;
    assert_eq!(output.unwrap().status.code(), Some(2));
    drop(listener);
}
