//! The settings of peers with TLS: what stands in the place of a line without it.

use super::Peer;
use crate::tls::Over;

impl Peer {
    /// Whether it serves clients that come so.
    pub(crate) fn speaks(self, over: Over) -> bool {
        match self {
            Self::Wsgate | Self::Against(_) | Self::Haproxy => true,
            // The first two have no extended CONNECT in the version that is compared. Envoy sends a server of
            // HTTP/1.1 no Sec-WebSocket-Key, without which there is no WebSocket.
            Self::Nginx | Self::Caddy | Self::Envoy => over != Over::Http2,
            Self::Tunnel | Self::Bare | Self::Messages => over == Over::Plain,
            Self::Broadcaster(_) => false,
        }
    }

    /// The settings with version 1.3 of TLS for clients, tickets, and HTTP/2 where it has extended CONNECT; clients
    /// choose the version of HTTP and the cipher suite.
    pub(super) fn with_tls(self, settings: &str) -> String {
        let (plain, secured) = match self {
            Self::Wsgate | Self::Against(_) => (
                "address = \"${BENCH_LISTEN}\"\n",
                "address = \"${BENCH_LISTEN}\"\n[listen.tls]\nmin_version = \"1.3\"\n\
                 certificates = [{ cert = \"cert.pem\", key = \"key.pem\" }]\n",
            ),
            Self::Nginx => (
                "listen ${BENCH_LISTEN} backlog=4096;",
                "listen ${BENCH_LISTEN} ssl backlog=4096;
        ssl_certificate ${BENCH_DIRECTORY}/cert.pem;
        ssl_certificate_key ${BENCH_DIRECTORY}/key.pem;
        ssl_protocols TLSv1.3;",
            ),
            Self::Haproxy => (
                "bind ${BENCH_LISTEN} backlog 4096",
                "bind ${BENCH_LISTEN} backlog 4096 ssl crt ${BENCH_DIRECTORY}/both.pem ssl-min-ver TLSv1.3 alpn h2,http/1.1",
            ),
            Self::Caddy => (
                "http://${BENCH_LISTEN} {",
                "https://:${BENCH_LISTEN_PORT} {
	bind ${BENCH_LISTEN_HOST}
	tls ${BENCH_DIRECTORY}/cert.pem ${BENCH_DIRECTORY}/key.pem {
		protocols tls1.3
	}",
            ),
            Self::Envoy => (
                "        - filters:\n",
                "        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                tls_params: { tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }
                tls_certificates:
                  - certificate_chain: { filename: ${BENCH_DIRECTORY}/cert.pem }
                    private_key: { filename: ${BENCH_DIRECTORY}/key.pem }
          filters:\n",
            ),
            Self::Tunnel | Self::Bare | Self::Messages | Self::Broadcaster(_) => return settings.to_owned(),
        };
        settings.replacen(plain, secured, 1)
    }
}
