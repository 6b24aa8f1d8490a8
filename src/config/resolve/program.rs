//! What only the program uses: listeners, log, process.

use std::net::{Ipv4Addr, SocketAddr};

use crate::config::error::Problem;
use crate::config::file::{AdminTable, ListenTable, LogTable, ServerTable};
use crate::config::reader::{List, Reader, Setting};
use crate::config::{Admin, Listen, ListenAddress, Log, Server};

/// The listener of a file that names none.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

pub(super) fn listeners(
    tables: &Setting<List<ListenTable>>,
    reader: &mut Reader<'_>,
) -> Vec<Listen> {
    let mut listeners: Vec<Listen> = Vec::new();
    for table in tables.table().iter().filter_map(Setting::get) {
        let Some(written) = table.address.given() else {
            continue;
        };
        let address = absolute(written.get_ref(), reader);
        if listeners.iter().any(|listen| listen.address == address) {
            let problem = Problem::new("this address is listened on already");
            reader.error(written.span(), problem);
        }
        listeners.push(Listen { address });
    }
    if listeners.is_empty() {
        let address = ListenAddress::Tcp(DEFAULT_LISTEN);
        listeners.push(Listen { address });
    }
    listeners
}

pub(super) fn admin(table: &AdminTable, reader: &mut Reader<'_>) -> Option<Admin> {
    let written = table.address.given()?;
    let admin = admin_as_written(table, reader)?;
    let reachable = match &admin.address {
        ListenAddress::Tcp(address) => !address.ip().to_canonical().is_loopback(),
        ListenAddress::Unix(_) => false,
    };
    if reachable && table.token.is_absent() {
        let problem = Problem::new("an admin listener that others can reach needs a token")
            .label("not a loopback address")
            .help("set `token = \"${WSGATE_ADMIN_TOKEN}\"`, or listen on 127.0.0.1");
        reader.error(written.span(), problem);
    }
    Some(admin)
}

/// The listener as the file has it, whether or not a process would serve it.
pub(in crate::config) fn admin_as_written(
    table: &AdminTable,
    reader: &Reader<'_>,
) -> Option<Admin> {
    let written = table.address.given()?;
    Some(Admin {
        address: absolute(written.get_ref(), reader),
        token: table.token.get().cloned(),
    })
}

pub(super) fn log(table: &LogTable) -> Log {
    let default = Log::default();
    Log {
        level: (table.level.get()).map_or(default.level, |filter| filter.0.clone()),
        format: table.format.or(default.format),
        access: table.access.or(default.access),
    }
}

pub(super) fn server(table: &ServerTable) -> Server {
    let default = Server::default();
    Server {
        workers: (table.workers.get()).map_or(default.workers, |number| number.as_usize()),
        sessions: (table.sessions.get()).map_or(default.sessions, |number| number.as_usize()),
        handshake_timeout: (table.handshake_timeout.get())
            .map_or(default.handshake_timeout, |timeout| timeout.0),
        head_size: table
            .head_size
            .get()
            .map_or(default.head_size, |size| size.0),
    }
}

/// The address with the path of a unix socket as the file means it.
fn absolute(address: &ListenAddress, reader: &Reader<'_>) -> ListenAddress {
    match address {
        ListenAddress::Tcp(address) => ListenAddress::Tcp(*address),
        ListenAddress::Unix(path) => ListenAddress::Unix(reader.path(path.clone())),
    }
}
