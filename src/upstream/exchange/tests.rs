use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use super::super::pool::Pool;
use super::super::proxy_header::ProxiedConnection;
use super::*;
use crate::config::{
    Balance, SentProxyProtocol, ServerAddress, Upstream, UpstreamHttp, UpstreamServer,
};
use crate::transport::Transport;

const LIMIT: Duration = Duration::from_secs(5);

const REQUEST: &str = "GET /chat?room=%20a&b HTTP/1.1\r\n\
    host: chat.example.com\r\n\
    connection: Upgrade\r\n\
    upgrade: websocket\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn request() -> Request<Empty<Bytes>> {
    Request::get("/chat?room=%20a&b")
        .version(Version::HTTP_2)
        .header("host", "chat.example.com")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(Empty::new())
        .unwrap()
}

async fn read_request(server: &mut (impl AsyncReadExt + Unpin)) {
    let mut head = [0; REQUEST.len()];
    server.read_exact(&mut head).await.unwrap();
    assert_eq!(str::from_utf8(&head).unwrap(), REQUEST);
}

/// Asks a server that reads the request, says `script` and hangs up.
/// The exchange within a time, with heads of 16 KiB.
async fn ask_within<T>(
    limit: Duration,
    socket: T,
    request: Request<Empty<Bytes>>,
) -> Result<UpstreamResponse<T>, ExchangeError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let asked = timeout(limit, ask(socket, request, HEAD_SIZE)).await;
    asked.unwrap_or(Err(ExchangeError::Timeout))
}

async fn ask_script(
    script: impl AsRef<[u8]>,
) -> Result<UpstreamResponse<DuplexStream>, ExchangeError> {
    let (gate, mut server) = duplex(1024);
    let serve = async move {
        read_request(&mut server).await;
        // An answer that is not read to its end is what some of the scripts are about.
        let _ = server.write_all(script.as_ref()).await;
    };
    tokio::join!(ask_within(LIMIT, gate, request()), serve).0
}

fn refused(answer: UpstreamResponse<DuplexStream>) -> (http::response::Parts, Option<Bytes>) {
    match answer {
        UpstreamResponse::Refused { parts, body } => (parts, body),
        UpstreamResponse::Accepted { .. } => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn the_request_goes_out_as_it_stands_and_nothing_else() {
    let (gate, mut server) = duplex(1024);
    let serve = async {
        read_request(&mut server).await;
        server.write_all(SWITCHING.as_bytes()).await.unwrap();
    };
    let (answer, ()) = tokio::join!(ask_within(LIMIT, gate, request()), serve);
    drop(answer.unwrap());
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_101_gives_the_socket_and_what_came_behind_the_head() {
    for early in ["", "\u{1}\u{2}early frames"] {
        let (gate, mut server) = duplex(1024);
        let serve = async {
            read_request(&mut server).await;
            let answer = format!("{SWITCHING}{early}");
            server.write_all(answer.as_bytes()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(ask_within(LIMIT, gate, request()), serve);
        let UpstreamResponse::Accepted {
            parts,
            mut transport,
            early: received,
        } = answer.unwrap()
        else {
            panic!("not switching");
        };
        assert_eq!(parts.status, StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(parts.headers["upgrade"], "websocket");
        assert_eq!(received, early);
        transport.write_all(b"up").await.unwrap();
        server.write_all(b"down").await.unwrap();
        let (mut up, mut down) = ([0; 2], [0; 4]);
        server.read_exact(&mut up).await.unwrap();
        transport.read_exact(&mut down).await.unwrap();
        assert_eq!((&up, &down), (b"up", b"down"));
    }
}

#[tokio::test]
async fn interim_answers_are_skipped() {
    let script = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{SWITCHING}x"
    );
    let answer = ask_script(script).await.unwrap();
    let UpstreamResponse::Accepted { parts, early, .. } = answer else {
        panic!("{answer:?}");
    };
    assert!(!parts.headers.contains_key("link"));
    assert_eq!(early, "x");
}

#[tokio::test]
async fn a_wrong_answer_is_refused_by_what_is_wrong_with_it() {
    use Rejection::{UpstreamBadResponse, UpstreamNot101, UpstreamReset};
    let large = "x".repeat(HEAD_SIZE);
    let many = "a: b\r\n".repeat(101);
    for (script, expected) in [
        (String::new(), UpstreamReset),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpg".into(),
            UpstreamReset,
        ),
        ("HTTP/1.1 100 Continue\r\n\r\n".into(), UpstreamReset),
        (
            "HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nno".into(),
            UpstreamReset,
        ),
        ("SSH-2.0-OpenSSH_9.9\r\n".into(), UpstreamBadResponse),
        ("<html>no head</html>".into(), UpstreamBadResponse),
        ("\0\u{1}\u{2}\u{3}".into(), UpstreamBadResponse),
        (
            "HTTP/2.0 101 Switching Protocols\r\n\r\n".into(),
            UpstreamBadResponse,
        ),
        (SWITCHING.replacen("1.1", "1.0", 1), UpstreamBadResponse),
        (
            format!("HTTP/1.1 101 Ok\r\nA: {large}\r\n\r\n"),
            UpstreamBadResponse,
        ),
        (
            format!("HTTP/1.1 101 Ok\r\nA: {large}"),
            UpstreamBadResponse,
        ),
        (
            format!("HTTP/1.1 101 Ok\r\n{many}\r\n"),
            UpstreamBadResponse,
        ),
        (
            "HTTP/1.1 101 Ok\r\nno colon\r\n\r\n".into(),
            UpstreamBadResponse,
        ),
        (
            "HTTP/1.1 403 No\r\nContent-Length: x\r\n\r\n".into(),
            UpstreamBadResponse,
        ),
        (
            "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\nno".into(),
            UpstreamBadResponse,
        ),
        (
            "HTTP/1.1 403 No\r\nTransfer-Encoding: gzip\r\n\r\nno".into(),
            UpstreamBadResponse,
        ),
        (
            "HTTP/1.1 403 No\r\nContent-Length: 2, 2\r\n\r\nno".into(),
            UpstreamBadResponse,
        ),
        (
            "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\n\r\n".into(),
            UpstreamNot101,
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n".into(), UpstreamNot101),
        ("HTTP/1.1 304 Not Modified\r\n\r\n".into(), UpstreamNot101),
        ("HTTP/1.1 999 What\r\n\r\n".into(), UpstreamNot101),
    ] {
        let shown = &script[..script.len().min(60)];
        let error = ask_script(&script).await.expect_err(shown);
        assert_eq!(error.rejection(), expected, "{shown:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_first_is_not_http() {
    let (gate, mut server) = duplex(1024);
    server.write_all(b"220 mail.example.com\r\n").await.unwrap();
    let error = ask_within(LIMIT, gate, request()).await.unwrap_err();
    assert_eq!(error.rejection(), Rejection::UpstreamBadResponse);
}

#[tokio::test]
async fn a_server_that_hangs_up_at_once_reset() {
    let (gate, server) = duplex(1024);
    drop(server);
    let error = ask_within(LIMIT, gate, request()).await.unwrap_err();
    assert_eq!(error.rejection(), Rejection::UpstreamReset, "{error:?}");
}

#[tokio::test]
async fn endless_interim_answers_are_cut_off() {
    let (gate, mut server) = duplex(64);
    let serve = async move {
        read_request(&mut server).await;
        let mut written = 0;
        let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n";
        while server.write_all(interim).await.is_ok() {
            written += interim.len();
        }
        written
    };
    let (answer, written) = tokio::join!(ask_within(LIMIT, gate, request()), serve);
    let error = answer.unwrap_err();
    assert_eq!(error.rejection(), Rejection::UpstreamBadResponse);
    assert!(written < 40 * 1024, "{written}");
}

#[tokio::test]
async fn a_refusal_comes_with_its_body() {
    for (head, body) in [
        ("Content-Length: 2", "no"),
        (
            "Transfer-Encoding: chunked",
            "1\r\nn\r\n1\r\no\r\n0\r\n\r\n",
        ),
        ("X: to the end", "no"),
    ] {
        let script =
            format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n{head}\r\n\r\n{body}");
        let (parts, body) = refused(ask_script(script).await.unwrap());
        assert_eq!(parts.status, StatusCode::UNAUTHORIZED);
        assert_eq!(parts.headers["www-authenticate"], "Basic");
        assert!(!parts.headers.contains_key("content-length"));
        assert!(!parts.headers.contains_key("transfer-encoding"));
        assert_eq!(body.unwrap(), "no");
    }
}

#[tokio::test]
async fn a_refusal_has_its_whole_body_or_none() {
    for length in [BODY_SIZE - 1, BODY_SIZE, BODY_SIZE + 1, 4 * BODY_SIZE] {
        let body = "x".repeat(length);
        let one = format!("HTTP/1.1 503 Full\r\nContent-Length: {length}\r\n\r\n{body}");
        let chunks = "1\r\nx\r\n".repeat(length);
        let other =
            format!("HTTP/1.1 503 Full\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
        for script in [one, other] {
            let (_, body) = refused(ask_script(script).await.unwrap());
            let whole = (length <= BODY_SIZE).then_some(length);
            assert_eq!(body.map(|body| body.len()), whole);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_in_time_is_a_time_out() {
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100);
    let body = format!(
        "HTTP/1.1 403 No\r\nContent-Length: 1000\r\n\r\n{}",
        "x".repeat(1000)
    );
    // Nothing at all; then what comes byte by byte: a head, interim answers, a body.
    for (script, fast) in [("", 0), (SWITCHING, 0), (&*interim, 0), (&*body, 45)] {
        let (gate, mut server) = duplex(1024);
        let serve = async {
            read_request(&mut server).await;
            let (fast, slow) = script.as_bytes().split_at(fast);
            server.write_all(fast).await.unwrap();
            for byte in slow {
                server.write_all(&[*byte]).await.unwrap();
                sleep(Duration::from_millis(100)).await;
            }
            std::future::pending::<()>().await;
        };
        let started = Instant::now();
        let error = tokio::select! {
            answer = ask_within(LIMIT, gate, request()) => answer.unwrap_err(),
            () = serve => unreachable!(),
        };
        assert_eq!(error.rejection(), Rejection::UpstreamTimeout, "{script:?}");
        assert_eq!(started.elapsed().as_secs(), LIMIT.as_secs());
        // The server sees the connection close.
        assert!(server.write_all(b"x").await.is_err());
    }
}

fn pool_of(address: ServerAddress) -> Pool {
    Pool::for_tests(Arc::new(Upstream {
        name: "chat".into(),
        servers: vec![UpstreamServer {
            name: "ws://server".into(),
            address,
            is_tls: false,
            base_path: String::new(),
            weight: 1,
        }],
        http: UpstreamHttp::H1,
        balance: Balance::default(),
        connect_timeout: LIMIT,
        handshake_timeout: LIMIT,
        retries: crate::config::Retries::AtMost(0),
        head_size: 16 * 1024,
        retry_timeout: Duration::from_secs(10),
        passive: crate::config::Passive::default(),
        tls: None,
        max_connections: None,
        proxy_protocol: SentProxyProtocol::Off,
    }))
}

/// A pool of one TCP server, and that server's listener.
async fn tcp_pool() -> (Pool, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let pool = pool_of(ServerAddress::Tcp {
        host: address.ip().to_string(),
        port: address.port(),
    });
    (pool, listener)
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn connect_and_ask(pool: &Pool) -> Result<UpstreamResponse, Rejection> {
    let connected = assert_send(pool.connect(CLIENT, ProxiedConnection::default())).await;
    let connected = connected.map_err(|unserved| unserved.rejection)?;
    let answer = exchange(&connected.lease, connected.connection, request());
    assert_send(answer).await.map_err(|failure| match failure {
        ExchangeFailure::Failed(unserved) => unserved.rejection,
        ExchangeFailure::Unprocessed(error) => error.rejection(),
    })
}

#[tokio::test]
async fn a_tcp_socket_comes_back_bare() {
    let (pool, listener) = tcp_pool().await;
    let serve = async {
        let (mut server, _) = listener.accept().await.unwrap();
        read_request(&mut server).await;
        server.write_all(SWITCHING.as_bytes()).await.unwrap();
        server
    };
    let (answer, _server) = tokio::join!(connect_and_ask(&pool), serve);
    let answer = answer.unwrap();
    assert!(
        matches!(
            answer,
            UpstreamResponse::Accepted {
                transport: Transport::Tcp(_),
                ..
            }
        ),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_reset_connection_is_a_reset() {
    let (pool, listener) = tcp_pool().await;
    let serve = async {
        let (mut server, _) = listener.accept().await.unwrap();
        read_request(&mut server).await;
        server.set_zero_linger().unwrap();
    };
    let (answer, ()) = tokio::join!(connect_and_ask(&pool), serve);
    assert_eq!(answer.unwrap_err(), Rejection::UpstreamReset);
}

#[tokio::test]
async fn what_is_left_of_a_refusal_never_reaches_the_next_client() {
    let (pool, listener) = tcp_pool().await;
    let serve = async {
        let (mut first, _) = listener.accept().await.unwrap();
        read_request(&mut first).await;
        // The answer to the first, and one that waits for the next client.
        let answers = format!("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n{SWITCHING}canary");
        first.write_all(answers.as_bytes()).await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        read_request(&mut second).await;
        second.write_all(SWITCHING.as_bytes()).await.unwrap();
        second
    };
    let ask = async {
        let refused = connect_and_ask(&pool).await.unwrap();
        assert!(
            matches!(refused, UpstreamResponse::Refused { .. }),
            "{refused:?}"
        );
        connect_and_ask(&pool).await.unwrap()
    };
    let (answer, _second) = tokio::join!(ask, serve);
    let UpstreamResponse::Accepted { early, .. } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(early, "");
}

#[tokio::test]
async fn a_server_may_have_more_headers_where_its_head_may_be_larger() {
    let mut script = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n".to_owned();
    for number in 0..300 {
        script += &format!("x-{number}: {}\r\n", "x".repeat(60));
    }
    script += "\r\n";
    for (head_size, fits) in [(16 * 1024, false), (64 * 1024, true)] {
        let (gate, mut server) = duplex(1 << 20);
        let serve = async {
            read_request(&mut server).await;
            server.write_all(script.as_bytes()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(ask(gate, request(), head_size), serve);
        assert_eq!(answer.is_ok(), fits, "{head_size}: {answer:?}");
    }
}
