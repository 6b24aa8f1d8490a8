use rstest::rstest;

use super::*;
use crate::config::values::Rewrite;

fn pattern(text: &str) -> PathPattern {
    text.parse().unwrap()
}

#[rstest]
#[case::exact("/ws", "/ws", true)]
#[case::exact_is_whole("/ws", "/ws/", false)]
#[case::exact_below("/ws", "/ws/a", false)]
#[case::exact_longer("/ws", "/wsx", false)]
#[case::trailing_slash("/ws/", "/ws/", true)]
#[case::trailing_slash_is_meant("/ws/", "/ws", false)]
#[case::root("/", "/", true)]
#[case::root_only("/", "/a", false)]
#[case::case_matters("/ws", "/WS", false)]
#[case::in_its_normal_form("/%77s", "/ws", true)]
#[case::escape_in_its_normal_form("/caf%c3%a9/*", "/caf%C3%A9/x", true)]
#[case::encoded_literal("/a%20b", "/a%20b", true)]
#[case::prefix("/ws/*", "/ws/a/b", true)]
#[case::prefix_itself("/ws/*", "/ws/", true)]
#[case::not_above_the_prefix("/ws/*", "/ws", false)]
#[case::prefix_is_of_segments("/ws/*", "/wsx/a", false)]
#[case::all("/*", "/", true)]
#[case::all_below("/*", "/a/b", true)]
#[case::all_is_of_paths("/*", "*", false)]
#[case::not_a_path("/*", "", false)]
#[case::parameter("/rooms/{id}", "/rooms/7", true)]
#[case::parameter_not_empty("/rooms/{id}", "/rooms/", false)]
#[case::parameter_is_one_segment("/rooms/{id}", "/rooms/7/8", false)]
#[case::parameter_whole("/rooms/{id}/ws", "/rooms/7/ws", true)]
#[case::parameter_then_other("/rooms/{id}/ws", "/rooms/7/wss", false)]
#[case::parameter_and_rest("/rooms/{id}/*", "/rooms/7/a/b", true)]
#[case::parameter_and_no_rest("/rooms/{id}/*", "/rooms/7", false)]
#[case::parameter_empty_and_rest("/rooms/{id}/*", "/rooms//a", false)]
#[case::two_parameters("/{a}/{b}", "/x/y", true)]
#[case::encoded_slash("/ws%2fa/*", "/ws%2Fa/b", true)]
#[case::encoded_slash_is_no_separator("/ws/a", "/ws%2Fa", false)]
#[case::separator_is_no_encoded_slash("/ws%2Fa", "/ws/a", false)]
#[case::encoded_slash_in_a_parameter("/ws/{id}", "/ws/a%2Fb", true)]
#[case::encoded_slash_in_the_rest("/ws/*", "/ws/a%2Fb", true)]
fn a_path_matches_its_pattern(#[case] text: &str, #[case] path: &str, #[case] matches: bool) {
    assert_eq!(pattern(text).matches(path), matches);
    assert_eq!(pattern(text).capture(path).is_some(), matches);
}

#[rstest]
#[case::none("ws", "begins with `/`")]
#[case::empty("", "begins with `/`")]
#[case::query("/ws?a=b", "query")]
#[case::fragment("/ws#a", "fragment")]
#[case::not_ascii("/wß", "percent-encoded")]
#[case::space("/w s", "' ' does not stand")]
#[case::backslash("/w\\s", "does not stand")]
#[case::percent("/100%", "hexadecimal")]
#[case::half_percent("/%2", "hexadecimal")]
#[case::no_hex("/%zz", "hexadecimal")]
#[case::encoded_backslash("/a%5cb", "encoded backslash")]
#[case::dots_behind_an_encoded_slash("/a%2f../b", "are refused")]
#[case::dots_between_encoded_slashes("/a%2F%2e%2E%2Fb", "are refused")]
#[case::encoded_control("/a/%0a", "control character")]
#[case::overlong("/%c0%ae", "overlong")]
#[case::empty_segment("/a//b", "empty segment")]
#[case::empty_segment_and_rest("//*", "empty segment")]
#[case::dots("/a/../b", "are refused")]
#[case::dot("/a/.", "are refused")]
#[case::encoded_dots("/a/%2e.", "are refused")]
#[case::dots_and_a_parameter("/a/..;b", "are refused")]
#[case::star_inside("/a/*/b", "only at the end")]
#[case::star_in_segment("/a*", "only at the end")]
#[case::two_stars("/*/*", "only at the end")]
#[case::part_of_a_segment("/room-{id}", "whole segment")]
#[case::open_brace("/{id", "whole segment")]
#[case::nested("/{{id}}", "letters, digits")]
#[case::no_name("/{}", "letters, digits")]
#[case::digit_first("/{1}", "not begin with a digit")]
#[case::dotted_name("/{a.b}", "letters, digits")]
#[case::twice("/{id}/{id}", "two parameters `{id}`")]
fn a_wrong_path_is_refused_with_its_reason(#[case] text: &str, #[case] reason: &str) {
    let error = text.parse::<PathPattern>().unwrap_err();
    assert!(error.message().contains(reason), "{error}");
}

#[test]
fn a_pattern_captures_its_parameters_and_the_rest() {
    let path = pattern("/rooms/{room}/users/{user}/*");
    let captures = path.capture("/rooms/7/users/a%20b/c//d").unwrap();
    assert_eq!(path.parameter("room", &captures), Some("7"));
    assert_eq!(path.parameter("user", &captures), Some("a%20b"));
    assert_eq!(path.parameter("other", &captures), None);
    assert_eq!(captures.rest, "c//d");
    assert!(path.captures("room") && path.captures("user"));
    assert!(!path.captures("rooms"));
}

#[rstest]
#[case("/ws/*", "/socket/*", "/ws/a/b", "/socket/a/b")]
#[case("/ws/*", "/socket/*", "/ws/", "/socket/")]
#[case("/ws/*", "/*", "/ws/a", "/a")]
#[case("/ws/*", "/fixed", "/ws/a", "/fixed")]
#[case("/*", "/x/*", "/a%2eb", "/x/a%2eb")]
#[case("/rooms/{id}", "/x/{id}", "/rooms/7", "/x/7")]
#[case("/rooms/{id}", "/room-{id}.ws", "/rooms/7", "/room-7.ws")]
#[case("/{a}/{b}/*", "/{b}/{a}/{b}/*", "/1/2/3/4", "/2/1/2/3/4")]
#[case("/{a}/{b}/*", "/{b}{a}", "/1/2/3", "/21")]
#[case("/ws/*", "/%73/%c3%a9/a%2fb/*", "/ws/x", "/s/%C3%A9/a%2Fb/x")]
fn a_rewrite_is_made_of_what_was_captured(
    #[case] path: &str,
    #[case] rewrite: &str,
    #[case] request: &str,
    #[case] upstream: &str,
) {
    let path = pattern(path);
    let rewrite = Rewrite::parse(rewrite, &path).unwrap();
    assert_eq!(
        rewrite
            .apply(&path.capture(request).unwrap(), None, |_| None)
            .as_deref(),
        Some(upstream)
    );
}

#[rstest]
#[case("/ws", "/socket/*", "ends with `*`, but")]
#[case("/ws/*", "/socket*", "only at the end")]
#[case("/ws/*", "/*/a", "only at the end")]
#[case("/ws/*", "socket", "begins with `/`")]
#[case("/ws/*", "/socket?a=b", "query")]
#[case("/ws/*", "//other/*", "empty segment")]
#[case("/ws", "/{id}", "no parameter `{id}` (it has none)")]
#[case("/{room}/{user}", "/{id}", "(it has `{room}`, `{user}`)")]
#[case("/{id}", "/{id", "without its")]
#[case("/{id}", "/id}", "whole segment")]
#[case("/{id}", "/a b/{id}", "does not stand")]
fn a_wrong_rewrite_is_refused_with_its_reason(
    #[case] path: &str,
    #[case] rewrite: &str,
    #[case] reason: &str,
) {
    let error = Rewrite::parse(rewrite, &pattern(path)).unwrap_err();
    assert!(error.message().contains(reason), "{error}");
}

#[rstest]
#[case("/ws", "/ws", true)]
#[case("/ws", "/ws/*", false)]
#[case("/ws/*", "/ws", false)]
#[case("/ws/*", "/ws/a", true)]
#[case("/ws/*", "/ws/", true)]
#[case("/ws/*", "/ws/*", true)]
#[case("/ws/*", "/ws/a/*", true)]
#[case("/ws/a/*", "/ws/*", false)]
#[case("/*", "/", true)]
#[case("/*", "/{a}/{b}/*", true)]
#[case("/{a}", "/ws", true)]
#[case("/{a}", "/", false)]
#[case("/{a}", "/{b}", true)]
#[case("/ws", "/{a}", false)]
#[case("/{a}/*", "/ws/*", true)]
#[case("/{a}/*", "/*", false)]
#[case("/{a}/x", "/{b}/*", false)]
#[case("/%77s/*", "/w%73/%c3%a9", true)]
fn a_pattern_covers_what_it_takes(#[case] wide: &str, #[case] narrow: &str, #[case] covers: bool) {
    assert_eq!(pattern(wide).covers(&pattern(narrow)), covers);
}

#[rstest]
#[case("/%77%73/*", "/ws/*")]
#[case("/caf%c3%A9/{id}", "/caf%C3%A9/{id}")]
fn patterns_and_rewrites_print_in_their_normal_form(#[case] text: &str, #[case] normal: &str) {
    let path = pattern(text);
    assert_eq!(path.to_string(), normal);
    assert_eq!(path, pattern(normal));
    assert_eq!(Rewrite::parse(text, &path).unwrap().to_string(), normal);
}

#[rstest]
#[case("/")]
#[case("/*")]
#[case("/ws/")]
#[case("/ws/*")]
#[case("/rooms/{id}/x/*")]
fn patterns_and_rewrites_print_as_they_were_written(#[case] text: &str) {
    let path = pattern(text);
    assert_eq!(path.to_string(), text);
    assert_eq!(Rewrite::parse(text, &path).unwrap().to_string(), text);
}
