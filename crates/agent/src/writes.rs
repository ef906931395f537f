//! How the agent writes: under the name of the kubelet, whose work it does.

use kube::api::{PatchParams, PostParams};

const FIELD_MANAGER: &str = "kubelet";

pub(crate) fn post() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

pub(crate) fn patch() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}
