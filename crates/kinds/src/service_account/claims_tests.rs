use super::*;
use crate::admission::testing::Objects;
use crate::testing::now;

fn thing(kind: &str, namespace: &str, name: &str, uid: &str) -> Value {
    json!({"kind": kind, "metadata": {"namespace": namespace, "name": name, "uid": uid}})
}

fn world() -> Objects {
    Objects::of(&[
        ("", "serviceaccounts", thing("ServiceAccount", "n", "a", "a-1")),
        ("", "pods", thing("Pod", "n", "p", "p-1")),
        ("", "secrets", thing("Secret", "n", "s", "s-1")),
        ("", "nodes", thing("Node", "", "box", "box-1")),
    ])
}

fn claims(bound: Option<Bound<'_>>) -> Value {
    let account = thing("ServiceAccount", "n", "a", "a-1");
    let audiences = ["api".to_owned(), "other".to_owned()];
    let claims = Claims {
        issuer: "https://i",
        audiences: &audiences,
        account: &account,
        bound,
        now: now(),
        expires_after: SignedDuration::from_secs(600),
        warns_after: SignedDuration::ZERO,
        id: "j",
    };
    claims.to_json()
}

fn at(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn identified(claims: &Value, world: &Objects, now: Timestamp) -> Result<Identity, String> {
    identify(claims, &["api".into()], world, now)
}

#[test]
fn claims_read_as_kubernetes_bound_tokens_do() {
    let pod = thing("Pod", "n", "p", "p-1");
    let begin = now().as_second();
    assert_eq!(
        claims(Some(Bound::Pod(&pod, Some(("box", "box-1"))))),
        json!({"aud": ["api", "other"], "exp": begin + 600, "iat": begin, "iss": "https://i", "jti": "j",
            "kubernetes.io": {"namespace": "n", "node": {"name": "box", "uid": "box-1"}, "pod": {"name": "p", "uid": "p-1"},
                "serviceaccount": {"name": "a", "uid": "a-1"}},
            "nbf": begin, "sub": "system:serviceaccount:n:a"})
    );
}

#[test]
fn a_token_names_its_account_its_pod_and_itself() {
    let pod = thing("Pod", "n", "p", "p-1");
    let identity = identified(&claims(Some(Bound::Pod(&pod, Some(("box", "box-1"))))), &world(), now()).unwrap();
    let extra = |key: &str, value: &str| (format!("authentication.kubernetes.io/{key}"), vec![value.to_owned()]);
    assert_eq!(
        identity.user,
        User {
            name: "system:serviceaccount:n:a".into(),
            uid: "a-1".into(),
            groups: ["system:serviceaccounts", "system:serviceaccounts:n", "system:authenticated"]
                .map(String::from)
                .into(),
            extra: vec![
                extra("credential-id", "JTI=j"),
                extra("node-name", "box"),
                extra("node-uid", "box-1"),
                extra("pod-name", "p"),
                extra("pod-uid", "p-1"),
            ],
        }
    );
    assert_eq!(identity.audiences, ["api"]);
}

#[test]
fn time_is_taken_with_a_minute_of_leeway() {
    let claims = claims(None);
    for (seconds, expect) in [
        (-61, Some("service account token is not valid yet")),
        (-60, None),
        (0, None),
        (660, None),
        (661, Some("service account token has expired")),
    ] {
        assert_eq!(identified(&claims, &world(), at(seconds)).err().as_deref(), expect, "after {seconds} s");
    }
}

#[test]
fn a_token_ends_with_what_it_is_bound_to() {
    let (pod, secret, node) =
        (thing("Pod", "n", "p", "p-1"), thing("Secret", "n", "s", "s-1"), thing("Node", "", "box", "box-1"));
    for (bound, plural, shown) in [
        (Bound::Pod(&pod, None), "pods", "pod"),
        (Bound::Secret(&secret), "secrets", "secret"),
        (Bound::Node(&node), "nodes", "node"),
    ] {
        let claims = claims(Some(bound));
        let mut world = world();
        assert!(identified(&claims, &world, now()).is_ok(), "{shown}");
        world.change(plural, |object| object["metadata"]["deletionTimestamp"] = at(30).to_string().into());
        assert!(identified(&claims, &world, at(60)).is_ok(), "{shown}: within its grace period and the leeway");
        assert_eq!(identified(&claims, &world, at(120)).unwrap_err(), "service account token has been invalidated");
        world.change(plural, |object| object["metadata"]["uid"] = "again".into());
        assert_eq!(
            identified(&claims, &world, now()).unwrap_err(),
            format!(
                "{shown} UID (again) does not match service account {shown} ref claim ({shown_uid})",
                shown_uid = match shown {
                    "pod" => "p-1",
                    "secret" => "s-1",
                    _ => "box-1",
                }
            )
        );
        world.remove(plural);
        assert_eq!(identified(&claims, &world, now()).unwrap_err(), "service account token has been invalidated");
    }
}

#[test]
fn a_pods_token_outlives_its_nodes_object() {
    let pod = thing("Pod", "n", "p", "p-1");
    let mut world = world();
    world.remove("nodes");
    assert!(identified(&claims(Some(Bound::Pod(&pod, Some(("box", "box-1"))))), &world, now()).is_ok());
}

#[test]
fn an_account_that_is_gone_or_another_ends_its_tokens() {
    let claims = claims(None);
    let mut world = world();
    world.change("serviceaccounts", |account| account["metadata"]["uid"] = "a-2".into());
    assert_eq!(identified(&claims, &world, now()).unwrap_err(), "service account UID (a-2) does not match claim (a-1)");
    world.remove("serviceaccounts");
    assert_eq!(identified(&claims, &world, now()).unwrap_err(), "serviceaccounts \"a\" not found");
}

#[test]
fn a_token_for_others_is_not_for_us() {
    let mut claims = claims(None);
    claims["aud"] = "vault".into();
    assert_eq!(
        identified(&claims, &world(), now()).unwrap_err(),
        "token audiences [\"vault\"] is invalid for the target audiences [\"api\"]"
    );
    assert_eq!(identify(&claims, &["vault".into()], &world(), now()).unwrap().audiences, ["vault"]);
}

#[test]
fn claims_of_any_shape_are_refused() {
    for odd in [
        json!(null),
        json!([]),
        json!({"aud": 1}),
        json!({"aud": ["api"], "exp": "soon"}),
        json!({"aud": ["api"], "exp": i64::MAX, "nbf": 0, "iat": 0, "kubernetes.io": []}),
    ] {
        assert!(identified(&odd, &world(), now()).is_err(), "{odd}");
    }
}
