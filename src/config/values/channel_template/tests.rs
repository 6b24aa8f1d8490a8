use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::config::normal_path;

/// A template of a route with three parameters.
fn template(text: &str) -> Result<ChannelTemplate, ValueError> {
    ChannelTemplate::parse(text, &"/{a}/{b}/{c}".parse().unwrap())
}

/// What a template makes of three values of the path and a subject.
fn rendered(text: &str, path: [&str; 3], subject: Option<&str>) -> Option<String> {
    let by_name = |name: &str| {
        let index = ["a", "b", "c"].iter().position(|known| *known == name)?;
        Some(path[index])
    };
    let name = template(text).unwrap().render(&Values {
        client_ip: "2001:db8::1".parse().unwrap(),
        host: "chat.example.com",
        route: "chat",
        session: "4f1c09a2b37d-7".parse().ok(),
        tls_subject: Some("CN=a client"),
        subject,
        claim: &|name| (name == "org.id").then_some("acme inc"),
        path: &by_name,
    });
    name.map(|name| name.to_string())
}

#[rstest]
#[case("lobby", "lobby")]
#[case("room.{path.a}", "room.42")]
#[case("a.{path.a}.z.{path.b}", "a.42.z.x")]
#[case("user.{subject}", "user.auth0=7Calice=2Esmith")]
#[case("org.{claim.org.id}", "org.acme=20inc")]
#[case("ip.{client_ip}", "ip.2001:db8::1")]
#[case("host.{host}", "host.chat=2Eexample=2Ecom")]
#[case("{route}", "chat")]
#[case("one.{session}", "one.4f1c09a2b37d-7")]
#[case("tls.{tls.subject}", "tls.CN=3Da=20client")]
#[case("a=2E.{path.b}", "a=2E.x")]
fn a_template_fills_its_placeholders(#[case] text: &str, #[case] name: &str) {
    let found = rendered(text, ["42", "x", "y"], Some("auth0|alice.smith"));
    assert_eq!(found.as_deref(), Some(name));
    let made = template(text).unwrap();
    assert!(made.may_make(&name.parse().unwrap()), "{text}");
}

#[rstest]
#[case("", "is not empty")]
#[case("room.", "is empty")]
#[case(".room", "is empty")]
#[case("room..{path.a}", "is empty")]
#[case("room/{path.a}", "has no \"/\"")]
#[case("room {path.a}", "has no space")]
#[case("room.*", "has no \"*\"")]
#[case("{{room}}", "has no \"{\"")]
#[case("caf\u{e9}", "beyond ASCII")]
#[case("{path.a}-{path.b}", "a whole segment")]
#[case("{path.a}{path.b}", "a whole segment")]
#[case("x.{path.a}-{subject}.y", "a whole segment")]
#[case("room-{path.a}", "a whole segment")]
#[case("{path.a}-admin", "a whole segment")]
#[case("{path.a}-admin.x", "a whole segment")]
#[case("x.y-{path.a}.z", "a whole segment")]
#[case("{path.room}", "the route's path has no such parameter")]
#[case("{query.a}", "unknown placeholder")]
#[case("{path.a", "`{` without its `}`")]
fn a_wrong_template_says_what_is_wrong(#[case] text: &str, #[case] message: &str) {
    let error = template(text).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn what_is_not_there_joins_nothing() {
    assert_eq!(rendered("user.{subject}", ["", "", ""], None), None);
    assert_eq!(rendered("org.{claim.other}", ["", "", ""], Some("a")), None);
    assert_eq!(rendered("room.{path.a}", ["", "b", "c"], Some("a")), None);
    let long = "a".repeat(251);
    let name = |value: &str| rendered("room.{path.a}", [value, "b", "c"], None);
    assert_eq!(name(&long[1..]).map(|name| name.len()), Some(255));
    assert_eq!(name(&long), None);
    assert_eq!(name(&"/".repeat(84)), None);
    // Its length is that of what it stands for.
    assert_eq!(name(&"%40".repeat(250)).map(|name| name.len()), Some(255));
}

#[rstest]
#[case::beyond_ascii("%C3%BC", Some("room.=C3=BC"))]
#[case::two_spellings("%40me", Some("room.@me"))]
#[case::raw("@me", Some("room.@me"))]
#[case::once("%2540me", Some("room.=2540me"))]
#[case::slash("a%2Fb", Some("room.a=2Fb"))]
#[case::dot_and_equals("a.b=c", Some("room.a=2Eb=3Dc"))]
#[case::no_text("%FF%C3", Some("room.=FF=C3"))]
#[case::half_an_escape("%4", None)]
fn what_a_path_captured_is_decoded_once(#[case] captured: &str, #[case] name: Option<&str>) {
    let found = rendered("room.{path.a}", [captured, "b", "c"], None);
    assert_eq!(found.as_deref(), name);
}

#[test]
fn what_is_in_no_path_is_not_decoded() {
    let found = rendered("user.{subject}", ["", "", ""], Some("%40me"));
    assert_eq!(found.as_deref(), Some("user.=2540me"));
}

#[test]
fn a_template_may_make_names_with_its_literals_and_as_many_segments() {
    for (text, made, others) in [
        ("lobby", &["lobby"][..], &["lobby.a", "lobb", "lobbyx"][..]),
        ("{path.a}", &["a", "=2E"], &["a.b"]),
        (
            "room.{path.a}",
            &["room.1", "room.a=2Eb"],
            &["room", "rooms.1", "room.1.2"],
        ),
        (
            "a.{path.a}.b",
            &["a.x.b", "a.a.b"],
            &["a.b", "a.x", "a.x.c", "b.x.b", "a.x.y.b"],
        ),
    ] {
        let template = template(text).unwrap();
        for name in made {
            assert!(template.may_make(&name.parse().unwrap()), "{text}: {name}");
        }
        for name in others {
            assert!(!template.may_make(&name.parse().unwrap()), "{text}: {name}");
        }
    }
}

/// A value of a path: whatever a client may send, and much of what matters.
fn value() -> impl Strategy<Value = String> {
    let escaped = "([ab.=2E@~-]|%40|%25|%2F|%C3%BC|%FF|%20){0,5}";
    let any = "%[2-7][0-9A-F]|[!-$&-.0-~]{0,4}";
    prop_oneof![escaped, any].prop_filter_map("a segment", |value| {
        let path = normal_path(&format!("/-{value}"))?.into_owned();
        Some(path[2..].to_owned())
    })
}

/// What it stands for, by a second reading.
fn meant(value: &str) -> Vec<u8> {
    let mut parts = value.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// Templates of up to three segments, each with a placeholder or without.
fn written() -> impl Strategy<Value = String> {
    let literal = "[a-c0=~-]{1,3}".prop_map(Some);
    let segment = prop_oneof![literal, Just(None)];
    proptest::collection::vec(segment, 1..=3).prop_map(|segments| {
        let segments = segments.into_iter().zip(["a", "b", "c"]);
        let segments = segments.map(|(literal, name)| match literal {
            Some(literal) => literal,
            None => format!("{{path.{name}}}"),
        });
        segments.collect::<Vec<_>>().join(".")
    })
}

/// The values that a template does not use are left out.
fn used(text: &str, values: &[String; 3]) -> Vec<Vec<u8>> {
    let names = ["{path.a}", "{path.b}", "{path.c}"].iter().zip(values);
    let used = names.filter(|(name, _)| text.contains(**name));
    used.map(|(_, value)| meant(value)).collect()
}

fn name_of(template: &ChannelTemplate, values: &[String; 3]) -> Option<ChannelName> {
    template.render(&Values {
        path: &|name| {
            let index = ["a", "b", "c"].iter().position(|known| *known == name)?;
            Some(&values[index])
        },
        ..Values::for_tests()
    })
}

proptest! {
    #[test]
    fn two_clients_with_other_values_are_in_other_channels(
        text in written(),
        one in [value(), value(), value()],
        other in [value(), value(), value()],
    ) {
        let template = template(&text).unwrap();
        let names = [&one, &other].map(|values| name_of(&template, values));
        if let [Some(first), Some(second)] = names {
            prop_assert_eq!(first == second, used(&text, &one) == used(&text, &other));
        }
    }

    #[test]
    fn a_value_adds_no_segment_and_changes_no_literal(
        text in written(),
        values in [value(), value(), value()],
    ) {
        let template = template(&text).unwrap();
        let Some(name) = name_of(&template, &values) else {
            return Ok(());
        };
        prop_assert!(template.may_make(&name));
        let literals = ["{path.a}", "{path.b}", "{path.c}"]
            .iter()
            .fold(text.clone(), |text, placeholder| text.replace(placeholder, "\0"));
        for (written, segment) in literals.split('.').zip(name.segments()) {
            prop_assert!(written == "\0" || written == segment);
        }
        prop_assert_eq!(literals.split('.').count(), name.segments().count());
    }
}
