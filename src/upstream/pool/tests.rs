use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Barrier;
use std::time::Duration;

use tokio::net::UnixListener;

use super::super::dial::Connected;
use super::super::socket::tests::server;
use super::*;
use crate::config::{Balance, Passive, Retries, SentProxyProtocol, UpstreamHttp};
use crate::transport::race_tests::{refusing, swallowing};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An upstream whose servers are sockets in `folder`; a weight of 1 each.
fn upstream(folder: &std::path::Path, servers: &[&str]) -> Upstream {
    let server = |name: &&str| UpstreamServer {
        name: (*name).into(),
        address: ServerAddress::Unix(folder.join(name)),
        is_tls: false,
        base_path: format!("/{name}"),
        weight: 1,
    };
    Upstream {
        name: "chat".into(),
        servers: servers.iter().map(server).collect(),
        balance: Balance::RoundRobin,
        http: UpstreamHttp::H1,
        connect_timeout: Duration::from_secs(3),
        handshake_timeout: Duration::from_secs(5),
        retries: Retries::AtMost(0),
        head_size: 16 * 1024,
        retry_timeout: Duration::from_secs(10),
        max_connections: None,
        proxy_protocol: SentProxyProtocol::Off,
        passive: Passive::default(),
        tls: None,
    }
}

fn nowhere(servers: &[&str]) -> Upstream {
    upstream(&PathBuf::from("/nowhere"), servers)
}

fn sessions(pool: &Pool) -> Vec<u32> {
    let live = pool.inner.live.iter();
    live.map(|live| live.load(Instant::now()).in_use).collect()
}

#[test]
fn a_lease_holds_its_place_until_dropped() {
    let pool = Pool::for_tests(Arc::new(nowhere(&["a", "b"])));
    let one = pool.lease(CLIENT, &[]).unwrap();
    let two = pool.lease(CLIENT, &[]).unwrap();
    assert_eq!(sessions(&pool), [1, 1]);
    assert_eq!((&**one.server(), one.base_path()), ("a", "/a"));
    assert_eq!(*two.address(), ServerAddress::Unix("/nowhere/b".into()));
    assert_eq!(&*two.upstream().name, "chat");
    drop(one);
    assert_eq!(sessions(&pool), [0, 1]);
}

#[test]
fn a_full_pool_says_so_and_a_given_back_place_is_free() {
    let mut settings = nowhere(&["a", "b"]);
    settings.max_connections = Some(2);
    let pool = Pool::for_tests(Arc::new(settings));
    let mut leases: Vec<_> = (0..4).map(|_| pool.lease(CLIENT, &[]).unwrap()).collect();
    assert_eq!(
        pool.lease(CLIENT, &[]).unwrap_err(),
        Rejection::UpstreamFull
    );
    let given_back = leases.remove(1).server().clone();
    assert_eq!(*pool.lease(CLIENT, &[]).unwrap().server(), given_back);
}

#[test]
fn a_client_falls_to_its_next_server_and_comes_back() {
    let mut settings = nowhere(&["a", "b", "c"]);
    settings.balance = Balance::IpHash;
    settings.max_connections = Some(1);
    let pool = Pool::for_tests(Arc::new(settings));
    let first = pool.lease(CLIENT, &[]).unwrap();
    let second = pool.lease(CLIENT, &[]).unwrap();
    let third = pool.lease(CLIENT, &[second.server]).unwrap();
    assert_ne!(first.server, second.server);
    assert_ne!(second.server, third.server);
    let own = first.server;
    drop((first, second));
    assert_eq!(pool.lease(CLIENT, &[]).unwrap().server, own);
}

#[test]
fn a_server_that_was_tried_is_passed_over() {
    for balance in ALL {
        let mut settings = nowhere(&["a", "b", "c"]);
        settings.balance = balance;
        let pool = Pool::for_tests(Arc::new(settings));
        for _ in 0..20 {
            assert_eq!(pool.lease(CLIENT, &[0, 2]).unwrap().server, 1);
        }
        let none_left = pool.lease(CLIENT, &[0, 1, 2]).unwrap_err();
        assert_eq!(none_left, Rejection::UpstreamFull);
    }
}

#[test]
fn a_drained_server_is_passed_over_until_it_is_taken_back() {
    for balance in ALL {
        let mut settings = nowhere(&["a", "b", "c"]);
        settings.balance = balance;
        settings.max_connections = Some(30);
        let pool = Pool::for_tests(Arc::new(settings));
        let held = pool.lease(CLIENT, &[1, 2]).unwrap();
        assert!(!held.is_draining());
        pool.set_draining("a", true);
        pool.set_draining("c", true);
        assert!(held.is_draining());
        let _full: Vec<_> = (0..30).map(|_| pool.lease(CLIENT, &[]).unwrap()).collect();
        assert_eq!(sessions(&pool), [1, 30, 0]);
        // It is full, and would take others.
        assert_eq!(
            pool.lease(CLIENT, &[]).unwrap_err(),
            Rejection::UpstreamFull
        );
        pool.set_draining("b", true);
        assert_eq!(
            pool.lease(CLIENT, &[]).unwrap_err(),
            Rejection::UpstreamDraining
        );
        pool.set_draining("a", false);
        assert_eq!(pool.lease(CLIENT, &[]).unwrap().server, 0);
    }
}

#[test]
fn a_server_that_stays_stays_drained() {
    let pool = Pool::for_tests(Arc::new(nowhere(&["a", "b", "a"])));
    pool.set_draining("a", true);
    let drained =
        |pool: &Pool| -> Vec<bool> { pool.servers().map(|(_, load)| load.draining).collect() };
    assert_eq!(drained(&pool), [true, false, true]);
    let renewed = pool.renewed(&Arc::new(nowhere(&["c", "b", "a"])));
    assert_eq!(drained(&renewed), [false, false, true]);
    // A handshake that has the old settings sees what holds for the new.
    renewed.set_draining("a", false);
    assert_eq!(pool.lease(CLIENT, &[1, 2]).unwrap().server, 0);
}

#[test]
fn a_drained_server_that_stands_there_once_more_is_drained_there_too() {
    let pool = Pool::for_tests(Arc::new(nowhere(&["a", "b"])));
    pool.set_draining("a", true);
    let renewed = pool.renewed(&Arc::new(nowhere(&["a", "b", "a", "c"])));
    let drained = renewed.servers().map(|(_, load)| load.draining);
    assert_eq!(drained.collect::<Vec<_>>(), [true, false, true, false]);
}

#[test]
fn the_limit_holds_when_many_take_at_once() {
    const THREADS: usize = 8;
    const TAKES: usize = 50;
    for balance in [Balance::LeastConnections, Balance::RandomTwo] {
        let mut settings = nowhere(&["a", "b", "c"]);
        settings.balance = balance;
        settings.max_connections = Some(60);
        let pool = Pool::for_tests(Arc::new(settings));
        let barrier = Barrier::new(THREADS);
        let take = || -> Vec<Lease> {
            barrier.wait();
            let leases = (0..TAKES).map(|_| pool.lease(CLIENT, &[]));
            leases.filter_map(Result::ok).collect()
        };
        let leases: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(take)).collect();
            let taken = threads.into_iter().map(|thread| thread.join().unwrap());
            taken.flatten().collect()
        });
        // More was asked for than there is, and each place was given exactly once.
        assert_eq!(sessions(&pool), [60, 60, 60]);
        assert_eq!(leases.len(), 180);
        drop(leases);
        assert_eq!(sessions(&pool), [0, 0, 0]);
    }
}

#[tokio::test]
async fn a_connection_comes_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("a")).unwrap();
    let pool = Pool::for_tests(Arc::new(upstream(folder.path(), &["a"])));
    let connected = pool
        .connect(CLIENT, ProxiedConnection::default())
        .await
        .unwrap();
    listener.accept().await.unwrap();
    assert_eq!(sessions(&pool), [1]);
    drop(connected);
    assert_eq!(sessions(&pool), [0]);
}

#[tokio::test]
async fn other_servers_are_tried_as_often_as_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let _listener = UnixListener::bind(folder.path().join("c")).unwrap();
    for (retries, expected) in [
        (Retries::AtMost(0), Err(Rejection::UpstreamRefused)),
        (Retries::AtMost(1), Err(Rejection::UpstreamRefused)),
        (Retries::AtMost(2), Ok("c")),
        (Retries::AtMost(9), Ok("c")),
        (Retries::All, Ok("c")),
    ] {
        let mut settings = upstream(folder.path(), &["a", "b", "c"]);
        settings.retries = retries;
        let pool = Pool::for_tests(Arc::new(settings));
        let result = connect(&pool).await;
        let server = result.as_ref().map(|connected| &**connected.lease.server());
        assert_eq!(server, expected.as_ref().copied(), "{retries:?}");
        // A failed connect gives its place back.
        drop(result);
        assert_eq!(sessions(&pool), [0, 0, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_cause_is_told_when_every_server_failed() {
    let (_held, refusing) = refusing();
    let (_full, swallowing) = swallowing().await;
    for (addresses, expected) in [
        ([refusing, swallowing], Rejection::UpstreamTimeout),
        ([swallowing, refusing], Rejection::UpstreamRefused),
    ] {
        let mut settings = nowhere(&["a", "b"]);
        settings.retries = Retries::All;
        for (one, address) in settings.servers.iter_mut().zip(addresses) {
            one.address = server(address);
        }
        let pool = Pool::for_tests(Arc::new(settings));
        assert_eq!(connect(&pool).await.unwrap_err(), expected);
    }
}

const ALL: [Balance; 4] = [
    Balance::LeastConnections,
    Balance::RoundRobin,
    Balance::RandomTwo,
    Balance::IpHash,
];

/// Clients of so many addresses.
fn clients(count: u32) -> impl Iterator<Item = IpAddr> {
    (0..count).map(|host| Ipv4Addr::from(0x0a00_0000 + host).into())
}

#[tokio::test(start_paused = true)]
async fn one_server_of_a_pool_is_enough_whatever_the_balance() {
    let folder = tempfile::tempdir().unwrap();
    let _alive = UnixListener::bind(folder.path().join("c")).unwrap();
    for balance in ALL {
        let mut settings = upstream(folder.path(), &["a", "b", "c"]);
        settings.balance = balance;
        settings.retries = Retries::All;
        let pool = Pool::for_tests(Arc::new(settings));
        let mut held = Vec::new();
        for client in clients(120) {
            let connected = pool.connect(client, ProxiedConnection::default()).await;
            held.push(connected.unwrap_or_else(|error| panic!("{balance:?}: {error:?}")));
        }
        assert_eq!(sessions(&pool), [0, 0, 120], "{balance:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_failed_is_tried_last_until_one_try_has_succeeded() {
    let folder = tempfile::tempdir().unwrap();
    let _alive = UnixListener::bind(folder.path().join("b")).unwrap();
    for balance in ALL {
        let mut settings = upstream(folder.path(), &["a", "b"]);
        settings.balance = balance;
        settings.retries = Retries::All;
        let pool = Pool::for_tests(Arc::new(settings));
        let failing = || {
            pool.servers()
                .map(|(_, load)| load.failing)
                .collect::<Vec<_>>()
        };
        while failing() != [true, false] {
            drop(
                pool.connect(CLIENT, ProxiedConnection::default())
                    .await
                    .unwrap(),
            );
            drop(
                pool.connect(IpAddr::from([10, 0, 0, 9]), ProxiedConnection::default())
                    .await
                    .unwrap(),
            );
        }
        for client in clients(20) {
            let lease = pool.place(client).unwrap();
            assert_eq!(&**lease.server(), "b", "{balance:?}");
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(failing(), [false, false], "{balance:?}");
        // One handshake tries it, and the others do not wait for that.
        let tried: Vec<_> = clients(200)
            .map(|client| pool.place(client).unwrap())
            .collect();
        assert_eq!(sessions(&pool), [1, 199], "{balance:?}");
        let trying = tried.iter().find(|lease| &**lease.server() == "a");
        trying.unwrap().note_answer();
        assert_eq!(failing(), [false, false], "{balance:?}");
    }
}

#[test]
fn if_every_server_has_failed_all_are_tried() {
    let pool = Pool::for_tests(Arc::new(nowhere(&["a", "b"])));
    for _ in 0..2 {
        let lease = pool.lease(CLIENT, &[]).unwrap();
        lease.at_fault(Rejection::UpstreamReset, ServerFailure::Handshake, None);
    }
    let leases: Vec<_> = (0..4).map(|_| pool.lease(CLIENT, &[]).unwrap()).collect();
    assert_eq!(sessions(&pool), [2, 2]);
    drop(leases);
}

#[test]
fn a_full_server_leaves_its_sessions_to_one_that_failed() {
    let mut settings = nowhere(&["a", "b"]);
    settings.max_connections = Some(1);
    let pool = Pool::for_tests(Arc::new(settings));
    let failed = pool.lease(CLIENT, &[1]).unwrap();
    failed.at_fault(Rejection::UpstreamRefused, ServerFailure::Connect, None);
    drop(failed);
    let _first = pool.lease(CLIENT, &[]).unwrap();
    assert_eq!(&**pool.lease(CLIENT, &[]).unwrap().server(), "a");
}

#[test]
fn a_plain_request_that_fails_says_nothing_of_the_server() {
    let pool = Pool::for_tests(Arc::new(nowhere(&["a", "b"])));
    let lease = pool.lease(CLIENT, &[1]).unwrap();
    for failure in [ServerFailure::Plain, ServerFailure::NotAttempted] {
        lease.at_fault(Rejection::UpstreamReset, failure, None);
    }
    assert!(pool.servers().all(|(_, load)| !load.failing));
}

#[tokio::test(start_paused = true)]
async fn no_other_server_is_tried_after_the_time_for_retries() {
    let (_full, one) = swallowing().await;
    let (_full_too, other) = swallowing().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let alive = listener.local_addr().unwrap();
    for (seconds, expected, elapsed) in [(4, Err(Rejection::UpstreamTimeout), 6), (7, Ok(()), 6)] {
        let mut settings = nowhere(&["a", "b", "c"]);
        settings.retries = Retries::All;
        settings.retry_timeout = Duration::from_secs(seconds);
        for (one, address) in settings.servers.iter_mut().zip([one, other, alive]) {
            one.address = server(address);
        }
        let pool = Pool::for_tests(Arc::new(settings));
        let started = Instant::now();
        let connected = connect(&pool).await.map(drop);
        assert_eq!(connected, expected, "{seconds} s");
        assert_eq!(started.elapsed().as_secs(), elapsed, "{seconds} s");
    }
}

#[tokio::test]
async fn a_full_pool_is_not_dialled() {
    let mut settings = nowhere(&["a"]);
    settings.max_connections = Some(1);
    let pool = Pool::for_tests(Arc::new(settings));
    let _lease = pool.lease(CLIENT, &[]).unwrap();
    let error = connect(&pool).await.unwrap_err();
    assert_eq!(error, Rejection::UpstreamFull);
}

#[test]
fn servers_that_stay_keep_their_counts_and_a_removed_one_takes_its_lease_back() {
    let pool = Pool::for_tests(Arc::new(nowhere(&["a", "b", "c"])));
    let leases: Vec<_> = (0..4).map(|_| pool.lease(CLIENT, &[]).unwrap()).collect();
    assert_eq!(sessions(&pool), [2, 1, 1]);
    let renewed = pool.renewed(&Arc::new(nowhere(&["d", "c", "a"])));
    assert_eq!(sessions(&renewed), [0, 1, 2]);
    let new = renewed.lease(CLIENT, &[1, 2]).unwrap();
    assert_eq!(&**new.server(), "d");
    drop(leases);
    assert_eq!(sessions(&renewed), [1, 0, 0]);
    assert_eq!(sessions(&pool), [0, 0, 0]);
}

#[test]
fn a_name_that_stands_twice_takes_over_twice() {
    let pool = Pool::for_tests(Arc::new(nowhere(&["a", "a"])));
    let _leases: Vec<_> = (0..3).map(|_| pool.lease(CLIENT, &[]).unwrap()).collect();
    assert_eq!(sessions(&pool), [2, 1]);
    let renewed = pool.renewed(&Arc::new(nowhere(&["a", "b", "a"])));
    assert_eq!(sessions(&renewed), [2, 0, 1]);
}

#[test]
fn the_same_settings_are_the_same_pool() {
    let pool = Pool::for_tests(Arc::new(nowhere(&["a"])));
    let same = pool.renewed(&Arc::new(nowhere(&["a"])));
    assert!(Arc::ptr_eq(&pool.inner, &same.inner));
}

async fn connect(pool: &Pool) -> Result<Connected, Rejection> {
    let connected = pool.connect(CLIENT, ProxiedConnection::default()).await;
    connected.map_err(|unserved| unserved.rejection)
}
