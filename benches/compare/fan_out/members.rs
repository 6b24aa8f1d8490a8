//! The members of a channel: sockets that one thread reads as they become ready, so that thousands of
//! deliveries cost the clients little more than their reads.

use std::io::{self, Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::time::Timespec;

use super::TEXT;
use crate::common::client::Client;
use crate::common::stream::Stream;
use crate::common::wire::{self, Header};

pub(crate) struct Members {
    epoll: OwnedFd,
    sockets: Vec<Member>,
    ready: Vec<Event>,
    scratch: Vec<u8>,
}

struct Member {
    stream: TcpStream,
    /// The part of a frame that has come.
    rest: Vec<u8>,
}

/// What is read of a socket at once, and of how many before the clock is read again.
const READ: usize = 64 * 1024;
const AT_ONCE: usize = 256;

/// A publication of this benchmark starts with its number, in so many digits.
pub(crate) const DIGITS: usize = 8;

impl Members {
    /// Opens so many sessions, one after the other and at each server in turn.
    pub(crate) async fn open(addresses: &[SocketAddr], count: usize) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut sockets = Vec::with_capacity(count);
        for &address in addresses.iter().cycle().take(count) {
            let client = Client::open(address, "/").await?;
            let Stream::Plain(stream) = client.stream else {
                return Err(io::Error::other("members speak plain HTTP/1.1"));
            };
            let stream = stream.into_std()?;
            let number = EventData::new_u64(sockets.len() as u64);
            epoll::add(&epoll, &stream, number, EventFlags::IN)?;
            let rest = client.inbox;
            sockets.push(Member { stream, rest });
        }
        Ok(Self {
            epoll,
            sockets,
            ready: Vec::with_capacity(AT_ONCE),
            scratch: vec![0; READ],
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.sockets.len()
    }

    /// Reads what there is, after at most so long, and reports the number of each publication.
    pub(crate) fn read(&mut self, wait: Duration, mut report: impl FnMut(usize)) -> io::Result<()> {
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        epoll::wait(&self.epoll, spare_capacity(&mut self.ready), Some(&wait))?;
        for event in self.ready.drain(..) {
            let number = event.data.u64() as usize;
            if let Some(member) = self.sockets.get_mut(number) {
                member.read(&mut self.scratch, &mut report)?;
            }
        }
        Ok(())
    }
}

impl Member {
    fn read(&mut self, scratch: &mut [u8], report: &mut impl FnMut(usize)) -> io::Result<()> {
        let length = match self.stream.read(scratch) {
            Ok(0) => return Err(io::Error::other("a member's session ended")),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        if self.rest.is_empty() {
            let taken = self.take(&scratch[..length], report)?;
            self.rest.extend_from_slice(&scratch[taken..length]);
            return Ok(());
        }
        let mut bytes = mem::take(&mut self.rest);
        bytes.extend_from_slice(&scratch[..length]);
        let taken = self.take(&bytes, report)?;
        bytes.drain(..taken);
        self.rest = bytes;
        Ok(())
    }

    /// Takes the whole frames; returns how long they are together.
    fn take(&mut self, bytes: &[u8], report: &mut impl FnMut(usize)) -> io::Result<usize> {
        let mut taken = 0;
        while let Some(header) = Header::parse(&bytes[taken..]) {
            let whole = &bytes[taken..];
            let Some(payload) = whole.get(header.length..header.frame()) else {
                break;
            };
            match header.opcode {
                TEXT => report(number(payload)?),
                wire::PING => {
                    let pong = wire::frame(wire::PONG, payload, Some(wire::MASK));
                    self.stream.write_all(&pong)?;
                }
                opcode => return Err(io::Error::other(format!("a frame of type {opcode}"))),
            }
            taken += header.frame();
        }
        Ok(taken)
    }
}

fn number(payload: &[u8]) -> io::Result<usize> {
    let digits = payload
        .get(..DIGITS)
        .and_then(|digits| str::from_utf8(digits).ok());
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| io::Error::other("that was not published"))
}
