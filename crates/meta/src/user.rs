//! Who asks: an authenticated identity, as certificates and tokens name it.

use crate::names;

/// What names of service accounts as users begin with.
pub const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// Namespace and name of the service account that a user name stands for, if it does
/// (K:apiserver/pkg/authentication/serviceaccount SplitUsername).
pub fn service_account(user_name: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user_name.strip_prefix(SERVICE_ACCOUNT_PREFIX)?.split_once(':')?;
    let is_one = names::dns_label_errors(namespace).is_empty() && names::dns_subdomain_errors(name).is_empty();
    is_one.then_some((namespace, name))
}

/// The groups of every service account of a namespace, besides system:authenticated.
pub fn service_account_groups(namespace: &str) -> Vec<String> {
    vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]
}

/// An authenticated identity (K:apiserver/pkg/authentication/user).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// E.g. `kiln-admin`, `system:serviceaccount:default:builder`, `system:anonymous`.
    pub name: String,
    /// Tells a namesake of yesterday apart; empty when nothing does.
    pub uid: String,
    /// E.g. `system:masters`, `system:authenticated`.
    pub groups: Vec<String>,
    /// More of what the credential says, by key: `authentication.kubernetes.io/pod-name`.
    pub extra: Vec<(String, Vec<String>)>,
}

impl User {
    /// A user of these groups that nothing more is known of.
    pub fn new(name: &str, groups: &[&str]) -> Self {
        Self { name: name.into(), groups: groups.iter().map(|group| (*group).into()).collect(), ..Self::default() }
    }

    /// One of the machine's own components: `system:kiln:NAME`, in `system:masters`.
    pub fn component(name: &str) -> Self {
        Self::new(&format!("system:kiln:{name}"), &["system:masters", "system:authenticated"])
    }

    /// Whoever shows no credential.
    pub fn anonymous() -> Self {
        Self::new("system:anonymous", &["system:unauthenticated"])
    }

    /// Whether nothing is known of who asks.
    pub fn is_anonymous(&self) -> bool {
        self.name == "system:anonymous"
    }

    /// Whether the user is of this group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_accounts_are_told_by_their_user_names() {
        for (name, expect) in [
            ("system:serviceaccount:blue:robot.x", Some(("blue", "robot.x"))),
            ("system:serviceaccount:blue:a:b", None),
            ("system:serviceaccount:Blue:robot", None),
            ("system:serviceaccount:blue:", None),
            ("system:serviceaccount:blue", None),
            ("ann", None),
        ] {
            assert_eq!(service_account(name), expect, "{name}");
        }
    }
}
