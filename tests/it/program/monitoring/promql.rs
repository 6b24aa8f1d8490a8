//! Which metrics and labels an expression of Prometheus asks for.

use std::collections::BTreeSet;

/// What an expression asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) series: Vec<Series>,
    /// What it groups and joins by.
    pub(super) groups: BTreeSet<String>,
}

/// One selector.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) metric: String,
    /// Label and value, where it may be a pattern.
    pub(super) matchers: Vec<(String, String)>,
    /// The function that it is given to, if it stands alone in there.
    pub(super) function: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    Text(String),
    Number,
    Mark(char),
}

/// Reads an expression; panics where it is none.
pub(super) fn asked(expression: &str) -> Asked {
    let tokens = tokens(expression);
    let count = |mark| {
        let marks = tokens.iter().filter(|token| **token == Token::Mark(mark));
        marks.count()
    };
    for (left, right) in [('(', ')'), ('{', '}')] {
        assert_eq!(count(left), count(right), "{expression}");
    }
    let mut asked = Asked::default();
    let mut at = 0;
    while at < tokens.len() {
        let Token::Name(name) = &tokens[at] else {
            at += 1;
            continue;
        };
        at += 1;
        match &**name {
            "by" | "without" | "on" | "ignoring" | "group_left" | "group_right" => {
                let end = end_of(&tokens, at, '(', ')');
                let labels = tokens[at..end].iter().filter_map(Token::name);
                asked.groups.extend(labels.map(str::to_owned));
                at = end;
            }
            "and" | "or" | "unless" | "offset" | "bool" => {}
            _ if tokens.get(at) == Some(&Token::Mark('(')) => {}
            // An aggregation may have its grouping before its argument.
            _ if matches!(tokens.get(at).and_then(Token::name), Some("by" | "without")) => {}
            _ => {
                let end = match tokens.get(at) {
                    Some(Token::Mark('{')) => end_of(&tokens, at, '{', '}'),
                    _ => at,
                };
                asked.series.push(Series {
                    metric: name.clone(),
                    matchers: matchers(&tokens[at..end]),
                    function: function(&tokens[..at - 1]),
                });
                at = end;
            }
        }
    }
    assert!(!asked.series.is_empty(), "{expression}");
    asked
}

impl Token {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Text(_) | Self::Number | Self::Mark(_) => None,
        }
    }
}

/// Where what is in these brackets ends; nothing in them is nested.
fn end_of(tokens: &[Token], at: usize, open: char, close: char) -> usize {
    assert_eq!(tokens.get(at), Some(&Token::Mark(open)), "{tokens:?}");
    let inside = tokens[at..].iter();
    let length = inside.take_while(|token| **token != Token::Mark(close));
    at + length.count() + 1
}

fn matchers(tokens: &[Token]) -> Vec<(String, String)> {
    let mut matchers = Vec::new();
    let mut label = None;
    for token in tokens {
        match token {
            Token::Name(name) => assert_eq!(label.replace(name.clone()), None, "{tokens:?}"),
            Token::Text(value) => matchers.push((label.take().expect("a label"), value.clone())),
            Token::Mark(mark) => assert!("{}=!~,".contains(*mark), "{tokens:?}"),
            Token::Number => panic!("{tokens:?}"),
        }
    }
    assert_eq!(label, None, "{tokens:?}");
    matchers
}

/// The name before a bracket that ends these.
fn function(before: &[Token]) -> Option<String> {
    match before {
        [.., Token::Name(name), Token::Mark('(')] => Some(name.clone()),
        _ => None,
    }
}

fn tokens(expression: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |letter: char| letter.is_ascii_alphanumeric() || "_:.".contains(letter);
        let length = match first {
            '"' => {
                let end = rest[1..].find('"').expect("the end of a string");
                assert!(!rest[..end].contains('\\'), "{expression}");
                tokens.push(Token::Text(rest[1..=end].to_owned()));
                end + 2
            }
            // How far back, and nothing of ours.
            '[' => rest.find(']').expect("the end of a range") + 1,
            first if word(first) => {
                let end = rest.find(|letter| !word(letter)).unwrap_or(rest.len());
                tokens.push(match first.is_ascii_digit() {
                    true => Token::Number,
                    false => Token::Name(rest[..end].to_owned()),
                });
                end
            }
            first => {
                assert!("(){},=!~<>+-*/".contains(first), "{first} in {expression}");
                tokens.push(Token::Mark(first));
                1
            }
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

#[test]
fn the_metrics_of_an_expression_are_found_at_every_place() {
    let expression = "1 - sum by (route, le) (rate(a_bucket{x=\"1\", y!~\"2|3\"}[5m] offset 5m)) \
                      / on (route) group_left () max(b) unless c{} > 0.5";
    let series = |metric: &str, matchers: &[(&str, &str)], function: Option<&str>| Series {
        metric: metric.to_owned(),
        matchers: (matchers.iter())
            .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
            .collect(),
        function: function.map(str::to_owned),
    };
    let expected = Asked {
        series: vec![
            series("a_bucket", &[("x", "1"), ("y", "2|3")], Some("rate")),
            series("b", &[], Some("max")),
            series("c", &[], None),
        ],
        groups: ["le", "route"].map(str::to_owned).into(),
    };
    assert_eq!(asked(expression), expected);
}
