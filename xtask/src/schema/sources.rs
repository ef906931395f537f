//! Finds the two packages the facts come from, or says what is missing.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const WHEEL: &str = "kubernetes-validate==1.37.0";
const DEFINITIONS: &str = "kubernetes_validate/kubernetes-json-schema/v1.36.0-local/_definitions.json";
const TAGS: &str = "k8s-pb";
const TAGS_VERSION: &str = "0.9.0";

/// Reads the definitions out of an unpacked wheel.
pub fn definitions_in(wheel: &Path) -> Result<Value> {
    let path = wheel.join(DEFINITIONS);
    let text = std::fs::read(&path)
        .with_context(|| format!("{} is missing: unpack the PyPI package {WHEEL} there", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// Downloads the wheel with pip and unpacks it below `scratch`.
pub fn fetch_definitions(scratch: &Path) -> Result<Value> {
    std::fs::create_dir_all(scratch)?;
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps"])
        .args(["--only-binary", ":all:", "--dest"])
        .arg(scratch)
        .arg(WHEEL))?;
    let wheel = std::fs::read_dir(scratch)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel")?;
    let unpacked = scratch.join("wheel");
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&unpacked))?;
    definitions_in(&unpacked)
}

/// The `src` directory of unpacked k8s-pb sources.
pub fn tags_in(sources: &Path) -> Result<PathBuf> {
    let src = sources.join("src");
    ensure!(
        src.join("api/core/v1/mod.rs").exists(),
        "{} does not hold the crate {TAGS} {TAGS_VERSION}",
        sources.display()
    );
    Ok(src)
}

/// Finds k8s-pb in cargo's registry, after letting cargo fetch it when it is not there.
pub fn find_tags(scratch: &Path) -> Result<PathBuf> {
    if let Some(found) = registry_sources()? {
        return tags_in(&found);
    }
    let package = scratch.join("fetch");
    std::fs::create_dir_all(package.join("src"))?;
    std::fs::write(package.join("src/lib.rs"), "")?;
    std::fs::write(
        package.join("Cargo.toml"),
        format!(
            "[package]\nname = \"fetch\"\nedition = \"2024\"\n[dependencies]\n{TAGS} = \"={TAGS_VERSION}\"\n[workspace]\n"
        ),
    )?;
    run(Command::new("cargo").args(["fetch", "--quiet"]).current_dir(&package))?;
    let found = registry_sources()?
        .with_context(|| format!("cargo fetched {TAGS} {TAGS_VERSION} but it is not in its registry"))?;
    tags_in(&found)
}

fn registry_sources() -> Result<Option<PathBuf>> {
    let cargo_home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cargo"),
    };
    let Ok(registries) = std::fs::read_dir(cargo_home.join("registry/src")) else {
        return Ok(None);
    };
    Ok(registries
        .filter_map(|entry| Some(entry.ok()?.path().join(format!("{TAGS}-{TAGS_VERSION}"))))
        .find(|path| path.exists()))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("failed to start {}", command.get_program().display()))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
