//! Who is asking, and may they: certificates, tokens, users, authorization.

mod authenticate;
mod authorizer;
mod client;
mod followed;
mod impersonation;
mod pki;
mod tokens;

pub(crate) mod files;

pub use authenticate::Trust;
pub use kinds::access::{Attributes, Decision};
pub use pki::{Pki, ServerTls};
pub use tokens::{ISSUER, TokenKeys};

pub(crate) use authenticate::{authenticate, identify, own_audiences};
pub(crate) use authorizer::Authorizer;
pub(crate) use client::Credential;
pub(crate) use impersonation::impersonated;
pub(crate) use tokens::openid_configuration;

pub use meta::user::User;

/// The user a verified client certificate (DER) names: CN is the name, every O a group. `None` without a CN.
pub(crate) fn user_of_certificate(der: &[u8]) -> Option<User> {
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
    Some(User { name: name.into(), groups, ..User::default() })
}
