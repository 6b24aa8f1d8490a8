//! Tables for people: as wide as they have to be, or as wide as the terminal is.

use std::fmt::Write;

/// Rows under headings.
#[derive(Debug)]
pub(super) struct TextTable {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    heading: &'static str,
    kind: ColumnKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnKind {
    /// A name or an address: cut in its middle where the table is too wide, because names that begin
    /// alike end differently.
    Text,
    /// A short word, whole always.
    Word,
    /// Its digits stand above each other.
    Number,
}

/// What stands for what was cut out.
const CUT: char = '…';

/// A text that is cut keeps so many characters.
const NARROWEST: usize = 6;

const GAP: &str = "  ";

impl Column {
    pub(super) const fn text(heading: &'static str) -> Self {
        let kind = ColumnKind::Text;
        Self { heading, kind }
    }

    pub(super) const fn word(heading: &'static str) -> Self {
        let kind = ColumnKind::Word;
        Self { heading, kind }
    }

    pub(super) const fn number(heading: &'static str) -> Self {
        let kind = ColumnKind::Number;
        Self { heading, kind }
    }
}

impl TextTable {
    pub(super) fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a cell for each column.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| printable(&cell));
        let row = cells.chain(std::iter::repeat(String::new()));
        self.rows.push(row.take(self.columns.len()).collect());
    }

    /// The lines, the headings first; with a width, none is wider.
    pub(super) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let widths = self.widths(width);
        let headings: Vec<_> = (self.columns.iter())
            .map(|column| column.heading.to_owned())
            .collect();
        let rows = std::iter::once(&headings).chain(&self.rows);
        rows.map(|row| self.line(row, &widths, width)).collect()
    }

    /// The lines in one text.
    pub(super) fn render(&self, width: Option<usize>) -> String {
        let mut text = self.lines(width).join("\n");
        text.push('\n');
        text
    }

    fn widths(&self, width: Option<usize>) -> Vec<usize> {
        let widest = |index: usize, column: &Column| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            let cells = cells.map(|cell| cell.chars().count());
            cells.max().unwrap_or(0).max(column.heading.len())
        };
        let columns = self.columns.iter().enumerate();
        let mut widths: Vec<_> = columns
            .map(|(index, column)| widest(index, column))
            .collect();
        let gaps = GAP.len() * self.columns.len().saturating_sub(1);
        let most = width.unwrap_or(usize::MAX);
        while gaps + widths.iter().sum::<usize>() > most {
            let shrinkable = self.columns.iter().zip(&mut widths);
            let widest = shrinkable
                .filter(|(column, width)| column.kind == ColumnKind::Text && **width > NARROWEST)
                .max_by_key(|(_, width)| **width);
            match widest {
                Some((_, width)) => *width -= 1,
                None => break,
            }
        }
        widths
    }

    fn line(&self, row: &[String], widths: &[usize], width: Option<usize>) -> String {
        let mut line = String::new();
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
            let cell = cut_in_the_middle(cell, *width);
            // Writing to a string cannot fail.
            let _written = match column.kind {
                ColumnKind::Number => write!(line, "{cell:>width$}{GAP}"),
                ColumnKind::Text | ColumnKind::Word => write!(line, "{cell:<width$}{GAP}"),
            };
        }
        line.truncate(line.trim_end().len());
        match width {
            Some(width) => cut_at_the_end(&line, width),
            None => line,
        }
    }
}

/// At most so many characters, its first and its last ones.
fn cut_in_the_middle(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let last = kept.div_ceil(2);
    let first = text.chars().take(kept - last);
    let last = text.chars().skip(length - last);
    first.chain([CUT]).chain(last).take(width).collect()
}

/// At most so many characters, its first ones.
pub(super) fn cut_at_the_end(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let first = text.chars().take(width.saturating_sub(1));
    first.chain([CUT]).take(width).collect()
}

/// Without anything that would move the cursor.
pub(super) fn printable(text: &str) -> String {
    match text.contains(char::is_control) {
        true => text.escape_debug().to_string(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TextTable {
        let mut table = TextTable::new(&[
            Column::number("ID"),
            Column::text("SERVER"),
            Column::word("STATE"),
            Column::number("AGE"),
        ]);
        for cells in [
            ["7", "ws://chat-1.example.com:9001", "open", "5s"],
            ["1234", "ws://chat-2.example.com:9001", "draining", "2h03m"],
        ] {
            table.row(cells.map(str::to_owned));
        }
        table
    }

    #[test]
    fn columns_are_aligned_and_whole_where_there_is_no_terminal() {
        let expected = "  ID  SERVER                        STATE       AGE\n   \
             7  ws://chat-1.example.com:9001  open         5s\n\
             1234  ws://chat-2.example.com:9001  draining  2h03m\n";
        assert_eq!(table().render(None), expected);
        assert_eq!(table().render(Some(52)), expected);
    }

    #[test]
    fn what_is_too_wide_is_cut_where_it_can_be_seen() {
        let narrow = "  ID  SERVER         STATE       AGE\n   \
             7  ws://c…m:9001  open         5s\n\
             1234  ws://c…m:9001  draining  2h03m\n";
        assert_eq!(table().render(Some(36)), narrow);
        assert_eq!(table().lines(Some(8)), ["  ID  S…", "   7  w…", "1234  w…"]);
        for width in 0..60 {
            for line in table().lines(Some(width)) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_cell_moves_no_cursor_and_a_row_has_all_cells() {
        let mut table = TextTable::new(&[Column::text("A"), Column::text("B")]);
        table.row(["x\u{1b}[2J\n".to_owned()]);
        assert_eq!(table.render(None), "A             B\nx\\u{1b}[2J\\n\n");
    }
}
