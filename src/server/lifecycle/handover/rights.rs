//! Descriptors over a unix socket: SCM_RIGHTS of unix(7).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recv, recvmsg, sendmsg,
};

use crate::tls::KEY_LENGTH as SECRET;

/// The beginning of every message, so that nothing else is mistaken for one.
const WORD: &[u8; 8] = b"wsgate 1";

/// The message while another process has the descriptors.
const BUSY: &[u8; 8] = b"wsgate 0";

/// The descriptors of one message, at most; the system's own limit is 253.
const MOST: usize = 64;

/// Sends the descriptors, and a message without any behind them, which has the secret.
pub(super) fn send(
    socket: impl AsFd,
    descriptors: &[OwnedFd],
    secret: &[u8; SECRET],
) -> io::Result<()> {
    for some in descriptors.chunks(MOST) {
        let some: Vec<_> = some.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        // It has room for as many.
        control.push(SendAncillaryMessage::ScmRights(&some));
        send_message(&socket, WORD, &mut control)?;
    }
    let last = [&WORD[..], secret].concat();
    send_message(socket, &last, &mut SendAncillaryBuffer::default())
}

/// Answers that there are no descriptors for now.
pub(super) fn refuse(socket: impl AsFd) -> io::Result<()> {
    send_message(socket, BUSY, &mut SendAncillaryBuffer::default())
}

fn send_message(
    socket: impl AsFd,
    message: &[u8],
    control: &mut SendAncillaryBuffer<'_, '_, '_>,
) -> io::Result<()> {
    // A peer that has gone is an error of the call, and no signal.
    let flags = SendFlags::NOSIGNAL;
    match sendmsg(socket, &[IoSlice::new(message)], control, flags)? {
        sent if sent == message.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// Receives descriptors until a message without any, and the secret in that; a process of an earlier release sends
/// none. A peer that has no descriptors to give for now is an error of the kind `ResourceBusy`.
pub(super) fn receive(socket: impl AsFd) -> io::Result<(Vec<OwnedFd>, Option<[u8; SECRET]>)> {
    let mut all = Vec::new();
    loop {
        let mut word = [0; WORD.len()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let got = recvmsg(
            &socket,
            &mut [IoSliceMut::new(&mut word)],
            &mut control,
            flags,
        )?;
        if word != *WORD {
            let kind = match got.bytes {
                0 => io::ErrorKind::UnexpectedEof,
                _ if word == *BUSY => io::ErrorKind::ResourceBusy,
                _ => io::ErrorKind::InvalidData,
            };
            return Err(kind.into());
        }
        if got.flags.contains(ReturnFlags::CTRUNC) {
            // The addresses of the lost ones could not be bound again: they are in use.
            return Err(io::Error::other(
                "descriptors were lost on the way, as beyond the limit on open files",
            ));
        }
        let before = all.len();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                all.extend(descriptors);
            }
        }
        if all.len() == before {
            return Ok((all, receive_secret(socket)));
        }
    }
}

/// The rest of the last message, which is there with its beginning.
fn receive_secret(socket: impl AsFd) -> Option<[u8; SECRET]> {
    let mut secret = [0; SECRET];
    let (read, _) = recv(socket, &mut secret, RecvFlags::DONTWAIT).ok()?;
    (read == SECRET).then_some(secret)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn any_number_of_descriptors_arrives() {
        for count in [0, 1, MOST, MOST + 1] {
            let (here, there) = UnixStream::pair().unwrap();
            let file = || OwnedFd::from(File::open("/dev/null").unwrap());
            let sent: Vec<_> = (0..count).map(|_| file()).collect();
            send(&here, &sent, &[count as u8; SECRET]).unwrap();
            let (received, secret) = receive(&there).unwrap();
            assert_eq!(received.len(), count);
            assert_eq!(secret, Some([count as u8; SECRET]));
        }
    }

    #[test]
    fn a_descriptor_that_is_lost_on_the_way_is_an_error() {
        let (here, there) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        // One more might go where the buffer is aligned.
        let too_many = [file.as_fd(); 2 * MOST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2 * MOST))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&too_many)));
        send_message(&here, WORD, &mut control).unwrap();
        send(&here, &[], &[0; SECRET]).unwrap();
        let error = receive(&there).unwrap_err();
        assert!(error.to_string().contains("lost on the way"), "{error}");
    }

    #[test]
    fn an_earlier_release_sends_no_secret() {
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(WORD).unwrap();
        let (received, secret) = receive(&there).unwrap();
        assert!(received.is_empty());
        assert_eq!(secret, None);
    }

    #[test]
    fn something_else_and_an_early_end_are_errors() {
        for (said, kind) in [
            (
                &b"HTTP/1.1 400 Bad Request\r\n"[..],
                io::ErrorKind::InvalidData,
            ),
            (BUSY, io::ErrorKind::ResourceBusy),
            (b"", io::ErrorKind::UnexpectedEof),
        ] {
            let (mut here, there) = UnixStream::pair().unwrap();
            here.write_all(said).unwrap();
            drop(here);
            assert_eq!(receive(&there).unwrap_err().kind(), kind);
        }
    }
}
