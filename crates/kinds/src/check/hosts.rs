//! Names of Services in texts: `postgres.database.svc.cluster.local`.

use super::object::Object;
use super::world::{Found, World};
use super::{Finding, pods};
use crate::at::At;
use std::collections::BTreeSet;

/// Tells of host names of Services that are not among the files, each once.
pub(super) fn check(objects: &[Object<'_>], world: &World<'_>, findings: &mut Vec<Finding>) {
    let mut known = aliases(objects);
    for object in objects {
        for text in texts(object) {
            for host in text
                .text()
                .split(|char: char| !char.is_ascii_lowercase() && !char.is_ascii_digit() && !"-.".contains(char))
            {
                let host = host.trim_matches('.');
                let Some((name, namespace)) = service_of(host) else { continue };
                let is_there = matches!(world.find("Service", namespace, name), Found::Here(_) | Found::BuiltIn);
                if !is_there && known.insert(host) {
                    findings.push(nowhere(object, &text.path, host, name, namespace));
                }
            }
        }
    }
}

/// Names that pods have addresses for themselves.
fn aliases<'a>(objects: &'a [Object<'_>]) -> BTreeSet<&'a str> {
    let aliases = objects.iter().filter_map(pods::of).flat_map(|pod| pod.spec.field("hostAliases").items());
    aliases.flat_map(|alias| alias.field("hostnames").items()).map(|name| name.text()).collect()
}

/// Where programs get host names from.
fn texts<'a>(object: &'a Object<'_>) -> Vec<At<'a>> {
    let root = At::root(&object.written);
    let of_pod = pods::of(object).into_iter().flat_map(|pod| pod.containers()).flat_map(|container| {
        let values = container.at.field("env").items().map(|variable| variable.field("value"));
        values.chain(container.words("command")).chain(container.words("args")).collect::<Vec<_>>()
    });
    let entries = ["data", "stringData"].map(|field| root.field(field));
    let of_files = entries.iter().filter(|_| object.is("ConfigMap") || object.is("Secret")).flat_map(At::entries);
    of_pod.chain(of_files.map(|(_, entry)| entry)).collect()
}

/// The Service and the namespace of `[POD.]SERVICE.NAMESPACE.svc[.cluster.local]`.
fn service_of(host: &str) -> Option<(&str, &str)> {
    let host = host.strip_suffix(".cluster.local").unwrap_or(host).strip_suffix(".svc")?;
    let (rest, namespace) = host.rsplit_once('.')?;
    let name = rest.rsplit_once('.').map_or(rest, |(_, name)| name);
    (!name.is_empty() && !namespace.is_empty()).then_some((name, namespace))
}

fn nowhere(object: &Object<'_>, path: &str, host: &str, name: &str, namespace: &str) -> Finding {
    let finding =
        object.warning(path, format!("there is no Service {name:?} of namespace {namespace:?} in these files"));
    finding.because(format!("{host} leads nowhere until it is there")).remedy(
        "add it (for a host outside: type: ExternalName), or hostAliases to the pods, or see that it is on the server already",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_named_by_hosts() {
        for (host, expect) in [
            ("postgres.database.svc.cluster.local", Some(("postgres", "database"))),
            ("postgres.database.svc", Some(("postgres", "database"))),
            ("pod-0.workers.batch.svc.cluster.local", Some(("workers", "batch"))),
            ("example.org", None),
            ("svc.cluster.local", None),
            ("database.svc", None),
            (".svc", None),
        ] {
            assert_eq!(service_of(host), expect, "{host}");
        }
    }
}
