//! Pod security.

use super::*;

#[test]
fn pods_that_their_namespace_refuses() {
    let privileged = with_container(job(), "securityContext", json!({"privileged": true}));
    let why = "spec.template.spec: violates PodSecurity \"baseline:latest\": privileged (container \"main\" must not set \
               securityContext.privileged=true)";
    check(
        std::slice::from_ref(&privileged),
        &[&format!(
            "warning: {why} -> do without it, or let the namespace: kiln label namespace default pod-security.kubernetes.io/enforce=privileged"
        )],
    );
    let namespace = |labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "batch", "labels": labels}});
    let there = with(privileged, "metadata/namespace", "batch".into());
    check(
        &[namespace(json!({})), there.clone()],
        &[&format!(
            "error: {why} -> do without it, or give the Namespace \"batch\" the label pod-security.kubernetes.io/enforce=privileged"
        )],
    );
    check(&[namespace(json!({"pod-security.kubernetes.io/enforce": "privileged"})), there], &[]);
    let restricted = with(job(), "metadata/namespace", "batch".into());
    let found = found(&[namespace(json!({"pod-security.kubernetes.io/enforce": "restricted"})), restricted]);
    assert!(found[0].what.starts_with("spec.template.spec: violates PodSecurity \"restricted:latest\": "), "{found:?}");
}
