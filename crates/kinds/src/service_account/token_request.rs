//! TokenRequest: what is asked for with POST serviceaccounts/NAME/token, and what is granted
//! (K:pkg/registry/core/serviceaccount/storage/token.go).

use super::claims::{Bound, Claims};
use crate::admission::World;
use crate::at::At;
use jiff::{SignedDuration, Timestamp};
use meta::field::FieldError;
use meta::object;
use meta::status::{GroupResource, Status};
use serde_json::{Value, json};

/// `kubectl create token` asks for none.
const DEFAULT_SECONDS: i64 = 3600;
const MIN_SECONDS: i64 = 10 * 60;
const MAX_SECONDS: i64 = 1 << 32;
/// What the token volume that pods get by themselves asks for. Such a token is taken for a year, for clients that read
/// it once; `warnafter` says when it should have been read again (KEP-1205).
pub const POD_SECONDS: i64 = 3607;
const EXTENDED_SECONDS: i64 = 365 * 24 * 60 * 60;
const GROUP: &str = "authentication.k8s.io";
const KIND: &str = "TokenRequest";

/// A request for a token.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The TokenRequest.
    pub request: &'a Value,
    /// The account that the path names.
    pub account: &'a Value,
    /// Who signs.
    pub issuer: &'a str,
    /// The API server's own audiences: for tokens that name none.
    pub audiences: &'a [String],
    /// For the objects a token is bound to.
    pub world: &'a dyn World,
    /// The current instant.
    pub now: Timestamp,
    /// Names the token.
    pub id: &'a str,
}

/// What is to be signed, and the answer around it.
#[derive(Debug, PartialEq)]
#[must_use = "a decision nobody applies is a lost decision"]
pub struct Grant {
    /// What the token says.
    pub claims: Value,
    request: Value,
    expires_at: Timestamp,
}

impl Grant {
    /// The TokenRequest with its token.
    pub fn answer(self, token: &str) -> Value {
        let mut answer = self.request;
        answer["status"] = json!({"token": token, "expirationTimestamp": seconds_text(self.expires_at)});
        answer
    }
}

fn seconds_text(instant: Timestamp) -> String {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant).to_string()
}

/// Decides on a request.
pub fn grant(asking: &Asking<'_>) -> Result<Grant, Box<Status>> {
    let mut request = asking.request.clone();
    let (namespace, name) = (object::namespace(asking.account), object::name(asking.account));
    check_metadata(&request, namespace, name)?;
    let fields = object::metadata(&mut request);
    fields.insert("name".into(), name.into());
    fields.insert("namespace".into(), namespace.into());
    fields.insert("creationTimestamp".into(), seconds_text(asking.now).into());
    let spec = object::map(&mut request, "spec");
    if spec.get("audiences").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec.insert("audiences".into(), asking.audiences.into());
    }
    spec.entry("expirationSeconds").or_insert(DEFAULT_SECONDS.into());
    check_spec(&request)?;

    let bound = Found::of(asking, &request["spec"]["boundObjectRef"])?;
    let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(DEFAULT_SECONDS);
    let audiences: Vec<String> = texts(&request["spec"]["audiences"]);
    let is_for_us = audiences.iter().all(|audience| asking.audiences.contains(audience));
    let is_extended = matches!(bound, Some(Found::Pod(..))) && seconds == POD_SECONDS && is_for_us;
    let (expires_after, warns_after) = if is_extended { (EXTENDED_SECONDS, seconds) } else { (seconds, 0) };
    let claims = Claims {
        issuer: asking.issuer,
        audiences: &audiences,
        account: asking.account,
        bound: bound.as_ref().map(Found::bound),
        now: asking.now,
        expires_after: SignedDuration::from_secs(expires_after),
        warns_after: SignedDuration::from_secs(warns_after),
        id: asking.id,
    };
    let expires_at = asking.now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    Ok(Grant { claims: claims.to_json(), request, expires_at })
}

/// A body that names an account names the one in the path.
fn check_metadata(request: &Value, namespace: &str, name: &str) -> Result<(), Box<Status>> {
    for (field, wanted, what) in [("name", name, "name"), ("namespace", namespace, "namespace")] {
        let given = object::text(request, field);
        if !given.is_empty() && given != wanted {
            let detail = format!("must match the service account {what} if specified");
            let error = FieldError::invalid(format!("metadata.{field}"), given, &detail);
            return Err(Box::new(Status::invalid(GROUP, KIND, name, &[error])));
        }
    }
    Ok(())
}

/// K:pkg/apis/authentication/validation.
fn check_spec(request: &Value) -> Result<(), Box<Status>> {
    let seconds = At::root(request).fields(&["spec", "expirationSeconds"]);
    let detail = match seconds.int() {
        Some(number) if number < MIN_SECONDS => "may not specify a duration less than 10 minutes",
        Some(number) if MAX_SECONDS < number => "may not specify a duration larger than 2^32 seconds",
        _ => return Ok(()),
    };
    Err(Box::new(Status::invalid(GROUP, KIND, "", &[seconds.invalid(detail)])))
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(String::from).collect()
}

/// The object that a token is bound to.
enum Found {
    Pod(Value, Option<(String, String)>),
    Secret(Value),
    Node(Value),
}

impl Found {
    fn of(asking: &Asking<'_>, reference: &Value) -> Result<Option<Self>, Box<Status>> {
        if !reference.is_object() {
            return Ok(None);
        }
        let text = |field: &str| reference[field].as_str().unwrap_or("");
        let namespace = object::namespace(asking.account);
        let (version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
        let look_up = |plural: &str, namespace: &str| {
            let what = GroupResource { group: "", resource: plural };
            asking.world.get("", plural, namespace, name).ok_or_else(|| Box::new(Status::not_found(what, name)))
        };
        let found = match (version, kind) {
            ("v1", "Pod") => {
                let pod = look_up("pods", namespace)?;
                let account = object::name(asking.account);
                if pod["spec"]["serviceAccountName"] != account {
                    let text = format!(
                        "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
                    );
                    return Err(Box::new(Status::bad_request(text)));
                }
                let node = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()).map(|node| {
                    let known = asking.world.get("", "nodes", "", node);
                    (node.to_owned(), known.map(|known| object::uid(&known).to_owned()).unwrap_or_default())
                });
                Self::Pod(pod, node)
            }
            ("v1", "Secret") => Self::Secret(look_up("secrets", namespace)?),
            ("v1", "Node") => Self::Node(look_up("nodes", "")?),
            _ => {
                // Go's print of a GroupVersionKind.
                let (group, version) = version.split_once('/').unwrap_or(("", version));
                let text = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
                return Err(Box::new(Status::bad_request(text)));
            }
        };
        let (wanted, current) = (text("uid"), object::uid(found.object()));
        if !wanted.is_empty() && wanted != current {
            let detail = format!(
                "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have been deleted and then recreated"
            );
            let what = GroupResource { group: "", resource: kind };
            return Err(Box::new(Status::conflict(what, name, &detail)));
        }
        Ok(Some(found))
    }

    fn object(&self) -> &Value {
        match self {
            Self::Pod(object, _) | Self::Secret(object) | Self::Node(object) => object,
        }
    }

    fn bound(&self) -> Bound<'_> {
        match self {
            Self::Pod(pod, node) => Bound::Pod(pod, node.as_ref().map(|(name, uid)| (name.as_str(), uid.as_str()))),
            Self::Secret(secret) => Bound::Secret(secret),
            Self::Node(node) => Bound::Node(node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::testing::Objects;
    use crate::testing::now;

    fn account() -> Value {
        json!({"metadata": {"namespace": "n", "name": "a", "uid": "a-1"}})
    }

    fn granted(spec: Value) -> Result<Grant, String> {
        let world = Objects::of(&[
            (
                "",
                "pods",
                json!({"metadata": {"namespace": "n", "name": "p", "uid": "p-1"},
                    "spec": {"serviceAccountName": "a", "nodeName": "box"}}),
            ),
            ("", "pods", json!({"metadata": {"namespace": "n", "name": "q"}, "spec": {"serviceAccountName": "b"}})),
            ("", "secrets", json!({"metadata": {"namespace": "n", "name": "s", "uid": "s-1"}})),
            ("", "nodes", json!({"metadata": {"name": "box", "uid": "box-1"}})),
        ]);
        let asking = Asking {
            request: &json!({"spec": spec}),
            account: &account(),
            issuer: "https://i",
            audiences: &["api".into()],
            world: &world,
            now: now(),
            id: "j",
        };
        grant(&asking).map_err(|status| status.message)
    }

    #[test]
    fn the_answer_holds_the_request_completed_and_the_token() {
        let answer = granted(json!({})).unwrap().answer("t.o.k");
        assert_eq!(
            answer,
            json!({"spec": {"audiences": ["api"], "expirationSeconds": 3600},
                "metadata": {"name": "a", "namespace": "n", "creationTimestamp": "2026-01-01T01:00:00Z"},
                "status": {"token": "t.o.k", "expirationTimestamp": "2026-01-01T02:00:00Z"}})
        );
    }

    #[test]
    fn lifetimes_and_bindings_are_checked() {
        for (spec, expect) in [
            (
                json!({"expirationSeconds": 599}),
                "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
            ),
            (
                json!({"expirationSeconds": 4_294_967_297_i64}),
                "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds",
            ),
            (json!({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "none"}}), "pods \"none\" not found"),
            (
                json!({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "q"}}),
                "cannot bind token for serviceaccount \"a\" to pod running with different serviceaccount name.",
            ),
            (
                json!({"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "other"}}),
                "Operation cannot be fulfilled on Secret \"s\": the UID in the bound object reference (other) does not match the UID in record. The object might have been deleted and then recreated",
            ),
            (
                json!({"boundObjectRef": {"apiVersion": "batch/v1", "kind": "Job", "name": "j"}}),
                "cannot bind token to object of type batch/v1, Kind=Job",
            ),
        ] {
            assert_eq!(granted(spec).unwrap_err(), expect);
        }
        for ok in [json!({"expirationSeconds": 600}), json!({"expirationSeconds": 4_294_967_296_i64})] {
            assert!(granted(ok).is_ok());
        }
    }

    #[test]
    fn a_pods_own_token_is_taken_for_a_year_but_says_when_to_read_it_again() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "p-1"});
        let begin = now().as_second();
        let lifetime = |spec: Value| {
            let claims = granted(spec).unwrap().claims;
            (
                claims["exp"].as_i64().unwrap() - begin,
                claims["kubernetes.io"]["warnafter"].as_i64().map(|at| at - begin),
            )
        };
        assert_eq!(lifetime(json!({"expirationSeconds": 3607, "boundObjectRef": pod})), (31_536_000, Some(3607)));
        assert_eq!(lifetime(json!({"expirationSeconds": 3607})), (3607, None));
        assert_eq!(
            lifetime(json!({"expirationSeconds": 3607, "audiences": ["v"], "boundObjectRef": pod})),
            (3607, None)
        );
        let claims = granted(json!({"boundObjectRef": pod})).unwrap().claims;
        assert_eq!(claims["kubernetes.io"]["node"], json!({"name": "box", "uid": "box-1"}));
    }
}
