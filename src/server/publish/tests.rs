use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::Gate;
use crate::config::{Config, ListenAddress};

const SETTINGS: &str = r#"
    [publish]
    address = "127.0.0.1:9901"
    tokens = [{ name = "all", token = "all-t0ken", channels = ["**"], direct = true, tickets = true }]
    [upstream.a]
    servers = ["ws://127.0.0.1:9001"]
    [[route]]
    name = "a"
    path = "/*"
    upstream = "a"
"#;

/// The status of a response, and its body.
async fn ask(method: &str, target: &str) -> (u16, Value) {
    let config = Config::from_toml("a.toml", SETTINGS).unwrap();
    let settings = config.publish.clone();
    let gate = Gate::builder(config).build().unwrap();
    let publish = PublishService::new(gate.handle(), Arc::default(), 8);
    publish.apply(settings.as_ref());
    let address = ListenAddress::Tcp("127.0.0.1:9901".parse().unwrap());
    let service = publish.service().at(&address, CancellationToken::new());
    let request = Request::builder().method(method).uri(target);
    let request = request.header("authorization", "Bearer all-t0ken");
    let request = request.header("content-type", "application/x-ndjson");
    let request = request.body(Body::empty()).unwrap();
    let (head, body) = service.respond(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    (head.status.as_u16(), body)
}

#[tokio::test]
async fn what_an_endpoint_takes_is_what_is_described() {
    let (_, document) = ask("GET", "/openapi.json").await;
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 8, "{paths:?}");
    for (path, methods) in paths {
        let braces: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
        for (method, operation) in methods.as_object().unwrap() {
            let named = format!("{method} {path}");
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let names = |place: &str| -> Vec<_> {
                let there = parameters.clone().filter(|found| found["in"] == place);
                there.map(|found| found["name"].as_str().unwrap()).collect()
            };
            assert_eq!(names("path"), braces, "{named}");
            let is_open = path == "/healthz";
            let keys = names("query").join(", ");
            let sentence = match &*keys {
                _ if is_open => String::new(),
                "" => "it takes no keys".to_owned(),
                keys => format!("the keys are {keys}"),
            };
            let target = path.replace("{session}", "0123456789ab-1");
            let target = format!("{}?c4nary", target.replace(['{', '}'], ""));
            let (status, body) = ask(&method.to_uppercase(), &target).await;
            let error = body["error"].as_str().unwrap_or_default();
            assert!(error.ends_with(&sentence), "{named}: {error}");
            assert!(!error.contains("c4nary"), "{named}: {error}");
            assert_eq!(status, if is_open { 200 } else { 400 }, "{named}");
            assert_eq!(operation.get("security").is_some(), is_open, "{named}");
        }
    }
}

#[tokio::test]
async fn the_document_is_of_this_version_and_whole() {
    let (_, document) = ask("GET", "/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let text = document.to_string();
    let named = text.split("\"$ref\":\"#/components/schemas/").skip(1);
    let named: BTreeSet<_> = named.map(|rest| rest.split('"').next().unwrap()).collect();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in schemas.keys().map(String::as_str) {
        let is_of_batches = ["Line", "RefusedLine"].contains(&name);
        assert!(named.contains(name) || is_of_batches, "{name}");
    }
    assert!(named.iter().all(|name| schemas.contains_key(*name)));
}
