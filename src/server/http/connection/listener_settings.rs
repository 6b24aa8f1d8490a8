//! What the settings say of the listeners.

use std::sync::Arc;

use super::access::Access;
use super::opening::{HTTP_2, Opening, Openings, opening_of};
use crate::config::{Config, HttpVersion, HttpVersions, Listen, ListenAddress};
use crate::tls::{ServerTls, Tickets};

/// What the settings say of the listeners.
#[derive(Debug)]
pub(crate) struct ListenerSettings {
    pub(crate) listen: Vec<Listen>,
    tls: Vec<(ListenAddress, ServerTls)>,
}

/// What a reload changes of listeners that stay.
pub(crate) struct ListenerChanges {
    pub(crate) http: bool,
    pub(crate) proxy_protocol: bool,
    /// A setting, or the contents of a file.
    pub(crate) tls: bool,
}

impl ListenerSettings {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            listen: config.listen.clone(),
            tls: config.listen_tls().to_vec(),
        }
    }

    /// What the connections of each listener begin with. Those of the `former` settings go on where the same clients
    /// may connect.
    pub(super) fn openings(&self, tickets: &Arc<Tickets>, former: Option<&Openings>) -> Openings {
        let listeners = self.listen.iter();
        let openings = listeners.map(|listen| {
            let tls = self.tls_of(&listen.address);
            let access = Access::of(tls);
            let former = former.and_then(|former| opening_of(former, &listen.address));
            let former = former.map(|former| Arc::clone(&former.access));
            let opening = Opening {
                proxies: listen.proxy_protocol.clone(),
                tls: tls.map(|tls| tls.acceptor(&protocols(listen.http()), tickets)),
                http: listen.http(),
                access: match former {
                    Some(former) if former.admits_as(&access) => former,
                    _ => Arc::new(access),
                },
            };
            (listen.address.clone(), Arc::new(opening))
        });
        openings.collect()
    }

    fn tls_of(&self, address: &ListenAddress) -> Option<&ServerTls> {
        let mut all = self.tls.iter();
        all.find_map(|(of, tls)| (of == address).then_some(tls))
    }

    /// What differs from the settings `before` for the listeners of both.
    pub(crate) fn changes_since(&self, before: &Self) -> ListenerChanges {
        let mut changes = ListenerChanges {
            http: false,
            proxy_protocol: false,
            tls: false,
        };
        for listen in &self.listen {
            let mut earlier = before.listen.iter();
            let Some(earlier) = earlier.find(|earlier| earlier.address == listen.address) else {
                continue;
            };
            let address = &listen.address;
            changes.http |= listen.http() != earlier.http();
            changes.proxy_protocol |= listen.proxy_protocol != earlier.proxy_protocol;
            changes.tls |= self.tls_of(address) != before.tls_of(address);
        }
        changes
    }

    /// Whether a connection would begin otherwise than by the settings `before`.
    pub(crate) fn differs_from(&self, before: &Self) -> bool {
        self.listen != before.listen || self.tls != before.tls
    }
}

/// What is spoken on TLS, the best first (RFC 7301).
fn protocols(http: HttpVersions) -> Vec<&'static [u8]> {
    let versions = [(HttpVersion::H2, HTTP_2), (HttpVersion::H1, b"http/1.1")];
    let spoken = versions
        .into_iter()
        .filter(|(version, _)| http.has(*version));
    spoken.map(|(_, name)| name).collect()
}
