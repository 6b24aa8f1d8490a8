//! What every interface uses of the library: what an embedder has, in one place.

pub(super) use crate::close::MAX_REASON;
pub(super) use crate::config::{
    ChannelName, ListenAddress, Network, Secret, parse_duration, parse_network,
};
pub(super) use crate::tls::{ServerTls, Tickets, TlsAcceptor};
pub(super) use crate::{
    ChannelInfo, ClientAddr, CloseCode, ErrorReport, Handle, Identity, MemberInfo, SessionName,
    TicketError, Transport,
};
