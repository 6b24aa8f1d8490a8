use std::error::Error;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use super::*;

fn bind_all(listen: &[Listen]) -> Result<Vec<Listener>, BindError> {
    bind(listen, &PassedSockets::default(), |_| true)
}

fn tcp(address: &str) -> Listen {
    ListenAddress::Tcp(address.parse().unwrap()).into()
}

fn unix(path: &Path) -> Listen {
    ListenAddress::Unix(path.to_owned()).into()
}

#[test]
fn port_0_is_told_as_the_port_that_it_became() {
    let listeners = bind_all(&[tcp("127.0.0.1:0")]).unwrap();
    let address = listeners[0].address.tcp().unwrap();
    assert_ne!(address.port(), 0);
    TcpStream::connect(address).unwrap();
}

#[test]
fn a_taken_port_is_an_error_that_says_which_and_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = bind_all(&[tcp("127.0.0.1:0"), tcp(&address)]).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {address}"));
    assert!(error.source().unwrap().to_string().contains("in use"));
    assert!(error.help().unwrap().contains("another address"));
}

#[test]
fn every_ipv6_address_is_every_ipv4_address_too() {
    let Ok(listeners) = bind_all(&[tcp("[::]:0")]) else {
        return; // No IPv6 on this machine.
    };
    let port = listeners[0].address.tcp().unwrap().port();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
}

#[test]
fn ipv4_and_ipv6_share_a_port_where_both_are_asked_for() {
    let port = TcpListener::bind("0.0.0.0:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    if RawSocket::new(Domain::IPV6, Type::STREAM, None).is_err() {
        return; // No IPv6 on this machine.
    }
    let both = [
        tcp(&format!("[::]:{port}")),
        tcp(&format!("0.0.0.0:{port}")),
    ];
    assert_eq!(bind_all(&both).unwrap().len(), 2);
}

#[test]
fn a_unix_socket_comes_and_goes_with_its_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let listeners = bind_all(&[unix(&path)]).unwrap();
    assert_eq!(
        listeners[0].address.to_string(),
        format!("unix:{}", path.display())
    );
    UnixStream::connect(&path).unwrap();
    drop(listeners);
    assert!(!path.exists());
}

#[test]
fn a_socket_left_behind_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    bind_all(&[unix(&path)]).unwrap();
}

#[test]
fn a_socket_in_use_and_a_file_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let used = folder.path().join("used.sock");
    let _listener = UnixListener::bind(&used).unwrap();
    let error = bind_all(&[unix(&used)]).unwrap_err();
    assert!(matches!(error.cause, BindCause::InUse), "{error:?}");
    UnixStream::connect(&used).unwrap();

    let file = folder.path().join("precious");
    fs::write(&file, "content").unwrap();
    let error = bind_all(&[unix(&file)]).unwrap_err();
    assert!(matches!(error.cause, BindCause::NotASocket), "{error:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "content");
}

#[test]
fn a_successor_at_the_same_path_keeps_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let first = bind_all(&[unix(&path)]).unwrap();
    fs::remove_file(&path).unwrap();
    let second = UnixListener::bind(&path).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
}

#[test]
fn what_is_not_wanted_is_left_alone() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = tcp(&taken.local_addr().unwrap().to_string());
    let wanted = [taken.clone(), tcp("127.0.0.1:0")];
    let passed = PassedSockets::default();
    let listeners = bind(&wanted, &passed, |address| *address != taken.address).unwrap();
    let settings: Vec<_> = listeners.iter().map(|bound| &bound.setting).collect();
    assert_eq!(settings, [&wanted[1].address]);
}

#[test]
fn only_an_ipv4_listener_of_its_port_takes_ipv4_from_all_of_ipv6() {
    for (other, expected) in [
        ("0.0.0.0:80", true),
        ("127.0.0.1:80", true),
        ("0.0.0.0:81", false),
        ("[::1]:80", false),
    ] {
        let all = tcp("[::]:80");
        let both = [all.clone(), tcp(other)];
        assert_eq!(only_v6(&all.address, &both), expected, "{other}");
    }
}
