//! OpenAPI documents, generated from `kinds::KINDS` and the schema table, once each.
//!
//! [ KINDS ] -> operations ─┬─> document (v2, v3) ─> JSON
//! [ schema table ] -> schemas ┘                  └─> gnostic (v2 as protobuf)

mod document;
mod gnostic;
mod operations;
mod schemas;

use kinds::KINDS;
use kinds::schema::Descriptions;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// `/openapi/v2` as JSON (Swagger 2.0).
pub fn v2_json() -> Vec<u8> {
    static DOCUMENT: OnceLock<Vec<u8>> = OnceLock::new();
    DOCUMENT.get_or_init(|| document::v2(KINDS, &Descriptions::collect()).to_string().into_bytes()).clone()
}

/// `/openapi/v2` as `com.github.proto-openapi.spec.v2@v1.0+protobuf` (gnostic's openapi.v2.Document).
pub fn v2_protobuf() -> Vec<u8> {
    static DOCUMENT: OnceLock<Vec<u8>> = OnceLock::new();
    DOCUMENT.get_or_init(|| gnostic::document(&document::v2(KINDS, &Descriptions::collect()))).clone()
}

/// `/openapi/v3`: group-version path (`api/v1`, `apis/batch/v1`) to its document's hash.
pub fn v3_index() -> Vec<(String, String)> {
    v3().iter().map(|(path, document)| (path.clone(), document.hash.clone())).collect()
}

/// `/openapi/v3/PATH` as JSON, `None` when nothing is served there.
pub fn v3_json(path: &str) -> Option<Vec<u8>> {
    v3().get(path).map(|document| document.text.clone())
}

struct V3Document {
    text: Vec<u8>,
    hash: String,
}

fn v3() -> &'static BTreeMap<String, V3Document> {
    static DOCUMENTS: OnceLock<BTreeMap<String, V3Document>> = OnceLock::new();
    DOCUMENTS.get_or_init(|| {
        let documents = document::v3(KINDS, &Descriptions::collect()).into_iter().map(|(path, document)| {
            let text = document.to_string().into_bytes();
            let hash = Sha256::digest(&text).iter().map(|byte| format!("{byte:02X}")).collect();
            (path, V3Document { text, hash })
        });
        documents.collect()
    })
}

#[cfg(test)]
mod tests;
