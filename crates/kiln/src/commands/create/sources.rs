//! Keys and values of ConfigMaps and Secrets: from the command line, from files, from files of `KEY=VALUE` lines.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::output::Problem;

/// Where keys and values come from.
#[derive(Debug, Default, clap::Args)]
pub struct Sources {
    /// KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    from_literal: Vec<String>,
    /// A file's content under its name, or under KEY; a directory stands for its files. May be repeated
    #[arg(long, value_name = "[KEY=]FILE")]
    from_file: Vec<String>,
    /// A file of KEY=VALUE lines; may be repeated
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from_literal", "from_file"])]
    from_env_file: Vec<PathBuf>,
}

/// A file's content.
pub fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|error| Problem::usage(format!("cannot read {}", path.display())).because(error))
}

impl Sources {
    /// Every key with its value, each key once.
    pub fn values(&self) -> Result<Vec<(String, Vec<u8>)>, Problem> {
        let mut values = Vec::new();
        for pair in &self.from_literal {
            let (key, value) = pair
                .split_once('=')
                .filter(|(key, _)| !key.is_empty())
                .ok_or_else(|| Problem::usage(format!("invalid literal source {pair:?}, expected key=value")))?;
            values.push((key.to_owned(), value.as_bytes().to_vec()));
        }
        for source in &self.from_file {
            values.extend(of_file(source)?);
        }
        for path in &self.from_env_file {
            values.extend(of_env_file(&String::from_utf8_lossy(&read(path)?))?);
        }
        for (position, (key, _)) in values.iter().enumerate() {
            check_key(key)?;
            if values[..position].iter().any(|(earlier, _)| earlier == key) {
                return Err(Problem::usage(format!("cannot add key {key:?}, another key by that name already exists")));
            }
        }
        Ok(values)
    }

    /// What a ConfigMap has beside its name. What is not text is binary.
    pub fn config_map(&self) -> Result<Value, Problem> {
        let (mut data, mut binary) = (Map::new(), Map::new());
        for (key, value) in self.values()? {
            match String::from_utf8(value) {
                Ok(text) => data.insert(key, text.into()),
                Err(bytes) => binary.insert(key, STANDARD.encode(bytes.into_bytes()).into()),
            };
        }
        let parts = [("data", data), ("binaryData", binary)].into_iter().filter(|(_, map)| !map.is_empty());
        Ok(Value::Object(parts.map(|(name, map)| (name.to_owned(), Value::Object(map))).collect()))
    }
}

/// What a Secret has beside its name.
pub fn secret(values: &[(String, Vec<u8>)], secret_type: Option<&str>) -> Result<Value, Problem> {
    let mut secret = json!({});
    for (key, value) in values {
        secret["data"][key] = STANDARD.encode(value).into();
    }
    if let Some(secret_type) = secret_type {
        secret["type"] = secret_type.into();
    }
    Ok(secret)
}

/// The form in which clients of registries keep credentials.
pub fn docker_config(server: &str, user: &str, password: &str, email: Option<&str>) -> String {
    let mut entry = json!({ "username": user, "password": password });
    if let Some(email) = email {
        entry["email"] = email.into();
    }
    entry["auth"] = STANDARD.encode(format!("{user}:{password}")).into();
    json!({ "auths": { server: entry } }).to_string()
}

fn of_file(source: &str) -> Result<Vec<(String, Vec<u8>)>, Problem> {
    let (key, path) = match source.split_once('=') {
        Some((key, path)) => (Some(key), Path::new(path)),
        None => (None, Path::new(source)),
    };
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !path.is_dir() {
        return Ok(vec![(key.map_or_else(|| name(path), str::to_owned), read(path)?)]);
    }
    if key.is_some() {
        return Err(Problem::usage("cannot give a key name for a directory path").because(source));
    }
    let unreadable = |error: std::io::Error| Problem::usage(format!("cannot read {}", path.display())).because(error);
    let entries = std::fs::read_dir(path).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file() && !path.is_symlink() && check_key(&name(path)).is_ok());
    paths.sort();
    paths.into_iter().map(|path| Ok((name(&path), read(&path)?))).collect()
}

/// Lines of `KEY=VALUE`; those with `#` in front say nothing, those without `=` take the value from the environment.
fn of_env_file(text: &str) -> Result<Vec<(String, Vec<u8>)>, Problem> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim_start);
    let pairs =
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| match line.split_once('=') {
            Some((key, value)) => (key.to_owned(), value.as_bytes().to_vec()),
            None => (line.to_owned(), std::env::var(line).unwrap_or_default().into_bytes()),
        });
    Ok(pairs.collect())
}

/// K:apimachinery/pkg/util/validation IsConfigMapKey
fn check_key(key: &str) -> Result<(), Problem> {
    let is_key = !key.is_empty()
        && key.len() <= 253
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && key != "."
        && !key.starts_with("..");
    if is_key {
        return Ok(());
    }
    Err(Problem::usage(format!("{key:?} is not a valid key name"))
        .because("a valid config key must consist of alphanumeric characters, '-', '_' or '.'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_everywhere() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.txt"), "text\n").unwrap();
        std::fs::write(directory.path().join("b.bin"), [0xff, 0]).unwrap();
        std::fs::write(directory.path().join("no key!"), "").unwrap();
        let path = directory.path().to_str().unwrap();
        let sources = Sources {
            from_literal: vec!["k=v=w".into(), "q=\"quoted\"".into()],
            from_file: vec![path.into(), format!("other={path}/a.txt")],
            ..Sources::default()
        };
        let expect = json!({ "data": { "k": "v=w", "q": "\"quoted\"", "a.txt": "text\n", "other": "text\n" }, "binaryData": { "b.bin": "/wA=" } });
        assert_eq!(sources.config_map().unwrap(), expect);
        assert_eq!(
            of_env_file("\u{feff}# no\n\n A=1\nB=x y\n").unwrap(),
            [("A".into(), b"1".into()), ("B".into(), b"x y".into())]
        );
    }

    #[test]
    fn mistakes_are_told() {
        for (literals, says) in [
            (&["novalue"][..], "expected key=value"),
            (&["a=1", "a=2"], "already exists"),
            (&["a b=1"], "not a valid key"),
        ] {
            let sources = Sources {
                from_literal: literals.iter().map(|text| (*text).to_owned()).collect(),
                ..Sources::default()
            };
            assert!(sources.values().unwrap_err().render().contains(says), "{literals:?}");
        }
    }

    #[test]
    fn registries_read_their_credentials() {
        let config = docker_config("r.example", "u", "p", Some("u@example"));
        let expect = r#"{"auths":{"r.example":{"username":"u","password":"p","email":"u@example","auth":"dTpw"}}}"#;
        assert_eq!(config, expect);
    }
}
