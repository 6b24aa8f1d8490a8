//! Logins of an axum application: its cookie lets in at the WebSocket too, and a logout ends the user's sockets.
//!
//! ```sh
//! cargo run --example echo_upstream &
//! cargo run --example axum_sessions        # or: -- 127.0.0.1:8080 ws://127.0.0.1:9001
//! curl -i -X POST http://127.0.0.1:8080/login -d alice      # Set-Cookie: session=…
//! wsgate probe --header 'Cookie: session=…' ws://127.0.0.1:8080/ws/
//! curl -X POST http://127.0.0.1:8080/logout -H 'Cookie: session=…'
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::post;
use tokio::net::TcpListener;
use wsgate::{
    ClientAddr, CloseCode, Config, Denial, Gate, Grant, Handle, Handshake, Identity, Rejection,
};

const SETTINGS: &str = r#"
    [upstream.echo]
    servers = ["BACKEND"]

    [[route]]
    name = "echo"
    path = "/ws/*"
    upstream = "echo"

    # One user has three sockets at most, and the backend hears whose they are, but not the cookie.
    [route.limits.per_subject]
    connections = 3
    [route.headers]
    set = { x-user = "{subject}" }
    remove = ["cookie"]
"#;

/// Who is logged in, by the value of the cookie. A real application has a store of sessions here, such as tower-sessions.
#[derive(Clone, Default)]
struct Logins(Arc<Mutex<HashMap<String, String>>>);

impl Logins {
    fn begin(&self, user: &str) -> String {
        let cookie = format!("{:032x}", rand::random::<u128>());
        self.locked().insert(cookie.clone(), user.to_owned());
        cookie
    }

    fn user(&self, headers: &HeaderMap) -> Option<String> {
        let cookie = cookie(headers)?;
        self.locked().get(cookie).cloned()
    }

    fn end(&self, headers: &HeaderMap) -> Option<String> {
        let cookie = cookie(headers)?;
        self.locked().remove(cookie)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let line = headers.get(header::COOKIE)?.to_str().ok()?;
    let mut cookies = line.split("; ");
    cookies.find_map(|cookie| cookie.strip_prefix("session="))
}

/// What the pages of the application share.
#[derive(Clone)]
struct Application {
    logins: Logins,
    sockets: Handle,
}

/// A real application asks for a password.
async fn login(State(app): State<Application>, user: String) -> impl IntoResponse {
    let cookie = app.logins.begin(&user);
    let cookie = format!("session={cookie}; HttpOnly; SameSite=Lax; Path=/");
    ([(header::SET_COOKIE, cookie)], "logged in\n")
}

/// Ends the login first: a socket that opens meanwhile is refused, or is among those that are closed.
async fn logout(State(app): State<Application>, headers: HeaderMap) -> String {
    let Some(user) = app.logins.end(&headers) else {
        return "nobody was logged in\n".to_owned();
    };
    let code = CloseCode::new(4403).unwrap_or(CloseCode::GOING_AWAY);
    let is_theirs = |session: &wsgate::SessionInfo| {
        let identity = session.identity.as_ref();
        identity.is_some_and(|identity| identity.subject() == user)
    };
    let closed = app.sockets.close_where(is_theirs, code, "logged out");
    format!("{closed} sockets of {user} closed\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let backend = arguments.next().unwrap_or("ws://127.0.0.1:9001".to_owned());
    let config = Config::from_toml("axum_sessions", &SETTINGS.replace("BACKEND", &backend))?;
    let logins = Logins::default();
    let known = logins.clone();
    let gate = Gate::builder(config)
        .client_addr(|request| {
            let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
            peer.map(|ConnectInfo(peer)| ClientAddr::from(*peer))
        })
        // The Origin is checked before: no page of somebody else uses the cookie.
        .policy(move |handshake: &Handshake| -> Result<Grant, Rejection> {
            let user = known.user(handshake.headers());
            let user = user.ok_or_else(|| Denial::unauthorized("logged_out"))?;
            Ok(Grant::new().with_identity(Identity::new(user)))
        })
        .build()?;
    let app = Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .with_state(Application {
            logins,
            sockets: gate.handle(),
        })
        .layer(gate.layer());
    let listener = TcpListener::bind(listen).await?;
    println!("http://{}/login takes a name", listener.local_addr()?);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}
