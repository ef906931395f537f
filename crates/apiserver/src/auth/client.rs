//! Client certificates. Whoever shows one that is not good is told so in an answer, 401, as the API server does: a
//! failed handshake would say nothing that a client can show.
//!
//! The handshake proves that the client has the certificate's key; who vouches for it, for how long and for what use is
//! looked at afterwards, on every connection, resumed ones too.

use super::pki::ServerTls;
use super::{User, user_of_certificate};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::sync::Arc;

/// What a connection's certificate says.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    Known(User),
    /// None was shown.
    Absent,
    /// Expired, from somebody else's CA, not for clients, or without a name.
    Invalid,
}

impl ServerTls {
    /// Looks at the certificates that came with the handshake.
    pub(crate) fn credential(&self, chain: Option<&[CertificateDer<'_>]>) -> Credential {
        let Some([certificate, intermediates @ ..]) = chain else {
            return Credential::Absent;
        };
        // Checks the use too: with extended key usages, clientAuth must be among them.
        if let Err(error) = self.clients.verify_client_cert(certificate, intermediates, UnixTime::now()) {
            tracing::debug!(%error, "a client certificate is not valid");
            return Credential::Invalid;
        }
        user_of_certificate(certificate).map_or(Credential::Invalid, Credential::Known)
    }
}

/// Lets every certificate through the handshake whose key the client has.
#[derive(Debug)]
pub(super) struct Shown(pub Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Shown {
    fn client_auth_mandatory(&self) -> bool {
        false
    }
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
