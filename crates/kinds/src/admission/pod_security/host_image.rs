//! Who may run this machine's own programs: the image `kiln/host`. It shows a pod what is installed here and runs it as
//! the pod's user, so it wants a namespace whose level is `privileged`, or somebody who may use it anywhere.

use serde_json::Value;

const HOST_IMAGE: &str = "kiln/host";
/// The verb, group, resource and name that RBAC is asked for: whoever may everything may this.
pub(super) const PERMISSION: (&str, &str, &str, &str) = ("use", "kiln.dev", "images", HOST_IMAGE);

/// The first container that runs this machine's programs.
pub(super) fn container(spec: &Value) -> Option<&str> {
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let mut containers = lists.iter().flat_map(|list| spec[list].as_array().into_iter().flatten());
    let found = containers.find(|container| container["image"].as_str().is_some_and(is_host_image))?;
    Some(found["name"].as_str().unwrap_or(""))
}

/// The name with or without a tag; other registries' images of that name are theirs.
fn is_host_image(image: &str) -> bool {
    let image = image.trim();
    let name = image.split(['@', ':']).next().unwrap_or("");
    name == HOST_IMAGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_image_is_known_by_all_its_names_and_by_no_other() {
        for (image, expect) in [
            ("kiln/host", true),
            ("kiln/host:latest", true),
            ("kiln/host@sha256:0", true),
            ("kiln/hosts", false),
            ("registry.example/kiln/host", false),
            ("busybox", false),
            ("", false),
        ] {
            let spec = json!({"initContainers": [{"name": "i", "image": image}], "containers": []});
            assert_eq!(container(&spec).is_some(), expect, "{image}");
        }
    }
}
