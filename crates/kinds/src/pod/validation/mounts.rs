//! Rules for where containers see their volumes.

use super::{Pod, files};
use crate::at::At;
use meta::field::FieldError;
use std::collections::BTreeSet;

/// `volumeMounts` and `volumeDevices` of a container.
pub(super) fn check(container: &At<'_>, pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    let (mounts, devices) = (container.field("volumeMounts"), container.field("volumeDevices"));
    let is_privileged = container.fields(&["securityContext", "privileged"]).is_true();
    let mut paths = BTreeSet::new();
    for mount in mounts.items() {
        check_place(&mount, &devices, pod, &mut paths, errors);
        check_sub_paths(&mount, &mounts, errors);
        check_propagation(&mount, &mounts, is_privileged, errors);
        check_recursive_read_only(&mount, &mounts, errors);
    }
    check_devices(&devices, &mounts, pod, errors);
}

fn check_place<'a>(
    mount: &At<'a>,
    devices: &At<'_>,
    pod: &Pod<'_>,
    paths: &mut BTreeSet<&'a str>,
    errors: &mut Vec<FieldError>,
) {
    let (name, path) = (mount.field("name"), mount.field("mountPath"));
    name.check_required(errors);
    if !pod.volumes.contains_key(name.text()) {
        errors.push(FieldError::not_found(&name.path, name.text()));
    }
    path.check_required(errors);
    if !paths.insert(path.text()) {
        errors.push(path.invalid_text("must be unique"));
    }
    if devices.items().any(|device| device.field("name").text() == name.text()) {
        errors.push(name.invalid_text("must not already exist in volumeDevices"));
    }
    if devices.items().any(|device| device.field("devicePath").text() == path.text()) {
        errors.push(path.invalid_text("must not already exist as a path in volumeDevices"));
    }
}

/// As Kubernetes does, without the mount's index in the path.
fn unindexed<'a>(mount: &At<'a>, mounts: &At<'_>, field: &str) -> At<'a> {
    At { path: mounts.field(field).path, ..mount.field(field) }
}

fn check_sub_paths(mount: &At<'_>, mounts: &At<'_>, errors: &mut Vec<FieldError>) {
    let (sub_path, expression) = (mount.field("subPath"), mount.field("subPathExpr"));
    if !sub_path.text().is_empty() {
        files::check_descending(&unindexed(mount, mounts, "subPath"), errors);
    }
    if !expression.text().is_empty() {
        if !sub_path.text().is_empty() {
            errors.push(expression.invalid("subPathExpr and subPath are mutually exclusive"));
        }
        files::check_descending(&unindexed(mount, mounts, "subPathExpr"), errors);
    }
}

fn check_propagation(mount: &At<'_>, mounts: &At<'_>, is_privileged: bool, errors: &mut Vec<FieldError>) {
    let propagation = unindexed(mount, mounts, "mountPropagation");
    propagation.check_among(&["Bidirectional", "HostToContainer", "None"], errors);
    if propagation.text() == "Bidirectional" && !is_privileged {
        errors
            .push(propagation.forbidden("Bidirectional mount propagation is available only to privileged containers"));
    }
}

fn check_recursive_read_only(mount: &At<'_>, mounts: &At<'_>, errors: &mut Vec<FieldError>) {
    let recursive = unindexed(mount, mounts, "recursiveReadOnly");
    recursive.check_among(&["Disabled", "Enabled", "IfPossible"], errors);
    if !matches!(recursive.text(), "Enabled" | "IfPossible") {
        return;
    }
    if !mount.field("readOnly").is_true() {
        errors.push(recursive.forbidden("may only be specified when readOnly is true"));
    }
    if !matches!(mount.field("mountPropagation").text(), "" | "None") {
        errors.push(recursive.forbidden("may only be specified when mountPropagation is None or not specified"));
    }
}

fn check_devices(devices: &At<'_>, mounts: &At<'_>, pod: &Pod<'_>, errors: &mut Vec<FieldError>) {
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for device in devices.items() {
        let (name, path) = (device.field("name"), device.field("devicePath"));
        name.check_required(errors);
        if names.contains(name.text()) {
            errors.push(name.invalid_text("must be unique"));
        }
        match pod.volumes.get(name.text()) {
            Some(volume) if !is_claim(volume) => {
                let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errors.push(name.invalid_text(detail));
            }
            Some(_) => {}
            None => errors.push(FieldError::not_found(&name.path, name.text())),
        }
        path.check_required(errors);
        if paths.contains(path.text()) {
            errors.push(path.invalid_text("must be unique"));
        }
        if files::has_backsteps(path.text()) {
            errors.push(path.invalid_text("can not contain backsteps ('..')"));
        } else {
            paths.insert(path.text());
        }
        if mounts.items().any(|mount| mount.field("name").text() == name.text()) {
            errors.push(name.invalid_text("must not already exist in volumeMounts"));
        }
        if mounts.items().any(|mount| mount.field("mountPath").text() == path.text()) {
            errors.push(path.invalid_text("must not already exist as a path in volumeMounts"));
        }
        if !name.text().is_empty() {
            names.insert(name.text());
        }
    }
}

fn is_claim(volume: &At<'_>) -> bool {
    volume.field("persistentVolumeClaim").is_set() || volume.field("ephemeral").is_set()
}
