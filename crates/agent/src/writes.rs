//! How the agent writes: under the name of the kubelet, whose work it does, or of the provisioner of volumes.

use kube::api::{PatchParams, PostParams};

const KUBELET: &str = "kubelet";
const PROVISIONER: &str = "kiln-provisioner";

pub(crate) fn post() -> PostParams {
    PostParams { field_manager: Some(KUBELET.to_owned()), ..PostParams::default() }
}

pub(crate) fn patch() -> PatchParams {
    PatchParams { field_manager: Some(KUBELET.to_owned()), ..PatchParams::default() }
}

pub(crate) fn post_as_provisioner() -> PostParams {
    PostParams { field_manager: Some(PROVISIONER.to_owned()), ..PostParams::default() }
}

pub(crate) fn patch_as_provisioner() -> PatchParams {
    PatchParams { field_manager: Some(PROVISIONER.to_owned()), ..PatchParams::default() }
}
