//! A terminal with a person at it, as far as a program can tell.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::soon;

/// The terminal. What runs on it loses it when this is dropped.
pub(crate) struct Terminal {
    person: File,
    /// Held open, so that it stays a terminal when a program has ended.
    program: OwnedFd,
    name: String,
    screen: Arc<watch::Sender<Screen>>,
}

/// What is seen on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Screen {
    rows: BTreeMap<usize, Vec<char>>,
    /// What was on it before a program took it for itself.
    beneath: Option<BTreeMap<usize, Vec<char>>>,
    row: usize,
    column: usize,
    columns: usize,
    pub(crate) is_cursor_hidden: bool,
    unread: Vec<u8>,
}

impl Terminal {
    pub(crate) fn open(columns: u16, rows: u16) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&person).expect("a terminal");
        unlockpt(&person).expect("a terminal");
        let name = ptsname(&person, Vec::new()).expect("a name");
        let name = name.into_string().expect("a path");
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let program = rustix::fs::open(&name, flags, rustix::fs::Mode::empty());
        let person = File::from(person);
        let screen = Arc::new(watch::Sender::new(Screen::default()));
        let shown = Arc::clone(&screen);
        let mut output = person.try_clone().expect("a descriptor");
        // It ends when nobody has the program's end any more.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                shown.send_modify(|screen| screen.take(&bytes[..length]));
            }
        });
        let terminal = Self {
            person,
            program: program.expect("a terminal"),
            name,
            screen,
        };
        terminal.resize(columns, rows);
        terminal
    }

    /// A command line of the program, in a session of its own that has this terminal.
    pub(crate) fn spawn(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
        let on_it = r#"exec "$@" <>"$0" >&0 2>&0"#;
        Command::new("setsid")
            .args(["sh", "-c", on_it, &self.name, env!("CARGO_BIN_EXE_wsgate")])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts")
    }

    /// Runs a command line to its end, and tells its exit code.
    pub(crate) async fn finish(&self, arguments: &[&str]) -> Option<i32> {
        ended(&mut self.spawn(arguments, &[])).await
    }

    /// Waits until this is to be seen.
    #[track_caller]
    pub(crate) fn shows(
        &self,
        what: &str,
        is_there: impl Fn(&Screen) -> bool,
    ) -> impl Future<Output = Screen> {
        let mut screen = self.screen.subscribe();
        let report = Report(self.screen.subscribe());
        let shown = async move {
            let seen = screen.wait_for(|screen| is_there(screen)).await;
            seen.expect("a terminal").clone()
        };
        let shown = soon(what.to_owned(), shown);
        async move {
            // Where it is not, what was seen in its place says why.
            let _report = report;
            shown.await
        }
    }

    /// Waits until a text is to be seen.
    #[track_caller]
    pub(crate) fn reads(&self, text: &str) -> impl Future<Output = Screen> {
        let wanted = text.to_owned();
        self.shows(text, move |screen| screen.text().contains(&wanted))
    }

    pub(crate) fn types(&self, keys: &str) {
        (&self.person)
            .write_all(keys.as_bytes())
            .expect("a terminal");
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let width = usize::from(columns);
        self.screen.send_modify(|screen| screen.columns = width);
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.person, size).expect("a terminal");
    }

    /// How it treats what is typed and written.
    pub(crate) fn modes(&self) -> String {
        let modes = tcgetattr(&self.program).expect("a terminal");
        format!(
            "{:?} {:?} {:?} {:?}",
            modes.input_modes, modes.output_modes, modes.local_modes, modes.control_modes
        )
    }
}

/// Waits for the end of a program, and tells its exit code.
#[track_caller]
pub(crate) fn ended(child: &mut Child) -> impl Future<Output = Option<i32>> {
    soon("the program to end", async {
        child.wait().await.expect("a status").code()
    })
}

/// Shows the screen where a wait for it fails.
struct Report(watch::Receiver<Screen>);

impl Drop for Report {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("on the screen:\n{}", self.0.borrow().text());
        }
    }
}

impl Screen {
    /// Its rows, without the spaces at their ends.
    pub(crate) fn rows(&self) -> Vec<String> {
        let last = self.rows.keys().next_back().map_or(0, |last| last + 1);
        let row = |row| {
            self.rows
                .get(&row)
                .map_or(String::new(), |row| row.iter().collect())
        };
        let rows = (0..last).map(|index| row(index).trim_end().to_owned());
        rows.collect()
    }

    pub(crate) fn text(&self) -> String {
        self.rows().join("\n")
    }

    /// Whether a program has it for itself.
    pub(crate) fn is_taken(&self) -> bool {
        self.beneath.is_some()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.unread);
        let whole = match std::str::from_utf8(&bytes) {
            Ok(whole) => whole,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("text"),
        };
        let mut rest = whole;
        while let Some(letter) = rest.chars().next() {
            match rest.strip_prefix("\x1b[") {
                Some(sequence) => {
                    let Some(end) = sequence.find(|letter: char| matches!(letter, '@'..='~'))
                    else {
                        break;
                    };
                    let (parameters, behind) = sequence.split_at(end);
                    self.control(parameters, behind.chars().next().expect("it was found"));
                    rest = &behind[1..];
                }
                // The rest of the sequence is to come.
                None if letter == '\x1b' && rest.len() == 1 => break,
                None => {
                    self.write(letter);
                    rest = &rest[letter.len_utf8()..];
                }
            }
        }
        self.unread = bytes[whole.len() - rest.len()..].to_vec();
    }

    fn control(&mut self, parameters: &str, end: char) {
        let numbers: Vec<usize> = parameters.split(';').flat_map(str::parse).collect();
        let number = |index: usize| numbers.get(index).copied();
        // Behind the last column the cursor stands on it, until another letter is written.
        let column = self.column.min(self.columns - 1);
        match (parameters, end) {
            ("?1049", 'h') => self.beneath = Some(std::mem::take(&mut self.rows)),
            ("?1049", 'l') => self.rows = self.beneath.take().unwrap_or_default(),
            ("?25", _) => self.is_cursor_hidden = end == 'l',
            (_, 'H') => {
                self.row = number(0).unwrap_or(1) - 1;
                self.column = number(1).unwrap_or(1) - 1;
            }
            ("" | "0", 'J') => {
                self.rows.entry(self.row).or_default().truncate(column);
                self.rows.retain(|row, _| *row <= self.row);
            }
            ("2", 'J') => self.rows.clear(),
            ("" | "0", 'K') => self.rows.entry(self.row).or_default().truncate(column),
            (_, 'm') => {}
            unknown => panic!("what does {unknown:?} do?"),
        }
    }

    fn write(&mut self, letter: char) {
        match letter {
            '\r' => self.column = 0,
            '\n' => self.row += 1,
            letter => {
                let row = self.rows.entry(self.row).or_default();
                row.resize(row.len().max(self.column + 1), ' ');
                row[self.column] = letter;
                self.column += 1;
            }
        }
    }
}
