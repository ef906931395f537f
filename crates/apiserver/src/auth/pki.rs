//! The certificates of one data directory: its own CA, the server's and the admin's.
//!
//! [ CA, 20 years ] -> [ server: the addresses it is reached at ] · [ admin: CN=kiln-admin, O=system:masters ]

use super::client::Shown;
use super::files::{read, write_new};
use base64::Engine as _;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DAY_SECONDS: i64 = 86_400;
const CA_DAYS: i64 = 20 * 365;
const LEAF_DAYS: i64 = 3 * 365;
/// A certificate with less than this left is renewed at the next start.
const RENEW_DAYS: i64 = 365;

/// Names every server answers to, beside those it is told.
const OWN_NAMES: [&str; 5] =
    ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];

/// The server's certificate and the CA that client certificates must come from.
#[derive(Clone)]
pub struct ServerTls {
    pub(crate) config: Arc<rustls::ServerConfig>,
    pub(crate) clients: Arc<dyn ClientCertVerifier>,
}

/// The certificates of one data directory: `DIR/pki/{ca,server,admin}.{crt,key}`, keys 0600. Made on first use;
/// the server's is renewed when the addresses it must name change or it is near its end.
pub struct Pki {
    ca: Pair,
    server: Pair,
    admin: Pair,
}

/// A certificate and its key, as PEM.
struct Pair {
    certificate: String,
    key: String,
}

/// What a certificate must be to be kept.
struct Wanted<'a> {
    common_name: &'a str,
    organization: Option<&'a str>,
    names: BTreeSet<String>,
    usage: ExtendedKeyUsagePurpose,
}

impl Pki {
    /// Reads the directory's certificates, making what is missing, outdated or for other addresses.
    pub fn load_or_create(dir: &Path, addresses: &[IpAddr], names: &[String], now: Timestamp) -> io::Result<Self> {
        let dir = dir.join("pki");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let ca = load_or_create_ca(&dir, now)?;
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let addresses = addresses.iter().chain(&loopback);
        let server_names = OWN_NAMES
            .iter()
            .map(|name| (*name).to_owned())
            .chain(names.iter().cloned())
            .chain(addresses.filter(|address| !address.is_unspecified()).map(IpAddr::to_string))
            .collect();
        let server = load_or_issue(
            &dir,
            "server",
            &ca,
            &Wanted {
                common_name: "kiln",
                organization: None,
                names: server_names,
                usage: ExtendedKeyUsagePurpose::ServerAuth,
            },
            now,
        )?;
        let admin = load_or_issue(
            &dir,
            "admin",
            &ca,
            &Wanted {
                common_name: "kiln-admin",
                organization: Some("system:masters"),
                names: BTreeSet::new(),
                usage: ExtendedKeyUsagePurpose::ClientAuth,
            },
            now,
        )?;
        Ok(Self { ca, server, admin })
    }

    /// TLS 1.2 and 1.3, HTTP/2 and 1.1, client certificates of this CA welcome but not demanded.
    pub fn server_tls(&self) -> io::Result<ServerTls> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate_der(&self.ca.certificate)?).map_err(broken)?;
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()
            .map_err(broken)?;
        let key = PrivateKeyDer::from_pem_slice(self.server.key.as_bytes()).map_err(broken)?;
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(broken)?
            .with_client_cert_verifier(Arc::new(Shown(verifier.clone())))
            .with_single_cert(vec![certificate_der(&self.server.certificate)?], key)
            .map_err(broken)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(ServerTls { config: Arc::new(config), clients: verifier })
    }

    /// A kubeconfig (YAML) whose context, user and cluster are `kiln` and whose namespace is `default`.
    pub fn admin_kubeconfig(&self, server_url: &str) -> String {
        let encode = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
        let (ca, certificate, key) =
            (encode(&self.ca.certificate), encode(&self.admin.certificate), encode(&self.admin.key));
        // JSON strings are YAML strings: no address can break out of its quotes.
        let url = serde_json::Value::from(server_url);
        format!(
            "apiVersion: v1
kind: Config
current-context: kiln
clusters:
- name: kiln
  cluster:
    server: {url}
    certificate-authority-data: {ca}
contexts:
- name: kiln
  context:
    cluster: kiln
    user: kiln
    namespace: default
users:
- name: kiln
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"
        )
    }

    /// The CA's certificate, for clients inside pods (`kube-root-ca.crt`).
    pub fn ca_pem(&self) -> &str {
        &self.ca.certificate
    }
}

/// The CA is what clients trust: it is made once and never replaced behind their back.
fn load_or_create_ca(dir: &Path, now: Timestamp) -> io::Result<Pair> {
    if let Some(pair) = read_pair(dir, "ca")? {
        let der = certificate_der(&pair.certificate)?;
        x509_parser::parse_x509_certificate(&der).map_err(broken)?;
        KeyPair::from_pem(&pair.key).map_err(broken)?;
        return Ok(pair);
    }
    let key = KeyPair::generate().map_err(broken)?;
    let mut parameters = parameters("kiln-ca", None, &BTreeSet::new(), now, CA_DAYS)?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let certificate = parameters.self_signed(&key).map_err(broken)?;
    let pair = Pair { certificate: certificate.pem(), key: key.serialize_pem() };
    write_pair(dir, "ca", &pair)?;
    Ok(pair)
}

fn load_or_issue(dir: &Path, stem: &str, ca: &Pair, wanted: &Wanted<'_>, now: Timestamp) -> io::Result<Pair> {
    if let Some(pair) = read_pair(dir, stem)?
        && still_good(&pair, ca, wanted, now)
    {
        return Ok(pair);
    }
    let ca_key = KeyPair::from_pem(&ca.key).map_err(broken)?;
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate, ca_key).map_err(broken)?;
    let key = KeyPair::generate().map_err(broken)?;
    let mut parameters = parameters(wanted.common_name, wanted.organization, &wanted.names, now, LEAF_DAYS)?;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![wanted.usage.clone()];
    parameters.use_authority_key_identifier_extension = true;
    let certificate = parameters.signed_by(&key, &issuer).map_err(broken)?;
    let pair = Pair { certificate: certificate.pem(), key: key.serialize_pem() };
    write_pair(dir, stem, &pair)?;
    Ok(pair)
}

fn parameters(
    common_name: &str,
    organization: Option<&str>,
    names: &BTreeSet<String>,
    now: Timestamp,
    days: i64,
) -> io::Result<CertificateParams> {
    let names: Vec<String> = names.iter().cloned().collect();
    let mut parameters = CertificateParams::new(names).map_err(broken)?;
    let mut subject = DistinguishedName::new();
    if let Some(organization) = organization {
        subject.push(DnType::OrganizationName, organization);
    }
    subject.push(DnType::CommonName, common_name);
    parameters.distinguished_name = subject;
    // A day back, so that a client whose clock is a little late can connect at once.
    let (year, month, day) = date(now, -1)?;
    parameters.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = date(now, days)?;
    parameters.not_after = rcgen::date_time_ymd(year, month, day);
    let key = KeyPair::generate().map_err(broken)?;
    // A serial number nobody can guess: bytes of a public key made for the purpose. The first stays positive.
    let mut serial: Vec<u8> = key.public_key_raw().iter().rev().take(16).copied().collect();
    serial[0] = serial[0] & 0x7f | 0x01;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(parameters)
}

/// Year, month and day, some days from `now`, in UTC.
fn date(now: Timestamp, days: i64) -> io::Result<(i32, u8, u8)> {
    let then = now.checked_add(jiff::SignedDuration::from_secs(days * DAY_SECONDS)).map_err(broken)?;
    let date = then.to_zoned(jiff::tz::TimeZone::UTC).date();
    let part = |value: i8| u8::try_from(value).map_err(broken);
    Ok((i32::from(date.year()), part(date.month())?, part(date.day())?))
}

fn still_good(pair: &Pair, ca: &Pair, wanted: &Wanted<'_>, now: Timestamp) -> bool {
    let Ok(der) = certificate_der(&pair.certificate) else {
        return false;
    };
    let Ok(ca_der) = certificate_der(&ca.certificate) else {
        return false;
    };
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) else {
        return false;
    };
    let Ok((_, ca)) = x509_parser::parse_x509_certificate(&ca_der) else {
        return false;
    };
    let Ok(key) = KeyPair::from_pem(&pair.key) else {
        return false;
    };
    let renew_at = now.as_second() + RENEW_DAYS * DAY_SECONDS;
    let is_for_its_key = certificate.public_key().subject_public_key.data == key.public_key_raw();
    is_for_its_key
        && key_ids(&certificate).1.is_some()
        && key_ids(&certificate).1 == key_ids(&ca).0
        && renew_at < certificate.validity().not_after.timestamp()
        && certificate.validity().not_before.timestamp() <= now.as_second()
        && alternative_names(&certificate) == wanted.names
}

/// Subject and authority key identifiers.
fn key_ids(certificate: &x509_parser::certificate::X509Certificate<'_>) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    use x509_parser::extensions::ParsedExtension;
    let mut ids = (None, None);
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => ids.0 = Some(id.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                ids.1 = id.key_identifier.as_ref().map(|id| id.0.to_vec());
            }
            _ => {}
        }
    }
    ids
}

fn alternative_names(certificate: &x509_parser::certificate::X509Certificate<'_>) -> BTreeSet<String> {
    use x509_parser::extensions::GeneralName;
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return BTreeSet::new();
    };
    names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => Some(IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?).to_string()),
                _ => Some(IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?).to_string()),
            },
            _ => None,
        })
        .collect()
}

fn certificate_der(pem: &str) -> io::Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(broken)
}

/// `None` when the pair is not there, or only half of one that can be made again. A CA certificate without its key is an
/// accident: clients trust it.
fn read_pair(dir: &Path, stem: &str) -> io::Result<Option<Pair>> {
    let (certificate, key) = paths(dir, stem);
    match (read(&certificate)?, read(&key)?) {
        (Some(certificate), Some(key)) => Ok(Some(Pair { certificate, key })),
        (Some(_), None) if stem == "ca" => Err(io::Error::new(
            ErrorKind::InvalidData,
            format!(
                "{} has lost its key {}: restore it, or remove the certificate to start with a new CA",
                certificate.display(),
                key.display()
            ),
        )),
        _ => Ok(None),
    }
}

/// The key first: a crash in between leaves a leaf that is made anew, or a CA of which nobody has seen the certificate.
fn write_pair(dir: &Path, stem: &str, pair: &Pair) -> io::Result<()> {
    let (certificate, key) = paths(dir, stem);
    write_new(&key, &pair.key, 0o600)?;
    write_new(&certificate, &pair.certificate, 0o644)
}

fn paths(dir: &Path, stem: &str) -> (PathBuf, PathBuf) {
    (dir.join(format!("{stem}.crt")), dir.join(format!("{stem}.key")))
}

fn broken(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("certificates: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::user_of_certificate;
    use std::os::unix::fs::PermissionsExt as _;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn certificates_survive_restarts_and_follow_addresses_and_time() {
        let dir = tempfile::tempdir().unwrap();
        let load = |addresses: &[&str], now| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
            Pki::load_or_create(dir.path(), &addresses, &["box.example".into()], at(now)).unwrap()
        };
        let first = load(&["10.1.2.3"], "2026-01-01T00:00:00Z");
        first.server_tls().unwrap();
        let again = load(&["10.1.2.3", "0.0.0.0"], "2026-02-01T00:00:00Z");
        assert_eq!(first.server.certificate, again.server.certificate);
        assert_eq!(first.admin.certificate, again.admin.certificate);
        let moved = load(&["10.9.9.9"], "2026-02-01T00:00:00Z");
        assert_eq!(first.ca.certificate, moved.ca.certificate);
        assert_ne!(first.server.certificate, moved.server.certificate);
        assert_eq!(first.admin.certificate, moved.admin.certificate);
        let later = load(&["10.9.9.9"], "2028-06-01T00:00:00Z");
        assert_eq!(first.ca.certificate, later.ca.certificate);
        assert_ne!(moved.server.certificate, later.server.certificate);
        assert_ne!(first.admin.certificate, later.admin.certificate);

        let mode = |name: &str| {
            let path = dir.path().join("pki").join(name);
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!([mode(""), mode("ca.key"), mode("server.key"), mode("admin.key")], [0o700, 0o600, 0o600, 0o600]);
    }

    #[test]
    fn the_admin_is_a_master() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::load_or_create(dir.path(), &[], &[], at("2026-01-01T00:00:00Z")).unwrap();
        let der = certificate_der(&pki.admin.certificate).unwrap();
        let user = user_of_certificate(&der).unwrap();
        assert_eq!(user.name, "kiln-admin");
        assert_eq!(user.groups, ["system:masters", "system:authenticated"]);
        assert!(pki.admin_kubeconfig("https://127.0.0.1:6443").contains("server: \"https://127.0.0.1:6443\""));
        assert!(user_of_certificate(b"nonsense").is_none());
    }

    #[test]
    fn a_ca_without_its_key_is_an_error_not_a_new_ca() {
        let dir = tempfile::tempdir().unwrap();
        let load = || Pki::load_or_create(dir.path(), &[], &[], at("2026-01-01T00:00:00Z"));
        load().unwrap();
        std::fs::remove_file(dir.path().join("pki/ca.key")).unwrap();
        assert!(load().is_err());
    }
}
