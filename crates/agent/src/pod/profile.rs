//! Seccomp profiles of this machine's administrator, which pods name by `seccompProfile.localhostProfile`.

use super::spec::seccomp_profile;
use crate::supervisor::seccomp;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use oci_spec::runtime::LinuxSeccomp;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Profiles have some tens of KiB.
const MAX_BYTES: u64 = 1 << 20;

/// The profile that a container names, read from below `dir`. The error is CreateContainerError's message.
pub fn wanted(container: &Container, pod_spec: &PodSpec, dir: &Path) -> Result<Option<LinuxSeccomp>, String> {
    let Some(profile) = seccomp_profile(container, pod_spec).filter(|profile| profile.type_ == "Localhost") else {
        return Ok(None);
    };
    // The API has seen to it that the name leads down.
    let path = dir.join(profile.localhost_profile.as_deref().unwrap_or_default());
    let unusable = |why: String| format!("cannot load seccomp profile \"{}\": {why}", path.display());
    let text = read(&path).map_err(|error| unusable(error.to_string()))?;
    let profile: LinuxSeccomp = serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))?;
    // What cannot be translated is told now, with the file's name.
    seccomp::compile(&profile).map_err(unusable)?;
    Ok(Some(profile))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    match u64::try_from(text.len()) {
        Ok(length) if length <= MAX_BYTES => Ok(text),
        _ => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {MAX_BYTES} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn wanted_of(of_pod: Value, of_container: Value, dir: &Path) -> Result<Option<LinuxSeccomp>, String> {
        let spec: PodSpec = serde_json::from_value(json!({
            "securityContext": {"seccompProfile": of_pod},
            "containers": [{"name": "a", "securityContext": {"seccompProfile": of_container}}]}))
        .unwrap();
        wanted(&spec.containers[0], &spec, dir)
    }

    #[test]
    fn a_profile_is_read_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            std::fs::create_dir_all(dir.path().join("team")).unwrap();
            std::fs::write(dir.path().join(name), text).unwrap();
        };
        let deny = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"],
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]});
        put("team/no-mkdir.json", &deny.to_string());
        put("odd.json", "{\"defaultAction\": \"SCMP_ACT_DANCE\"}");
        put("notify.json", "{\"defaultAction\": \"SCMP_ACT_NOTIFY\"}");
        let local = |name: &str| json!({"type": "Localhost", "localhostProfile": name});

        let profile = wanted_of(local("team/no-mkdir.json"), Value::Null, dir.path()).unwrap().unwrap();
        assert_eq!(profile.syscalls().as_ref().unwrap()[0].names(), &["mkdir", "mkdirat"]);
        let own = wanted_of(local("absent.json"), json!({"type": "RuntimeDefault"}), dir.path());
        assert_eq!(own, Ok(None));
        let own = wanted_of(json!({"type": "Unconfined"}), local("team/no-mkdir.json"), dir.path());
        assert_eq!(own, Ok(Some(profile)));
        for (name, why) in [
            ("absent.json", "No such file or directory (os error 2)"),
            ("odd.json", "unknown variant `SCMP_ACT_DANCE`"),
            ("notify.json", "the action SCMP_ACT_NOTIFY is not supported"),
        ] {
            let error = wanted_of(local(name), Value::Null, dir.path()).unwrap_err();
            let path = dir.path().join(name);
            assert!(error.starts_with(&format!("cannot load seccomp profile \"{}\": ", path.display())), "{error}");
            assert!(error.contains(why), "{error}");
        }
    }
}
