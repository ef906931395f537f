//! `registries.yaml` in k3s' form: mirrors, rewrites, credentials, certificates. Pure: reads text, opens no file.
//!
//! ```yaml
//! mirrors:
//!   docker.io:
//!     endpoint: ["https://mirror.example:5000"]
//!     rewrite: {"^library/(.*)": "hub/$1"}
//! configs:
//!   "mirror.example:5000":
//!     auth: {username: u, password: p}
//!     tls: {ca_file: /etc/ssl/mirror.pem}
//! ```

use super::keyring::Login;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How this machine reaches registries.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    mirrors: BTreeMap<String, Mirror>,
    hosts: BTreeMap<String, Host>,
}

/// Where to ask in place of a registry.
#[derive(Debug, Clone, Default)]
pub(super) struct Mirror {
    /// In this order.
    pub endpoints: Vec<Endpoint>,
    /// The first that fits changes the repository's name.
    pub rewrites: Vec<(Regex, String)>,
}

/// The root of a registry's API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Endpoint {
    pub scheme: Scheme,
    /// `HOST` or `HOST:PORT`.
    pub authority: String,
    /// `/v2`, or what the mirror says.
    pub path: String,
}

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// What is particular to one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Host {
    pub login: Option<Login>,
    pub tls: Option<Tls>,
}

/// How a host shows who it is, and is shown who we are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tls {
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub insecure_skip_verify: bool,
}

impl Endpoint {
    pub(super) fn base(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

impl Registries {
    /// Reads the file.
    ///
    /// # Errors
    /// Every mistake, each with the place it is at.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let document: Value = serde_saphyr::from_str(text).map_err(|error| {
            let text = error.to_string();
            vec![format!("not valid YAML: {}", text.lines().next().unwrap_or_default())]
        })?;
        let mut reader = Reader::default();
        let mut registries = Self::default();
        for (key, value) in reader.mapping(&document, "", &["mirrors", "configs"]) {
            for (name, value) in reader.mapping(value, key, &[]) {
                let at = format!("{key}.{name}");
                if key == "mirrors" {
                    let mirror = reader.mirror(value, &at);
                    registries.mirrors.insert(domain(name).to_owned(), mirror);
                } else {
                    let host = reader.host(value, &at);
                    registries.hosts.insert(domain(name).to_owned(), host);
                }
            }
        }
        if reader.problems.is_empty() { Ok(registries) } else { Err(reader.problems) }
    }

    /// The mirror of a registry; `*` stands for every one that has none.
    pub(super) fn mirror(&self, domain: &str) -> Option<&Mirror> {
        self.mirrors.get(domain).or_else(|| self.mirrors.get("*"))
    }

    /// What is particular to `HOST[:PORT]`.
    pub(super) fn host(&self, authority: &str) -> Option<&Host> {
        self.hosts.get(domain(authority)).or_else(|| self.hosts.get("*"))
    }
}

/// Docker Hub has several names.
fn domain(name: &str) -> &str {
    if matches!(name, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { name }
}

#[derive(Default)]
struct Reader {
    problems: Vec<String>,
}

impl Reader {
    fn complain(&mut self, at: &str, text: impl AsRef<str>) {
        let at = if at.is_empty() { String::new() } else { format!("{at}: ") };
        self.problems.push(format!("{at}{}", text.as_ref()));
    }

    /// The entries of a mapping; with `known` keys, others are complained about and left out. Nothing is an empty one.
    fn mapping<'a>(&mut self, value: &'a Value, at: &str, known: &[&str]) -> Vec<(&'a str, &'a Value)> {
        let entries = match value {
            Value::Object(entries) => entries,
            Value::Null => return Vec::new(),
            _ => {
                self.complain(at, "must be a mapping");
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for (key, value) in entries {
            if !known.is_empty() && !known.contains(&key.as_str()) {
                let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                self.complain(&path, format!("no such field (there are {})", known.join(", ")));
                continue;
            }
            found.push((key.as_str(), value));
        }
        found
    }

    fn mirror(&mut self, value: &Value, at: &str) -> Mirror {
        let mut mirror = Mirror::default();
        for (key, value) in self.mapping(value, at, &["endpoint", "rewrite"]) {
            let at = format!("{at}.{key}");
            match (key, value) {
                (_, Value::Null) => {}
                ("endpoint", Value::Array(endpoints)) => {
                    for (i, value) in endpoints.iter().enumerate() {
                        match value.as_str().ok_or("must be a string".to_owned()).and_then(endpoint) {
                            Ok(endpoint) => mirror.endpoints.push(endpoint),
                            Err(problem) => self.complain(&format!("{at}[{i}]"), problem),
                        }
                    }
                }
                ("endpoint", _) => self.complain(&at, "must be a list of URLs"),
                (_, value) => mirror.rewrites = self.rewrites(value, &at),
            }
        }
        mirror
    }

    fn rewrites(&mut self, value: &Value, at: &str) -> Vec<(Regex, String)> {
        let mut rewrites = Vec::new();
        for (pattern, target) in self.mapping(value, at, &[]) {
            let at = format!("{at}[{pattern:?}]");
            match (Regex::new(pattern), target.as_str()) {
                (Ok(pattern), Some(target)) => rewrites.push((pattern, target.to_owned())),
                (Ok(_), None) => self.complain(&at, "must be a string"),
                (Err(error), _) => {
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    self.complain(&at, format!("not a regular expression: {}", last.trim_start_matches("error: ")));
                }
            }
        }
        rewrites
    }

    fn host(&mut self, value: &Value, at: &str) -> Host {
        let mut host = Host::default();
        for (key, value) in self.mapping(value, at, &["auth", "tls"]) {
            let at = format!("{at}.{key}");
            match key {
                "auth" => host.login = self.login(value, &at),
                _ => host.tls = Some(self.tls(value, &at)),
            }
        }
        host
    }

    fn login(&mut self, value: &Value, at: &str) -> Option<Login> {
        let mut fields = BTreeMap::new();
        for (key, value) in self.mapping(value, at, &["username", "password", "auth", "identity_token"]) {
            if let Some(text) = self.text(value, &format!("{at}.{key}")) {
                fields.insert(key, text);
            }
        }
        let identity_token = fields.remove("identity_token");
        let encoded = fields.remove("auth");
        let login = match (fields.remove("username"), encoded) {
            (Some(username), _) => {
                Some(Login { username, password: fields.remove("password").unwrap_or_default(), identity_token: None })
            }
            (None, Some(encoded)) => {
                let login = Login::from_base64(&encoded);
                if login.is_none() {
                    self.complain(&format!("{at}.auth"), "must be USER:PASSWORD in base64");
                }
                login
            }
            (None, None) => {
                if fields.contains_key("password") {
                    self.complain(at, "has a password and no username");
                }
                None
            }
        };
        match (login, identity_token) {
            (login, None) => login,
            (login, identity_token) => Some(Login { identity_token, ..login.unwrap_or_default() }),
        }
    }

    fn tls(&mut self, value: &Value, at: &str) -> Tls {
        let mut tls = Tls::default();
        for (key, value) in self.mapping(value, at, &["ca_file", "cert_file", "key_file", "insecure_skip_verify"]) {
            let at = format!("{at}.{key}");
            match (key, value) {
                ("insecure_skip_verify", Value::Bool(skip)) => tls.insecure_skip_verify = *skip,
                ("insecure_skip_verify", Value::Null) => {}
                ("insecure_skip_verify", _) => self.complain(&at, "must be true or false"),
                ("ca_file", value) => tls.ca_file = self.text(value, &at).map(Into::into),
                ("cert_file", value) => tls.cert_file = self.text(value, &at).map(Into::into),
                (_, value) => tls.key_file = self.text(value, &at).map(Into::into),
            }
        }
        if tls.cert_file.is_some() != tls.key_file.is_some() {
            self.complain(at, "cert_file and key_file go together");
        }
        tls
    }

    /// A string; an unquoted number counts as one, since a password may be one.
    fn text(&mut self, value: &Value, at: &str) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null => None,
            _ => {
                self.complain(at, "must be a string");
                None
            }
        }
    }
}

/// A mirror's URL. One without a path (or with /v2) means the registry's usual root; another path is taken as the root itself.
fn endpoint(url: &str) -> Result<Endpoint, String> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some((other, _)) => return Err(format!("{url:?}: {other} is neither http nor https")),
        None => return Err(format!("{url:?} is not a URL: it begins with http:// or https://")),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_end_matches('/');
    let odd = |c: char| c.is_whitespace() || matches!(c, '@' | '?' | '#' | '\\');
    let is_authority = authority.parse::<http::uri::Authority>().is_ok() && !authority.ends_with(':');
    if !is_authority || rest.contains(odd) {
        return Err(format!("{url:?} is not a URL of a host, with a port and a path if need be"));
    }
    let path = match path {
        "" | "v2" => "/v2".to_owned(),
        other => format!("/{other}"),
    };
    Ok(Endpoint { scheme, authority: authority.to_owned(), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_form_is_read() {
        let registries = Registries::parse(
            r#"
mirrors:
  docker.io:
    endpoint: ["https://mirror.example:5000", "http://other.example/v2", "https://harbor.example/v2/proxy/"]
    rewrite:
      "^library/(.*)": "hub/$1"
  "*":
configs:
  "mirror.example:5000":
    auth: {username: u, password: 123}
    tls: {ca_file: /ca.pem, cert_file: /c.pem, key_file: /k.pem, insecure_skip_verify: true}
  registry-1.docker.io:
    auth: {auth: dTpw}
"#,
        )
        .unwrap();
        let mirror = registries.mirror("docker.io").unwrap();
        let bases: Vec<String> = mirror.endpoints.iter().map(Endpoint::base).collect();
        let expect = ["https://mirror.example:5000/v2", "http://other.example/v2", "https://harbor.example/v2/proxy"];
        assert_eq!(bases, expect);
        assert_eq!(mirror.rewrites.len(), 1);
        assert!(registries.mirror("quay.io").unwrap().endpoints.is_empty());
        let host = registries.host("mirror.example:5000").unwrap();
        assert_eq!(host.login.as_ref().unwrap().password, "123");
        assert_eq!(host.tls.as_ref().unwrap().ca_file, Some("/ca.pem".into()));
        assert!(host.tls.as_ref().unwrap().insecure_skip_verify);
        assert_eq!(registries.host("docker.io").unwrap().login.as_ref().unwrap().username, "u");
        assert!(registries.host("quay.io").is_none());
        assert!(Registries::parse("# nothing\n").unwrap().mirrors.is_empty());
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = r#"
mirror: {}
mirrors:
  docker.io:
    endpoints: []
    endpoint: ["mirror.example", "ftp://x", "https://user@x", "http://", 5]
    rewrite: {"(": x, "a": [b]}
  quay.io: {endpoint: "https://x"}
  gcr.io: no
configs:
  x:
    auth: {password: p, token: t}
    tls: {ca_file: [a], cert_file: /c, insecure_skip_verify: "yes"}
  y:
    auth: {auth: "?"}
"#;
        let expect = [
            "mirror: no such field (there are mirrors, configs)",
            "mirrors.docker.io.endpoints: no such field (there are endpoint, rewrite)",
            "mirrors.docker.io.endpoint[0]: \"mirror.example\" is not a URL: it begins with http:// or https://",
            "mirrors.docker.io.endpoint[1]: \"ftp://x\": ftp is neither http nor https",
            "mirrors.docker.io.endpoint[2]: \"https://user@x\" is not a URL of a host, with a port and a path if need be",
            "mirrors.docker.io.endpoint[3]: \"http://\" is not a URL of a host, with a port and a path if need be",
            "mirrors.docker.io.endpoint[4]: must be a string",
            "mirrors.docker.io.rewrite[\"(\"]: not a regular expression: unclosed group",
            "mirrors.docker.io.rewrite[\"a\"]: must be a string",
            "mirrors.quay.io.endpoint: must be a list of URLs",
            "mirrors.gcr.io: must be a mapping",
            "configs.x.auth.token: no such field (there are username, password, auth, identity_token)",
            "configs.x.auth: has a password and no username",
            "configs.x.tls.ca_file: must be a string",
            "configs.x.tls.insecure_skip_verify: must be true or false",
            "configs.x.tls: cert_file and key_file go together",
            "configs.y.auth.auth: must be USER:PASSWORD in base64",
        ];
        assert_eq!(Registries::parse(text).unwrap_err(), expect);
        let broken = Registries::parse("mirrors: [").unwrap_err();
        assert!(broken[0].starts_with("not valid YAML: "), "{broken:?}");
        assert_eq!(Registries::parse("- a").unwrap_err(), ["must be a mapping"]);
    }
}
