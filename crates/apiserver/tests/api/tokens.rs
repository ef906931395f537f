//! ServiceAccount tokens: asked for, shown, looked into, refused.

use crate::harness::{PROTOBUF, Server};
use crate::network;
use apiserver::auth::Pki;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const TOKEN: &str = "/api/v1/namespaces/default/serviceaccounts/builder/token";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

async fn server() -> Server {
    let server = Server::trusted();
    server.post(ACCOUNTS, &account()).await.expect(201);
    server
}

fn account() -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "builder"}})
}

async fn token(server: &Server, spec: Value) -> String {
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
    let reply = server.post(TOKEN, &request).await.expect(201).json();
    reply["status"]["token"].as_str().unwrap().to_owned()
}

async fn review(server: &Server, token: &str, audiences: Value) -> Value {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": {"token": token, "audiences": audiences}});
    server.post(REVIEWS, &review).await.expect(201).json()["status"].clone()
}

#[tokio::test]
async fn a_token_request_is_answered_with_a_token_that_names_the_account() {
    let server = server().await;
    let request = json!({"spec": {"expirationSeconds": 600}});
    let reply = server.post(TOKEN, &request).await.expect(201).json();
    assert_eq!((&reply["kind"], &reply["apiVersion"]), (&json!("TokenRequest"), &json!("authentication.k8s.io/v1")));
    assert_eq!(reply["metadata"]["name"], "builder");
    assert_eq!(
        reply["spec"],
        json!({"audiences": ["https://kubernetes.default.svc.cluster.local"], "expirationSeconds": 600})
    );
    assert_eq!(reply["status"]["expirationTimestamp"], "2026-03-01T12:10:00Z");

    let status = review(&server, reply["status"]["token"].as_str().unwrap(), json!([])).await;
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["user"]["username"], "system:serviceaccount:default:builder");
    assert_eq!(status["audiences"], json!(["https://kubernetes.default.svc.cluster.local"]));
}

#[tokio::test]
async fn mistakes_in_a_request_have_kubernetes_texts() {
    let server = server().await;
    let missing = "/api/v1/namespaces/default/serviceaccounts/none/token";
    server.post(missing, &json!({})).await.expect_status(404, "NotFound", "serviceaccounts \"none\" not found");
    server.get(TOKEN).await.expect_status(
        405,
        "MethodNotAllowed",
        "get is not supported on resources of kind \"serviceaccounts/token\"",
    );
    let short = json!({"spec": {"expirationSeconds": 1}});
    server.post(TOKEN, &short).await.expect_status(
        422,
        "Invalid",
        "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes",
    );
    let other = json!({"metadata": {"name": "other"}});
    server.post(TOKEN, &other).await.expect_status(
        422,
        "Invalid",
        "TokenRequest.authentication.k8s.io \"builder\" is invalid: metadata.name: Invalid value: \"other\": must match the service account name if specified",
    );
}

#[tokio::test]
async fn protobuf_is_answered_in_protobuf() {
    let server = server().await;
    let reply = server.send("POST", TOKEN, &[("accept", PROTOBUF)], "{}").await.expect(201);
    assert!(reply.bytes.starts_with(b"k8s\0"));
    let decoded = apiserver::protobuf::decode(&reply.bytes).unwrap();
    let body = apiserver::protobuf::encode(&json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": 700}}))
    .unwrap();
    assert!(decoded["status"]["token"].as_str().unwrap().starts_with("ey"));
    let reply = server.send("POST", TOKEN, &[("content-type", PROTOBUF)], body).await.expect(201).json();
    assert_eq!(reply["spec"]["expirationSeconds"], 700);
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_its_account() {
    let server = server().await;
    let token = token(&server, json!({})).await;
    server.clock.advance(3600 + 62);
    assert_eq!(
        review(&server, &token, json!([])).await,
        json!({"user": {}, "error": "[invalid bearer token, service account token has expired]"})
    );

    let token = self::token(&server, json!({})).await;
    assert_eq!(review(&server, &token, json!([])).await["authenticated"], true);
    server.delete(&format!("{ACCOUNTS}/builder")).await.expect(200);
    let gone = review(&server, &token, json!([])).await;
    assert_eq!(gone["error"], "[invalid bearer token, serviceaccounts \"builder\" not found]");
    server.post(ACCOUNTS, &account()).await.expect(201);
    let again = review(&server, &token, json!([])).await["error"].as_str().unwrap().to_owned();
    assert!(again.contains("does not match claim"), "{again}");
}

#[tokio::test]
async fn a_token_is_for_whom_it_was_asked_for() {
    let server = server().await;
    let token = token(&server, json!({"audiences": ["vault", "other"]})).await;
    assert_eq!(review(&server, &token, json!(["vault"])).await["audiences"], json!(["vault"]));
    let ours = review(&server, &token, json!([])).await;
    assert!(ours["error"].as_str().unwrap().contains("is invalid for the target audiences"), "{ours}");
    let empty = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": ""}});
    server.post(REVIEWS, &empty).await.expect_status(
        400,
        "BadRequest",
        "token is required for TokenReview in authentication",
    );
}

#[tokio::test]
async fn a_request_that_is_only_tried_gets_no_token() {
    let server = server().await;
    let reply = server.post(&format!("{TOKEN}?dryRun=All"), &json!({})).await.expect(201).json();
    assert_eq!(reply["status"]["token"], "");
}

#[tokio::test]
async fn a_server_without_keys_says_so() {
    let server = Server::new();
    server.post(ACCOUNTS, &account()).await.expect(201);
    server.post(TOKEN, &json!({})).await.expect_status(
        500,
        "InternalError",
        "Internal error occurred: tokens cannot be signed: this server has no listener that would take them",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_shown_over_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    let server = server().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let pki = Pki::load_or_create(dir.path(), &[address.ip()], &[], jiff::Timestamp::now()).unwrap();
    let kubeconfig = pki.admin_kubeconfig(&format!("https://{address}"));
    let stop = CancellationToken::new();
    let tls = pki.server_tls().unwrap();
    let serving = tokio::spawn(server.api.clone().serve(listener, tls, stop.clone().cancelled_owned()));
    let (admin, stranger) = (network::client(&kubeconfig, true), network::client(&kubeconfig, false));
    let good = token(&server, json!({})).await;
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");

    let secrets = "/api/v1/namespaces/default/secrets";
    let refused = network::ask_with(address, stranger.clone(), secrets, &bearer(&good)).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert!(
        refused.contains(r#"User \"system:serviceaccount:default:builder\" cannot list resource \"secrets\""#),
        "{refused}"
    );

    let other = token(&server, json!({"audiences": ["vault"]})).await;
    for bad in ["nonsense", "a.b.c", &good[..good.len() - 3], &other] {
        let answer = network::ask_with(address, stranger.clone(), secrets, &bearer(bad)).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{bad}: {answer}");
    }
    // An empty one is none at all.
    let answer = network::ask_with(address, stranger.clone(), secrets, &bearer("")).await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("system:anonymous"), "{answer}");
    // A certificate comes first, whatever token is beside it.
    let answer = network::ask_with(address, admin, secrets, &bearer("nonsense")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let configuration = server.get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(configuration["issuer"], "https://kubernetes.default.svc.cluster.local");
    assert_eq!(configuration["jwks_uri"], format!("https://{address}/openid/v1/jwks"));
    let keys = server.get("/openid/v1/jwks").await.expect(200);
    assert_eq!(keys.header("content-type"), "application/jwk-set+json");
    assert_eq!(keys.json()["keys"][0]["alg"], "ES256");
    stop.cancel();
    serving.await.unwrap().unwrap();
}
