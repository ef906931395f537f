//! Who asks: an authenticated identity, as certificates and tokens name it.

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
