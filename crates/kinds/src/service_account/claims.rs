//! What a ServiceAccount's token says, and whether it still holds (K:pkg/serviceaccount/claims.go). Pure: signing and
//! checking signatures is the server's.

use crate::admission::World;
use jiff::{SignedDuration, Timestamp};
use meta::object;
use meta::user::User;
use serde_json::{Map, Value, json};

/// Clocks may differ by so much (K: go-jose's DefaultLeeway): an expired token is taken a minute longer, and so is one
/// whose pod is gone.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// The claim that holds what is Kubernetes' own.
const KUBERNETES: &str = "kubernetes.io";

/// Everything a token says.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// Who signs.
    pub issuer: &'a str,
    /// Whom the token is for.
    pub audiences: &'a [String],
    /// The ServiceAccount.
    pub account: &'a Value,
    /// What the token lives no longer than.
    pub bound: Option<Bound<'a>>,
    /// From now on.
    pub now: Timestamp,
    /// For so long.
    pub expires_after: SignedDuration,
    /// After so long its use is reported; 0 never.
    pub warns_after: SignedDuration,
    /// Names this token.
    pub id: &'a str,
}

/// An object that a token is bound to.
#[derive(Debug, Clone, Copy)]
pub enum Bound<'a> {
    /// A Pod, and the node it is on: name, and uid where the node is known.
    Pod(&'a Value, Option<(&'a str, &'a str)>),
    /// A Secret.
    Secret(&'a Value),
    /// A Node.
    Node(&'a Value),
}

impl Claims<'_> {
    /// The claims as JSON.
    pub fn to_json(&self) -> Value {
        let mut own = Map::new();
        own.insert("namespace".into(), object::namespace(self.account).into());
        match self.bound {
            Some(Bound::Pod(pod, node)) => {
                if let Some((name, uid)) = node {
                    own.insert("node".into(), reference(name, uid));
                }
                own.insert("pod".into(), reference_to(pod));
            }
            Some(Bound::Secret(secret)) => {
                own.insert("secret".into(), reference_to(secret));
            }
            Some(Bound::Node(node)) => {
                own.insert("node".into(), reference_to(node));
            }
            None => {}
        }
        own.insert("serviceaccount".into(), reference_to(self.account));
        let issued_at = self.now.as_second();
        if !self.warns_after.is_zero() {
            own.insert("warnafter".into(), (issued_at + self.warns_after.as_secs()).into());
        }
        json!({
            "aud": self.audiences,
            "exp": issued_at + self.expires_after.as_secs(),
            "iat": issued_at,
            "iss": self.issuer,
            "jti": self.id,
            KUBERNETES: own,
            "nbf": issued_at,
            "sub": user_name(object::namespace(self.account), object::name(self.account)),
        })
    }
}

fn reference_to(object: &Value) -> Value {
    reference(object::name(object), object::uid(object))
}

fn reference(name: &str, uid: &str) -> Value {
    match uid {
        "" => json!({"name": name}),
        _ => json!({"name": name, "uid": uid}),
    }
}

/// `system:serviceaccount:NS:NAME`.
pub fn user_name(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// Whom a token names, and which of the audiences asked for it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The ServiceAccount as a user.
    pub user: User,
    /// Never empty.
    pub audiences: Vec<String>,
}

/// Decides whether claims whose signature was found good hold now for one of `audiences`. The error is Kubernetes' text:
/// for TokenReviews and the log, not for whoever showed the token.
pub fn identify(claims: &Value, audiences: &[String], world: &dyn World, now: Timestamp) -> Result<Identity, String> {
    let audiences = common_audiences(claims, audiences)?;
    check_time(claims, now)?;
    let own = &claims[KUBERNETES];
    let namespace = own["namespace"].as_str().unwrap_or("");
    let (name, uid) = name_and_uid(&own["serviceaccount"]);
    if namespace.is_empty() || name.is_empty() || uid.is_empty() {
        return Err("service account token names no service account".into());
    }
    let gone_before = now.checked_sub(LEEWAY).unwrap_or(now);
    let account = world
        .get("", "serviceaccounts", namespace, name)
        .ok_or_else(|| format!("serviceaccounts {name:?} not found"))?;
    if object::uid(&account) != uid {
        return Err(format!("service account UID ({}) does not match claim ({uid})", object::uid(&account)));
    }
    if was_deleted_before(&account, gone_before) {
        return Err(format!("service account {namespace}/{name} has been deleted"));
    }
    for (claim, plural, namespace, shown) in
        [("secret", "secrets", namespace, "secret"), ("pod", "pods", namespace, "pod"), ("node", "nodes", "", "node")]
    {
        // A pod's token says where the pod is; it is the pod that it is bound to.
        let is_bound = own[claim].is_object() && (claim != "node" || !own["pod"].is_object());
        if is_bound {
            check_bound(
                &own[claim],
                shown,
                world.get("", plural, namespace, name_and_uid(&own[claim]).0),
                gone_before,
            )?;
        }
    }
    Ok(Identity { user: user(namespace, name, uid, claims), audiences })
}

fn name_and_uid(reference: &Value) -> (&str, &str) {
    (reference["name"].as_str().unwrap_or(""), reference["uid"].as_str().unwrap_or(""))
}

fn check_bound(claim: &Value, shown: &str, found: Option<Value>, gone_before: Timestamp) -> Result<(), String> {
    let (_, uid) = name_and_uid(claim);
    let invalidated = || "service account token has been invalidated".to_owned();
    let found = found.ok_or_else(invalidated)?;
    if object::uid(&found) != uid {
        let current = object::uid(&found);
        return Err(format!("{shown} UID ({current}) does not match service account {shown} ref claim ({uid})"));
    }
    match was_deleted_before(&found, gone_before) {
        true => Err(invalidated()),
        false => Ok(()),
    }
}

/// A deletion timestamp is when the grace period ends.
fn was_deleted_before(object: &Value, instant: Timestamp) -> bool {
    object::text(object, "deletionTimestamp").parse::<Timestamp>().is_ok_and(|deleted_at| deleted_at < instant)
}

fn common_audiences(claims: &Value, wanted: &[String]) -> Result<Vec<String>, String> {
    let given: Vec<&str> = match &claims["aud"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let common: Vec<String> =
        given.iter().filter(|own| wanted.iter().any(|one| one == *own)).map(|own| (*own).to_owned()).collect();
    match common.is_empty() {
        true => Err(format!("token audiences {given:?} is invalid for the target audiences {wanted:?}")),
        false => Ok(common),
    }
}

fn check_time(claims: &Value, now: Timestamp) -> Result<(), String> {
    let second = |claim: &str| claims[claim].as_i64();
    let (Some(expires_at), Some(begins_at), Some(issued_at)) = (second("exp"), second("nbf"), second("iat")) else {
        return Err("service account token claims could not be validated due to unexpected validation error".into());
    };
    let (now, leeway) = (now.as_second(), LEEWAY.as_secs());
    if expires_at.saturating_add(leeway) < now {
        return Err("service account token has expired".into());
    }
    if now.saturating_add(leeway) < begins_at {
        return Err("service account token is not valid yet".into());
    }
    if now.saturating_add(leeway) < issued_at {
        return Err("service account token is issued in the future".into());
    }
    Ok(())
}

/// K:apiserver/pkg/authentication/serviceaccount ServiceAccountInfo.UserInfo.
fn user(namespace: &str, name: &str, uid: &str, claims: &Value) -> User {
    let own = &claims[KUBERNETES];
    let mut extra = Vec::new();
    let mut add =
        |key: &str, value: &str| extra.push((format!("authentication.kubernetes.io/{key}"), vec![value.to_owned()]));
    if let Some(id) = claims["jti"].as_str().filter(|id| !id.is_empty()) {
        add("credential-id", &format!("JTI={id}"));
    }
    for claim in ["node", "pod"] {
        let (name, uid) = name_and_uid(&own[claim]);
        if !name.is_empty() {
            add(&format!("{claim}-name"), name);
            if !uid.is_empty() {
                add(&format!("{claim}-uid"), uid);
            }
        }
    }
    User {
        name: user_name(namespace, name),
        uid: uid.to_owned(),
        groups: vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".into(),
        ],
        extra,
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
