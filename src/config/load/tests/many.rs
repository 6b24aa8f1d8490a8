//! Files with more mistakes than anybody reads.

use super::{SERVED, read, served};

/// So many times a text with a number in it.
fn numbered(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect()
}

#[test]
fn reading_ends_when_there_are_a_hundred_errors_and_nothing_is_missing_that_was_not_read() {
    let servers = numbered(500, |number| format!("\"nothing{number}\","));
    let text = format!("[upstream.other]\nservers = [{servers}]\n");
    let errors = read(&text).unwrap_err();
    assert_eq!((errors.iter().count(), errors.found()), (50, 100));
    assert!(
        errors
            .to_string()
            .ends_with("\nand at least 50 more errors")
    );
    assert!(
        errors
            .render(false)
            .ends_with("\n\nand at least 50 more errors\n")
    );
    for error in &errors {
        assert!(error.message().contains("URL of a server"), "{error}");
    }
}

#[test]
fn what_is_read_to_its_end_is_checked_to_its_end() {
    let pools = numbered(300, |number| {
        format!("[upstream.pool{number}]\nservers = [\"ws://127.0.0.1:1\"]\n")
    });
    let routes = numbered(300, |number| {
        format!(
            "[[route]]\nname = \"r{number}\"\npath = \"/r{number}\"\nupstream = \"elsewhere\"\n"
        )
    });
    let errors = read(&(pools + &routes)).unwrap_err();
    assert_eq!(errors.found(), 300);
    assert!(errors.to_string().ends_with("\nand 250 more errors"));
    let help = errors.iter().next().unwrap().help().unwrap();
    assert!(
        help.starts_with("the upstreams are pool0, pool1, "),
        "{help}"
    );
    assert!(help.ends_with(", pool19 and 280 more"), "{help}");
}

#[test]
fn of_many_warnings_the_first_ones_are_shown() {
    let routes = numbered(60, |number| {
        format!("[[route]]\nname = \"r{number}\"\npath = \"/ws/{{id}}\"\nupstream = \"chat\"\n")
    });
    let config = served(&routes).unwrap();
    let warnings: Vec<_> = config.warnings().collect();
    assert_eq!(warnings.len(), 51);
    let first =
        "test.toml:8:1: this route never matches: the one in line 4 takes all of its requests";
    assert_eq!(warnings[0], first);
    assert_eq!(warnings[50], "and 10 more like these");
}

#[test]
fn what_is_too_long_is_cut() {
    let text = format!("{SERVED}rewrite = \"{}\"\n", "x".repeat(100_000));
    let errors = read(&text).unwrap_err();
    let message = errors.iter().next().unwrap().message();
    assert_eq!(message.chars().count(), 401);
    assert!(message.ends_with('…'), "{message}");
    assert!(errors.render(false).len() < 2_000);
}

#[test]
fn of_a_text_that_is_not_toml_the_errors_near_the_first_one_are_shown() {
    let good = format!("{SERVED}# {}\n", "x".repeat(100_000));
    let first = good.lines().count() + 1;
    for (lines, count, rest) in [
        (1, 1, None),
        // A file of another kind.
        (200_000, 1, Some("and maybe more errors")),
        // The second one is behind a cut.
        (2, 1, Some("and maybe more errors")),
    ] {
        let between = if lines == 2 {
            "# y\n".repeat(20_000)
        } else {
            String::new()
        };
        let wrong = numbered(lines, |_| format!("x\n{between}"));
        let errors = read(&(good.clone() + &wrong)).unwrap_err();
        assert_eq!(errors.iter().count(), count);
        assert_eq!(errors.iter().next().unwrap().line(), Some(first));
        let last = errors.to_string().lines().last().unwrap().to_owned();
        match rest {
            Some(rest) => assert!(last.starts_with(rest), "{last}"),
            None => assert!(last.starts_with("test.toml:"), "{last}"),
        }
    }
    let wrong = numbered(60_000, |number| format!("x{number} = y\n"));
    let errors = read(&(good + &wrong)).unwrap_err();
    assert_eq!(errors.iter().count(), 50);
    let last = errors.to_string().lines().last().unwrap().to_owned();
    assert!(last.starts_with("and at least "), "{last}");
    // A string that ends nowhere.
    let errors = read(&format!("x = \"\"\"\n{}", "y\n".repeat(100_000))).unwrap_err();
    assert_eq!(errors.iter().count(), 1);
}
