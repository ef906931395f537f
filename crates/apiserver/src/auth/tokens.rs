//! Signs and checks ServiceAccount tokens: JSON web tokens, ES256 (RFC 7515, 7518). What they say is `kinds`' to decide.

use super::files::{read, write_new};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Who signs, as kubeadm's clusters have it: it names the cluster from inside, wherever it is reached.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// A token of ours is about 1 KiB; what is longer is none.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// What stands before the point of a P-256 key in a SubjectPublicKeyInfo.
const P256_HEADER: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The keys that tokens are signed and checked with: `DIR/pki/sa.key` (0600), PEM. The first key in the file signs, all
/// of them are checked with: to change keys, put a new one before the old.
pub struct TokenKeys {
    signing: EcdsaKeyPair,
    known: Vec<PublicKey>,
    random: SystemRandom,
}

struct PublicKey {
    id: String,
    /// The uncompressed point.
    point: Vec<u8>,
}

impl PublicKey {
    fn of(key: &EcdsaKeyPair) -> Self {
        let point = key.public_key().as_ref().to_vec();
        // K:pkg/serviceaccount/jwt.go keyIDFromPublicKey: the hash of the key's DER.
        let digest = Sha256::new().chain_update(P256_HEADER).chain_update(&point).finalize();
        Self { id: URL_SAFE_NO_PAD.encode(digest), point }
    }
}

impl TokenKeys {
    /// Reads the keys of a data directory; makes one when there is none.
    pub fn load_or_create(dir: &Path) -> io::Result<Self> {
        let dir = dir.join("pki");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let path = dir.join("sa.key");
        let pem = match read(&path)? {
            Some(pem) => pem,
            None => {
                let pem = rcgen::KeyPair::generate().map_err(broken)?.serialize_pem();
                write_new(&path, &pem, 0o600)?;
                pem
            }
        };
        Self::from_pem(&pem).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    fn from_pem(pem: &str) -> io::Result<Self> {
        let random = SystemRandom::new();
        let mut signing = None;
        let mut known = Vec::new();
        for der in PrivatePkcs8KeyDer::pem_slice_iter(pem.as_bytes()) {
            let der = der.map_err(broken)?;
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der(), &random);
            let key = key.map_err(broken)?;
            known.push(PublicKey::of(&key));
            signing.get_or_insert(key);
        }
        let signing = signing.ok_or_else(|| broken("no private key in it"))?;
        Ok(Self { signing, known, random })
    }

    /// A token that says `claims`.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, String> {
        let header = json!({"alg": "ES256", "kid": self.known[0].id});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut token = format!("{}.{}", part(&header), part(claims));
        let signature = self.signing.sign(&self.random, token.as_bytes());
        let signature = signature.map_err(|_| "the machine gave no randomness to sign a token with")?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }

    /// What a token says, if one of our keys signed it. Nothing that it says of itself chooses how it is checked, but
    /// for the key's name.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        if MAX_TOKEN_BYTES < token.len() {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        if header["alg"] != "ES256" || !header["crit"].is_null() {
            return None;
        }
        let signature = decode(signature)?;
        let named = header["kid"].as_str();
        let mut candidates = self.known.iter().filter(|key| named.is_none_or(|id| id == key.id));
        let is_ours = candidates.any(|key| {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.point).verify(signed.as_bytes(), &signature).is_ok()
        });
        if !is_ours {
            return None;
        }
        let claims: Value = serde_json::from_slice(&decode(claims)?).ok()?;
        (claims["iss"] == ISSUER).then_some(claims)
    }

    /// `/openid/v1/jwks`: the keys others may check our tokens with (RFC 7517).
    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<Value> = self
            .known
            .iter()
            .map(|key| {
                let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
                json!({"use": "sig", "kty": "EC", "kid": key.id, "crv": "P-256", "alg": "ES256",
                    "x": coordinate(&key.point[1..33]), "y": coordinate(&key.point[33..65])})
            })
            .collect();
        json!({ "keys": keys })
    }
}

/// `/.well-known/openid-configuration`: where the keys are.
pub(crate) fn openid_configuration(jwks_uri: &str) -> Value {
    json!({
        "issuer": ISSUER,
        "jwks_uri": jwks_uri,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}

fn broken(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("token keys: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn keys() -> TokenKeys {
        TokenKeys::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap()
    }

    fn claims() -> Value {
        json!({"iss": ISSUER, "sub": "x"})
    }

    #[test]
    fn what_was_signed_is_read_back() {
        let keys = keys();
        let token = keys.sign(&claims()).unwrap();
        assert_eq!(keys.verify(&token), Some(claims()));
    }

    #[test]
    fn forged_damaged_and_foreign_tokens_are_none() {
        let keys = keys();
        let token = keys.sign(&claims()).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let with_header = |header: Value, signature: &str| format!("{}.{}.{signature}", encode(&header), parts[1]);
        let other_claims = encode(&json!({"iss": ISSUER, "sub": "root"}));
        let foreign_issuer = keys.sign(&json!({"iss": "https://elsewhere"})).unwrap();
        let x = URL_SAFE_NO_PAD.encode(&keys.known[0].point);
        for forged in [
            String::new(),
            ".".into(),
            "..".into(),
            "a.b.c".into(),
            "é.é.é".into(),
            parts[..2].join("."),
            format!("{}.{other_claims}.{}", parts[0], parts[2]),
            with_header(json!({"alg": "none"}), ""),
            with_header(json!({"alg": "none"}), parts[2]),
            with_header(json!({"alg": "HS256"}), &x),
            with_header(json!({"alg": "ES256", "kid": "other"}), parts[2]),
            with_header(json!({"alg": "ES256", "crit": ["b64"]}), parts[2]),
            format!("{token}A"),
            format!("{token}."),
            format!("{token}.{}", parts[2]),
            format!("{token}="),
            super::tests::keys().sign(&claims()).unwrap(),
            foreign_issuer,
            format!("{token}{}", "A".repeat(MAX_TOKEN_BYTES)),
        ] {
            assert_eq!(keys.verify(&forged), None, "{forged}");
        }
    }

    #[test]
    fn the_key_stays_and_is_its_owners_alone_and_older_ones_are_still_known() {
        let dir = tempfile::tempdir().unwrap();
        let first = TokenKeys::load_or_create(dir.path()).unwrap();
        let token = first.sign(&claims()).unwrap();
        assert!(TokenKeys::load_or_create(dir.path()).unwrap().verify(&token).is_some());
        let path = dir.path().join("pki/sa.key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let old = std::fs::read_to_string(&path).unwrap();
        let new = rcgen::KeyPair::generate().unwrap().serialize_pem();
        std::fs::write(&path, format!("{new}\n{old}")).unwrap();
        let both = TokenKeys::load_or_create(dir.path()).unwrap();
        assert!(both.verify(&token).is_some());
        assert_eq!(first.verify(&both.sign(&claims()).unwrap()), None, "the new key signs");
        assert_eq!(both.jwks()["keys"].as_array().unwrap().len(), 2);

        std::fs::write(&path, "nonsense").unwrap();
        let error = TokenKeys::load_or_create(dir.path()).err().unwrap().to_string();
        assert!(error.contains("sa.key") && error.contains("no private key"), "{error}");
    }
}
