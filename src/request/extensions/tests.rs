use rstest::rstest;

use http::{HeaderMap, header};

use super::*;

fn headers(lines: &[&'static str]) -> HeaderMap {
    let line = |line: &&'static str| {
        (
            header::SEC_WEBSOCKET_EXTENSIONS,
            HeaderValue::from_static(line),
        )
    };
    lines.iter().map(line).collect()
}

fn forwarded(lines: &[&'static str]) -> String {
    match to_header(&offers(headers(lines).get_all(header::SEC_WEBSOCKET_EXTENSIONS)).unwrap()) {
        Some(value) => value.to_str().unwrap().to_owned(),
        None => String::new(),
    }
}

#[rstest]
#[case(&[], "")]
#[case(&["permessage-deflate"], "permessage-deflate")]
#[case(&["Permessage-Deflate"], "permessage-deflate")]
#[case(
    &["permessage-deflate; client_max_window_bits"],
    "permessage-deflate; client_max_window_bits"
)]
#[case(
    &["permessage-deflate;client_max_window_bits=\"10\";server_no_context_takeover"],
    "permessage-deflate; server_no_context_takeover; client_max_window_bits=10"
)]
#[case(
    &["permessage-deflate; server_max_window_bits=8; client_no_context_takeover", "x-webkit",
      "permessage-deflate"],
    "permessage-deflate; client_no_context_takeover; server_max_window_bits=8, permessage-deflate"
)]
#[case(&["permessage-bzip2, x; y=1"], "")]
#[case(&["permessage-deflate; unknown"], "")]
#[case(&["permessage-deflate; server_no_context_takeover=1"], "")]
#[case(&["permessage-deflate; client_no_context_takeover; client_no_context_takeover"], "")]
#[case(&["permessage-deflate; server_max_window_bits"], "")]
#[case(&["permessage-deflate; server_max_window_bits=7"], "")]
#[case(&["permessage-deflate; server_max_window_bits=16"], "")]
#[case(&["permessage-deflate; server_max_window_bits=08"], "")]
#[case(&["permessage-deflate; client_max_window_bits=+9"], "")]
#[case(&["permessage-deflate; client_max_window_bits; client_max_window_bits=9"], "")]
fn only_offers_that_are_understood_go_on(#[case] lines: &[&'static str], #[case] offered: &str) {
    assert_eq!(forwarded(lines), offered);
}

#[test]
fn an_offer_outside_the_grammar_is_a_bad_request() {
    for line in [
        "permessage-deflate;",
        "permessage-deflate client_max_window_bits",
    ] {
        assert_eq!(
            offers(headers(&[line]).get_all(header::SEC_WEBSOCKET_EXTENSIONS)),
            Err(Rejection::Header),
            "{line}"
        );
    }
}

#[rstest]
#[case("permessage-deflate", "permessage-deflate")]
#[case("permessage-deflate", "permessage-deflate; server_no_context_takeover")]
#[case("permessage-deflate", "permessage-deflate; client_no_context_takeover")]
#[case("permessage-deflate", "permessage-deflate; server_max_window_bits=15")]
#[case("permessage-deflate; client_max_window_bits", "permessage-deflate")]
#[case(
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_max_window_bits=8"
)]
#[case(
    "permessage-deflate; client_max_window_bits=9",
    "permessage-deflate; client_max_window_bits=15"
)]
#[case(
    "permessage-deflate; server_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=10"
)]
#[case(
    "permessage-deflate; server_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=9"
)]
#[case(
    "permessage-deflate; server_max_window_bits=10, permessage-deflate",
    "permessage-deflate"
)]
fn an_answer_within_an_offer_is_agreed(#[case] offer: &'static str, #[case] answer: &'static str) {
    let offers = offers(headers(&[offer]).get_all(header::SEC_WEBSOCKET_EXTENSIONS)).unwrap();
    let agreed = chosen(
        headers(&[answer]).get_all(header::SEC_WEBSOCKET_EXTENSIONS),
        &offers,
    )
    .unwrap()
    .unwrap();
    assert_eq!(agreed.to_string(), answer);
}

#[rstest]
#[case("x-other", "permessage-deflate")]
#[case("x-other", "x-other")]
#[case("permessage-deflate", "x-other")]
#[case("permessage-deflate", "permessage-deflate, permessage-deflate")]
#[case("permessage-deflate", "permessage-deflate; unknown")]
#[case("permessage-deflate", "permessage-deflate; client_max_window_bits=10")]
#[case(
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_max_window_bits"
)]
#[case(
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_max_window_bits=7"
)]
#[case("permessage-deflate; server_no_context_takeover", "permessage-deflate")]
#[case("permessage-deflate; server_max_window_bits=10", "permessage-deflate")]
#[case(
    "permessage-deflate; server_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=11"
)]
#[case(
    "permessage-deflate",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover"
)]
#[case("permessage-deflate", "")]
#[case("permessage-deflate", "permessage-deflate;")]
fn an_answer_outside_every_offer_is_refused(
    #[case] offer: &'static str,
    #[case] answer: &'static str,
) {
    let offers = offers(headers(&[offer]).get_all(header::SEC_WEBSOCKET_EXTENSIONS)).unwrap();
    let refused = chosen(
        headers(&[answer]).get_all(header::SEC_WEBSOCKET_EXTENSIONS),
        &offers,
    );
    assert_eq!(refused, Err(Rejection::UpstreamBadExtension));
}

#[test]
fn an_answer_over_two_lines_is_one_list() {
    let offers =
        offers(headers(&["permessage-deflate"]).get_all(header::SEC_WEBSOCKET_EXTENSIONS)).unwrap();
    let twice = headers(&["permessage-deflate", "permessage-deflate"]);
    assert_eq!(
        chosen(twice.get_all(header::SEC_WEBSOCKET_EXTENSIONS), &offers),
        Err(Rejection::UpstreamBadExtension)
    );
    assert_eq!(chosen([], &offers), Ok(None));
}
