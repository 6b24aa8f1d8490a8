//! Where the lines of a text begin.

/// Finds lines and columns; looking one up does not go through the text again.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Lines {
    /// The first byte of each line but the first.
    starts: Vec<usize>,
}

impl Lines {
    pub(in crate::config) fn of(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            starts: newlines.map(|(newline, _)| newline + 1).collect(),
        }
    }

    /// The line of a byte, from 1.
    pub(in crate::config) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) + 1
    }

    /// The first byte of a line.
    pub(super) fn start(&self, line: usize) -> usize {
        match line {
            0 | 1 => 0,
            line => self.starts.get(line - 2).copied().unwrap_or_default(),
        }
    }

    /// Line and column of a byte of `text`, the column in characters.
    pub(super) fn position(&self, text: &str, offset: usize) -> (usize, usize) {
        let offset = if text.is_char_boundary(offset) {
            offset
        } else {
            text.len()
        };
        let line = self.line(offset);
        let before = text.get(self.start(line)..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters_from_one() {
        let text = "a\nöö = 1\n";
        let lines = Lines::of(text);
        for (offset, expected) in [
            (0, (1, 1)),
            (1, (1, 2)),
            (2, (2, 1)),
            (6, (2, 3)),
            (99, (3, 1)),
        ] {
            assert_eq!(lines.position(text, offset), expected, "byte {offset}");
        }
        assert_eq!([1, 2, 3].map(|line| lines.start(line)), [0, 2, 11]);
    }
}
