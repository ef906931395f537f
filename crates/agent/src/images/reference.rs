//! Image names: what a user may write and what it means. The grammar is the one of container registries; short names mean
//! Docker Hub's, as everywhere: `busybox` is `docker.io/library/busybox:latest`. Names below `kiln/` are kept for what is built in.

use super::ImageError;
use std::fmt;

const DEFAULT_DOMAIN: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";
/// Longest `domain/path` that registries take.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// What an image name in a manifest or on the command line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// One that needs no import.
    Builtin(Builtin),
    /// Below `kiln/`, but nothing that is built in.
    Reserved(String),
    /// Every other one.
    Image(Reference),
}

/// The images that every kiln has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// The demonstration applets.
    Demo,
    /// This machine's own programs.
    Host,
}

impl Builtin {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Demo, Self::Host];

    /// The name users write.
    pub fn name(self) -> &'static str {
        match self {
            Self::Demo => "kiln/demo",
            Self::Host => "kiln/host",
        }
    }
}

/// A full image name: `docker.io/library/busybox:1.35`, with a digest instead of or beside the tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Registry, with its port if it has one.
    pub domain: String,
    /// Path of the repository in the registry.
    pub path: String,
    /// Always there when there is no digest.
    pub tag: Option<String>,
    /// `sha256:…`
    pub digest: Option<String>,
}

impl Reference {
    /// Name without tag and digest.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Reads a name as users write it.
///
/// # Errors
/// `ImageError::InvalidName` for what no registry would take.
pub fn parse(text: &str) -> Result<Name, ImageError> {
    let reference = parse_reference(text).ok_or_else(|| ImageError::InvalidName(text.into()))?;
    let is_ours = text.starts_with("kiln/");
    if !is_ours {
        return Ok(Name::Image(reference));
    }
    let latest = reference.digest.is_none() && reference.tag.as_deref() == Some(DEFAULT_TAG);
    let builtin = Builtin::ALL.into_iter().find(|builtin| latest && builtin.name() == reference.path);
    Ok(builtin.map_or_else(|| Name::Reserved(text.into()), Name::Builtin))
}

fn parse_reference(text: &str) -> Option<Reference> {
    let (text, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.to_owned())),
        None => (text, None),
    };
    let last_slash = text.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match text[last_slash..].rfind(':') {
        Some(colon) => (&text[..last_slash + colon], Some(text[last_slash + colon + 1..].to_owned())),
        None => (text, None),
    };
    let (domain, path) = split_domain(name);
    let valid = is_domain(&domain)
        && path.split('/').all(is_path_component)
        && domain.len() + 1 + path.len() <= MAX_NAME
        && tag.as_deref().is_none_or(is_tag)
        && digest.as_deref().is_none_or(is_digest)
        && !is_bare_image_id(name);
    if !valid {
        return None;
    }
    let tag = match (&tag, &digest) {
        (None, None) => Some(DEFAULT_TAG.to_owned()),
        _ => tag,
    };
    Some(Reference { domain, path, tag, digest })
}

/// The first component is a registry when it looks like a host; otherwise the name is Docker Hub's.
fn split_domain(name: &str) -> (String, String) {
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if looks_like_host(first) => (first, rest),
        _ => (DEFAULT_DOMAIN, name),
    };
    let domain = if domain == "index.docker.io" { DEFAULT_DOMAIN } else { domain };
    let official = domain == DEFAULT_DOMAIN && !path.contains('/');
    let path = if official { format!("library/{path}") } else { path.to_owned() };
    (domain.to_owned(), path)
}

fn looks_like_host(component: &str) -> bool {
    component.contains(['.', ':']) || component == "localhost" || component.chars().any(|c| c.is_ascii_uppercase())
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let port_ok = port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    port_ok && (is_ipv6_literal(host) || host.split('.').all(is_domain_component))
}

fn is_ipv6_literal(host: &str) -> bool {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|inner| !inner.is_empty() && inner.bytes().all(|b| b == b':' || b.is_ascii_hexdigit()))
}

fn is_domain_component(component: &str) -> bool {
    let alphanumeric = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = component.as_bytes();
    alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// Lower-case letters and digits, parted by one dot, one or two underscores or any number of dashes.
fn is_path_component(component: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators_ok = component
        .split(is_word)
        .filter(|run| !run.is_empty())
        .all(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|b| b == b'-'));
    component.starts_with(is_word) && component.ends_with(is_word) && separators_ok
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= MAX_TAG && tag.starts_with(word) && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return false;
    };
    let algorithm_ok = algorithm
        .split(['-', '_', '+', '.'])
        .all(|part| part.starts_with(|c: char| c.is_ascii_alphabetic()) && is_alphanumeric(part));
    let hex_ok = hex.bytes().all(|b| b.is_ascii_hexdigit());
    match algorithm {
        "sha256" => is_sha256_hex(hex),
        _ => algorithm_ok && hex_ok && 32 <= hex.len(),
    }
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// 64 hex digits name an image by its id, never a repository.
fn is_bare_image_id(name: &str) -> bool {
    is_sha256_hex(name)
}

/// 64 lower-case hex digits.
pub(super) fn is_sha256_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn means(text: &str, expect: &str) {
        match parse(text) {
            Ok(Name::Image(reference)) => assert_eq!(reference.to_string(), expect, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn short_names_are_docker_hubs() {
        for (text, expect) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1.35", "docker.io/library/busybox:1.35"),
            ("perl:5.34", "docker.io/library/perl:5.34"),
            ("library/busybox", "docker.io/library/busybox:latest"),
            ("someone/thing:v1", "docker.io/someone/thing:v1"),
            ("docker.io/busybox", "docker.io/library/busybox:latest"),
            ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
            ("docker.io/kiln/demo", "docker.io/kiln/demo:latest"),
            ("a/b/c/d", "docker.io/a/b/c/d:latest"),
            ("sha256:abc", "docker.io/library/sha256:abc"),
        ] {
            means(text, expect);
        }
    }

    #[test]
    fn a_registry_is_kept_with_its_port() {
        for (text, expect) in [
            ("localhost/x", "localhost/x:latest"),
            ("localhost:5000/x:2", "localhost:5000/x:2"),
            ("box:5000/a/b", "box:5000/a/b:latest"),
            ("registry.example.com/a_b/c__d/e--f:T.1-2_3", "registry.example.com/a_b/c__d/e--f:T.1-2_3"),
            ("[::1]:5000/x", "[::1]:5000/x:latest"),
            ("Example/x", "Example/x:latest"),
        ] {
            means(text, expect);
        }
    }

    #[test]
    fn a_digest_needs_no_tag() {
        let hex = "0123456789abcdef".repeat(4);
        means(&format!("busybox@sha256:{hex}"), &format!("docker.io/library/busybox@sha256:{hex}"));
        means(&format!("busybox:1@sha256:{hex}"), &format!("docker.io/library/busybox:1@sha256:{hex}"));
    }

    #[test]
    fn what_no_registry_takes_is_refused() {
        let hex = "0123456789abcdef".repeat(4);
        let long_tag = format!("x:{}", "t".repeat(129));
        let long_name = "n".repeat(256);
        let upper_digest = format!("x@sha256:{}", hex.to_uppercase());
        for text in [
            "",
            ":",
            "/",
            "@",
            "x:",
            "x@",
            ":tag",
            "Busybox",
            "a/B",
            "a//b",
            "/a",
            "a/",
            "a b",
            "x:t g",
            "x:-t",
            "x:.t",
            "-x",
            "x-",
            "x..y",
            "x___y",
            "x._y",
            "a/-b",
            "host:/x",
            "host:port/x",
            "-h.com/x",
            "x@sha256:abc",
            "x@md5",
            "x@sha256:",
            "é",
            "x:é",
            "x\0y",
            "../x",
            "x/../y",
            "http://host/x",
            &hex,
            &long_tag,
            &long_name,
            &upper_digest,
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert_eq!(error, format!("couldn't parse image name {text:?}: invalid reference format"));
        }
    }

    #[test]
    fn names_below_kiln_are_ours() {
        for (text, expect) in [
            ("kiln/demo", Name::Builtin(Builtin::Demo)),
            ("kiln/demo:latest", Name::Builtin(Builtin::Demo)),
            ("kiln/host", Name::Builtin(Builtin::Host)),
            ("kiln/demo:v2", Name::Reserved("kiln/demo:v2".into())),
            ("kiln/other", Name::Reserved("kiln/other".into())),
        ] {
            assert_eq!(parse(text).unwrap(), expect, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics_and_what_is_accepted_means_itself(text in "\\PC{0,40}|[a-z0-9./:@_-]{0,40}") {
            if let Ok(Name::Image(reference)) = parse(&text) {
                let full = reference.to_string();
                proptest::prop_assert_eq!(parse(&full).unwrap(), Name::Image(reference));
            }
        }
    }
}
