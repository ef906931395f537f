//! OpenAPI documents, generated from `kinds::KINDS` and the schema table.

/// `/openapi/v2` as JSON (Swagger 2.0).
pub fn v2_json() -> Vec<u8> {
    todo!()
}
/// `/openapi/v2` as `com.github.proto-openapi.spec.v2@v1.0+protobuf` (gnostic's openapi.v2.Document).
pub fn v2_protobuf() -> Vec<u8> {
    todo!()
}
/// `/openapi/v3`: group-version path (`api/v1`, `apis/batch/v1`) to its document's hash.
pub fn v3_index() -> Vec<(String, String)> {
    todo!()
}
/// `/openapi/v3/PATH` as JSON, `None` when nothing is served there.
pub fn v3_json(path: &str) -> Option<Vec<u8>> {
    todo!("{path}")
}
