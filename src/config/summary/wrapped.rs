//! Lists of words in lines of a terminal.

/// The columns that a line has.
const WIDTH: usize = 80;

/// What stands before the words of a route.
const INDENT: &str = "             ";

/// A list over as many lines as it needs.
pub(super) fn wrapped(words: &[String]) -> String {
    let mut text = String::new();
    let mut column = INDENT.len();
    for (index, word) in words.iter().enumerate() {
        let comma = usize::from(index + 1 < words.len());
        let length = word.chars().count() + comma;
        if index > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(INDENT);
            column = INDENT.len();
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        text.push_str(&","[..comma]);
        column += length;
    }
    text
}
