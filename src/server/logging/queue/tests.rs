use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::config::LogFormat;

const OWN_LINES: OwnLines = OwnLines {
    format: LogFormat::Text,
    color: false,
};

/// Takes bytes only as long as it is let: each write waits for its answer.
struct Sink {
    asked: Sender<Vec<u8>>,
    answers: Receiver<io::Result<()>>,
}

/// The other side of a [`Sink`].
struct Reader {
    asked: Receiver<Vec<u8>>,
    answers: Sender<io::Result<()>>,
}

fn sink() -> (Sink, Reader) {
    let (asked, is_asked) = channel();
    let (answer, answers) = channel();
    let sink = Sink { asked, answers };
    let reader = Reader {
        asked: is_asked,
        answers: answer,
    };
    (sink, reader)
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.asked.send(bytes.to_vec()).map_err(io::Error::other)?;
        let answer = self.answers.recv().map_err(io::Error::other)?;
        answer.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Reader {
    /// What is being written, which waits.
    fn asked(&self) -> String {
        String::from_utf8(self.asked.recv().unwrap()).unwrap()
    }

    fn answer(&self, answer: io::Result<()>) {
        self.answers.send(answer).unwrap();
    }

    /// Takes all there is from now on; ends with the queue.
    fn rest(self) -> thread::JoinHandle<String> {
        thread::spawn(move || {
            let mut rest = String::new();
            while let Ok(bytes) = self.asked.recv() {
                rest.push_str(std::str::from_utf8(&bytes).unwrap());
                self.answer(Ok(()));
            }
            rest
        })
    }
}

/// The lines without the time of those that the log wrote itself.
fn lines(text: &str) -> Vec<&str> {
    let line = |line| str::find(line, " WARN").map_or(line, |level| &line[level + 1..]);
    text.lines().map(line).collect()
}

fn told(dropped: u64) -> String {
    format!("WARN lines of the log were dropped reason=log_dropped dropped={dropped}")
}

#[test]
fn lines_come_out_in_their_order_and_the_last_ones_at_the_end() {
    let (sink, reader) = sink();
    let (queue, writer) = LogQueue::start(sink, OWN_LINES).unwrap();
    let rest = reader.rest();
    let numbered: Vec<_> = (0..1000).map(|number| format!("line {number}")).collect();
    for line in &numbered {
        queue.push(format!("{line}\n").as_bytes());
    }
    drop(writer);
    assert_eq!(lines(&rest.join().unwrap()), numbered);
    assert_eq!(queue.dropped(), 0);
}

#[test]
fn a_sink_that_takes_nothing_holds_nobody_up_and_what_is_dropped_is_told_in_its_place() {
    let (sink, reader) = sink();
    let (queue, writer) = LogQueue::start(sink, OWN_LINES).unwrap();
    queue.push(b"first\n");
    assert_eq!(reader.asked(), "first\n");
    // The sink is stuck with that one. None of these waits: the test would not end.
    let mut pushed = 0_u64;
    while queue.dropped() < 10 {
        queue.push(format!("{pushed:>999}\n").as_bytes());
        pushed += 1;
    }
    // Some would fit, but not in their place.
    queue.push(b"short\n");
    let kept = (CAPACITY / 1000) as u64;
    assert_eq!(queue.dropped(), 11);
    assert_eq!(pushed, kept + 10);
    // The sink recovers, and the next line finds room.
    reader.answer(Ok(()));
    let second = reader.asked();
    queue.push(b"after\n");
    reader.answer(Ok(()));
    let rest = second
        + &{
            let rest = reader.rest();
            drop(writer);
            rest.join().unwrap()
        };
    let written = lines(&rest);
    assert_eq!(written.len() as u64, kept + 2);
    assert_eq!(written[0].trim(), "0");
    assert_eq!(written[kept as usize..], [&*told(11), "after"]);
    assert_eq!(queue.dropped(), 11);
}

#[test]
fn the_end_waits_for_a_sink_that_takes_nothing_within_its_time() {
    let (sink, reader) = sink();
    let (queue, mut writer) = LogQueue::start(sink, OWN_LINES).unwrap();
    queue.push(b"first\n");
    assert_eq!(reader.asked(), "first\n");
    assert!(!writer.finish(Duration::from_millis(10)));
    // One that takes it in time is waited for.
    let rest = reader.rest();
    queue.push(b"second\n");
    drop(rest);
}

#[test]
fn what_a_sink_fails_to_take_is_counted_and_told_when_it_takes_something_again() {
    let (sink, reader) = sink();
    let (queue, writer) = LogQueue::start(sink, OWN_LINES).unwrap();
    for line in ["first\n", "second\n"] {
        queue.push(line.as_bytes());
        // From the second on it first tries to tell.
        for _ in 0..if line == "first\n" { 1 } else { 2 } {
            reader.asked();
            reader.answer(Err(io::ErrorKind::BrokenPipe.into()));
        }
    }
    queue.push(b"third\n");
    let rest = reader.rest();
    drop(writer);
    assert_eq!(lines(&rest.join().unwrap()), [&*told(2), "third"]);
    assert_eq!(queue.dropped(), 2);
}

#[test]
fn a_line_has_a_bound() {
    let (sink, reader) = sink();
    let (queue, writer) = LogQueue::start(sink, OWN_LINES).unwrap();
    let rest = reader.rest();
    queue.push(("x".repeat(LONGEST_LINE - 1) + "\n").as_bytes());
    queue.push(("y".repeat(LONGEST_LINE) + "\n").as_bytes());
    drop(writer);
    let rest = rest.join().unwrap();
    let lengths: Vec<_> = rest.split_inclusive('\n').map(str::len).collect();
    assert_eq!(lengths, [LONGEST_LINE; 2]);
    assert!(rest.ends_with("y…\n"));
}

#[test]
fn whole_lines_are_written_at_once_as_many_as_a_pipe_takes() {
    let line = |length: usize| "x".repeat(length - 1) + "\n";
    for (lengths, expected) in [
        (vec![], vec![]),
        (vec![10], vec![10]),
        (vec![10, 20, 30], vec![60]),
        (vec![PIECE - 10, 10, 1], vec![PIECE, 1]),
        (vec![PIECE - 10, 11], vec![PIECE - 10, 11]),
        (vec![PIECE + 1, 5], vec![PIECE + 1, 5]),
        (vec![5, 3 * PIECE, 5], vec![5, 3 * PIECE, 5]),
    ] {
        let text: String = lengths.iter().copied().map(line).collect();
        let found: Vec<_> = pieces(text.as_bytes()).map(<[u8]>::len).collect();
        assert_eq!(found, expected, "{lengths:?}");
    }
}

#[test]
fn lines_of_many_threads_do_not_mix() {
    let (sink, reader) = sink();
    let (queue, writer) = LogQueue::start(sink, OWN_LINES).unwrap();
    let rest = reader.rest();
    let threads: Vec<_> = ["a", "b", "c", "d"]
        .map(|letter| {
            let queue = queue.clone();
            thread::spawn(move || {
                for _ in 0..200 {
                    queue.push((letter.repeat(50) + "\n").as_bytes());
                }
            })
        })
        .into();
    for thread in threads {
        thread.join().unwrap();
    }
    drop(writer);
    let rest = rest.join().unwrap();
    assert_eq!(rest.lines().count(), 800);
    for line in rest.lines() {
        assert_eq!(line, line[..1].repeat(50));
    }
}
