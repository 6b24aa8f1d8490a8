//! What the person at the terminal does.

use std::io;
use std::thread;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
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

/// Keys that are waiting to be looked at.
const WAITING: usize = 16;

/// Listens on a thread of its own, which waits for keys until the process ends.
pub(super) fn listen() -> io::Result<mpsc::Receiver<Told>> {
    let (tell, told) = mpsc::channel(WAITING);
    let listener = thread::Builder::new().name("keys".to_owned());
    listener.spawn(move || {
        // Without a terminal there is nobody left to tell anything.
        while let Ok(event) = event::read() {
            if let Some(wanted) = meaning(&event)
                && tell.blocking_send(wanted).is_err()
            {
                return;
            }
        }
    })?;
    Ok(told)
}

fn meaning(event: &Event) -> Option<Told> {
    let key = match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => key,
        _ => return None,
    };
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if with_control => Told::Quit,
        KeyCode::Char('l') if with_control => Told::Redraw,
        KeyCode::Char('q' | 'Q') => Told::Quit,
        KeyCode::Char('s' | 'S') => Told::Sort,
        KeyCode::Up | KeyCode::Char('k') => Told::Scroll(Scroll::Lines(-1)),
        KeyCode::Down | KeyCode::Char('j') => Told::Scroll(Scroll::Lines(1)),
        KeyCode::PageUp => Told::Scroll(Scroll::Pages(-1)),
        KeyCode::PageDown | KeyCode::Char(' ') => Told::Scroll(Scroll::Pages(1)),
        KeyCode::Home => Told::Scroll(Scroll::Home),
        KeyCode::End => Told::Scroll(Scroll::End),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;

    use super::*;

    #[test]
    fn keys_have_their_meaning() {
        for (code, modifiers, expected) in [
            (KeyCode::Char('q'), KeyModifiers::NONE, Some(Told::Quit)),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Told::Quit)),
            (KeyCode::Char('c'), KeyModifiers::NONE, None),
            (KeyCode::Char('s'), KeyModifiers::NONE, Some(Told::Sort)),
            (
                KeyCode::PageDown,
                KeyModifiers::NONE,
                Some(Told::Scroll(Scroll::Pages(1))),
            ),
            (KeyCode::F(1), KeyModifiers::NONE, None),
        ] {
            let event = Event::Key(KeyEvent::new(code, modifiers));
            assert_eq!(meaning(&event), expected, "{event:?}");
        }
        // The signal says so as well, and sooner.
        assert_eq!(meaning(&Event::Resize(80, 24)), None);
        assert_eq!(meaning(&Event::FocusLost), None);
    }
}
