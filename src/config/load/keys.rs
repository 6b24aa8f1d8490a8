//! The keys of a text, and where each of them stands first: the parser's tree has only one of those that
//! stand there twice.

use std::collections::HashMap;
use std::ops::Range;

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};

use crate::config::errors::lines::Lines;

/// Every key of a text.
pub(super) struct Keys {
    nodes: Vec<Node>,
    children: HashMap<(usize, String), usize>,
    /// The nodes of the keys, and whether they stand in a header, by their first bytes.
    by_place: HashMap<usize, (usize, bool)>,
    /// Where lists begin, in the order of the text.
    lists: Vec<Range<usize>>,
    lines: Lines,
}

/// A key in its table, or a table.
#[derive(Default)]
struct Node {
    parent: usize,
    /// Where it is named first.
    named: Option<Range<usize>>,
    /// Where it first gets a value, or has a header.
    defined: Option<Range<usize>>,
    /// The last entry of a list of tables.
    entry: Option<usize>,
}

/// A key that stands at one place, and stood at another one before.
pub(super) struct KeyPlace {
    /// Which key it is.
    pub(super) key: usize,
    /// Which key its table is.
    pub(super) table: usize,
    pub(super) first: Range<usize>,
    pub(super) line: usize,
    pub(super) is_header: bool,
}

/// The settings as a whole.
const ROOT: usize = 0;

/// The tables and lists within each other that the parser enters too.
const DEEPEST: u32 = 80;

impl Keys {
    pub(super) fn of(text: &str) -> Self {
        let source = Source::new(text);
        let tokens = source.lex().into_vec();
        let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
        let mut guard = RecursionGuard::new(&mut events, DEEPEST);
        // The errors are known.
        parse_document(&tokens, &mut guard, &mut ());
        let mut walk = Walk {
            keys: Self {
                nodes: vec![Node::default()],
                children: HashMap::new(),
                by_place: HashMap::new(),
                lists: Vec::new(),
                lines: Lines::of(text),
            },
            scopes: vec![Scope::Table(ROOT)],
            key: None,
            value: ROOT,
            header: None,
        };
        for event in events {
            walk.step(&event, source);
        }
        walk.keys
    }

    /// The key whose first byte this is, if it stands somewhere else before.
    pub(super) fn at(&self, start: usize) -> Option<KeyPlace> {
        let (key, is_header) = *self.by_place.get(&start)?;
        let node = self.nodes.get(key)?;
        let mut places = [&node.defined, &node.named].into_iter().flatten();
        let first = places.find(|place| place.start < start)?.clone();
        Some(KeyPlace {
            key,
            table: node.parent,
            line: self.lines.line(first.start),
            first,
            is_header,
        })
    }

    /// Where the last list before this byte begins.
    pub(super) fn list_before(&self, start: usize) -> Option<Range<usize>> {
        let after = self.lists.partition_point(|list| list.start < start);
        self.lists.get(after.checked_sub(1)?).cloned()
    }

    fn add(&mut self, parent: usize) -> usize {
        self.nodes.push(Node {
            parent,
            ..Node::default()
        });
        self.nodes.len() - 1
    }

    /// The key of this name in a table, or in the last entry of a list.
    fn child(&mut self, table: usize, name: String) -> usize {
        let table = self.nodes[table].entry.unwrap_or(table);
        match self.children.get(&(table, name.clone())) {
            Some(child) => *child,
            None => {
                let child = self.add(table);
                self.children.insert((table, name), child);
                child
            }
        }
    }
}

/// A way through the text.
struct Walk {
    keys: Keys,
    /// What is open, the innermost last.
    scopes: Vec<Scope>,
    /// The part of a key that was read last, within one.
    key: Option<(usize, Range<usize>)>,
    /// The key whose value is read.
    value: usize,
    /// Whether a header is read, and whether it is that of a list.
    header: Option<bool>,
}

enum Scope {
    Table(usize),
    List,
}

impl Walk {
    fn step(&mut self, event: &Event, source: Source<'_>) {
        let span = event.span().start()..event.span().end();
        match event.kind() {
            EventKind::StdTableOpen => self.begin_header(false),
            EventKind::ArrayTableOpen => self.begin_header(true),
            EventKind::StdTableClose | EventKind::ArrayTableClose => self.end_header(),
            EventKind::SimpleKey => {
                let mut name = String::new();
                if let Some(raw) = source.get(event) {
                    raw.decode_key(&mut name, &mut ());
                }
                self.name(name, span);
            }
            EventKind::KeyValSep => {
                if let Some((key, span)) = self.key.take() {
                    self.keys.nodes[key].defined.get_or_insert(span);
                    self.value = key;
                }
            }
            EventKind::InlineTableOpen => {
                let table = match self.scopes.last() {
                    Some(Scope::List) => self.keys.add(self.value),
                    _ => self.value,
                };
                self.scopes.push(Scope::Table(table));
            }
            EventKind::ArrayOpen => {
                self.keys.lists.push(span);
                self.scopes.push(Scope::List);
            }
            EventKind::InlineTableClose | EventKind::ArrayClose if self.scopes.len() > 1 => {
                self.scopes.pop();
            }
            EventKind::Newline => self.key = None,
            _ => {}
        }
    }

    fn begin_header(&mut self, is_list: bool) {
        self.scopes.clear();
        self.scopes.push(Scope::Table(ROOT));
        self.key = None;
        self.header = Some(is_list);
    }

    fn end_header(&mut self) {
        let (Some((key, span)), Some(is_list)) = (self.key.take(), self.header.take()) else {
            return;
        };
        self.keys.nodes[key].defined.get_or_insert(span);
        if is_list {
            let entry = self.keys.add(key);
            self.keys.nodes[key].entry = Some(entry);
        }
        self.scopes.clear();
        self.scopes.push(Scope::Table(key));
    }

    fn name(&mut self, name: String, span: Range<usize>) {
        let table = match (&self.key, self.scopes.last()) {
            (Some((table, _)), _) => *table,
            (None, Some(Scope::Table(table))) => *table,
            (None, Some(Scope::List) | None) => return,
        };
        let key = self.keys.child(table, name);
        self.keys.nodes[key].named.get_or_insert(span.clone());
        let is_header = self.header.is_some();
        self.keys.by_place.insert(span.start, (key, is_header));
        self.key = Some((key, span));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For the last `x` of the text: where the first one stands, if it is the same key.
    fn first(text: &str) -> Option<usize> {
        let place = Keys::of(text).at(text.rfind('x').unwrap());
        place.map(|place| place.first.start)
    }

    #[test]
    fn a_key_is_the_same_in_the_same_table_only() {
        for (text, is_same) in [
            ("x = 1\nx = 2", true),
            ("x = 1\n[a]\nx = 2", false),
            ("[x]\n[b]\n[x]", true),
            ("[a.x]\n[a.\"x\"]", false),
            ("[[x]]\na = 1\n[x]", true),
            ("a.x = 1\nb.x = 2", false),
            ("a.x = 1\nb = 2\na . x = 3", true),
            ("a = { x = 1, b = { x = 2 } }", false),
            ("a = { b.x = 1, b.x = 2 }", true),
            ("a = [{ x = 1 }, { x = 2 }]", false),
            ("a = [\n{ x = 1,\n x = 2 }]", true),
            ("[[a]]\nx = 1\n[[a]]\nx = 2", false),
            ("[[a]]\n[a.x]\n[[a]]\n[a.b]\n[a.x]", false),
            ("[[a]]\n[a.x]\n[a.b]\n[a.x]", true),
            ("a = \"\"\"\nx = 1\n\"\"\"\nx = 2", false),
        ] {
            let expected = is_same.then(|| text.find('x').unwrap());
            // A quoted key begins with its quotes.
            assert_eq!(first(text), expected, "{text}");
        }
        let quoted = "[a.x]\n[a.'x']";
        let place = Keys::of(quoted).at(quoted.find('\'').unwrap());
        assert_eq!(place.unwrap().line, 1);
    }

    #[test]
    fn any_depth_is_walked_in_a_time_that_grows_with_the_text() {
        for text in [
            "a.".repeat(100_000),
            "[".repeat(100_000),
            "{a=".repeat(100_000),
        ] {
            let keys = Keys::of(&text);
            assert!(keys.nodes.len() <= 200_000, "{} keys", keys.nodes.len());
        }
    }
}
