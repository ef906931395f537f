//! Images that mean something else tomorrow.

use super::Finding;
use super::object::Object;
use super::pods::Pod;

/// kiln's own images, which have no tags.
const BUILT_IN: &str = "kiln/";

/// Tells of images whose tag is left out or `latest`, and which are therefore looked for at each start. Whoever says when to
/// pull has thought of it.
pub(super) fn check(object: &Object<'_>, pod: &Pod<'_>, findings: &mut Vec<Finding>) {
    for container in pod.containers() {
        let image = container.at.field("image");
        let is_said = container.at.field("imagePullPolicy").is_set();
        if image.text().is_empty() || image.text().starts_with(BUILT_IN) || is_said || !is_moving(image.text()) {
            continue;
        }
        let finding =
            object.warning(&image.path, format!("the image {:?} is whatever is newest when it starts", image.text()));
        findings.push(
            finding
                .because("it is looked for in its registry at every start: imagePullPolicy is Always")
                .remedy("name a version, e.g. busybox:1.36, or say imagePullPolicy: IfNotPresent"),
        );
    }
}

fn is_moving(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}
