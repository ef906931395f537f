//! `kubectl --as`: a user who may impersonate another asks as the other one
//! (K:apiserver/pkg/endpoints/filters/impersonation).

use super::User;
use super::authorizer::Authorizer;
use crate::error::Failure;
use http::HeaderMap;
use kinds::access::Attributes;
use meta::status::Status;
use meta::user::{service_account, service_account_groups};
use std::collections::BTreeMap;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";

const AUTHENTICATION: &str = "authentication.k8s.io";

/// Whom the headers ask to be; `None` when they ask for nothing, 403 when `requestor` may not be that one.
pub(crate) fn impersonated(
    headers: &HeaderMap,
    requestor: &User,
    authorizer: &Authorizer,
) -> Result<Option<User>, Failure> {
    let Some(wanted) = wanted(headers)? else {
        return Ok(None);
    };
    let may = |group, resource, subresource, namespace, name| {
        let attributes = Attributes { verb: "impersonate", group, resource, subresource, namespace, name, path: None };
        authorizer.require(requestor, &attributes)
    };
    match service_account(&wanted.name) {
        Some((namespace, name)) => may("", "serviceaccounts", "", namespace, name)?,
        None => may("", "users", "", "", &wanted.name)?,
    }
    if !wanted.uid.is_empty() {
        may(AUTHENTICATION, "uids", "", "", &wanted.uid)?;
    }
    for group in &wanted.groups {
        may("", "groups", "", "", group)?;
    }
    for (key, values) in &wanted.extra {
        for value in values {
            may(AUTHENTICATION, "userextras", key, "", value)?;
        }
    }
    Ok(Some(with_implied_groups(wanted)))
}

/// The user as the headers spell it, without the groups that follow from the name.
fn wanted(headers: &HeaderMap) -> Result<Option<User>, Failure> {
    // Header values are bytes; what is not text cannot name anybody.
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let first = |name: &str| headers.get(name).map(text).unwrap_or_default();
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            let key = crate::query::percent_decode(key, false).unwrap_or_else(|| key.to_owned());
            extra.entry(key).or_default().push(text(value));
        }
    }
    let wanted = User {
        name: first(USER),
        uid: first(UID),
        groups: headers.get_all(GROUP).iter().map(text).collect(),
        extra: extra.into_iter().collect(),
    };
    if !wanted.name.is_empty() {
        return Ok(Some(wanted));
    }
    match nameless(&wanted) {
        None => Ok(None),
        Some(asked) => Err(Status::bad_request(format!("requested {asked} without impersonating a user")).into()),
    }
}

/// What was asked for without a name, as Go prints the references it makes of it; `None` when nothing was.
fn nameless(wanted: &User) -> Option<String> {
    // Kind, namespace, name, uid, API version, resource version, field path.
    let groups = wanted.groups.iter().map(|group| format!("{{Group  {group}    }}"));
    let extra = wanted.extra.iter().flat_map(|(key, values)| {
        values.iter().map(move |value| format!("{{UserExtra  {value}  {AUTHENTICATION}/v1  {key}}}"))
    });
    let uid = Some(&wanted.uid).filter(|uid| !uid.is_empty());
    let uid = uid.map(|uid| format!("{{UID  {uid}  {AUTHENTICATION}/v1  }}"));
    let asked: Vec<String> = groups.chain(extra).chain(uid).collect();
    (!asked.is_empty()).then(|| format!("[{}]", asked.join(" ")))
}

fn with_implied_groups(mut user: User) -> User {
    if user.groups.is_empty()
        && let Some((namespace, _)) = service_account(&user.name)
    {
        user.groups = service_account_groups(namespace);
    }
    let implied = match user.is_anonymous() {
        true => "system:unauthenticated",
        false => "system:authenticated",
    };
    if !user.is_in("system:unauthenticated") && !user.is_in(implied) {
        user.groups.push(implied.to_owned());
    }
    user
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap()))
            .collect()
    }

    #[test]
    fn headers_spell_a_user() {
        let user = wanted(&headers(&[
            ("Impersonate-User", "ann"),
            ("Impersonate-Group", "a"),
            ("Impersonate-Group", "b"),
            ("Impersonate-Uid", "u"),
            ("Impersonate-Extra-Acme.com%2fProject", "p"),
            ("Impersonate-Extra-Acme.com%2fProject", "q"),
        ]));
        let expect = User {
            uid: "u".into(),
            extra: vec![("acme.com/project".into(), vec!["p".into(), "q".into()])],
            ..User::new("ann", &["a", "b"])
        };
        assert_eq!(user.unwrap(), Some(expect));
        assert_eq!(wanted(&headers(&[("accept", "x")])).unwrap(), None);
    }

    #[test]
    fn nobody_is_asked_for_by_groups_alone() {
        for (header, expect) in [
            (("impersonate-group", "g"), "requested [{Group  g    }] without impersonating a user"),
            (("impersonate-uid", "u"), "requested [{UID  u  authentication.k8s.io/v1  }] without impersonating a user"),
            (
                ("impersonate-extra-k", "v"),
                "requested [{UserExtra  v  authentication.k8s.io/v1  k}] without impersonating a user",
            ),
        ] {
            let failure = wanted(&headers(&[header])).unwrap_err();
            assert_eq!((failure.status().code, failure.status().message.as_str()), (400, expect));
        }
    }

    #[test]
    fn groups_follow_from_names() {
        for (name, groups, expect) in [
            ("ann", &[][..], &["system:authenticated"][..]),
            ("ann", &["a"], &["a", "system:authenticated"]),
            ("ann", &["system:unauthenticated"], &["system:unauthenticated"]),
            ("system:anonymous", &[], &["system:unauthenticated"]),
            ("system:anonymous", &["a"], &["a", "system:unauthenticated"]),
            (
                "system:serviceaccount:blue:robot",
                &[],
                &["system:serviceaccounts", "system:serviceaccounts:blue", "system:authenticated"],
            ),
            ("system:serviceaccount:blue:robot", &["a"], &["a", "system:authenticated"]),
        ] {
            assert_eq!(with_implied_groups(User::new(name, groups)).groups, expect, "{name} {groups:?}");
        }
    }
}
