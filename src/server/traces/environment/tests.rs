use super::*;

const HERE: (&str, &str) = (ENDPOINT, "http://127.0.0.1:4318");

fn read(variables: &[(&str, &str)]) -> Result<Option<Environment>, TracesError> {
    Environment::read(|name| {
        let found = variables.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn without_an_endpoint_nothing_is_exported() {
    for variables in [
        &[][..],
        &[("OTEL_SERVICE_NAME", "gate")],
        &[(ENDPOINT, "")],
        &[(TRACES_ENDPOINT, " ")],
        &[HERE, ("OTEL_SDK_DISABLED", "true")],
        &[HERE, ("OTEL_SDK_DISABLED", "TRUE")],
        &[HERE, ("OTEL_TRACES_EXPORTER", "none")],
    ] {
        assert_eq!(read(variables).unwrap(), None, "{variables:?}");
    }
    assert!(read(&[HERE, ("OTEL_SDK_DISABLED", "1")]).unwrap().is_some());
}

#[test]
fn the_endpoint_of_traces_is_taken_as_it_is_and_the_other_has_a_path_put_behind() {
    for (variables, expected) in [
        (&[HERE][..], "http://127.0.0.1:4318/v1/traces"),
        (&[(ENDPOINT, "http://otel/")], "http://otel/v1/traces"),
        (
            &[(ENDPOINT, "http://[::1]:4318/a/b")],
            "http://[::1]:4318/a/b/v1/traces",
        ),
        (&[(TRACES_ENDPOINT, "http://otel:1")], "http://otel:1/"),
        (&[HERE, (TRACES_ENDPOINT, "http://otel/x")], "http://otel/x"),
    ] {
        let environment = read(variables).unwrap().unwrap();
        assert_eq!(environment.endpoint.to_string(), expected);
    }
}

#[test]
fn a_wrong_word_is_an_error_that_names_its_variable() {
    let sampler = |name| ("OTEL_TRACES_SAMPLER", name);
    for (name, others) in [
        (
            "OTEL_TRACES_SAMPLER",
            &[HERE, sampler("parentbased_always")][..],
        ),
        ("OTEL_TRACES_SAMPLER", &[HERE, sampler("jaeger_remote")]),
        ("OTEL_TRACES_SAMPLER_ARG", &[HERE, sampler("traceidratio")]),
        (
            "OTEL_TRACES_SAMPLER_ARG",
            &[
                HERE,
                sampler("parentbased_traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
            ],
        ),
        (
            "OTEL_TRACES_EXPORTER",
            &[HERE, ("OTEL_TRACES_EXPORTER", "zipkin")],
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            &[HERE, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            &[HERE, ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json")],
        ),
        (
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            &[HERE, ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")],
        ),
        (
            "OTEL_BSP_MAX_QUEUE_SIZE",
            &[HERE, ("OTEL_BSP_MAX_QUEUE_SIZE", "0")],
        ),
    ] {
        let error = read(others).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
}

#[test]
fn an_endpoint_that_is_none_is_an_error_without_what_it_says() {
    for url in [
        "c4nary",
        "c4nary:4318",
        "//c4nary",
        "/c4nary",
        "http://",
        "http:///c4nary",
        "http://c4nary:x",
        "http://c4nary:99999",
        "http://c4nary:0",
        "http://c4 nary",
        "https://c4nary:4318",
        "unix:/c4nary",
        "grpc://c4nary",
        "http://user:c4nary@otel:4318",
        "http://otel:4318/?token=c4nary",
    ] {
        for variable in [ENDPOINT, TRACES_ENDPOINT] {
            let error = read(&[(variable, url)]).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains(variable), "{url}: {text}");
            assert!(!text.contains("c4nary"), "{url}: {text}");
        }
    }
}

#[test]
fn times_and_sizes_have_the_defaults_of_the_specification() {
    let defaults = read(&[HERE]).unwrap().unwrap();
    assert_eq!(defaults.timeout, Duration::from_secs(10));
    assert_eq!(defaults.queue, 2048);
    let set = [
        HERE,
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
    ];
    let set = read(&set).unwrap().unwrap();
    assert_eq!(set.timeout, Duration::from_millis(250));
    assert_eq!(set.queue, 16);
}
