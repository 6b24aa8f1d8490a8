use super::*;

#[test]
fn the_summary_shows_the_routes_in_the_order_of_matching() {
    let config = Config::from_toml(
        "a.toml",
        "
[upstream.chat]
servers = [\"ws://127.0.0.1:9001\", \"ws://127.0.0.1:9002\"]
proxy_protocol = \"v2\"
[upstream.spare]
servers = [\"ws://127.0.0.1:9003\"]
[[route]]
name = \"rooms\"
host = [\"a.com\", \"b.com\"]
path = \"/rooms/{id}\"
subprotocols = [\"v2\"]
upstream = \"chat\"
encoded_slashes = \"pass\"
origin.allow = [\"*\"]
limits = { message_size = \"1MiB\", on_exceed = \"drop\", per_ip.connections = 3 }
limits.per_connection.bytes = { rate = \"1MiB/s\", burst = \"4MiB\" }
[[route]]
name = \"rest\"
path = \"/*\"
upstream = \"chat\"
"
        .replace("limits.per_connection", "# ")
        .as_str(),
    )
    .unwrap();
    let expected = "listen  127.0.0.1:8080

route rooms
  host       a.com, b.com
  path       /rooms/{id}, encoded slashes pass
  offers     v2
  upstream   chat, PROXY v2 sent
  servers    ws://127.0.0.1:9001, ws://127.0.0.1:9002
  http       refuse
  origin     *
  limits     message 1MiB, 3 sessions/ip, else drop
  keepalive  client 30s + 15s, upstream 30s + 1m
  timeouts   write 1m, close 5s

route rest
  host       any
  path       /*
  upstream   chat, PROXY v2 sent
  servers    ws://127.0.0.1:9001, ws://127.0.0.1:9002
  http       refuse
  origin     same-origin
  limits     message 16MiB
  keepalive  client 30s + 15s, upstream 30s + 1m
  timeouts   write 1m, close 5s
";
    assert_eq!(config.summary(), expected);
    let place = "a.toml:5:11";
    let warning = format!("{place}: no route uses the upstream `spare`");
    assert_eq!(Vec::from_iter(config.warnings()), [warning]);
}

#[cfg(feature = "http2")]
#[test]
fn the_summary_says_which_upstreams_are_reached_over_http2() {
    let text = "[upstream.shared]\nservers = [\"ws://127.0.0.1:9001\"]\nhttp = \"h2\"\n\
                [[route]]\nname = \"all\"\npath = \"/*\"\nupstream = \"shared\"\n";
    let summary = Config::from_toml("a.toml", text).unwrap().summary();
    assert!(
        summary.contains("  upstream   shared, over HTTP/2\n"),
        "{summary}"
    );
}

#[cfg(feature = "auth")]
#[test]
fn the_summary_says_who_may_come_in() {
    let text = "[issuer.main]\nissuer = \"tests\"\naudience = [\"chat\"]\nsecret = \"a secret of thirty-two bytes ...\"\n\
                [upstream.a]\nservers = [\"ws://127.0.0.1:1\"]\n\
                [[route]]\nname = \"all\"\npath = \"/*\"\nupstream = \"a\"\n\
                [route.auth]\njwt = \"main\"\nrequire = { scope = \"chat\" }\ntickets = { lifetime = \"15s\" }\n\
                from = [\"header:authorization\", \"query:ticket\"]\n\
                forward = { url = \"http://127.0.0.1:4180/canary?canary\", recheck = \"1m\" }\n";
    let summary = Config::from_toml("a.toml", text).unwrap().summary();
    let expected = "  auth       tokens of main, tickets 15s, requires scope,\n             \
                    asks 127.0.0.1:4180 every 1m, from header:authorization,\n             \
                    from query:ticket\n";
    assert!(summary.contains(expected), "{summary}");
    assert!(!summary.contains("canary"), "{summary}");
}

#[test]
fn the_summary_says_who_publishes_to_which_channels() {
    let text = "[publish]\naddress = \"127.0.0.1:9901\"\ntokens = [\n\
                { name = \"billing\", token = \"canary\", channels = [\"user.*\", \"room.**\"] },\n\
                { name = \"issuer-of-tickets\", token = \"canary2\", direct = true, tickets = true },\n]\n\
                [upstream.a]\nservers = [\"ws://127.0.0.1:1\"]\n\
                [[route]]\nname = \"rooms\"\npath = \"/rooms/{id}\"\nupstream = \"a\"\n\
                channels = { join = [\"room.{path.id}\", \"ip.{client_ip}\"], upstream_header = true, queue = \"1MiB\", \
                on_slow = \"latest\", retain = 5 }\n\
                [[route]]\nname = \"all\"\npath = \"/*\"\nupstream = \"a\"\n";
    let summary = Config::from_toml("a.toml", text).unwrap().summary();
    for expected in [
        "publish 127.0.0.1:9901\n  billing    user.*, room.**\n  issuer-of-tickets  sessions and subjects, tickets\n\n",
        "  channels   room.{path.id}, ip.{client_ip}, more by the upstream, queue 1MiB,\n             \
         else latest, retain 5\n",
    ] {
        assert!(summary.contains(expected), "{summary}");
    }
    assert_eq!(summary.matches("  channels ").count(), 1, "{summary}");
    assert!(!summary.contains("canary"), "{summary}");
}

#[cfg(feature = "shared")]
#[test]
fn the_summary_says_what_is_shared_and_no_password() {
    let text = "[shared]\nurl = \"redis-cluster://canary:canary@10.0.0.1,10.0.0.2\"\nprefix = \"chat\"\n\
                [upstream.a]\nservers = [\"ws://127.0.0.1:1\"]\n\
                [[route]]\nname = \"all\"\npath = \"/*\"\nupstream = \"a\"\n";
    for (written, limits, failure) in [
        (
            "",
            "handshakes, connections, messages, bytes",
            "each process counts for itself",
        ),
        (
            "limits = [\"connections\"]\non_failure = \"deny\"\n",
            "connections",
            "denied",
        ),
        ("limits = []\n", "none", "each process counts for itself"),
    ] {
        let text = text.replacen("[upstream", &format!("{written}[upstream"), 1);
        let summary = Config::from_toml("a.toml", &text).unwrap().summary();
        let expected = format!(
            "shared  redis-cluster://10.0.0.1,10.0.0.2, prefix chat\n  limits     {limits}\n  failure    {failure}\n"
        );
        assert!(summary.contains(&expected), "{summary}");
        assert!(!summary.contains("canary"), "{summary}");
    }
}

#[test]
fn the_summary_shows_what_differs_from_route_to_route_in_eighty_columns() {
    let networks: Vec<_> = (0..20).map(|net| format!("\"10.{net}.0.0/16\"")).collect();
    let text = format!(
        "[client_ip]\ntrusted_proxies = [\"10.0.0.1\"]\n[server]\nhealth_path = \"/up\"\n\
         [upstream.a]\nservers = [\"ws://127.0.0.1:1\"]\n\
         [[route]]\nname = \"a\"\npath = \"/a/*\"\nupstream = \"a\"\nrewrite = \"/b/*\"\n\
         http = {{ mode = \"forward\", origin = \"check\", idle_timeout = \"5s\" }}\n\
         origin = {{ missing = \"deny\", null = \"allow\" }}\n\
         address = {{ allow = [{}], deny = [\"10.1.2.3\"] }}\n\
         keepalive.client.interval = \"0s\"\ntimeouts = {{ idle = \"5m\", lifetime = \"1h\" }}\n",
        networks.join(", ")
    );
    let summary = Config::from_toml("a.toml", &text).unwrap().summary();
    for line in [
        "health  /up",
        "  rewrite    /b/*",
        "  http       forward, response 1m, idle 5s, write 1m, origin rules apply",
        "  origin     same-origin, missing denied, null allowed",
        "             10.14.0.0/16, 10.15.0.0/16, 10.16.0.0/16, 10.17.0.0/16,",
        "             10.18.0.0/16, 10.19.0.0/16, not 10.1.2.3/32",
        "  keepalive  client off, upstream 30s + 1m",
        "  timeouts   idle 5m, lifetime 1h, write 1m, close 5s",
    ] {
        assert!(
            summary.lines().any(|found| found == line),
            "{line}\n{summary}"
        );
    }
    assert!(summary.lines().all(|line| line.len() <= 80), "{summary}");
}
