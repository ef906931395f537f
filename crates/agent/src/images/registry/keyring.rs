//! The credentials a pod brings along: Secrets of the types `kubernetes.io/dockerconfigjson` and `kubernetes.io/dockercfg`, and
//! which of them a registry is shown. Pure. Matching follows the kubelet (K:pkg/credentialprovider): keys are hosts with
//! optional globs, port and path, and the longest key is tried first.

use super::super::reference::{self, Name};
use super::super::stream::sha256_hex;
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use std::fmt;

/// Who one is to a registry.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Login {
    /// Empty with an identity token alone.
    pub username: String,
    /// Sent to the registry or its token service, and to nobody else.
    pub password: String,
    /// Exchanged for a token in place of the password.
    pub identity_token: Option<String>,
}

/// Without the secrets: errors and logs show it.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Login {
    /// Tells whether two are the same without telling what they are.
    pub fn fingerprint(&self) -> String {
        let secret = self.identity_token.as_deref().unwrap_or(&self.password);
        sha256_hex(format!("{}\n{secret}", self.username).as_bytes())
    }

    /// `USER:PASSWORD` in base64, as Docker's files have it.
    pub(super) fn from_base64(text: &str) -> Option<Self> {
        let forgiving = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, forgiving);
        let decoded = String::from_utf8(engine.decode(text.trim()).ok()?).ok()?;
        let (username, password) = decoded.split_once(':')?;
        // Old versions of Docker padded it with zeros.
        let password = password.trim_end_matches('\0');
        Some(Self { username: username.into(), password: password.into(), identity_token: None })
    }
}

/// Credentials by what they are for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Keyring(Vec<(String, Login)>);

impl Keyring {
    /// Adds what a Secret holds; one of another type, or one that cannot be read, adds nothing, as in the kubelet.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub fn add_secret(&mut self, type_: &str, content: impl Fn(&str) -> Option<Vec<u8>>) -> Result<(), String> {
        let key = match type_ {
            "kubernetes.io/dockerconfigjson" => ".dockerconfigjson",
            "kubernetes.io/dockercfg" => ".dockercfg",
            other => return Err(format!("a Secret of type {other:?} holds no credentials for registries")),
        };
        let json = content(key).ok_or_else(|| format!("it has no key {key:?}"))?;
        let document: Value = serde_json::from_slice(&json).map_err(|error| format!("{key}: {error}"))?;
        let entries = if key == ".dockerconfigjson" { &document["auths"] } else { &document };
        let entries = entries.as_object().ok_or_else(|| format!("{key} holds no registries"))?;
        for (registry, entry) in entries {
            if let Some(login) = login(entry) {
                self.0.push((pattern(registry), login));
            }
        }
        // Longest first: the most particular one.
        self.0.sort_by(|a, b| b.0.cmp(&a.0));
        Ok(())
    }

    /// Fingerprints of all credentials for an image, whatever its name looks like.
    pub fn fingerprints(&self, image: &str) -> Vec<String> {
        match reference::parse(image) {
            Ok(Name::Image(reference)) => {
                self.logins(&reference.domain, &reference.path).into_iter().map(Login::fingerprint).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The credentials for a repository, the best first. `domain` is the one of the image's full name.
    pub fn logins(&self, domain: &str, path: &str) -> Vec<&Login> {
        let matching = self.0.iter().filter(|(pattern, _)| matches(pattern, domain, path));
        matching.map(|(_, login)| login).collect()
    }
}

fn login(entry: &Value) -> Option<Login> {
    let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty());
    let identity_token = text("identitytoken").map(str::to_owned);
    let from_fields =
        || Some(Login { username: text("username")?.into(), password: text("password")?.into(), ..Login::default() });
    let named = text("auth").and_then(Login::from_base64).or_else(from_fields);
    match (named, identity_token) {
        (None, None) => None,
        (named, identity_token) => Some(Login { identity_token, ..named.unwrap_or_default() }),
    }
}

/// `https://index.docker.io/v1/` is `docker.io`.
fn pattern(registry: &str) -> String {
    let bare = registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://")).unwrap_or(registry);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let host = if matches!(host, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { host };
    let path = path.trim_end_matches('/');
    let path = match path.strip_prefix("v1").or_else(|| path.strip_prefix("v2")) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => path,
    };
    if path.is_empty() { host.to_owned() } else { format!("{host}/{path}") }
}

fn matches(pattern: &str, domain: &str, path: &str) -> bool {
    let (host, wanted_path) = pattern.split_once('/').unwrap_or((pattern, ""));
    let below = wanted_path.is_empty()
        || path.strip_prefix(wanted_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let (host, port) = split_port(host);
    let (domain, domain_port) = split_port(domain);
    let labels = || host.split('.').zip(domain.split('.'));
    let same_depth = host.split('.').count() == domain.split('.').count();
    below && port == domain_port && same_depth && labels().all(|(glob, label)| fits(glob.as_bytes(), label.as_bytes()))
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host, None),
    }
}

/// `*` is any run of characters of one label, `?` any one.
fn fits(glob: &[u8], label: &[u8]) -> bool {
    match (glob.first(), label.first()) {
        (None, None) => true,
        (Some(b'*'), _) => fits(&glob[1..], label) || (!label.is_empty() && fits(glob, &label[1..])),
        (Some(b'?'), Some(_)) => fits(&glob[1..], &label[1..]),
        (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => fits(&glob[1..], &label[1..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keyring(auths: Value) -> Keyring {
        let mut keyring = Keyring::default();
        let json = json!({ "auths": auths }).to_string().into_bytes();
        let content = |key: &str| (key == ".dockerconfigjson").then(|| json.clone());
        keyring.add_secret("kubernetes.io/dockerconfigjson", content).unwrap();
        keyring
    }

    #[test]
    fn keys_match_as_the_kubelet_matches_them() {
        for (key, domain, path, expect) in [
            ("https://index.docker.io/v1/", "docker.io", "library/busybox", true),
            ("docker.io", "docker.io", "library/busybox", true),
            ("registry-1.docker.io", "docker.io", "a/b", true),
            ("r.example", "r.example", "a", true),
            ("http://r.example/v2/", "r.example", "a", true),
            ("r.example", "r.example:5000", "a", false),
            ("r.example:5000", "r.example:5000", "a", true),
            ("*.example", "r.example", "a", true),
            ("*.example", "a.r.example", "a", false),
            ("r*.example", "registry.example", "a", true),
            ("r?.example", "r1.example", "a", true),
            ("R.Example", "r.example", "a", true),
            ("r.example/team", "r.example", "team/app", true),
            ("r.example/team", "r.example", "team2/app", false),
            ("r.example/team/app", "r.example", "team", false),
            ("127.0.0.1:5000", "127.0.0.1:5000", "a", true),
            ("[::1]:5000", "[::1]:5000", "a", true),
            ("evil.example", "r.example", "a", false),
        ] {
            let keyring = keyring(json!({key: {"username": "u", "password": "p"}}));
            assert_eq!(!keyring.logins(domain, path).is_empty(), expect, "{key} for {domain}/{path}");
        }
    }

    #[test]
    fn the_most_particular_key_comes_first() {
        let user = |name: &str| json!({"username": name, "password": "p"});
        let keyring = keyring(
            json!({"r.example": user("host"), "r.example/team": user("team"), "r.example/team/app": user("app")}),
        );
        let names: Vec<&str> =
            keyring.logins("r.example", "team/app").iter().map(|login| login.username.as_str()).collect();
        assert_eq!(names, ["app", "team", "host"]);
    }

    #[test]
    fn credentials_stand_in_several_forms() {
        let login = |entry: Value| keyring(json!({"r.example": entry})).0.first().map(|(_, login)| login.clone());
        let plain = Login { username: "u".into(), password: "p:w".into(), identity_token: None };
        assert_eq!(login(json!({"auth": "dTpwOnc="})), Some(plain.clone()));
        assert_eq!(login(json!({"auth": "dTpwOnc"})), Some(plain.clone()), "without padding");
        assert_eq!(login(json!({"username": "u", "password": "p:w"})), Some(plain));
        let token = login(json!({"auth": "", "identitytoken": "t"})).unwrap();
        assert_eq!(token.identity_token.as_deref(), Some("t"));
        assert_eq!(login(json!({"auth": "???"})), None);
        assert_eq!(login(json!("nonsense")), None);
    }

    #[test]
    fn a_dockercfg_has_the_registries_at_its_top() {
        let mut keyring = Keyring::default();
        let content = |key: &str| (key == ".dockercfg").then(|| br#"{"r.example":{"auth":"dTpwOnc="}}"#.to_vec());
        keyring.add_secret("kubernetes.io/dockercfg", content).unwrap();
        assert_eq!(keyring.logins("r.example", "a").len(), 1);
    }

    #[test]
    fn what_is_no_docker_configuration_is_said_to_be_none() {
        let mut keyring = Keyring::default();
        for (type_, content, expect) in [
            ("Opaque", "", "a Secret of type \"Opaque\" holds no credentials for registries"),
            (
                "kubernetes.io/dockerconfigjson",
                "{",
                ".dockerconfigjson: EOF while parsing an object at line 1 column 1",
            ),
            ("kubernetes.io/dockerconfigjson", "{}", ".dockerconfigjson holds no registries"),
        ] {
            let error = keyring.add_secret(type_, |_| Some(content.into())).unwrap_err();
            assert_eq!(error, expect);
        }
        let error = keyring.add_secret("kubernetes.io/dockercfg", |_| None).unwrap_err();
        assert_eq!(error, "it has no key \".dockercfg\"");
        assert_eq!(keyring, Keyring::default());
    }

    #[test]
    fn a_login_shows_no_secret() {
        let login = Login { username: "u".into(), password: "hunter2".into(), identity_token: Some("tok".into()) };
        let shown = format!("{login:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("tok"), "{shown}");
    }
}
