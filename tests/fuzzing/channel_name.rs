//! Names of channels: what a client's values make of a template, and what a publisher's pattern takes.

use crate::config::{
    ChannelName, ChannelPattern, ChannelSettings, ChannelTemplate, Config, RouteSettings, Settings,
    UpstreamSettings, Values, normal_path,
};

/// Lines: a template, a pattern, a name, and then values for the three parameters of the path, of one client and of another, as
/// they stand in a path.
///
/// No value leaves its segment, other values make another name, and a pattern takes what a plain comparison takes.
pub fn channel_name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (template, pattern, name) = (line(), line(), line());
    let one = [line(), line(), line()];
    let other = [line(), line(), line()];
    check_pattern(pattern, name);
    let (Some(one), Some(other)) = (segments(one), segments(other)) else {
        return;
    };
    if let Some(template) = template_of(template) {
        check_template(&template, one.each_ref(), other.each_ref());
    }
}

/// What the parameters of a path capture, if these are segments of one.
fn segments(written: [&str; 3]) -> Option<[String; 3]> {
    let segment = |text: &str| {
        let path = normal_path(&format!("/-{text}"))?.into_owned();
        path.strip_prefix("/-").map(str::to_owned)
    };
    let [a, b, c] = written.map(|text| segment(text).filter(|_| !text.contains('/')));
    Some([a?, b?, c?])
}

/// The bytes that a segment stands for, by a second reading.
fn meant(segment: &str) -> Vec<u8> {
    let mut parts = segment.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("an escape"));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

fn check_pattern(pattern: &str, name: &str) {
    let name: Result<ChannelName, _> = name.parse();
    if let Ok(name) = &name {
        assert!(name.len() <= ChannelName::LONGEST && !name.is_empty());
        assert!(name.split('.').all(|segment| !segment.is_empty()));
        assert_eq!(name.to_string().parse().as_ref(), Ok(name));
    }
    let (Ok(pattern), Ok(name)) = (pattern.parse::<ChannelPattern>(), name) else {
        return;
    };
    let written = pattern.to_string();
    assert_eq!(written.parse().as_ref(), Ok(&pattern));
    let expected = takes(
        &written.split('.').collect::<Vec<_>>(),
        &name.split('.').collect::<Vec<_>>(),
    );
    assert_eq!(pattern.matches(&name), expected, "{written} {name}");
}

/// Whether segments of a pattern take segments of a name.
fn takes(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        (["*", pattern @ ..], [_, name @ ..]) => takes(pattern, name),
        ([literal, pattern @ ..], [segment, name @ ..]) => {
            literal == segment && takes(pattern, name)
        }
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

/// The template of a route whose path captures `a`, `b` and `c`.
fn template_of(text: &str) -> Option<ChannelTemplate> {
    let upstream = UpstreamSettings {
        servers: vec!["ws://127.0.0.1:9001".parse().ok()?],
        ..Default::default()
    };
    let route = RouteSettings {
        name: "a".to_owned(),
        path: "/{a}/{b}/{c}".parse().ok(),
        upstream: "a".to_owned(),
        channels: ChannelSettings {
            join: vec![text.to_owned()],
            ..Default::default()
        },
        ..Default::default()
    };
    let settings = Settings {
        upstream: [("a".to_owned(), upstream)].into(),
        route: vec![route],
        ..Default::default()
    };
    let config = Config::new(settings).ok()?;
    config.routes[0].channels.join.first().cloned()
}

fn check_template(template: &ChannelTemplate, one: [&String; 3], other: [&String; 3]) {
    let (one, other) = (one.map(String::as_str), other.map(String::as_str));
    let names = [one, other].map(|values| render(template, values));
    // What a template of this many segments makes has as many, whatever the values are.
    let segments = render(template, ["x", "x", "x"]).map(|name| name.split('.').count());
    for name in names.iter().flatten() {
        assert!(template.may_make(name), "{name}");
        assert_eq!(Some(name.split('.').count()), segments, "{name}");
    }
    if let [Some(name), Some(other_name)] = &names {
        let used = |index: usize| {
            let mut values = ["x", "x", "x"];
            let before = render(template, values);
            values[index] = "y";
            before != render(template, values)
        };
        let are_same = (0..3).all(|index| !used(index) || meant(one[index]) == meant(other[index]));
        assert_eq!(name == other_name, are_same, "{name} {other_name}");
    }
}

fn render(template: &ChannelTemplate, values: [&str; 3]) -> Option<ChannelName> {
    template.render(&Values {
        client_ip: [192, 0, 2, 1].into(),
        host: "a.test",
        route: "a",
        session: None,
        tls_subject: None,
        subject: Some("user"),
        claim: &|_| None,
        path: &|name| {
            let index = ["a", "b", "c"].iter().position(|known| *known == name)?;
            Some(values[index])
        },
    })
}
