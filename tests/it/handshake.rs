//! The client's opening handshake, through the whole stack.

mod negotiation;
mod refusals;

use crate::kit::{Bench, Host, Request, Upstream, setup};

/// A gate that serves nothing but `gate.test/ws/…`.
async fn strict(upstream: &Upstream) -> Bench {
    let setup = setup([upstream.url()]).host(Host::Service);
    let setup = setup
        .route("path = \"/ws/*\"")
        .route("host = \"gate.test\"");
    setup.start().await
}

fn right() -> Request {
    Request::websocket("/ws/a")
}
