//! ServiceAccount: who a pod is towards the API server.
//!
//! [ TokenRequest ] --`token_request::grant`--> claims, signed by the server --`claims::identify`--> [ User ]

pub mod claims;
pub mod secret;
pub mod token_request;

use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{metadata, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::names;
use serde_json::Value;

/// ServiceAccounts of the core group.
#[derive(Debug)]
pub struct ServiceAccount;

const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "ServiceAccount",
    plural: "serviceaccounts",
    singular: "serviceaccount",
    short: &["sa"],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &["token"],
};

impl Kind for ServiceAccount {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.ServiceAccount"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        metadata::validate(object, NAMES.scope, names::dns_subdomain_errors)
    }
    fn validate_update(&self, _: &Value, _: &Value, _: Part) -> Vec<FieldError> {
        Vec::new()
    }
    fn returns_deleted(&self) -> bool {
        true
    }
    fn columns(&self) -> &'static [Column] {
        &[table::NAME, table::AGE]
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        Row { cells: vec![table::name(object), table::age(object, now)], ..Row::default() }
    }
}
