//! The counters of the program, as its admin interface gives them.

use std::collections::BTreeMap;

use super::Wire;

/// Every sample of `GET /metrics`, by its name and labels as they are written.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    samples: BTreeMap<String, f64>,
}

impl Metrics {
    pub(crate) async fn of(admin: &str) -> Self {
        let mut wire = Wire::connect(admin).await;
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
        wire.send(request).await;
        let response = wire.response().await;
        assert_eq!(response.status(), 200, "{response:?}");
        wire.end().await;
        let lines = response.text().lines();
        let samples = lines.filter(|line| !line.starts_with('#')).map(|line| {
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            (sample.to_owned(), value.parse().expect("a number"))
        });
        let samples = samples.collect();
        Self { samples }
    }

    /// The counts of this family by the value of one label, on all routes but `except`.
    pub(crate) fn sums(&self, family: &str, label: &str, except: &str) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for (sample, value) in &self.samples {
            let Some(labels) = labels_of(sample, family) else {
                continue;
            };
            if labels.contains(&format!("route=\"{except}\"")) || *value == 0.0 {
                continue;
            }
            let key = format!("{label}=\"");
            let (_, rest) = labels.split_once(&key).expect("the label");
            let (found, _) = rest.split_once('"').expect("a value");
            *sums.entry(found.to_owned()).or_default() += *value as u64;
        }
        sums
    }
}

fn labels_of<'a>(sample: &'a str, family: &str) -> Option<&'a str> {
    sample
        .strip_prefix(family)?
        .strip_prefix('{')?
        .strip_suffix('}')
}
