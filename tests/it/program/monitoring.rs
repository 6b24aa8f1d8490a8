//! What deploy/ has for Prometheus and Grafana asks for metrics that there are.

mod messages;
mod promql;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use self::promql::{Asked, Series};
use crate::kit::{docs, yaml as documents};

use super::families::{Families, Family, listed};

#[test]
fn each_alert_uses_existing_metrics_and_has_an_explanation() {
    let there_is = There::look();
    let rules = yaml("deploy/prometheus/alerts.yml");
    let mut names = BTreeSet::new();
    for rule in list(&rules["groups"]).iter().flat_map(|group| {
        assert_eq!(keys(group), ["name", "rules"]);
        list(&group["rules"])
    }) {
        let name = text(&rule["alert"]);
        assert!(name.starts_with("Wsgate") && names.insert(name), "{name}");
        for key in keys(rule) {
            let known = ["alert", "annotations", "expr", "for", "labels"];
            assert!(known.contains(&key), "{name} has {key}");
        }
        let severity = &rule["labels"]["severity"];
        assert!(["page", "ticket"].contains(&text(severity)), "{name}");
        let labels = there_is.holds(name, text(&rule["expr"]));
        assert_eq!(keys(&rule["annotations"]), ["description", "summary"]);
        for told in ["summary", "description"] {
            let told = text(&rule["annotations"][told]);
            assert!(told.len() > 20, "{name}: {told}");
            for used in told.split("$labels.").skip(1) {
                let end = used.find([' ', '}']).unwrap();
                assert!(labels.contains(&used[..end]), "{name}: {told}");
            }
        }
    }
    assert!(names.len() > 10, "{names:?}");
}

#[test]
fn each_alert_that_is_played_is_there() {
    let rules = yaml("deploy/prometheus/alerts.yml");
    let rules: BTreeSet<_> = (list(&rules["groups"]).iter())
        .flat_map(|group| list(&group["rules"]))
        .map(|rule| text(&rule["alert"]))
        .collect();
    let played = yaml("deploy/prometheus/alerts.test.yml");
    let played: BTreeSet<_> = (list(&played["tests"]).iter())
        .flat_map(|test| list(&test["alert_rule_test"]))
        .map(|test| text(&test["alertname"]))
        .collect();
    assert!(played.len() > 5 && played.is_subset(&rules), "{played:?}");
}

#[test]
fn the_dashboard_uses_every_metric_and_no_unknown_one() {
    let there_is = There::look();
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/wsgate.json")).unwrap();
    let mut asked = BTreeSet::new();
    let mut look = |place: &str, expression: &str| {
        let labels = there_is.holds(place, expression);
        let series = promql::asked(&plain(expression)).series;
        asked.extend(series.iter().map(|series| there_is.family(place, series).0));
        labels
    };
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in list(&dashboard["panels"]) {
        let title = text(&panel["title"]);
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let place = |key| panel["gridPos"][key].as_u64().unwrap();
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(x < 24 && cells.insert((x, y)), "{title} is on another");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let mut references = BTreeSet::new();
        for target in list(&panel["targets"]) {
            assert!(references.insert(text(&target["refId"])), "{title}");
            let labels = look(title, text(&target["expr"]));
            for used in text(&target["legendFormat"]).split("{{").skip(1) {
                let used = used.split_once("}}").unwrap().0;
                assert!(labels.contains(used), "{title}: {used}");
            }
        }
    }
    for annotation in list(&dashboard["annotations"]["list"]) {
        look(text(&annotation["name"]), text(&annotation["expr"]));
    }
    let mut variables = BTreeSet::new();
    for variable in list(&dashboard["templating"]["list"]) {
        let name = text(&variable["name"]);
        variables.insert(name);
        if variable["type"] == "query" {
            let query = text(&variable["query"]["query"]);
            let arguments = query.strip_prefix("label_values(").unwrap();
            let (series, label) = arguments.rsplit_once(", ").unwrap();
            let labels = look(name, series);
            assert!(labels.contains(label.strip_suffix(')').unwrap()), "{query}");
        }
    }
    assert_eq!(variables, ["datasource", "instance", "job", "route"].into());
    let all: BTreeSet<_> = there_is.families.keys().map(String::as_str).collect();
    assert_eq!(asked, all, "what no panel shows");
}

/// What metrics there are, and which words their labels can have.
struct There {
    /// Those of the documents, which another test holds to what is printed.
    families: Families,
    document: String,
}

impl There {
    fn look() -> Self {
        Self {
            families: listed(),
            document: docs::pages(),
        }
    }

    /// Holds an expression to what there is; returns the labels that its result may have.
    fn holds(&self, place: &str, expression: &str) -> BTreeSet<String> {
        let Asked { series, groups } = promql::asked(&plain(expression));
        let mut labels = BTreeSet::new();
        for each in &series {
            let of_series = self.labels(place, each);
            for (label, value) in &each.matchers {
                assert!(of_series.contains(label), "{place}: {label} in {each:?}");
                for word in value.split('|').filter(|word| is_ours(label, word)) {
                    let is_told = self.document.contains(&format!("`{word}`"));
                    assert!(is_told, "{place}: {word:?} in {each:?}");
                }
            }
            labels.extend(of_series);
        }
        assert!(groups.is_subset(&labels), "{place}: {groups:?}");
        labels
    }

    fn labels(&self, place: &str, series: &Series) -> BTreeSet<String> {
        // Those that Prometheus gives each target.
        let mut labels: BTreeSet<_> = ["instance", "job"].map(str::to_owned).into();
        if series.metric == "up" {
            return labels;
        }
        let (name, family) = self.family(place, series);
        labels.extend(family.labels.iter().cloned());
        if series.metric == format!("{name}_bucket") {
            labels.insert("le".to_owned());
        }
        let grows = family.kind != "gauge";
        match series.function.as_deref() {
            Some("rate" | "increase") => assert!(grows, "{place}: a gauge in {series:?}"),
            Some("changes" | "min_over_time") => assert!(!grows, "{place}: {series:?}"),
            Some(_) | None => {}
        }
        labels
    }

    /// The family that a series is of, and its name.
    fn family(&self, place: &str, series: &Series) -> (&str, &Family) {
        let metric = &*series.metric;
        let histogram = (["_bucket", "_sum", "_count"].iter())
            .find_map(|suffix| metric.strip_suffix(suffix))
            .and_then(|name| self.families.get_key_value(name))
            .filter(|(_, family)| family.kind == "histogram");
        let plain = self.families.get_key_value(metric);
        let plain = plain.filter(|(_, family)| family.kind != "histogram");
        let found = histogram.or(plain);
        let (name, family) = found.unwrap_or_else(|| panic!("{place}: no {metric}"));
        (name, family)
    }
}

/// Whether a word of a matcher is one of wsgate's, and not of the settings, of Prometheus or of a
/// variable.
fn is_ours(label: &str, word: &str) -> bool {
    let is_named_elsewhere = ["instance", "job", "route", "upstream", "server"].contains(&label);
    !is_named_elsewhere && !word.is_empty()
}

/// The expression as Prometheus gets it from a dashboard.
fn plain(expression: &str) -> String {
    let expression = expression.replace("$__rate_interval", "5m");
    for used in expression.split('$').skip(1) {
        let is_known = ["instance", "route", "job"]
            .iter()
            .any(|name| used.starts_with(name));
        assert!(is_known, "{expression}");
    }
    expression
}

/// The only document of a file.
fn yaml(path: &str) -> Value {
    let documents = documents::parse(&read(path));
    let [document] = <[Value; 1]>::try_from(documents).expect("one document");
    document
}

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap()
}

#[track_caller]
fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[track_caller]
fn keys(value: &Value) -> Vec<&str> {
    let keys = value.as_object().expect("an object").keys();
    keys.map(String::as_str).collect()
}
