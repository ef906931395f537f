//! What containers and pods ask for: quantities, names of resources, claims.

use super::{check_container_rules, check_rules};
use serde_json::{Value, json};

const R: &str = "spec.containers[0].resources";

fn resources(limits: Value, requests: Value) -> Value {
    json!({"resources": {"limits": limits, "requests": requests}})
}

#[test]
fn sound_resources_pass() {
    let all = json!({"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi", "hugepages-2Mi": "4Mi", "example.com/gpu": "2"});
    check_container_rules(resources(all, json!({"cpu": "500m"})), &[]);
    check_container_rules(
        json!({"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}, {"resourceName": "memory", "restartPolicy": "RestartContainer"}]}),
        &[],
    );
    check_rules(
        json!({"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}, "overhead": {"cpu": "10m"},
            "resourceClaims": [{"name": "g", "resourceClaimName": "x"}],
            "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}, "claims": [{"name": "g", "request": "r"}]}}]}),
        &[],
    );
}

#[test]
fn what_cannot_be_overcommitted_is_asked_for_as_it_is_limited() {
    check_container_rules(
        resources(json!({"example.com/gpu": "2"}), json!({"example.com/gpu": "1"})),
        &[&format!("{R}.requests: Invalid value: \"1\": must be equal to example.com/gpu limit of 2")],
    );
    check_container_rules(
        resources(json!({}), json!({"example.com/gpu": "1"})),
        &[&format!("{R}.limits: Required value: Limit must be set for non overcommitable resources")],
    );
}

#[test]
fn names_of_resources_are_known_or_have_a_domain() {
    check_container_rules(
        resources(json!({"pods": "1", "requests.example.com/gpu": "1", "example.com/gpu": "1500m"}), json!({})),
        &[
            &format!("{R}.limits[pods]: Invalid value: \"pods\": must be a standard resource for containers"),
            &format!(
                "{R}.limits[requests.example.com/gpu]: Invalid value: \"requests.example.com/gpu\": doesn't follow extended resource name standard"
            ),
            &format!("{R}.limits[example.com/gpu]: Invalid value: \"1500m\": must be an integer"),
            // A pod asks for what it limits.
            &format!("{R}.requests[pods]: Invalid value: \"pods\": must be a standard resource for containers"),
            &format!(
                "{R}.requests[requests.example.com/gpu]: Invalid value: \"requests.example.com/gpu\": doesn't follow extended resource name standard"
            ),
            &format!("{R}.requests[example.com/gpu]: Invalid value: \"1500m\": must be an integer"),
        ],
    );
}

#[test]
fn huge_pages_are_whole_pages_and_come_with_cpu_or_memory() {
    check_container_rules(
        resources(json!({"hugepages-2Mi": "3Mi"}), json!({})),
        &[
            &format!(
                "{R}.limits[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi is not positive integer multiple of hugepages-2Mi"
            ),
            &format!(
                "{R}.requests[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi is not positive integer multiple of hugepages-2Mi"
            ),
            &format!("{R}: Forbidden: HugePages require cpu or memory"),
        ],
    );
}

#[test]
fn resize_policies_name_each_resource_once() {
    let at = "spec.containers[0].resizePolicy";
    let container = json!({"name": "c", "image": "i", "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"},
        {"resourceName": "cpu", "restartPolicy": "Maybe"}, {"resourceName": "disk", "restartPolicy": "NotRequired"}]});
    check_rules(
        json!({"restartPolicy": "Never", "containers": [container]}),
        &[
            &format!(
                "{at}: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'"
            ),
            &format!("{at}[1]: Duplicate value: \"cpu\""),
            &format!("{at}: Unsupported value: \"Maybe\": supported values: \"NotRequired\", \"RestartContainer\""),
            &format!("{at}: Invalid value: \"Maybe\": must be 'NotRequired' when `restartPolicy` is 'Never'"),
            &format!("{at}: Unsupported value: \"disk\": supported values: \"cpu\", \"memory\""),
        ],
    );
}

#[test]
fn claims_have_one_source_and_are_the_pods() {
    let claims = "spec.resourceClaims";
    check_rules(
        json!({"resourceClaims": [{"name": "a"}, {"name": "a", "resourceClaimName": "x", "resourceClaimTemplateName": "y"}],
            "containers": [{"name": "c", "image": "i", "resources": {"claims": [{"name": "a"}, {"name": "a", "request": "r"}, {"name": "b"}, {}]}}]}),
        &[
            &format!(
                "{claims}[0]: Invalid value: {{\"name\":\"a\"}}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            ),
            &format!("{claims}[1].name: Duplicate value: \"a\""),
            &format!(
                "{claims}[1]: Invalid value: {{\"name\":\"a\",\"resourceClaimName\":\"x\",\"resourceClaimTemplateName\":\"y\"}}: at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            ),
            &format!("{R}.claims[1]: Duplicate value: \"a\""),
            &format!("{R}.claims[2]: Not found: \"b\": must be one of the names in pod.spec.resourceClaims: a"),
            &format!("{R}.claims[3]: Required value"),
        ],
    );
}

#[test]
fn a_pod_as_a_whole_covers_its_containers() {
    let container = json!({"name": "c", "image": "i", "resources": {"limits": {"cpu": "3"}, "requests": {"cpu": "2"}}});
    check_rules(
        json!({"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}, "claims": [{"name": "g"}]}, "containers": [container]}),
        &[
            "spec.resources.claims: Forbidden: claims cannot be set for Resources at pod-level",
            "spec.resources.requests[cpu]: Invalid value: \"1\": must be greater than or equal to aggregate container requests of 2",
            "spec.resources.containers[0][cpu].limits: Invalid value: \"3\": must be less than or equal to pod limits of 2",
        ],
    );
    check_rules(
        json!({"resources": {"limits": {"ephemeral-storage": "1Gi"}}}),
        &[
            "spec.resources.limits[ephemeral-storage]: Unsupported value: \"ephemeral-storage\": supported values: \"cpu\", \"memory\"",
        ],
    );
    check_rules(
        json!({"overhead": {"gpu": "1"}}),
        &[
            "spec.overhead.limits[gpu]: Invalid value: \"gpu\": must be a standard resource type or fully qualified",
            "spec.overhead.limits[gpu]: Invalid value: \"gpu\": must be a standard resource for containers",
        ],
    );
}

#[test]
fn resources_as_variables_have_known_divisors() {
    let at = "spec.containers[0].env[0].valueFrom.resourceFieldRef";
    let variable = |reference: Value| json!({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": reference}}]});
    for (resource, divisor) in
        [("limits.cpu", "1m"), ("requests.memory", "1Mi"), ("limits.hugepages-2Mi", "1"), ("limits.cpu", "0")]
    {
        check_container_rules(variable(json!({"resource": resource, "divisor": divisor})), &[]);
    }
    check_container_rules(variable(json!({})), &[&format!("{at}.resource: Required value")]);
    check_container_rules(
        variable(json!({"resource": "limits.gpu"})),
        &[&format!(
            "{at}.resource: Unsupported value: \"limits.gpu\": supported values: \"limits.cpu\", \"limits.ephemeral-storage\", \"limits.memory\", \"requests.cpu\", \"requests.ephemeral-storage\", \"requests.memory\""
        )],
    );
    check_container_rules(
        variable(json!({"resource": "limits.cpu", "divisor": "2"})),
        &[&format!(
            "{at}.divisor: Invalid value: \"limits.cpu\": only divisor's values 1m and 1 are supported with the cpu resource"
        )],
    );
    check_container_rules(
        variable(json!({"resource": "requests.ephemeral-storage", "divisor": "2Mi"})),
        &[&format!(
            "{at}.divisor: Invalid value: \"requests.ephemeral-storage\": only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the local ephemeral storage resource"
        )],
    );
}

#[test]
fn variables_come_from_files_of_volumes_of_the_pod() {
    let at = "spec.containers[0].env[0].valueFrom.fileKeyRef";
    let variable = |reference: Value| json!({"env": [{"name": "A", "valueFrom": {"fileKeyRef": reference}}]});
    check_container_rules(variable(json!({"volumeName": "v", "path": "a/b", "key": "K"})), &[]);
    check_container_rules(
        variable(json!({"volumeName": "w", "path": "/a"})),
        &[
            &format!("{at}.volumeName: Not found: \"w\""),
            &format!("{at}.path: Invalid value: \"/a\": must be a relative path"),
            &format!("{at}.key: Required value"),
        ],
    );
}
