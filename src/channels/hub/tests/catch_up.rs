//! How publications of before come into a channel.

use super::*;
use crate::channels::channel::Earlier;

/// Publications of a letter each: capitals of this gate, others of another one.
fn earlier(texts: &str) -> Vec<Earlier> {
    let each = texts.chars().map(|text| {
        let node = if text.is_uppercase() { 2 } else { 1 };
        let id = PublicationId {
            node: NodeId::from_number(node).unwrap(),
            sequence: u64::from(u32::from(text)),
        };
        Earlier {
            id,
            delivery: Delivery::new(Some(name("a")), &Body::from(text.to_string())),
            exclude: Box::default(),
        }
    });
    each.collect()
}

/// They come as they are published.
fn hear(channels: &Channels, texts: &str, retain: usize) {
    for Earlier { id, delivery, .. } in earlier(texts) {
        channels.publish(&name("a"), id, &delivery, retain, &[]);
    }
}

/// They are retained elsewhere.
fn load(channels: &Channels, texts: &str, retain: usize) {
    channels.catch_up(&name("a"), Some(&earlier(texts)), retain);
}

/// What a member gets that comes now.
fn newcomer(channels: &Channels, number: u64, retain: usize) -> String {
    let reader = Reader::new(number);
    join(channels, &reader, "a", retain);
    let read = reader.read();
    leave_all(channels, &reader);
    read
}

fn behind() -> Channels {
    let channels = Channels::default();
    channels.set_interest(Arc::new(Noted {
        is_behind: true,
        ..Noted::default()
    }));
    channels
}

#[test]
fn what_was_published_elsewhere_comes_before_what_waited_for_it() {
    let channels = behind();
    publish(&channels, "a", "b", 3);
    let (one, two) = (Reader::new(1), Reader::new(2));
    join(&channels, &one, "a", 3);
    assert_eq!(publish(&channels, "a", "x", 3), 1);
    join(&channels, &two, "a", 1);
    // One that is among those of before as well.
    hear(&channels, "w", 3);
    assert_eq!((one.read(), two.read()), ("".into(), "".into()));
    load(&channels, "uvw", 3);
    assert_eq!((one.read(), two.read()), ("buvxw".into(), "vxw".into()));
    load(&channels, "uvwz", 3);
    assert_eq!(one.read(), "z", "it came late");
    let summary = channels.summary(&name("a")).unwrap();
    assert_eq!(summary.retained, 3);
}

#[test]
fn what_was_missed_goes_to_the_members_that_were_there() {
    let channels = Channels::default();
    let (one, two) = (Reader::new(1), Reader::new(2));
    join(&channels, &one, "a", 3);
    hear(&channels, "u", 3);
    channels.begin_catch_up(&name("a"));
    hear(&channels, "w", 3);
    join(&channels, &two, "a", 3);
    load(&channels, "uvw", 3);
    assert_eq!((one.read(), two.read()), ("uvw".into(), "uvw".into()));
    // Where nothing can be had, all that waited goes on.
    channels.begin_catch_up(&name("a"));
    publish(&channels, "a", "x", 3);
    channels.catch_up(&name("a"), None, 3);
    assert_eq!(one.read(), "x");
}

#[test]
fn too_much_does_not_wait() {
    let channels = Channels::default();
    let one = Reader::new(1);
    join(&channels, &one, "a", 0);
    channels.begin_catch_up(&name("a"));
    let mut published = 0;
    while one.read().is_empty() {
        publish(&channels, "a", "x", 0);
        published += 1;
        assert!(published < 10_000);
    }
    assert!(published > 1000, "{published}");
}

#[test]
fn what_has_been_here_does_not_come_again() {
    let channels = Channels::default();
    let one = Reader::new(1);
    join(&channels, &one, "a", 1);
    hear(&channels, "ABabC", 1);
    assert_eq!(one.read(), "ABabC");
    // The engine was away for the last ones, or keeps more than is kept here.
    for elsewhere in ["A", "b", "ABab"] {
        channels.begin_catch_up(&name("a"));
        load(&channels, elsewhere, 1);
        assert_eq!(one.read(), "", "{elsewhere}");
        assert_eq!(newcomer(&channels, 2, 1), "C", "{elsewhere}");
    }
    channels.forget_retained(&name("a"));
    channels.begin_catch_up(&name("a"));
    load(&channels, "ab", 1);
    assert_eq!(
        (one.read(), newcomer(&channels, 2, 1)),
        ("".into(), "".into())
    );
}

#[test]
fn what_was_loaded_and_is_heard_then_comes_once() {
    let channels = Channels::default();
    let one = Reader::new(1);
    join(&channels, &one, "a", 3);
    load(&channels, "ab", 3);
    hear(&channels, "bc", 3);
    assert_eq!(
        (one.read(), newcomer(&channels, 2, 9)),
        ("abc".into(), "abc".into())
    );
}

#[test]
fn what_was_loaded_comes_once_however_late_it_is_heard() {
    let channels = Channels::default();
    let one = Reader::new(1);
    join(&channels, &one, "a", 1);
    load(&channels, "ab", 1);
    // It is retained no more when it is heard, and what the engine retains has been loaded again.
    hear(&channels, "C", 1);
    load(&channels, "bCd", 1);
    hear(&channels, "bd", 1);
    assert_eq!(
        (one.read(), newcomer(&channels, 2, 1)),
        ("bCd".into(), "d".into())
    );
}

#[test]
fn what_is_only_here_stays_the_newest() {
    let only_here = |channels: &Channels, texts| {
        hear(channels, texts, 3);
        for Earlier { id, .. } in earlier(texts) {
            channels.note_only_here(&name("a"), id);
        }
    };
    let cases = [
        // Heard before, only here, elsewhere, retained then.
        ("A", "B", "Aa", "AaB"),
        ("", "B", "ab", "abB"),
        ("", "BC", "abc", "cBC"),
        // No more elsewhere, and so older.
        ("AB", "", "ab", "Bab"),
        ("aB", "C", "Bb", "BbC"),
        // It got there after all.
        ("", "A", "Ab", "Ab"),
    ];
    for (before, here, elsewhere, retained) in cases {
        let channels = Channels::default();
        let one = Reader::new(1);
        join(&channels, &one, "a", 0);
        hear(&channels, before, 3);
        only_here(&channels, here);
        load(&channels, elsewhere, 3);
        assert_eq!(
            newcomer(&channels, 2, 9),
            retained,
            "{before} {here} {elsewhere}"
        );
        // What comes now is newer.
        load(&channels, "z", 3);
        assert!(newcomer(&channels, 2, 9).ends_with('z'));
    }
    // One that waits, too.
    let channels = Channels::default();
    let one = Reader::new(1);
    join(&channels, &one, "a", 0);
    channels.begin_catch_up(&name("a"));
    only_here(&channels, "B");
    channels.catch_up(&name("a"), None, 3);
    load(&channels, "a", 3);
    assert_eq!(
        (one.read(), newcomer(&channels, 2, 9)),
        ("Ba".into(), "aB".into())
    );
}

#[test]
fn a_session_that_is_left_out_does_not_get_it_later() {
    let channels = Channels::default();
    let (one, two, three) = (Reader::new(1), Reader::new(2), Reader::new(3));
    join(&channels, &one, "a", 3);
    join(&channels, &two, "a", 3);
    channels.begin_catch_up(&name("a"));
    join(&channels, &three, "a", 3);
    // A session of another gate with the same number.
    let other = SessionName::new(NodeId::from_number(1).unwrap(), 1.into());
    let mut missed = earlier("abc");
    missed[0].exclude = Box::new([one.name, other]);
    missed[1].exclude = Box::new([three.name]);
    let [.., waiting] = &missed[..] else {
        unreachable!("there are three");
    };
    let reached = channels.publish(&name("a"), waiting.id, &waiting.delivery, 3, &[other]);
    assert_eq!(reached, 3);
    channels.catch_up(&name("a"), Some(&missed), 3);
    let read = [&one, &two, &three].map(|reader| reader.read());
    assert_eq!(read, ["bc", "abc", "ac"]);
}

#[test]
fn who_comes_while_nothing_can_be_loaded_gets_no_more_later_than_is_retained() {
    let channels = behind();
    let one = Reader::new(1);
    join(&channels, &one, "a", 2);
    channels.catch_up(&name("a"), None, 2);
    load(&channels, "abc", 2);
    assert_eq!(one.read(), "bc");
    // From then on it has missed all that comes.
    load(&channels, "bcdef", 2);
    assert_eq!(one.read(), "def");
}
