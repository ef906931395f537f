//! Whatever arrives is answered, and never with a 500.

use crate::harness::{JOBS, Server, job};
use axum::body::Body;
use http::{HeaderValue, Method, Request};
use http_body_util::BodyExt;
use proptest::prelude::*;
use serde_json::Value;

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"];
const TYPES: [&str; 7] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/strategic-merge-patch+json",
    "x",
];

fn path() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("api".to_owned()),
        Just("apis".into()),
        Just("v1".into()),
        Just("batch".into()),
        Just("namespaces".into()),
        Just("default".into()),
        Just("jobs".into()),
        Just("pods".into()),
        Just("events".into()),
        Just("events.k8s.io".into()),
        Just("configmaps".into()),
        Just("secrets".into()),
        Just("nodes".into()),
        Just("status".into()),
        Just("log".into()),
        Just("binding".into()),
        Just("finalize".into()),
        Just("a".into()),
        Just("openapi".into()),
        Just("v3".into()),
        "[a-z%.0-9-]{0,6}",
    ];
    let query = prop_oneof![
        Just(String::new()),
        "(limit|continue|resourceVersion|labelSelector|fieldSelector|dryRun|fieldValidation|resourceVersionMatch|sendInitialEvents|timeoutSeconds|pretty|gracePeriodSeconds|propagationPolicy|tailLines|includeObject)=[a-zA-Z0-9=,!()%.-]{0,12}",
    ];
    let deep = Just("/apis/batch/v1/namespaces/default/jobs".to_owned());
    let free = prop::collection::vec(word, 0..7).prop_map(|words| format!("/{}", words.join("/")));
    (prop_oneof![free.clone(), (deep, free).prop_map(|(deep, rest)| deep + &rest)], query)
        .prop_map(|(path, query)| format!("{path}?{query}"))
}

/// A Job with something else in one of its places.
fn mangled() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let value = scalar.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z$]{0,9}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let place = prop::sample::select(vec![
        "",
        "/metadata",
        "/metadata/name",
        "/metadata/labels",
        "/metadata/finalizers",
        "/metadata/ownerReferences",
        "/spec",
        "/spec/template",
        "/spec/template/metadata",
        "/spec/template/spec",
        "/spec/template/spec/containers",
        "/spec/template/spec/containers/0",
        "/spec/template/spec/containers/0/env",
        "/spec/selector",
        "/status",
        "/spec/completions",
        "/kind",
        "/apiVersion",
        "/spec/podFailurePolicy",
        "/spec/successPolicy",
    ]);
    (place, value).prop_map(|(place, value)| {
        let mut object = job("a");
        object["metadata"]["labels"] = Value::Null;
        let (parent, key) = place.rsplit_once('/').unwrap_or(("", ""));
        match object.pointer_mut(parent) {
            Some(Value::Object(fields)) if !place.is_empty() => {
                fields.insert(key.to_owned(), value);
                object.to_string()
            }
            Some(Value::Array(items)) => {
                items[0] = value;
                object.to_string()
            }
            _ => value.to_string(),
        }
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        mangled().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..64),
        prop::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| [b"k8s\0".as_slice(), &bytes].concat()),
    ]
}

/// Sends one request; a watch is opened but not read.
async fn code_of(
    server: &Server,
    method: &str,
    path: &str,
    content_type: &str,
    accept: &str,
    body: Vec<u8>,
) -> Option<u16> {
    let mut request = Request::builder().uri(path).body(Body::from(body)).ok()?;
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    request.headers_mut().insert("content-type", HeaderValue::from_str(content_type).ok()?);
    request.headers_mut().insert("accept", HeaderValue::from_str(accept).ok()?);
    let response = server.api.handle(server.user.clone(), request).await;
    let code = response.status().as_u16();
    if code != 200 && method != "HEAD" {
        response.into_body().collect().await.unwrap();
    }
    Some(code)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_request_is_a_500(
        requests in prop::collection::vec((prop::sample::select(&METHODS[..]), path(), prop::sample::select(&TYPES[..]), body()), 1..6),
        accept in prop_oneof![Just("*/*".to_owned()), Just("application/vnd.kubernetes.protobuf".to_owned()), "[a-z/;=,.*]{0,30}"],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let server = Server::new();
            server.post(JOBS, &job("a")).await.expect(201);
            for (method, path, content_type, body) in requests {
                let shown = String::from_utf8_lossy(&body).into_owned();
                let code = code_of(&server, method, &path, content_type, &accept, body).await;
                prop_assert!(code != Some(500), "{method} {path} {content_type} {shown}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_object_is_a_500(object in mangled(), patch in mangled(), kind in prop::sample::select(vec!["merge", "strategic-merge", "json"])) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let server = Server::new();
            for resource in ["apis/batch/v1/namespaces/default/jobs", "apis/batch/v1/namespaces/default/cronjobs", "api/v1/namespaces/default/pods", "api/v1/namespaces"] {
                let path = format!("/{resource}");
                let sent = object.replace("\"batch/v1\"", "null").replace("\"Job\"", "null");
                let reply = server.send("POST", &path, &[], sent).await;
                prop_assert!(reply.code != 500, "{path} {object}: {}", reply.text());
            }
            server.send("POST", JOBS, &[], job("a").to_string()).await;
            let content_type = format!("application/{kind}-patch+json");
            for sub in ["", "/status"] {
                let reply = server.send("PATCH", &format!("{JOBS}/a{sub}"), &[("content-type", &content_type)], patch.clone()).await;
                prop_assert!(reply.code != 500, "{kind} {patch}: {}", reply.text());
            }
            for accept in [crate::harness::TABLE, "application/json"] {
                let reply = server.send("GET", JOBS, &[("accept", accept)], Body::empty()).await;
                prop_assert!(reply.code == 200, "{object} {patch}: {}", reply.text());
            }
            Ok(())
        })?;
    }
}
