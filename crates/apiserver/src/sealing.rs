//! Keeps confidential objects encrypted on disk: `DIR/secrets.keys` (0600) has the keys, the store calls the envelope.
//!
//! ```text
//! kiln:sealed:v1:ID:  salt (32 random bytes)  AES-256-GCM(key derived from key ID and salt; everything before and the storage key)
//! ```
//!
//! Each value has a key of its own, derived from 32 random bytes, so no count of writes wears a key out, as random nonces
//! would (K:apiserver/pkg/storage/value/encrypt/aes/aes_extended_nonce.go does the same). ring has both primitives and
//! is there for TLS anyway; XChaCha20-Poly1305 would be one more crate for the same end.

use crate::auth::files::{read, write_new};
use crate::storage;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kinds::KINDS;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::io;
use std::path::{Path, PathBuf};

const MARK: &str = "kiln:sealed:v1:";
const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 32;
const KEY_FILE: &str = "secrets.keys";

/// Seals what kinds call confidential.
pub struct Sealer {
    /// The first seals, all of them open.
    keys: Vec<Key>,
    path: PathBuf,
    /// Storage prefixes of what is sealed.
    prefixes: Vec<String>,
    random: SystemRandom,
}

struct Key {
    id: String,
    secret: Prk,
}

impl Sealer {
    /// Reads the keys of a data directory, a line each: `ID BASE64`; makes one when there is no file. To change keys, put
    /// a new line first and start again: old values are opened with their own key and sealed with the new one when they
    /// are next written.
    ///
    /// A line that is no key is told and passed over: what it sealed cannot be read, everything else can.
    pub fn load_or_create(dir: &Path) -> io::Result<Self> {
        let path = dir.join(KEY_FILE);
        let random = SystemRandom::new();
        let text = match read(&path)? {
            Some(text) => text,
            None => {
                let text = new_line(&random)?;
                write_new(&path, &text, 0o600)?;
                text
            }
        };
        let lines = text.lines().map(str::trim).enumerate();
        let mut keys = Vec::new();
        for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            match parse(line) {
                Some(key) => keys.push(key),
                None => {
                    tracing::error!(path = %path.display(), line = index + 1, "not a key for Secrets on disk: passed over")
                }
            }
        }
        let confidential = KINDS.iter().filter(|kind| kind.is_confidential());
        let prefixes = confidential.map(|kind| storage::resource_prefix(*kind)).collect();
        Ok(Self { keys, path, prefixes, random })
    }

    fn concerns(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix))
    }
}

fn new_line(random: &SystemRandom) -> io::Result<String> {
    let mut bytes = [0; KEY_BYTES + 4];
    random.fill(&mut bytes).map_err(|_| io::Error::other("the machine gave no randomness for a key"))?;
    let (secret, id) = bytes.split_at(KEY_BYTES);
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{id} {}\n", STANDARD.encode(secret)))
}

fn parse(line: &str) -> Option<Key> {
    let (id, secret) = line.split_once(' ')?;
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let secret = STANDARD.decode(secret.trim()).ok().filter(|secret| secret.len() == KEY_BYTES)?;
    is_id.then(|| Key { id: id.to_owned(), secret: Prk::new_less_safe(HKDF_SHA256, &secret) })
}

impl Key {
    fn derived(&self, salt: &[u8]) -> Option<LessSafeKey> {
        let salt = [salt];
        let derived = self.secret.expand(&salt, &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(derived)))
    }
}

/// A derived key seals one value, so its nonce need not change.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// What is authenticated beside the value: a value moved to another key does not open.
fn associated(id: &str, key: &str) -> Aad<String> {
    Aad::from(format!("{MARK}{id}:{key}"))
}

impl store::Envelope for Sealer {
    fn check(&self, key: &str) -> Result<(), String> {
        if self.concerns(key) && self.keys.is_empty() {
            let path = self.path.display();
            return Err(format!(
                "{path} holds no key to encrypt this with: restore it from a backup, or remove it to start with a new key"
            ));
        }
        Ok(())
    }

    fn seal(&self, key: &str, value: &[u8]) -> Option<Vec<u8>> {
        let with = self.keys.first().filter(|_| self.concerns(key))?;
        let mut salt = [0; SALT_BYTES];
        // Writing it bare, or under a key that can be guessed, would be worse than ending here: the store's writer ends the process.
        self.random.fill(&mut salt).expect("the kernel's random numbers do not run out once it is up");
        let mut sealed = value.to_vec();
        let derived = with.derived(&salt).expect("a key of AES-256 is no longer than what HKDF can give");
        derived
            .seal_in_place_append_tag(nonce(), associated(&with.id, key), &mut sealed)
            .expect("a value is shorter than what AES-GCM can take");
        let mut out = format!("{MARK}{}:", with.id).into_bytes();
        out.extend_from_slice(&salt);
        out.append(&mut sealed);
        Some(out)
    }

    fn open(&self, key: &str, stored: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = split(stored)?;
        let opened = self.keys.iter().filter(|own| own.id == id).find_map(|own| {
            let (salt, sealed) = rest.split_at_checked(SALT_BYTES)?;
            let mut bytes = sealed.to_vec();
            let opened = own.derived(salt)?.open_in_place(nonce(), associated(id, key), &mut bytes).ok()?;
            Some(opened.to_vec())
        });
        if opened.is_none() {
            tracing::error!(key, id, path = %self.path.display(), "an encrypted object cannot be read with the keys there are");
        }
        opened
    }
}

/// The key's name, and what comes after it; `None` for what is not sealed.
fn split(stored: &[u8]) -> Option<(&str, &[u8])> {
    let rest = stored.strip_prefix(MARK.as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b':')?;
    Some((std::str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]))
}

/// Why a value that is still sealed could not be opened; `None`: it is not sealed.
pub(crate) fn why_sealed(value: &[u8]) -> Option<String> {
    let (id, _) = split(value)?;
    Some(format!(
        "it is encrypted with the key {id:?}, which is not in {KEY_FILE} in the data directory, or not this one, or the value is damaged; restore that file from a backup"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use store::Envelope as _;

    const KEY: &str = "/core/secrets/default/a";

    #[test]
    fn what_is_confidential_is_sealed_and_opens_only_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let sealer = Sealer::load_or_create(dir.path()).unwrap();
        assert_eq!(sealer.seal("/core/configmaps/default/a", b"bare"), None);
        let sealed = sealer.seal(KEY, b"s3cret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"s3cret"));
        assert_ne!(sealed, sealer.seal(KEY, b"s3cret").unwrap(), "the same value never looks the same");
        assert_eq!(sealer.open(KEY, &sealed).unwrap(), b"s3cret");
        assert_eq!(sealer.open("/core/secrets/default/b", &sealed), None, "a value moved to another key");
        assert_eq!(sealer.open(KEY, b"{\"plain\":1}"), None, "what was never sealed stays as it is");
        for cut in [0, 14, 20, 40, sealed.len() - 1] {
            assert_eq!(sealer.open(KEY, &sealed[..cut]), None);
        }
        let mut damaged = sealed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(sealer.open(KEY, &damaged), None);
        assert!(why_sealed(&damaged).unwrap().contains("secrets.keys"));
    }

    #[test]
    fn keys_stay_private_and_can_be_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        let sealed = Sealer::load_or_create(dir.path()).unwrap().seal(KEY, b"old").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let old = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("# a new key\nnew {}\n{old}", STANDARD.encode([7; 32]))).unwrap();
        let both = Sealer::load_or_create(dir.path()).unwrap();
        assert_eq!(both.open(KEY, &sealed).unwrap(), b"old");
        assert!(both.seal(KEY, b"x").unwrap().starts_with(b"kiln:sealed:v1:new:"));
    }

    #[test]
    fn a_damaged_key_file_refuses_writes_and_names_itself() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "nonsense", "id c2hvcnQ=", "i/d AAAA"] {
            std::fs::write(dir.path().join(KEY_FILE), text).unwrap();
            let sealer = Sealer::load_or_create(dir.path()).unwrap();
            assert!(sealer.check(KEY).unwrap_err().contains("secrets.keys"), "{text}");
            assert_eq!(sealer.check("/core/pods/default/a"), Ok(()));
        }
    }
}
