//! What archives say about their images: docker's manifest.json, OCI's index, manifest and configuration. Reads only what kiln
//! needs, and takes `null` for absent as other tools do. No file is touched here.

use super::{ImageConfig, ImageError};
use serde::Deserialize;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// One image of a docker archive's manifest.json.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerManifest {
    pub config: String,
    pub repo_tags: Option<Vec<String>>,
    pub layers: Option<Vec<String>>,
}

/// Something in an OCI layout, by its digest.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub media_type: Option<String>,
    pub digest: String,
    pub size: u64,
    pub platform: Option<Platform>,
    pub annotations: Option<HashMap<String, String>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Platform {
    pub os: String,
    pub architecture: String,
    pub variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().filter(|variant| !variant.is_empty()).try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// An image index or an image manifest; they tell themselves apart by what they hold.
#[derive(Debug, Deserialize)]
pub(super) struct OciDocument {
    pub manifests: Option<Vec<Descriptor>>,
    pub config: Option<Descriptor>,
    pub layers: Option<Vec<Descriptor>>,
}

/// An image configuration, docker's and OCI's alike.
#[derive(Debug, Deserialize)]
pub(super) struct Configuration {
    pub created: Option<String>,
    pub architecture: Option<String>,
    pub os: Option<String>,
    pub rootfs: Option<RootfsDocument>,
    pub config: Option<RunDocument>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RootfsDocument {
    pub diff_ids: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RunDocument {
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
    stop_signal: Option<String>,
}

/// Reads a document; the error names it.
pub(super) fn read<'a, T: Deserialize<'a>>(name: &str, json: &'a [u8]) -> Result<T, ImageError> {
    serde_json::from_slice(json).map_err(|error| ImageError::Broken(format!("{name}: {error}")))
}

impl Descriptor {
    /// The names it gives its image: containerd's annotation has the full one, OCI's the full one or a bare tag.
    pub(super) fn name(&self) -> Option<&str> {
        let annotation = |key: &str| self.annotations.as_ref()?.get(key).map(String::as_str);
        annotation("io.containerd.image.name")
            .or_else(|| annotation("org.opencontainers.image.ref.name"))
            .filter(|name| name.contains([':', '/']))
    }

    /// Fits this machine, as far as it says.
    pub(super) fn is_for_here(&self) -> bool {
        self.platform.as_ref().is_none_or(|platform| platform.os == "linux" && platform.architecture == architecture())
    }

    /// For every machine of its architecture, not only for newer ones (`amd64/v3`).
    pub(super) fn is_plain_variant(&self) -> bool {
        let variant = self.platform.as_ref().and_then(|platform| platform.variant.as_deref());
        let first = if architecture() == "arm64" { "v8" } else { "v1" };
        variant.is_none_or(|variant| variant.is_empty() || variant == first)
    }

    pub(super) fn is_index(&self) -> bool {
        self.media_type
            .as_deref()
            .is_some_and(|media_type| media_type.contains(".index.") || media_type.contains(".manifest.list."))
    }

    /// Builders put provenance beside images as if it were one.
    pub(super) fn is_attestation(&self) -> bool {
        let annotated = |annotations: &HashMap<_, _>| annotations.contains_key("vnd.docker.reference.type");
        self.annotations.as_ref().is_some_and(annotated)
    }
}

impl Configuration {
    pub(super) fn diff_ids(&self) -> &[String] {
        let ids = self.rootfs.as_ref().and_then(|rootfs| rootfs.diff_ids.as_deref());
        ids.unwrap_or_default()
    }

    pub(super) fn created(&self) -> Option<jiff::Timestamp> {
        self.created.as_deref()?.parse().ok()
    }

    /// Complains unless the image's programs can run here.
    pub(super) fn check_platform(&self) -> Result<(), ImageError> {
        let os = self.os.as_deref().filter(|os| !os.is_empty()).unwrap_or("linux");
        let here = architecture();
        let arch = self.architecture.as_deref().filter(|arch| !arch.is_empty()).unwrap_or(here);
        if (os, arch) == ("linux", here) {
            return Ok(());
        }
        Err(ImageError::Broken(format!("the image is for {os}/{arch}, this machine is linux/{here}")))
    }

    /// How to run it.
    pub(super) fn image_config(self) -> ImageConfig {
        let run = self.config.unwrap_or_default();
        let pair = |line: String| match line.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (line, String::new()),
        };
        ImageConfig {
            env: run.env.unwrap_or_default().into_iter().map(pair).collect(),
            entrypoint: run.entrypoint.unwrap_or_default(),
            cmd: run.cmd.unwrap_or_default(),
            working_dir: run.working_dir.unwrap_or_default(),
            user: run.user.unwrap_or_default(),
            stop_signal: run.stop_signal.as_deref().and_then(signal_number),
        }
    }
}

/// `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`.
pub(crate) fn signal_number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text).to_ascii_uppercase();
    let real_time = |rest: &str, base: i32, sign: i32| {
        let offset: i32 = if rest.is_empty() { 0 } else { rest[1..].parse().ok()? };
        (0..=30).contains(&offset).then_some(base + sign * offset)
    };
    // The C library keeps two of the kernel's real-time signals for itself: 34 is the first that programs see.
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return (rest.is_empty() || rest.starts_with('+')).then(|| real_time(rest, 34, 1))?;
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        return (rest.is_empty() || rest.starts_with('-')).then(|| real_time(rest, 64, -1))?;
    }
    // Names that are older than the ones nix has.
    let name = match name.as_str() {
        "CLD" => "CHLD",
        "IOT" => "ABRT",
        "POLL" => "IO",
        name => name,
    };
    nix::sys::signal::Signal::from_str(&format!("SIG{name}")).ok().map(|signal| signal as i32)
}

/// This machine's architecture in the words of images.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_as_docker_writes_it() {
        let json = br#"{"architecture":"amd64","os":"linux","created":"2023-05-11T22:49:27.4Z","container_config":{},
            "config":{"Env":["PATH=/bin","EMPTY","A=b=c"],"Cmd":["sh"],"Entrypoint":null,"WorkingDir":"/w","User":"1:2",
            "StopSignal":"SIGINT","Labels":null,"Volumes":{"/v":{}}},
            "rootfs":{"type":"layers","diff_ids":["sha256:aa"]},"history":[{"created_by":"x"}]}"#;
        let document: Configuration = read("config", json).unwrap();
        assert_eq!(document.diff_ids(), ["sha256:aa"]);
        assert_eq!(document.created().unwrap().to_string(), "2023-05-11T22:49:27.4Z");
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let expect = ImageConfig {
            env: vec![pair("PATH", "/bin"), pair("EMPTY", ""), pair("A", "b=c")],
            entrypoint: vec![],
            cmd: vec!["sh".into()],
            working_dir: "/w".into(),
            user: "1:2".into(),
            stop_signal: Some(2),
        };
        assert_eq!(document.image_config(), expect);
    }

    #[test]
    fn an_empty_configuration_is_one() {
        let document: Configuration = read("config", b"{}").unwrap();
        document.check_platform().unwrap();
        assert!(document.diff_ids().is_empty());
        assert_eq!(document.image_config(), ImageConfig::default());
    }

    #[test]
    fn an_image_for_another_machine_is_refused() {
        let document: Configuration = read("c", br#"{"os":"windows","architecture":"s390x"}"#).unwrap();
        let error = document.check_platform().unwrap_err().to_string();
        assert_eq!(error, format!("the image is for windows/s390x, this machine is linux/{}", architecture()));
    }

    #[test]
    fn stop_signals_are_names_or_numbers() {
        for (text, expect) in [
            ("SIGTERM", Some(15)),
            ("term", Some(15)),
            ("9", Some(9)),
            ("SIGRTMIN+3", Some(37)),
            ("RTMAX-1", Some(63)),
            ("RTMIN", Some(34)),
            ("SIGPOLL", Some(29)),
            ("SIGIOT", Some(6)),
            ("SIGCLD", Some(17)),
            ("SIGSTKFLT", Some(16)),
            ("RTMIN-1", None),
            ("RTMIN+é", None),
            ("RTMINé", None),
            ("0", None),
            ("65", None),
            ("SIGNONE", None),
            ("", None),
        ] {
            assert_eq!(signal_number(text), expect, "{text:?}");
        }
    }
}
