//! What the interface uses of the library: what an embedder has, in one place.

pub(super) use crate::config::{ChannelName, Publish, PublishToken};
pub(super) use crate::{
    Audience, Body, ChannelError, ClientAddr, CloseCode, Handle, Publication, Published,
    SessionName,
};
