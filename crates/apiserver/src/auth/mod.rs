//! Who is asking, and may they: certificates, users, authorization.

mod authorizer;
mod pki;

pub use authorizer::{Attributes, Authorizer, Decision, MastersOnly};
pub use pki::{Pki, ServerTls};

pub(crate) use authorizer::refuse;

/// An authenticated identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// E.g. `kiln-admin`, `system:anonymous`.
    pub name: String,
    /// E.g. `system:masters`, `system:authenticated`.
    pub groups: Vec<String>,
}

impl User {
    /// One of the machine's own components: `system:kiln:NAME`, in `system:masters`.
    pub fn component(name: &str) -> Self {
        Self {
            name: format!("system:kiln:{name}"),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
        }
    }

    /// Whoever shows no certificate.
    pub fn anonymous() -> Self {
        Self { name: "system:anonymous".into(), groups: vec!["system:unauthenticated".into()] }
    }

    /// The user a verified client certificate (DER) names: CN is the name, every O a group. `None` without a CN.
    pub fn from_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let subject = certificate.subject();
        let name = subject.iter_common_name().next()?.as_str().ok()?;
        if name.is_empty() {
            return None;
        }
        let groups = subject
            .iter_organization()
            .filter_map(|organization| organization.as_str().ok())
            .chain(["system:authenticated"])
            .map(String::from)
            .collect();
        Some(Self { name: name.into(), groups })
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        self.name == "system:anonymous"
    }
}
