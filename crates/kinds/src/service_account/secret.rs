//! Secrets of type kubernetes.io/service-account-token: a token that does not expire, for whoever keeps it outside the
//! cluster. The user makes the Secret and names the account, a controller fills it in
//! (K:pkg/controller/serviceaccount/tokens_controller.go).

use serde_json::{Value, json};

/// Of such Secrets.
pub const TYPE: &str = "kubernetes.io/service-account-token";
/// Names the account.
pub const NAME_ANNOTATION: &str = "kubernetes.io/service-account.name";
/// Tells it from a namesake, once the token is there.
pub const UID_ANNOTATION: &str = "kubernetes.io/service-account.uid";
/// A token lives as long as its Secret: 2^32 seconds are the longest that can be asked for.
const SECONDS: i64 = 1 << 32;

/// A Secret, without what it keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `metadata.uid`
    pub uid: String,
    /// The account it names.
    pub account: String,
    /// The account's uid, once it is filled in.
    pub account_uid: String,
    /// It has a token.
    pub has_token: bool,
    /// CA and namespace stand in it as they should.
    pub is_whole: bool,
    /// It is being deleted.
    pub is_going: bool,
}

/// What a Secret needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a decision nobody applies is a lost decision"]
pub enum Decision {
    /// Nothing.
    Keep,
    /// Its account is gone or another: it goes too.
    Delete,
    /// A new token, and all else.
    Fill,
    /// All but the token, which is there.
    Complete,
}

/// Decides what a Secret needs, given its account's uid; `None` when there is no such account.
pub fn sync(secret: &Facts, account_uid: Option<&str>) -> Decision {
    if secret.is_going {
        return Decision::Keep;
    }
    let is_owners = |uid: &&str| secret.account_uid.is_empty() || secret.account_uid == **uid;
    if account_uid.filter(is_owners).is_none() {
        return Decision::Delete;
    }
    match (secret.has_token, secret.is_whole && !secret.account_uid.is_empty()) {
        (false, _) => Decision::Fill,
        (true, false) => Decision::Complete,
        (true, true) => Decision::Keep,
    }
}

/// The TokenRequest for a Secret's token, bound to it.
pub fn token_request(name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {
            "expirationSeconds": SECONDS,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": name, "uid": uid},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_follows_its_account() {
        let fresh = Facts { uid: "s".into(), account: "a".into(), ..Facts::default() };
        let filled = Facts { account_uid: "1".into(), has_token: true, is_whole: true, ..fresh.clone() };
        for (secret, account, expect) in [
            (fresh.clone(), Some("1"), Decision::Fill),
            (fresh.clone(), None, Decision::Delete),
            (filled.clone(), Some("1"), Decision::Keep),
            (filled.clone(), Some("2"), Decision::Delete),
            (filled.clone(), None, Decision::Delete),
            (Facts { has_token: false, ..filled.clone() }, Some("1"), Decision::Fill),
            (Facts { is_whole: false, ..filled.clone() }, Some("1"), Decision::Complete),
            (Facts { account_uid: String::new(), ..filled.clone() }, Some("1"), Decision::Complete),
            (Facts { is_going: true, ..filled }, None, Decision::Keep),
        ] {
            assert_eq!(sync(&secret, account), expect, "{secret:?} {account:?}");
        }
    }
}
