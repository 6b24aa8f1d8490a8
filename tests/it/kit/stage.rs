//! A gate under attack, and whether it stands afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{interval, timeout};

use super::metrics::Metrics;
use super::vitals::Vitals;
use super::{AT_ONCE, Echo, Frame, Head, Program, Request, Upstream, Wire, soon, switching};

/// The program, with an upstream that does what the case says behind `/ws/*`, and an honest one
/// behind `/echo` for everybody else.
pub(crate) struct Stage {
    pub(crate) program: Program,
    pub(crate) upstream: Upstream,
    admin: String,
    /// Lines of the log that the case has accounted for, by their reason.
    told: BTreeMap<String, u64>,
    /// Counted handshakes and sessions likewise.
    counted: BTreeMap<String, u64>,
    closed: BTreeMap<String, u64>,
    metrics: Metrics,
    lines: usize,
    before: Vitals,
    _echo: Echo,
}

/// In every query, cookie, token and payload that the cases send, and never in a log.
pub(crate) const CANARY: &str = "c4nary";

/// How long a line may take from what it tells of to whoever reads the log.
const UNTIL_TOLD: Duration = Duration::from_secs(20);

/// The memory of a process is that of its workers: this machine's cores are no part of a case.
const WORKERS: usize = 2;

/// The memory that an allocator may keep after a case, beyond what it had before.
const KEPT: usize = 8 * 1024 * 1024;

/// A case that has nothing to do with pings sees none, however long it takes.
const SILENT: &str = "[defaults.keepalive]\n\
                      client = { interval = \"0s\" }\nupstream = { interval = \"0s\" }\n";

impl Stage {
    /// A gate with these lines in the route that is attacked.
    pub(crate) async fn set(route: &str) -> Self {
        let upstream = Upstream::start().await;
        let url = upstream.url().to_owned();
        Self::set_with(upstream, &format!("servers = [\"{url}\"]"), route, "").await
    }

    /// The same with these lines in the upstream's table, and more tables at the end.
    pub(crate) async fn set_with(upstream: Upstream, pool: &str, route: &str, more: &str) -> Self {
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
        let settings = format!(
            "[[listen]]\naddress = \"{address}\"\n[admin]\naddress = \"{address}\"\n\
             [log]\nformat = \"json\"\n\
             [upstream.echo]\nservers = [\"{echo_url}\"]\n[upstream.attacked]\n{pool}\n\
             [[route]]\nname = \"echo\"\npath = \"/echo\"\nupstream = \"echo\"\n\
             [[route]]\nname = \"attacked\"\npath = \"/ws/*\"\nupstream = \"attacked\"\n{route}\n\
             {silent}{drain}\n{more}\n"
        );
        let program = Program::run(&settings).await;
        let admin = program.admin().await;
        let mut stage = Self {
            metrics: Metrics::of(&admin).await,
            before: Vitals::of(program.id()),
            lines: 0,
            told: BTreeMap::new(),
            counted: BTreeMap::new(),
            closed: BTreeMap::new(),
            program,
            upstream,
            admin,
            _echo: echo,
        };
        // What the first session makes the process open and take for good is not the case's doing.
        stage.serves_others().await;
        // The last that there is of it.
        stage.program.event("session closed").await;
        stage.metrics = Metrics::of(&stage.admin).await;
        stage.lines = stage.program.lines().len();
        stage.before = Vitals::of(stage.program.id());
        stage
    }

    /// What the program takes of the machine by now.
    pub(crate) fn vitals(&self) -> Vitals {
        Vitals::of(self.program.id())
    }

    /// A client's connection.
    pub(crate) async fn client(&self) -> Wire {
        Wire::connect(&*self.program.address).await
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

    /// Accounts for a handshake that was answered 101.
    pub(crate) fn was_accepted(&mut self) {
        *self.told.entry("accepted".to_owned()).or_default() += 1;
        *self.counted.entry("accepted".to_owned()).or_default() += 1;
    }

    /// Accounts for a session that ends for this reason; every session has to be.
    pub(crate) fn ends(&mut self, reason: &str) {
        *self.told.entry(reason.to_owned()).or_default() += 1;
        *self.closed.entry(reason.to_owned()).or_default() += 1;
    }

    /// Accounts for a handshake that is refused for this reason.
    pub(crate) fn refuses(&mut self, reason: &str) {
        *self.told.entry(reason.to_owned()).or_default() += 1;
        *self.counted.entry(reason.to_owned()).or_default() += 1;
    }

    /// Accounts for a handshake of a flood that is refused for this reason, for which there may
    /// be a line or not: see [`Stage::accounts_for_a_flood`].
    pub(crate) fn counts(&mut self, reason: &str) {
        *self.counted.entry(reason.to_owned()).or_default() += 1;
    }

    /// Checks that the log tells of so many refused handshakes, each in a line of its own or in
    /// the count of those that were left out, and returns how many lines there are.
    ///
    /// What was left out is told with the next line that is not, and for that one handshake
    /// after the other is refused for want of a key.
    pub(crate) async fn accounts_for_a_flood(&mut self, mut refused: u64) -> u64 {
        soon("the log to tell of a flood", async {
            loop {
                let request = Self::handshake().without("Sec-WebSocket-Key");
                self.counts("ws_key_missing");
                let mut client = self.client().await;
                client.send(request.text()).await;
                assert_eq!(client.head().await.status(), 400);
                client.end().await;
                refused += 1;
                let lines = self.program.events("handshake rejected");
                let rest = self
                    .program
                    .events("more handshakes rejected than are logged");
                let left_out = rest.iter().filter_map(|event| event["left_out"].as_u64());
                let logged = lines.len() as u64;
                if logged + left_out.sum::<u64>() < refused {
                    continue;
                }
                for event in lines.iter().chain(&rest) {
                    self.tells(event["reason"].as_str().expect("a reason"));
                }
                return logged;
            }
        })
        .await
    }

    /// Accounts for a line of the log that tells something else: its reason or, if it has none,
    /// its message.
    pub(crate) fn tells(&mut self, word: &str) {
        *self.told.entry(word.to_owned()).or_default() += 1;
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
            // It may be refused before it is whole.
            client.try_send(request.as_ref()).await;
            let answer = client.head().await;
            assert_eq!(answer.status(), status, "{at}: {what}: {answer:#?}");
            let connection = answer.all("connection").join(",").to_lowercase();
            assert!(connection.contains("close"), "{at}: {what}: {answer:#?}");
            client.end().await;
            assert!(self.upstream.untouched(), "{at}: {what}: it was dialled");
            self.refuses(reason);
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
        let wanted = reason.to_owned();
        self.program
            .line(&format!("a line with {reason}"), move |line| {
                let line: Value = serde_json::from_str(line).ok()?;
                (line["reason"] == *wanted && line["route"] != "echo").then_some(line)
            })
            .await
    }

    /// Checks that the gate is as it was before the case, but for what the case has accounted
    /// for: it lives, serves others at once, holds no more descriptors or memory, has told each
    /// thing once and counted it once, and told no secret.
    pub(crate) async fn stands(self) {
        soon("descriptors as before", async {
            let mut look = interval(Duration::from_millis(2));
            while Vitals::of(self.program.id()).descriptors > self.before.descriptors {
                look.tick().await;
            }
        })
        .await;
        self.serves_others().await;
        assert!(self.upstream.untouched(), "the upstream was dialled again");
        let now = Vitals::of(self.program.id());
        let before = self.before;
        assert!(
            now.memory <= before.memory + KEPT,
            "{before:?}, then {now:?}"
        );
        self.tells_and_counts_once().await;
        self.program.stop().await;
    }

    /// The lines of the log that are the case's, whose words these are.
    fn told(&self) -> (Vec<String>, BTreeMap<String, u64>) {
        let mut lines = self.program.lines().split_off(self.lines);
        let mut told = BTreeMap::new();
        for line in &lines {
            assert!(!line.contains(CANARY), "a secret is told: {line}");
            let event: Value = serde_json::from_str(line).expect("a line of JSON");
            if event["route"] == "echo" {
                continue;
            }
            let word = event["reason"]
                .as_str()
                .or_else(|| event["message"].as_str());
            *told.entry(word.expect("a word").to_owned()).or_default() += 1;
        }
        lines.retain(|line| !line.contains("\"route\":\"echo\""));
        (lines, told)
    }

    /// Checks that the log has told each thing once, and no secret. Of a program that has ended
    /// there is nothing else to check.
    pub(crate) async fn tells_once(&self) {
        // A line is written when what it tells of is over, and read in its own time.
        let wanted: u64 = self.told.values().sum();
        let all = async {
            let mut look = interval(Duration::from_millis(2));
            while self.told().1.values().sum::<u64>() < wanted {
                look.tick().await;
            }
        };
        let _in_vain = timeout(UNTIL_TOLD, all).await;
        let (lines, told) = self.told();
        assert_eq!(told, self.told, "{}", lines.join("\n"));
    }

    async fn tells_and_counts_once(&self) {
        self.tells_once().await;
        let lines = self.told().0.join("\n");
        let metrics = Metrics::of(&self.admin).await;
        let grown = |family, label| metrics.grown(&self.metrics, family, label, "echo");
        let counted = grown("wsgate_handshakes_total", "outcome");
        assert_eq!(counted, self.counted, "{lines}");
        let closed = grown("wsgate_sessions_closed_total", "reason");
        assert_eq!(closed, self.closed, "{lines}");
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
