//! Publications that wait one behind the other.

use std::collections::VecDeque;

use crate::channels::encoded::Delivery;

/// A queue whose first place needs no memory of its own: most often one publication waits, and that in thousands of
/// sessions at once.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Not empty while anything waits.
    first: Option<Delivery>,
    behind: VecDeque<Delivery>,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.behind.len()
    }

    pub(super) fn front(&self) -> Option<&Delivery> {
        self.first.as_ref()
    }

    /// From the one that waits longest to the newest.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Delivery> {
        self.first.iter().chain(&self.behind)
    }

    pub(super) fn push(&mut self, delivery: Delivery) {
        match self.first {
            None => self.first = Some(delivery),
            Some(_) => self.behind.push_back(delivery),
        }
    }

    /// Takes the one that waits longest. A line that gets empty holds no memory.
    pub(super) fn pop(&mut self) -> Option<Delivery> {
        let popped = self.first.take();
        self.advance();
        popped
    }

    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&Delivery) -> bool) {
        self.first.take_if(|first| !is_kept(first));
        self.behind.retain(is_kept);
        if self.first.is_none() {
            self.advance();
        }
    }

    fn advance(&mut self) {
        self.first = self.behind.pop_front();
        if self.first.is_none() && self.behind.capacity() > 0 {
            self.behind = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Body;

    fn texts(line: &Line) -> String {
        let frames = line.iter().map(Delivery::frame);
        frames.map(|frame| char::from(frame[2])).collect()
    }

    #[test]
    fn it_keeps_its_order_and_no_memory_when_it_is_empty() {
        let mut line = Line::default();
        for text in ["a", "b", "c", "d", "e"] {
            line.push(Delivery::new(None, &Body::from(text)));
        }
        assert_eq!((texts(&line).as_str(), line.len()), ("abcde", 5));
        line.retain(|delivery| !b"ac".contains(&delivery.frame()[2]));
        assert_eq!(line.front().map(|front| front.frame()[2]), Some(b'b'));
        assert_eq!(line.pop().map(|popped| popped.frame()[2]), Some(b'b'));
        assert_eq!((texts(&line).as_str(), line.len()), ("de", 2));
        while line.pop().is_some() {}
        assert!(line.is_empty());
        assert_eq!(line.behind.capacity(), 0);
    }
}
