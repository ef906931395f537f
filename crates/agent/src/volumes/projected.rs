//! projected: tokens, ConfigMaps, Secrets and the pod's own fields side by side in one directory
//! (K:pkg/volume/projected).

use super::downward::{self, Subject};
use super::payload::{DEFAULT_MODE, File, Payload, is_inside, mode};
use super::{configmap, secret};
use crate::pod::all_containers;
use crate::pod::sources::{Sources, TokenNeed};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, PodSpec, ProjectedVolumeSource, SecretVolumeSource, ServiceAccountTokenProjection,
    VolumeProjection,
};
use std::collections::BTreeMap;

/// A token as a projection asks for it.
pub(super) fn token_need(source: &ServiceAccountTokenProjection) -> TokenNeed {
    TokenNeed {
        audience: source.audience.clone().unwrap_or_default(),
        seconds: source.expiration_seconds.unwrap_or(3600),
    }
}

/// The files; the error is FailedMount's and names everything that is missing.
pub(super) fn payload(
    source: &ProjectedVolumeSource,
    sources: &Sources,
    subject: Subject<'_>,
) -> Result<Payload, String> {
    let mut files = BTreeMap::new();
    let mut errors = Vec::new();
    for projection in source.sources.iter().flatten() {
        match one(projection, source.default_mode, sources, subject) {
            Ok(payload) => files.extend(payload.0),
            Err(error) => errors.push(error),
        }
    }
    match errors.as_slice() {
        [] => Ok(Payload(files)),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

fn one(
    projection: &VolumeProjection,
    default_mode: Option<i32>,
    sources: &Sources,
    subject: Subject<'_>,
) -> Result<Payload, String> {
    if let Some(source) = &projection.config_map {
        let source = ConfigMapVolumeSource {
            default_mode,
            items: source.items.clone(),
            name: source.name.clone(),
            optional: source.optional,
        };
        return configmap::payload(&source, sources.config_maps.get(&source.name));
    }
    if let Some(source) = &projection.secret {
        let found = sources.secrets.get(&source.name);
        let source = SecretVolumeSource {
            default_mode,
            items: source.items.clone(),
            secret_name: Some(source.name.clone()),
            optional: source.optional,
        };
        return secret::payload(&source, found);
    }
    let default_mode = mode(default_mode).unwrap_or(DEFAULT_MODE);
    if let Some(source) = &projection.downward_api {
        return downward::payload(source.items.as_deref().unwrap_or_default(), default_mode, subject);
    }
    match &projection.service_account_token {
        Some(source) => token(source, default_mode, sources, subject),
        None => Err("this kind of projection is not supported by this version of kiln".into()),
    }
}

fn token(
    source: &ServiceAccountTokenProjection,
    default_mode: u32,
    sources: &Sources,
    subject: Subject<'_>,
) -> Result<Payload, String> {
    let token = sources.tokens.get(&token_need(source)).ok_or("the token was not asked for")?;
    if !is_inside(&source.path) {
        return Err(format!("invalid path: {}", source.path));
    }
    let spec = subject.pod.spec.as_ref();
    let owner = spec.and_then(only_user);
    let has_group =
        spec.and_then(|spec| spec.security_context.as_ref()).is_some_and(|context| context.fs_group.is_some());
    // Whoever can be named reads it alone; fsGroup widens the mode to 0640.
    let mode = if owner.is_some() || has_group { 0o600 } else { default_mode };
    let file = File { mode, owner, bytes: token.text.clone().into_bytes() };
    Ok(Payload([(source.path.clone(), file)].into()))
}

/// The user that every container names (K:pkg/volume/util FsUserFrom).
fn only_user(spec: &PodSpec) -> Option<u32> {
    let of_pod = spec.security_context.as_ref().and_then(|context| context.run_as_user);
    let mut users = all_containers(spec).map(|container| {
        let own = container.security_context.as_ref().and_then(|context| context.run_as_user);
        own.or(of_pod).and_then(|user| u32::try_from(user).ok())
    });
    let first = users.next()??;
    users.all(|user| user == Some(first)).then_some(first)
}
