//! Listeners on unix sockets.

use std::os::unix::net::UnixListener;

use crate::kit::{Echo, Program, Socket, Wire, finish, settings};

fn settings_on(socket: &str, server: &str) -> String {
    settings(server, "").replace("127.0.0.1:0", &format!("unix:{socket}"))
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_the_file_goes_with_the_program() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("gate.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists(), "nobody listens there, and the file stays");
    let text = settings_on(socket.to_str().unwrap(), echo.url());
    let program = Program::run(&text).await;
    assert_eq!(program.address, format!("unix:{}", socket.display()));
    let wire = Wire::connect_unix(&socket).await;
    let opened = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
    opened.ok().unwrap().echoes("over the file").await;
    assert_eq!(program.event("session open").await["client"], "127.0.0.1");
    program.stop().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_relative_path_begins_at_the_folder_of_the_settings() {
    let program = Program::run(&settings_on("gate.sock", "ws://127.0.0.1:1")).await;
    assert!(program.file("gate.sock").exists(), "{:?}", program.folder());
    program.stop().await;
}

#[tokio::test]
async fn a_socket_in_use_and_a_file_of_another_kind_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live.sock");
    let _listener = UnixListener::bind(&live).unwrap();
    let file = folder.path().join("precious.txt");
    std::fs::write(&file, "precious").unwrap();
    for (path, cause) in [
        (&live, "another process accepts connections there"),
        (&file, "the path is a file that is not a socket"),
        (
            &folder.path().join("nowhere/gate.sock"),
            "No such file or directory",
        ),
    ] {
        let listen = format!("unix:{}", path.display());
        let failed = finish(&["run", "--to", "ws://127.0.0.1:1", "--listen", &listen]).await;
        assert_eq!(failed.code, Some(2), "{failed:?}");
        let error = format!("error: cannot listen on {listen}: {cause}");
        assert!(failed.stderr.contains(&error), "{}", failed.stderr);
        assert!(failed.stderr.contains("\nhelp: "), "{}", failed.stderr);
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "precious");
    assert!(live.exists());
}
