//! Service: a name for pods or for a place elsewhere (K:pkg/apis/core/validation ValidateService). Services are
//! names, which the agent's DNS answers; nothing routes traffic to them: a cluster IP would be a promise.

mod columns;
mod defaults;
mod validation;

use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{strategy, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::object;
use serde_json::{Value, json};

/// Services of the core group.
#[derive(Debug)]
pub struct Service;

/// Where clients expect the API server's own Service: the first address of kubeadm's default range. Nothing listens there.
pub const API_SERVER_ADDRESS: &str = "10.96.0.1";

const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "Service",
    plural: "services",
    singular: "service",
    short: &["svc"],
    categories: &["all"],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &["status"],
};

impl Kind for Service {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.Service"
    }
    fn default(&self, object: &mut Value) {
        defaults::default_service(object);
    }
    fn prepare_create(&self, object: &mut Value) {
        object::as_map(object).insert("status".to_owned(), json!({"loadBalancer": {}}));
    }
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Part) {
        match part {
            Part::Spec => strategy::restore(object, old, &["status"]),
            Part::Status => strategy::keep_only(object, old, &["metadata", "status"]),
        }
    }
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validation::validate(object)
    }
    fn validate_update(&self, object: &Value, old: &Value, part: Part) -> Vec<FieldError> {
        match part {
            Part::Spec => validation::validate_update(object, old),
            Part::Status => Vec::new(),
        }
    }
    fn warnings(&self, object: &Value) -> Vec<String> {
        match object["spec"]["type"].as_str() {
            Some("ExternalName") => Vec::new(),
            Some("ClusterIP") if object["spec"]["clusterIP"] == "None" => Vec::new(),
            Some(other) => vec![format!(
                "spec.type: kiln routes no traffic to a Service of type {other}: its name leads to its pods, at their own ports, as with clusterIP: None"
            )],
            None => Vec::new(),
        }
    }
    fn selectable_fields(&self, object: &Value) -> Vec<(&'static str, String)> {
        let text = |field: &str| object["spec"][field].as_str().unwrap_or("").to_owned();
        vec![("spec.clusterIP", text("clusterIP")), ("spec.type", text("type"))]
    }
    fn returns_deleted(&self) -> bool {
        true
    }
    fn columns(&self) -> &'static [Column] {
        columns::COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        columns::row(object, now)
    }
}

/// The API server's own Service, which clients and tests look for.
pub fn of_api_server() -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"type": "ClusterIP", "clusterIP": API_SERVER_ADDRESS, "sessionAffinity": "None",
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}]}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors, check_update_errors, created};

    fn service(spec: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n"}, "spec": spec})
    }

    #[test]
    fn a_bare_service_is_filled_in() {
        let object = created(&Service, &service(json!({"selector": {"a": "b"}, "ports": [{"port": 80}]})));
        assert_eq!(
            object["spec"],
            json!({"selector": {"a": "b"}, "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
                "sessionAffinity": "None", "type": "ClusterIP", "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster"})
        );
        assert_eq!(object["status"], json!({"loadBalancer": {}}));
        assert_eq!(created(&Service, &object)["spec"], object["spec"], "defaulting twice changes nothing");
    }

    #[test]
    fn addresses_are_told_in_both_fields() {
        let object = created(&Service, &service(json!({"clusterIP": "None", "selector": {"a": "b"}})));
        assert_eq!(object["spec"]["clusterIPs"], json!(["None"]));
        check_errors(&Service, &object, &[]);
        assert!(Service.warnings(&object).is_empty());
        let object = created(&Service, &of_api_server());
        assert_eq!(object["spec"]["clusterIPs"], json!(["10.96.0.1"]));
        check_errors(&Service, &object, &[]);
    }

    #[test]
    fn external_names_have_no_address_and_no_family() {
        let object = created(&Service, &service(json!({"type": "ExternalName", "externalName": "db.example.com"})));
        assert_eq!(
            object["spec"],
            json!({"type": "ExternalName", "externalName": "db.example.com", "sessionAffinity": "None"})
        );
        check_errors(&Service, &object, &[]);
        check_errors(
            &Service,
            &service(json!({"type": "ExternalName", "clusterIP": "10.0.0.1"})),
            &[
                "spec.clusterIPs: Forbidden: may not be set for ExternalName services",
                "spec.externalName: Required value",
            ],
        );
    }

    #[test]
    fn ports_are_named_apart_and_in_range() {
        check_errors(&Service, &service(json!({})), &["spec.ports: Required value"]);
        check_errors(
            &Service,
            &service(json!({"ports": [
                {"port": 80, "name": "a"}, {"port": 0, "name": "a"}, {"port": 80, "protocol": "ODD", "targetPort": "Bad_Name", "nodePort": 30000}]})),
            &[
                "spec.ports[1].name: Duplicate value: \"a\"",
                "spec.ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[1].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[2].name: Required value",
                "spec.ports[2].protocol: Unsupported value: \"ODD\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
                "spec.ports[2].targetPort: Invalid value: \"Bad_Name\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "spec.ports[2].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
            ],
        );
    }

    #[test]
    fn names_begin_with_a_letter_and_types_are_known() {
        let mut object = service(json!({"type": "Odd", "ports": [{"port": 1}], "sessionAffinity": "Some"}));
        object["metadata"]["name"] = "1s".into();
        check_errors(
            &Service,
            &object,
            &[
                "metadata.name: Invalid value: \"1s\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
                "spec.sessionAffinity: Unsupported value: \"Some\": supported values: \"ClientIP\", \"None\"",
                "spec.type: Unsupported value: \"Odd\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
            ],
        );
    }

    #[test]
    fn an_address_stays() {
        let old = service(json!({"clusterIP": "10.0.0.1", "ports": [{"port": 1}]}));
        check_update_errors(&Service, &old, &old, &[]);
        check_update_errors(
            &Service,
            &service(json!({"clusterIP": "10.0.0.2", "ports": [{"port": 1}]})),
            &old,
            &["spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may not change once set"],
        );
    }

    #[test]
    fn rows_tell_addresses_and_ports() {
        for (spec, expect) in [
            (json!({"clusterIP": "None"}), ["ClusterIP", "None", "<none>", "<none>"]),
            (
                json!({"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}),
                ["ClusterIP", "<none>", "<none>", "80/TCP,53/UDP"],
            ),
            (json!({"type": "ExternalName", "externalName": "db"}), ["ExternalName", "<none>", "db", "<none>"]),
            (
                json!({"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}]}),
                ["LoadBalancer", "<none>", "<pending>", "80:30080/TCP"],
            ),
            (
                json!({"type": "NodePort", "externalIPs": ["1.2.3.4"], "ports": [{"port": 1}]}),
                ["NodePort", "<none>", "1.2.3.4", "1/TCP"],
            ),
        ] {
            let object = created(&Service, &service(spec));
            assert_eq!(cells(&Service, &object)[1..5], expect, "{object}");
        }
    }
}
