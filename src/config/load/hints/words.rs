//! What other programs call a key, and what they have and wsgate does not.

/// The kinds of tables that have words of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Settings,
    Listen,
    Admin,
    Log,
    Route,
    Upstream,
    Server,
    Tls,
    ListenTls,
    Certificate,
    Acme,
    Origin,
}

/// What other programs call a key of this table, and its name here.
pub(super) type Words = (Table, &'static [&'static str], &'static str);

/// What other programs call a key.
pub(super) const WORDS: [Words; 40] = [
    (
        Table::Settings,
        &[
            "upstreams",
            "backend",
            "backends",
            "services",
            "clusters",
            "pools",
        ],
        "upstream",
    ),
    (
        Table::Settings,
        &[
            "routes",
            "location",
            "locations",
            "frontend",
            "frontends",
            "routers",
            "rules",
        ],
        "route",
    ),
    (
        Table::Settings,
        &["listener", "listeners", "bind", "port", "entrypoints"],
        "listen",
    ),
    (
        Table::Settings,
        &["logging", "logs", "access_log", "error_log"],
        "log",
    ),
    (Table::Settings, &["default", "global"], "defaults"),
    (Table::Settings, &["redis", "valkey", "cluster"], "shared"),
    (
        Table::Settings,
        &["worker_processes", "nbthread", "threads"],
        "server.workers",
    ),
    (
        Table::Settings,
        &["trusted_proxies", "set_real_ip_from"],
        "client_ip.trusted_proxies",
    ),
    (
        Table::Listen,
        &[
            "port",
            "bind",
            "host",
            "addr",
            "ip",
            "listen",
            "url",
            "interface",
        ],
        "address",
    ),
    (
        Table::Listen,
        &[
            "http2",
            "h2",
            "h2c",
            "http_version",
            "http_versions",
            "protocol",
            "protocols",
            "versions",
            "alpn",
        ],
        "http",
    ),
    (Table::Admin, &["port", "bind", "listen", "addr"], "address"),
    (Table::Log, &["verbosity", "severity"], "level"),
    (Table::Log, &["type", "style", "encoding"], "format"),
    (
        Table::Route,
        &[
            "location",
            "prefix",
            "path_prefix",
            "paths",
            "uri",
            "url",
            "match",
            "pattern",
        ],
        "path",
    ),
    (
        Table::Route,
        &[
            "backend",
            "proxy_pass",
            "service",
            "target",
            "to",
            "server",
            "use_backend",
            "pool",
        ],
        "upstream",
    ),
    (
        Table::Route,
        &["hosts", "server_name", "domain", "domains", "hostname"],
        "host",
    ),
    (
        Table::Route,
        &["protocol", "protocols", "subprotocol"],
        "subprotocols",
    ),
    (
        Table::Route,
        &["origins", "allowed_origins", "allow_origin", "cors"],
        "origin.allow",
    ),
    (
        Table::Route,
        &[
            "max_message_size",
            "max_size",
            "max_payload",
            "client_max_body_size",
        ],
        "limits.message_size",
    ),
    (
        Table::Route,
        &["ping", "ping_interval", "heartbeat", "keepalive_interval"],
        "keepalive.client.interval",
    ),
    (
        Table::Route,
        &[
            "timeout",
            "idle_timeout",
            "read_timeout",
            "proxy_read_timeout",
        ],
        "timeouts.idle",
    ),
    (
        Table::Route,
        &["write_timeout", "send_timeout", "proxy_send_timeout"],
        "timeouts.write",
    ),
    (
        Table::Route,
        &["max_conns", "max_sessions", "limit_conn"],
        "limits.per_ip.connections",
    ),
    (
        Table::Route,
        &["rate_limit", "limit_req"],
        "limits.per_ip.handshakes",
    ),
    (Table::Route, &["strip_prefix", "replace_path"], "rewrite"),
    (
        Table::Upstream,
        &[
            "server",
            "url",
            "urls",
            "hosts",
            "nodes",
            "targets",
            "address",
            "addresses",
            "backends",
            "members",
            "endpoints",
        ],
        "servers",
    ),
    (
        Table::Upstream,
        &[
            "algorithm",
            "policy",
            "lb_policy",
            "method",
            "strategy",
            "load_balancing",
        ],
        "balance",
    ),
    (
        Table::Upstream,
        &["max_conns", "maxconn"],
        "max_connections",
    ),
    (
        Table::Upstream,
        &["send_proxy", "send_proxy_v2", "proxyprotocol"],
        "proxy_protocol",
    ),
    (
        Table::Upstream,
        &[
            "http2",
            "h2",
            "h2c",
            "proxy_http_version",
            "http_version",
            "protocol",
            "versions",
            "alpn",
        ],
        "http",
    ),
    (Table::Upstream, &["max_fails"], "passive.failures"),
    (Table::Upstream, &["fail_timeout"], "passive.within"),
    (
        Table::Server,
        &["address", "addr", "host", "server", "uri"],
        "url",
    ),
    (
        Table::Upstream,
        &[
            "proxy_ssl_trusted_certificate",
            "ca",
            "ca_file",
            "cafile",
            "root_cas",
            "rootcas",
        ],
        "tls.ca",
    ),
    (
        Table::Upstream,
        &["proxy_ssl_certificate", "cert", "crt", "client_cert"],
        "tls.cert",
    ),
    (
        Table::Upstream,
        &["proxy_ssl_certificate_key", "key", "client_key"],
        "tls.key",
    ),
    (
        Table::Upstream,
        &[
            "proxy_ssl_name",
            "sni",
            "server_name",
            "servername",
            "tls_server_name",
        ],
        "tls.server_name",
    ),
    (
        Table::Listen,
        &["accept-proxy", "accept_proxy", "proxyprotocol"],
        "proxy_protocol",
    ),
    (Table::Listen, &["ssl", "https", "secure"], "tls"),
    (Table::Origin, &["origins", "allowed"], "allow"),
];

/// Words for what wsgate does not do, with what it does.
pub(super) const MISSING: [(&[&str], &str); 7] = [
    (
        &["include", "includes", "import", "imports"],
        "the settings are one file, which includes no other one",
    ),
    (
        &[
            "verify",
            "insecure",
            "skip_verify",
            "ssl_verify",
            "proxy_ssl_verify",
            "insecure_skip_verify",
            "insecureskipverify",
            "tls_insecure_skip_verify",
        ],
        "wsgate always verifies the certificate of a server: name its authority in `tls.ca`, and \
         the name that it has in `tls.server_name`",
    ),
    (
        &[
            "tls",
            "ssl",
            "cert",
            "certificate",
            "certificates",
            "ssl_certificate",
            "https",
        ],
        "TLS with clients is a part of a listener: write [listen.tls] below its [[listen]], with \
         certificates = [{ cert = \"fullchain.pem\", key = \"privkey.pem\" }]",
    ),
    (
        &["jwt", "jwks", "oidc", "tokens"],
        "tokens are a part of a route: write their [issuer.NAME], and its name as `jwt` in [route.auth] below the \
         [[route]]",
    ),
    (
        &["auth_request", "forward_auth", "forwardauth", "ext_authz"],
        "an authentication server is a part of a route: write [route.auth.forward] with its `url` below the [[route]]",
    ),
    (
        &["basic_auth", "basicauth", "htpasswd"],
        "wsgate asks for no passwords: [route.auth] takes tokens, keys and one-time tickets, or asks an authentication \
         server",
    ),
    (
        &["health_check", "healthcheck", "health", "check"],
        "wsgate has no health checks of servers: one that has failed is tried last for a while \
         (`passive`)",
    ),
];
