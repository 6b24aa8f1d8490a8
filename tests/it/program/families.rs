//! What metrics there are: as `GET /metrics` tells it, and as the documents do.

use std::collections::{BTreeMap, BTreeSet};

use crate::kit::docs;

/// The metrics by name.
pub(super) type Families = BTreeMap<String, Family>;

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) kind: String,
    /// Without `le`, which every histogram has.
    pub(super) labels: BTreeSet<String>,
}

/// Reads the text format strictly: each family stands together, behind its help and its type.
pub(super) fn families(text: &str) -> Families {
    assert!(text.ends_with('\n'));
    let mut families = Families::new();
    let (mut helped, mut current) = ("", "");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            helped = help.split(' ').next().unwrap();
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap();
            assert_eq!(name, helped, "its HELP is right before it");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            let family = Family {
                kind: kind.to_owned(),
                labels: BTreeSet::new(),
            };
            let before = families.insert(name.to_owned(), family);
            assert!(before.is_none(), "{name} twice");
            current = name;
        } else {
            let family = families.get_mut(current).unwrap();
            let end = line.find(['{', ' ']).unwrap();
            let suffix = line[..end].strip_prefix(current);
            let suffix = suffix.expect("each family stands together");
            let labels = line[end..].split(['{', ',']).filter_map(|label| {
                let (label, _) = label.split_once("=\"")?;
                Some(label.to_owned())
            });
            let mut labels: BTreeSet<_> = labels.collect();
            match (&*family.kind, suffix) {
                ("histogram", "_bucket") => assert!(labels.remove("le"), "{line}"),
                ("histogram", "_sum" | "_count") | ("counter" | "gauge", "") => {}
                _ => panic!("{line} in a {}", family.kind),
            }
            let value = line.rsplit_once(' ').unwrap().1.parse::<f64>();
            assert!(value.is_ok_and(|value| value >= 0.0), "{line}");
            family.labels.extend(labels);
        }
    }
    families
}

/// The rows `| name | type | labels | meaning |` of the documents.
pub(super) fn listed() -> Families {
    let pages = docs::pages();
    let is_metric = |name: &str| name.starts_with("wsgate_") || name.starts_with("process_");
    let rows = docs::rows(&pages, is_metric).map(|cells| {
        let [name, kind, labels, _] = cells[..] else {
            panic!("{cells:?}");
        };
        let labels = labels.split('`').skip(1).step_by(2).map(str::to_owned);
        let family = Family {
            kind: kind.to_owned(),
            labels: labels.collect(),
        };
        (name.to_owned(), family)
    });
    rows.collect()
}
