//! Which image a container runs with: one that is here, or one that a registry has. The choice is pure; the pull itself goes on
//! beside the worker, which meanwhile sees to the pod's other containers, its deadline and its deletion.

use super::known::Obstacle;
use super::start::{Setback, other};
use super::worker::Worker;
use super::{Images, name, namespace};
use crate::events::Notice;
use crate::images::registry::keyring::Keyring;
use crate::images::registry::{Fault, PullError, Pulled};
use crate::images::{Image, ImageError, Origin};
use k8s_openapi::api::core::v1::{Container, Pod, Secret};
use kube::Api;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What to do about a container's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Run what is here.
    Use,
    /// Ask the registry.
    Pull,
    /// It is not here, and nobody is to be asked.
    RefuseAbsent,
    /// It is here, for others, and nobody is to be asked.
    RefuseForeign,
}

/// Decides by `imagePullPolicy`. What was imported or is built in satisfies every policy; what was pulled with credentials is for
/// those who have them (K: KubeletEnsureSecretPulledImages).
fn choose(policy: &str, present: Option<&Origin>, fingerprints: &[String]) -> Choice {
    let lets = match present {
        Some(Origin::BuiltIn | Origin::Imported) => return Choice::Use,
        Some(Origin::Pulled { access, .. }) => access.lets(fingerprints),
        None => false,
    };
    match (policy, lets) {
        ("Never", true) => Choice::Use,
        ("Never", false) if present.is_some() => Choice::RefuseForeign,
        ("Never", false) => Choice::RefuseAbsent,
        ("Always", _) | (_, false) => Choice::Pull,
        (_, true) => Choice::Use,
    }
}

/// Pulls that a worker has begun; they end with it.
#[derive(Default)]
pub(super) struct Pulls(JoinSet<Ended>);

/// A pull that is over.
pub(super) struct Ended {
    pub container: String,
    image: String,
    result: Result<Pulled, PullError>,
    waited: Duration,
}

impl Pulls {
    /// The next to end; waits for ever while there is none.
    pub(super) async fn next(&mut self) -> Ended {
        loop {
            match self.0.join_next().await {
                Some(Ok(ended)) => return ended,
                Some(Err(error)) => tracing::error!(%error, "a pull failed in an unexpected way"),
                None => std::future::pending().await,
            }
        }
    }

    fn begin(&mut self, images: Arc<dyn Images>, container: String, image: String, keyring: Keyring) {
        let begun = Instant::now();
        self.0.spawn(async move {
            let result = images.pull(&image, &keyring).await;
            Ended { container, image, result, waited: begun.elapsed() }
        });
    }
}

impl Worker {
    /// The image of a container, if it may run with one that is here. A pull that has to come first is begun, and told.
    pub(super) async fn image(&mut self, pod: &Pod, container: &Container) -> Result<Image, Setback> {
        let reference = container.image.as_deref().unwrap_or("");
        if let Some(ended) = self.pulled.remove(&container.name)
            && ended.image == reference
        {
            return self.take_pulled(pod, &ended);
        }
        let present = match self.context.images.resolve(reference).await {
            Ok(image) => Some(image),
            Err(ImageError::NotFound(_)) => None,
            Err(error) => return Err(unusable(reference, &error)),
        };
        let needs_keyring =
            !matches!(present.as_ref().map(|image| &image.origin), Some(Origin::BuiltIn | Origin::Imported));
        let keyring = if needs_keyring { self.keyring(pod).await } else { Keyring::default() };
        let policy = container.image_pull_policy.as_deref().unwrap_or("IfNotPresent");
        match (choose(policy, present.as_ref().map(|image| &image.origin), &keyring.fingerprints(reference)), present) {
            (Choice::Use, Some(image)) => {
                let text = format!(
                    "Container image \"{reference}\" already present on machine and can be accessed by the pod"
                );
                self.tell(Notice::of_container(pod, &container.name, "Pulled", text));
                Ok(image)
            }
            (Choice::RefuseForeign, _) => Err(other(
                "ErrImageNeverPull",
                format!(
                    "Container image \"{reference}\" is present with pull policy of Never but does not have the proper credentials to access the image"
                ),
            )),
            (Choice::RefuseAbsent, _) => Err(other(
                "ErrImageNeverPull",
                format!("Container image \"{reference}\" is not present with pull policy of Never"),
            )),
            (Choice::Use | Choice::Pull, _) => {
                self.tell(Notice::of_container(
                    pod,
                    &container.name,
                    "Pulling",
                    format!("Pulling image \"{reference}\""),
                ));
                self.pulls.begin(self.context.images.clone(), container.name.clone(), reference.to_owned(), keyring);
                Err(Setback::Pulling)
            }
        }
    }

    /// A pull is over: the plan starts its container, which then finds what came of it.
    pub(super) fn pull_ended(&mut self, ended: Ended) {
        if let Some(known) = self.containers.get_mut(&ended.container) {
            known.pulling = false;
        }
        self.pulled.insert(ended.container.clone(), ended);
    }

    fn take_pulled(&self, pod: &Pod, ended: &Ended) -> Result<Image, Setback> {
        let reference = &ended.image;
        match &ended.result {
            Ok(pulled) => {
                let (took, waited) = (go_duration(pulled.took), go_duration(ended.waited));
                let size = pulled.image.size_bytes;
                let text = format!(
                    "Successfully pulled image \"{reference}\" in {took} ({waited} including waiting). Image size: {size} bytes."
                );
                self.tell(Notice::of_container(pod, &ended.container, "Pulled", text));
                Ok(pulled.image.clone())
            }
            Err(error) => {
                let remedy = match error.fault {
                    Fault::Unreachable => {
                        format!("; without a registry: `kiln image import FILE --name {reference}`")
                    }
                    Fault::Name | Fault::Absent | Fault::Denied | Fault::Dishonest | Fault::Local => String::new(),
                };
                Err(Setback::Blocked(Obstacle::Image { image: reference.clone(), error: format!("{error}{remedy}") }))
            }
        }
    }

    /// The credentials of the pod's imagePullSecrets. A Secret that is missing is told, and the pull tried without it.
    async fn keyring(&self, pod: &Pod) -> Keyring {
        let mut keyring = Keyring::default();
        let named = pod.spec.iter().flat_map(|spec| spec.image_pull_secrets.iter().flatten());
        let secrets: Api<Secret> = Api::namespaced(self.context.client.clone(), namespace(pod));
        let mut missing = Vec::new();
        for secret in named.map(|reference| reference.name.as_str()).filter(|secret| !secret.is_empty()) {
            let found = match secrets.get(secret).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(pod = name(pod), namespace = namespace(pod), secret, %error, "could not read a pull secret");
                    missing.push(secret.to_owned());
                    continue;
                }
            };
            let content = |key: &str| Some(found.data.as_ref()?.get(key)?.0.clone());
            if let Err(error) = keyring.add_secret(found.type_.as_deref().unwrap_or("Opaque"), content) {
                tracing::warn!(
                    pod = name(pod),
                    namespace = namespace(pod),
                    secret,
                    error,
                    "a pull secret gives no credentials"
                );
            }
        }
        if !missing.is_empty() {
            let names = missing.join(", ");
            let text = format!(
                "Unable to retrieve some image pull secrets ({names}); attempting to pull the image may not succeed."
            );
            self.tell(Notice::of_pod(pod, "FailedToRetrieveImagePullSecret", text).warning());
        }
        keyring
    }
}

/// Neither pulling nor waiting makes this image usable.
fn unusable(reference: &str, error: &ImageError) -> Setback {
    match error {
        ImageError::InvalidName(_) => {
            other("InvalidImageName", format!("Failed to apply default image tag \"{reference}\": {error}"))
        }
        _ => other("ImageInspectError", format!("Failed to inspect image \"{reference}\": {error}")),
    }
}

/// As Go prints a duration cut to milliseconds: `0s`, `320ms`, `1.2s`, `1m2.5s`.
fn go_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".into();
    }
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let (minutes, millis) = (millis / 60_000, millis % 60_000);
    let fraction = format!("{:03}", millis % 1000);
    let fraction = fraction.trim_end_matches('0');
    let seconds =
        if fraction.is_empty() { format!("{}s", millis / 1000) } else { format!("{}.{fraction}s", millis / 1000) };
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Access;

    #[test]
    fn the_policy_decides_unless_the_image_came_by_hand() {
        let pulled = |access| Origin::Pulled { digest: "r@sha256:0".into(), access };
        let everyones = pulled(Access::Everyone);
        let mine = pulled(Access::Holders(["mine".to_owned()].into()));
        let others = pulled(Access::Holders(["other".to_owned()].into()));
        use Choice::{Pull, RefuseAbsent, RefuseForeign, Use};
        for (present, expect) in [
            (None, [Pull, Pull, RefuseAbsent]),
            (Some(&Origin::BuiltIn), [Use, Use, Use]),
            (Some(&Origin::Imported), [Use, Use, Use]),
            (Some(&everyones), [Pull, Use, Use]),
            (Some(&mine), [Pull, Use, Use]),
            (Some(&others), [Pull, Pull, RefuseForeign]),
        ] {
            let actual = ["Always", "IfNotPresent", "Never"].map(|policy| choose(policy, present, &["mine".into()]));
            assert_eq!(actual, expect, "{present:?}");
        }
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (millis, expect) in [
            (0, "0s"),
            (7, "7ms"),
            (320, "320ms"),
            (1000, "1s"),
            (1200, "1.2s"),
            (1234, "1.234s"),
            (61_050, "1m1.05s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(millis)), expect);
        }
    }
}
