//! What a token costs, of each algorithm.

use std::hint::black_box;

use criterion::Criterion;
use serde_json::Value;
use wsgate::microbench::Tokens;

/// Tokens of another library: `tests/tokens/make.py`.
const CASES: &str = include_str!("../../tests/tokens/cases.json");

/// Read, decoded, verified.
pub(crate) fn checks(criterion: &mut Criterion) {
    let cases: Value = serde_json::from_str(CASES).expect("JSON");
    let now = cases["now"].as_u64().expect("a moment");
    let issuer = Tokens::of_keys(&cases["jwks"].to_string(), now).expect("keys");
    let mut group = criterion.benchmark_group("token");
    let tokens = cases["tokens"].as_array().expect("tokens");
    for name in ["RS256", "ES256", "ES384", "EdDSA"] {
        let case = tokens.iter().find(|case| case["name"] == name);
        let token = case
            .and_then(|case| case["token"].as_str())
            .expect("a token");
        let check = || issuer.verify(black_box(token)).map(drop);
        assert_eq!(check(), Ok(()));
        group.bench_function(name, |bencher| bencher.iter(check));
    }
    let secret = cases["secret"]["secret"].as_str().expect("a secret");
    let issuer = Tokens::of_secret(secret, now).expect("a secret");
    let token = cases["secret"]["token"].as_str().expect("a token");
    let check = || issuer.verify(black_box(token)).map(drop);
    assert_eq!(check(), Ok(()));
    group.bench_function("HS256", |bencher| bencher.iter(check));
}
