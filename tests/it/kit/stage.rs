//! A gate under attack, and whether it stands afterwards.

use serde_json::Value;
use tokio::time::timeout;

use super::account::Account;
use super::served::Served;
use super::vitals::Vitals;
use super::{AT_ONCE, Echo, Frame, Head, Host, Program, Request, Upstream, Wire, switching};

/// A gate, with an upstream that does what the case says behind `/ws/*`, and an honest one behind
/// `/echo` for everybody else.
pub(crate) struct Stage {
    pub(super) served: Served,
    pub(crate) upstream: Upstream,
    pub(super) account: Account,
    pub(super) lines: usize,
    before: Option<Vitals>,
    _echo: Echo,
}

/// In every query, cookie, token and payload that the cases send, and never in a log.
pub(crate) const CANARY: &str = "c4nary";

/// In the settings of a stage whose listener speaks HTTP/2 as well.
pub(crate) const HTTP_2: &str = "# HTTP/2\n";

/// The memory of a process is that of its workers: this machine's cores are no part of a case.
const WORKERS: usize = 2;

/// The memory that an allocator may keep after a case, beyond what it had before.
const KEPT: usize = 8 * 1024 * 1024;

/// A case that has nothing to do with pings sees none, however long it takes.
const SILENT: &str = "[defaults.keepalive]\n\
                      client = { interval = \"0s\" }\nupstream = { interval = \"0s\" }\n";

impl Stage {
    /// The program with these lines in the route that is attacked.
    pub(crate) async fn set(route: &str) -> Self {
        Self::on(Host::Program, route).await
    }

    /// A gate in this host, with these lines in the route that is attacked.
    pub(crate) async fn on(host: Host, route: &str) -> Self {
        let upstream = Upstream::start().await;
        let pool = format!("servers = [\"{}\"]", upstream.url());
        Self::on_with(host, upstream, &pool, route, "").await
    }

    /// The program with these lines in the upstream's table as well, and more tables at the end.
    pub(crate) async fn set_with(upstream: Upstream, pool: &str, route: &str, more: &str) -> Self {
        Self::on_with(Host::Program, upstream, pool, route, more).await
    }

    /// A gate in this host with all of that.
    pub(crate) async fn on_with(
        host: Host,
        upstream: Upstream,
        pool: &str,
        route: &str,
        more: &str,
    ) -> Self {
        let echo = Echo::start().await;
        let (echo_url, address) = (echo.url(), "127.0.0.1:0");
        let drain = match more.contains("[drain]") {
            true => "",
            false => "[drain]\nspread = \"0s\"",
        };
        let workers = format!("[server]\nworkers = {WORKERS}\n");
        let more = match (more.contains("workers"), more.contains("[server]\n")) {
            (true, _) => more.to_owned(),
            (false, true) => more.replacen("[server]\n", &workers, 1),
            (false, false) => format!("{more}\n{workers}"),
        };
        let silent = match route.contains("keepalive") {
            true => "",
            false => SILENT,
        };
        let http = match more.contains(HTTP_2) {
            true => "http = [\"h1\", \"h2\"]\n",
            false => "",
        };
        let settings = format!(
            "[[listen]]\naddress = \"{address}\"\n{http}[admin]\naddress = \"{address}\"\n\
             [log]\nformat = \"json\"\n\
             [upstream.echo]\nservers = [\"{echo_url}\"]\n[upstream.attacked]\n{pool}\n\
             [[route]]\nname = \"echo\"\npath = \"/echo\"\nupstream = \"echo\"\n\
             [[route]]\nname = \"attacked\"\npath = \"/ws/*\"\nupstream = \"attacked\"\n{route}\n\
             {silent}{drain}\n{more}\n"
        );
        let mut stage = Self {
            served: Served::by(host, &settings).await,
            account: Account::default(),
            before: None,
            lines: 0,
            upstream,
            _echo: echo,
        };
        // What the first session makes the process open and take for good is not the case's doing.
        stage.serves_others().await;
        // The last that there is of it.
        let is_over = || {
            let lines = stage.served.lines();
            lines.iter().any(|line| line["message"] == "session closed")
        };
        stage.served.until("the end of a session", is_over).await;
        stage.account.at_first = stage.served.counts("echo").await;
        stage.account.forwarded_at_first = stage.served.forwarded("echo").await;
        stage.lines = stage.served.lines().len();
        stage.before = stage.served.vitals();
        stage
    }

    /// The program, in cases that are about it.
    #[track_caller]
    pub(crate) fn program(&self) -> &Program {
        match &self.served {
            Served::Program { program, .. } => program,
            Served::Plugin { .. } => panic!("a plugin serves"),
        }
    }

    #[track_caller]
    pub(crate) fn program_mut(&mut self) -> &mut Program {
        match &mut self.served {
            Served::Program { program, .. } => program,
            Served::Plugin { .. } => panic!("a plugin serves"),
        }
    }

    /// The same, where nothing more is asked of the stage.
    pub(crate) fn into_program(self) -> Program {
        match self.served {
            Served::Program { program, .. } => program,
            Served::Plugin { .. } => panic!("a plugin serves"),
        }
    }

    /// What the program takes of the machine by now.
    pub(crate) fn vitals(&self) -> Vitals {
        Vitals::of(self.program().id())
    }

    /// The most memory that the program ever took; a plugin's is the tests' own, and not looked at.
    pub(crate) fn peak(&self) -> usize {
        self.served.vitals().map_or(0, |vitals| vitals.peak)
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> &str {
        self.served.address()
    }

    /// A client's connection.
    pub(crate) async fn client(&self) -> Wire {
        Wire::connect(self.address()).await
    }

    /// A right handshake with secrets in it, for cases to spoil.
    pub(crate) fn handshake() -> Request {
        Request::websocket(&format!("/ws/room?token={CANARY}"))
            .header("Cookie", &format!("session={CANARY}"))
            .header("Authorization", &format!("Bearer {CANARY}"))
    }

    /// The same with one more line, as these bytes, behind the request line.
    pub(crate) fn handshake_with(line: impl AsRef<[u8]>) -> Vec<u8> {
        let text = Self::handshake().text();
        let (first, rest) = text.split_once("\r\n").expect("a request line");
        [first.as_bytes(), line.as_ref(), rest.as_bytes()].join(&b"\r\n"[..])
    }

    /// A session on the attacked route: the client's leg and the upstream's.
    pub(crate) async fn session(&mut self) -> (Wire, Wire) {
        self.session_with(&Self::handshake(), "").await
    }

    /// The same by this handshake, with these lines in the upstream's 101.
    pub(crate) async fn session_with(&mut self, request: &Request, lines: &str) -> (Wire, Wire) {
        let mut client = self.client().await;
        client.send(request.text()).await;
        let (mut server, asked) = self.upstream.request().await;
        server.send(switching(&asked, lines)).await;
        let answer = client.head().await;
        assert_eq!(answer.status(), 101, "{answer:?}");
        self.was_accepted();
        (client, server)
    }

    /// Sends a request that has to be refused: with this status, for this reason, with the end of
    /// its connection, and without a word to the upstream. Returns the answer's head.
    #[track_caller]
    pub(crate) fn refused<'a>(
        &'a mut self,
        what: &'a str,
        request: impl AsRef<[u8]> + 'a,
        status: u16,
        reason: &'a str,
    ) -> impl Future<Output = Head> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let mut client = self.client().await;
            let mut request = request.as_ref().to_vec();
            // What stands behind it in the same write is neither answered nor sent on.
            if request.ends_with(b"\r\n\r\n") {
                request.extend(Request::websocket("/ws/smuggled").text().bytes());
            }
            // It may be refused before it is whole.
            client.try_send(&request).await;
            let answer = client.head().await;
            assert_eq!(answer.status(), status, "{at}: {what}: {answer:#?}");
            match status {
                405 => answer.assert(&[("allow", "GET")]),
                426 => answer.assert(&[("sec-websocket-version", "13"), ("upgrade", "websocket")]),
                _ => answer.assert(&[("upgrade", ""), ("sec-websocket-version", "")]),
            }
            if !request.starts_with(b"HEAD") {
                let body = client.body(&answer).await;
                assert!(body.is_empty() || body.ends_with(b"\n"), "{at}: {what}");
            }
            let connection = answer.all("connection").join(",").to_lowercase();
            assert!(connection.contains("close"), "{at}: {what}: {answer:#?}");
            assert_eq!(client.end().await, b"", "{at}: {what}");
            assert!(self.upstream.untouched(), "{at}: {what}: it was dialled");
            // What is no HTTP is none of a plugin's: its host refuses that.
            if reason != "bad_request" || self.served.is_program() {
                self.refuses(reason);
                self.account.statuses.insert(reason.to_owned(), status);
            }
            answer
        }
    }

    /// Sends a request that has to be let in, has a payload go to and fro in its session, and
    /// closes it. Returns what the upstream was asked.
    #[track_caller]
    pub(crate) fn accepted<'a>(
        &'a mut self,
        what: &'a str,
        request: impl AsRef<[u8]> + 'a,
    ) -> impl Future<Output = Head> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let mut client = self.client().await;
            client.send(request.as_ref()).await;
            let (mut server, asked) = tokio::select! {
                asked = self.upstream.request() => asked,
                answer = client.head() => panic!("{at}: {what}: {answer:#?}"),
            };
            assert!(server.there().is_empty(), "{at}: {what}: {server:?}");
            server.send(switching(&asked, "")).await;
            let answer = client.head().await;
            assert_eq!(answer.status(), 101, "{at}: {what}: {answer:#?}");
            client.send_frame(&Frame::text(CANARY)).await;
            server.expect(Frame::text(CANARY)).await;
            server.send_frame(&Frame::text(CANARY)).await;
            client.expect(Frame::text(CANARY)).await;
            client.send_frame(&Frame::close(1000, "")).await;
            server.expect_close(1000).await;
            server.send_frame(&Frame::close(1000, "")).await;
            client.expect_close(1000).await;
            client.end().await;
            self.was_accepted();
            self.ends("closed");
            asked
        }
    }

    /// The line of the log with this reason, written already or to come.
    pub(crate) async fn line(&self, reason: &str) -> Value {
        self.line_that(&format!("a line with {reason}"), |line| {
            line["reason"] == *reason
        })
        .await
    }

    /// The first line of the case's own that is such a one, written already or to come.
    pub(crate) async fn line_that(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let found = || {
            let mut lines = self.served.lines().into_iter();
            lines.find(|line| line["route"] != "echo" && is(line))
        };
        self.served.until(what, || found().is_some()).await;
        found().expect("a line that was there")
    }

    /// Checks that the gate is as it was before the case, but for what the case has accounted
    /// for: it lives, serves others at once, holds no more descriptors or memory, has told each
    /// thing once and counted it once, and told no secret.
    pub(crate) async fn stands(self) {
        self.served.lets_go(self.before).await;
        self.serves_others().await;
        assert!(self.upstream.untouched(), "the upstream was dialled again");
        if let (Some(now), Some(before)) = (self.served.vitals(), self.before) {
            assert!(
                now.memory <= before.memory + KEPT,
                "{before:?}, then {now:?}"
            );
        }
        self.tells_and_counts_once().await;
        self.served.stop().await;
    }

    /// Checks that a client that does no harm is served at once.
    pub(crate) async fn serves_others(&self) {
        let served = timeout(AT_ONCE, async {
            let mut client = self.client().await;
            client.send(Request::websocket("/echo").text()).await;
            assert_eq!(client.head().await.status(), 101);
            client.send_frame(&Frame::text("hello")).await;
            client.expect(Frame::text("hello")).await;
            client.send_frame(&Frame::close(1000, "")).await;
            client.expect_close(1000).await;
            client.end().await;
        });
        served.await.expect("a session at once");
    }
}
