use super::*;
use crate::types::Body;

fn delivery(channel: &str, text: &str) -> Delivery {
    let channel = (!channel.is_empty()).then(|| channel.parse().unwrap());
    Delivery::new(channel, &Body::from(text))
}

/// A mailbox with room for so many of [`delivery`]'s publications of one letter, before a socket that takes nothing.
fn mailbox(publications: usize, on_slow: OnSlow) -> Mailbox {
    let most = publications * delivery("", "a").size();
    let mailbox = Mailbox::new(most, on_slow, Arc::default());
    mailbox.set_stalled();
    mailbox
}

/// The texts of all that waits.
fn texts(mailbox: &Mailbox) -> String {
    let mut batch = Vec::new();
    let frames = match mailbox.take(&mut batch) {
        Taken::Nothing => return String::new(),
        Taken::One(frame) => frame.to_vec(),
        Taken::Several => batch,
    };
    let texts = frames.chunks(3).map(|frame| char::from(frame[2]));
    texts.collect()
}

fn put(mailbox: &Mailbox, channel: &str, texts: &str) {
    for text in texts.chars() {
        assert_ne!(
            mailbox.put(&delivery(channel, &text.to_string())),
            Put::Closed
        );
    }
}

#[test]
fn the_first_wakes_the_session_and_those_behind_it_do_not() {
    let mailbox = mailbox(9, OnSlow::Close);
    assert_eq!(mailbox.put(&delivery("", "a")), Put::First);
    assert_eq!(mailbox.put(&delivery("", "b")), Put::Behind);
    assert_eq!(texts(&mailbox), "ab");
    assert_eq!(mailbox.put(&delivery("", "c")), Put::First);
    assert_eq!(texts(&mailbox), "c");
    assert_eq!(texts(&mailbox), "");
}

#[test]
fn what_the_socket_has_not_taken_counts() {
    let mailbox = mailbox(2, OnSlow::Close);
    put(&mailbox, "", "ab");
    assert_eq!(texts(&mailbox), "ab");
    mailbox.set_stalled();
    assert_eq!(mailbox.put(&delivery("", "c")), Put::Overflowed);
    assert_eq!(mailbox.put(&delivery("", "d")), Put::Closed);
}

#[test]
fn a_burst_finds_room_as_long_as_the_socket_takes_everything() {
    let mailbox = mailbox(2, OnSlow::Close);
    put(&mailbox, "", "a");
    assert_eq!(texts(&mailbox), "a");
    let burst = "b".repeat(MOST_UNTRIED / delivery("", "b").size() - 1);
    put(&mailbox, "", &burst);
    while !texts(&mailbox).is_empty() {}
    put(&mailbox, "", &burst);
    mailbox.set_stalled();
    assert_eq!(mailbox.put(&delivery("", "c")), Put::Overflowed);

    let mailbox = Mailbox::new(0, OnSlow::Close, Arc::default());
    let big = delivery("", &"a".repeat(MOST_UNTRIED));
    assert_eq!(mailbox.put(&big), Put::First);
    assert_eq!(mailbox.put(&delivery("", "b")), Put::Overflowed);
}

#[test]
fn a_big_publication_finds_room_where_nothing_waits() {
    for on_slow in [OnSlow::Close, OnSlow::DropOldest, OnSlow::Latest] {
        let mailbox = mailbox(2, on_slow);
        assert_eq!(mailbox.put(&delivery("", &"a".repeat(1000))), Put::First);
        let expected = match on_slow {
            OnSlow::Close => Put::Overflowed,
            OnSlow::DropOldest | OnSlow::Latest => Put::Behind,
        };
        assert_eq!(mailbox.put(&delivery("", "b")), expected, "{on_slow:?}");
    }
}

#[test]
fn the_oldest_go_first() {
    let mailbox = mailbox(3, OnSlow::DropOldest);
    put(&mailbox, "one", "abcde");
    assert_eq!(texts(&mailbox), "cde");
    assert_eq!((mailbox.counts.slow(), mailbox.counts.messages()), (2, 3));
}

#[test]
fn what_is_out_of_date_goes_first() {
    for (most, publications, expected) in [
        // Nothing goes while there is room.
        (4, [("one", "ab"), ("two", "cd"), ("", "")], "abcd"),
        // Of its own channel first.
        (3, [("one", "ab"), ("two", "c"), ("one", "d")], "cd"),
        // Then of the others.
        (3, [("one", "abc"), ("two", "d"), ("", "")], "cd"),
        // What has no channel goes only as the oldest.
        (3, [("", "ab"), ("one", "c"), ("one", "d")], "abd"),
        (2, [("", "ab"), ("one", "c"), ("one", "d")], "bd"),
        // Then the oldest.
        (2, [("one", "a"), ("two", "b"), ("three", "c")], "bc"),
    ] {
        let mailbox = mailbox(most, OnSlow::Latest);
        for (channel, texts) in publications {
            put(&mailbox, channel, texts);
        }
        assert_eq!(texts(&mailbox), expected, "{publications:?}");
    }
}

#[test]
fn a_mailbox_that_closes_lets_go_of_what_waits() {
    let mailbox = mailbox(3, OnSlow::Close);
    put(&mailbox, "", "ab");
    mailbox.close();
    assert_eq!(mailbox.put(&delivery("", "c")), Put::Closed);
    assert_eq!(texts(&mailbox), "");
    assert_eq!((mailbox.counts.unsent(), mailbox.counts.slow()), (2, 0));
}

#[test]
fn small_frames_are_written_together_and_big_ones_are_shared() {
    let mailbox = Mailbox::new(1 << 20, OnSlow::Close, Arc::default());
    let big = delivery("", &"a".repeat(BATCH));
    for delivery in [
        &delivery("", "a"),
        &delivery("", "b"),
        &big,
        &delivery("", "c"),
    ] {
        mailbox.put(delivery);
    }
    let mut batch = Vec::new();
    assert_eq!(mailbox.take(&mut batch), Taken::Several);
    assert_eq!(batch, b"\x81\x01a\x81\x01b");
    let Taken::One(frame) = mailbox.take(&mut batch) else {
        panic!("it is too big to be copied");
    };
    assert_eq!(frame.as_ptr(), big.frame().as_ptr());
    assert_eq!(texts(&mailbox), "c");
}

#[test]
fn as_many_of_the_newest_as_find_room_are_kept_of_a_list() {
    let mailbox = mailbox(3, OnSlow::Close);
    let size = delivery("", "a").size();
    assert_eq!(mailbox.fitting(5, |_| size), 3);
    assert_eq!(mailbox.fitting(2, |_| size), 2);
    assert_eq!(
        mailbox.fitting(5, |index| if index == 4 { 10 * size } else { size }),
        1
    );
    assert_eq!(mailbox.fitting(0, |_| size), 0);
    // A newcomer's socket has refused nothing yet.
    let newcomers = Mailbox::new(2 * size, OnSlow::Close, Arc::default());
    assert_eq!(newcomers.fitting(5, |_| size), 5);
    assert_eq!(newcomers.fitting(5, |_| MOST_UNTRIED / 3), 3);
}
