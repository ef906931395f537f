//! Which of a pod's containers a request means (K:pkg/registry/core/pod/strategy.go validateContainer).

use crate::error::Failure;
use meta::status::Status;
use serde_json::Value;

/// The container meant; without a name the only one.
pub(crate) fn container(pod: &Value, asked: &str) -> Result<String, Failure> {
    let named = |field: &str| -> Vec<&str> {
        let containers = pod["spec"][field].as_array().into_iter().flatten();
        containers.filter_map(|c| c["name"].as_str()).collect()
    };
    let name = meta::object::name(pod);
    let (containers, init) = (named("containers"), named("initContainers"));
    if !asked.is_empty() {
        let exists = [&containers, &init, &named("ephemeralContainers")].iter().any(|names| names.contains(&asked));
        return match exists {
            true => Ok(asked.to_owned()),
            false => Err(Status::bad_request(format!("container {asked} is not valid for pod {name}")).into()),
        };
    }
    match containers.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(Status::bad_request(format!("a container name must be specified for pod {name}")).into()),
        several => {
            let mut text =
                format!("a container name must be specified for pod {name}, choose one of: [{}]", several.join(" "));
            if !init.is_empty() {
                text.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
            }
            Err(Status::bad_request(text).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_are_chosen_as_kubernetes_does() {
        let one = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}});
        let two = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}});
        let init = json!({"metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]}});
        for (pod, asked, expect) in [
            (&one, "", Ok("a")),
            (&two, "b", Ok("b")),
            (&init, "i", Ok("i")),
            (&one, "x", Err("container x is not valid for pod p")),
            (&two, "", Err("a container name must be specified for pod p, choose one of: [a b]")),
            (
                &init,
                "",
                Err(
                    "a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]",
                ),
            ),
        ] {
            let got = container(pod, asked).map_err(|failure| failure.status().message.clone());
            assert_eq!(got, expect.map(String::from).map_err(String::from));
        }
    }
}
