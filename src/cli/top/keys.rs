//! The keys of the terminal.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::thread;

use tokio::sync::mpsc;

/// What the person wants of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Quit,
    Sort,
    Scroll(Scroll),
    /// Something else has written on the screen.
    Redraw,
}

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scroll {
    Lines(isize),
    Pages(isize),
    Home,
    End,
}

/// Bytes of the terminal that no meaning was found in yet.
#[derive(Debug, Default)]
struct Keys {
    unread: Vec<u8>,
}

/// Keys that are waiting to be looked at.
const WAITING: usize = 16;

/// No key is a longer sequence.
const LONGEST: usize = 16;

const ESCAPE: u8 = 0x1b;

/// Listens on a thread of its own, which waits for keys until the process ends: a read of a
/// terminal cannot be waited for in another way without changing what others share of it.
pub(super) fn listen() -> io::Result<mpsc::Receiver<Input>> {
    let (sender, inputs) = mpsc::channel(WAITING);
    let mut terminal = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let listener = thread::Builder::new().name("keys".to_owned());
    listener.spawn(move || {
        let (mut keys, mut bytes) = (Keys::default(), [0; 64]);
        loop {
            let typed = match terminal.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The terminal is gone.
                Ok(0) | Err(_) => return,
                Ok(length) => bytes.get(..length).unwrap_or_default(),
            };
            for input in keys.read(typed) {
                if sender.blocking_send(input).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(inputs)
}

impl Keys {
    /// What these bytes mean, with those before them of a sequence that had not ended.
    fn read(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.unread.extend_from_slice(bytes);
        let unread = std::mem::take(&mut self.unread);
        let (mut rest, mut inputs) = (unread.as_slice(), Vec::new());
        while let Some((first, behind)) = rest.split_first() {
            let (input, next) = match (*first, behind.first()) {
                (ESCAPE, None) => break,
                (ESCAPE, Some(b'[' | b'O')) => match sequence(behind) {
                    Some(found) => found,
                    None if rest.len() < LONGEST => break,
                    None => (None, behind),
                },
                // The key itself, or one with Alt.
                (ESCAPE, Some(_)) => (None, behind),
                (key, _) => (meaning(key), behind),
            };
            inputs.extend(input);
            rest = next;
        }
        self.unread = rest.to_vec();
        inputs
    }
}

/// The meaning of a key that is one byte.
fn meaning(key: u8) -> Option<Input> {
    const CONTROL_C: u8 = 0x03;
    const CONTROL_L: u8 = 0x0c;
    Some(match key {
        b'q' | b'Q' | CONTROL_C => Input::Quit,
        b's' | b'S' => Input::Sort,
        b'k' => Input::Scroll(Scroll::Lines(-1)),
        b'j' => Input::Scroll(Scroll::Lines(1)),
        b' ' => Input::Scroll(Scroll::Pages(1)),
        CONTROL_L => Input::Redraw,
        _ => return None,
    })
}

/// The meaning of what stands behind an escape, and what stands behind that; `None` while its end
/// is to come.
fn sequence(bytes: &[u8]) -> Option<(Option<Input>, &[u8])> {
    let (kind, inside) = bytes.split_first()?;
    let end = match kind {
        b'O' => 0,
        _ => (inside.iter()).position(|byte| matches!(byte, 0x40..=0x7e))?,
    };
    let (parameters, behind) = inside.split_at_checked(end)?;
    let (last, behind) = behind.split_first()?;
    let scroll = match (parameters, last) {
        (_, b'A') => Some(Scroll::Lines(-1)),
        (_, b'B') => Some(Scroll::Lines(1)),
        (b"5", b'~') => Some(Scroll::Pages(-1)),
        (b"6", b'~') => Some(Scroll::Pages(1)),
        (_, b'H') | (b"1" | b"7", b'~') => Some(Scroll::Home),
        (_, b'F') | (b"4" | b"8", b'~') => Some(Scroll::End),
        _ => None,
    };
    Some((scroll.map(Input::Scroll), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_meaning() {
        let scroll = |to| vec![Input::Scroll(to)];
        for (typed, expected) in [
            ("q", vec![Input::Quit]),
            ("\x03", vec![Input::Quit]),
            ("sS", vec![Input::Sort, Input::Sort]),
            ("\x0c", vec![Input::Redraw]),
            ("\x1b[A", scroll(Scroll::Lines(-1))),
            ("\x1bOB", scroll(Scroll::Lines(1))),
            ("\x1b[5~", scroll(Scroll::Pages(-1))),
            ("\x1b[6~", scroll(Scroll::Pages(1))),
            ("\x1b[1;5H", scroll(Scroll::Home)),
            ("\x1b[4~", scroll(Scroll::End)),
            ("cxä\x1b[2~\x1b[15~\x1bOP", vec![]),
            ("\x1bq", vec![Input::Quit]),
            ("\x1b\x1b[Fq", vec![Input::Scroll(Scroll::End), Input::Quit]),
        ] {
            assert_eq!(
                Keys::default().read(typed.as_bytes()),
                expected,
                "{typed:?}"
            );
            // A terminal may deliver a key in pieces.
            let mut keys = Keys::default();
            let bytes = typed.as_bytes().chunks(1);
            let inputs: Vec<_> = bytes.flat_map(|byte| keys.read(byte)).collect();
            assert_eq!(inputs, expected, "{typed:?} byte by byte");
        }
    }

    #[test]
    fn a_sequence_without_an_end_is_given_up() {
        let mut keys = Keys::default();
        assert_eq!(keys.read(b"\x1b[0000"), []);
        assert_eq!(keys.read(&[b'0'; 200]), []);
        assert!(keys.unread.len() < LONGEST);
        assert_eq!(keys.read(b"q"), [Input::Quit]);
    }
}
