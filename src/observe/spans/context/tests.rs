use super::*;

const RIGHT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
    let lines = lines.iter();
    lines
        .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

#[test]
fn a_right_traceparent_is_read() {
    for (text, sampled) in [
        (RIGHT, true),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            false,
        ),
        // Flags that nobody knows.
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe",
            false,
        ),
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03",
            true,
        ),
        // A later version, with and without something behind what is known.
        (
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            true,
        ),
        (
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-else",
            true,
        ),
    ] {
        let parent = parent(&headers(&[(TRACEPARENT, text)])).unwrap();
        assert_eq!(
            parent.trace_id().to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(parent.span_id().to_string(), "00f067aa0ba902b7");
        assert_eq!(parent.is_sampled(), sampled, "{text}");
        assert!(parent.is_remote());
    }
}

#[test]
fn a_traceparent_that_is_not_right_to_the_last_digit_is_none() {
    let long = format!("01{}-{}", &RIGHT[2..], "x".repeat(LONGEST));
    for text in [
        "",
        "00",
        &RIGHT[..54],
        &RIGHT.to_uppercase(),
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-001",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "0-1-1-1",
        &long,
    ] {
        assert_eq!(parent(&headers(&[(TRACEPARENT, text)])), None, "{text}");
    }
    let twice = headers(&[(TRACEPARENT, RIGHT), (TRACEPARENT, RIGHT)]);
    assert_eq!(parent(&twice), None);
    let bytes = HeaderValue::from_bytes(&[0xe4; 55]).unwrap();
    assert_eq!(parent(&HeaderMap::from_iter([(TRACEPARENT, bytes)])), None);
}

#[test]
fn a_tracestate_goes_on_if_it_is_right_and_short() {
    let long = format!("a={}", "x".repeat(LONGEST_STATE));
    let many: Vec<_> = (0..=MOST_MEMBERS)
        .map(|member| format!("k{member}=v"))
        .collect();
    let many = many.join(",");
    for (lines, expected) in [
        (&["a=1,b=2"][..], "a=1,b=2"),
        (&["a=1", "b=2"], "a=1,b=2"),
        (&[" a=1 , ,b=2, "], "a=1,b=2"),
        (&[], ""),
        (&["a"], ""),
        (&["A=1"], ""),
        (&["a=1=2"], ""),
        (&[&*many], ""),
        (&[&*long], ""),
    ] {
        let mut all = headers(&[(TRACEPARENT, RIGHT)]);
        for line in lines {
            all.append(TRACESTATE, HeaderValue::from_str(line).unwrap());
        }
        let parent = parent(&all).unwrap();
        assert_eq!(parent.trace_state().header(), expected, "{lines:?}");
        inject(&parent, &mut all);
        assert_eq!(all[TRACEPARENT], RIGHT);
        let told: Vec<_> = all.get_all(TRACESTATE).into_iter().collect();
        match expected {
            "" => assert!(told.is_empty(), "{told:?}"),
            _ => assert_eq!(told, [expected]),
        }
    }
}

#[test]
fn a_tracestate_that_a_route_took_out_stays_out() {
    let client = headers(&[(TRACEPARENT, RIGHT), (TRACESTATE, "a=1")]);
    let parent = parent(&client).unwrap();
    let mut upstream = HeaderMap::new();
    inject(&parent, &mut upstream);
    assert_eq!(upstream.len(), 1);
    assert_eq!(upstream[TRACEPARENT], RIGHT);
}
