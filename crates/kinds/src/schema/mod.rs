//! One compact table of the served types: fields, types, list kinds, merge keys, protobuf tags.
//! Strict decoding, strategic merge, protobuf and OpenAPI are walks of it. `table.rs` is written by `cargo xtask schema`.

use meta::patch::strategic::{ListStrategy, PatchSchema};
use serde_json::Value;

/// A type of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeRef(pub u16);

/// Finds a root type by its definition name, e.g. `io.k8s.api.batch.v1.Job`.
pub fn lookup(definition: &str) -> Option<TypeRef> {
    todo!("{definition}")
}

impl PatchSchema for TypeRef {
    fn field(&self, field: &str) -> Option<Self> {
        todo!("{field}")
    }
    fn list_strategy(&self, field: &str) -> ListStrategy<'_> {
        todo!("{field}")
    }
    fn replaces(&self, field: &str) -> bool {
        todo!("{field}")
    }
}

/// What to do about unknown and duplicate fields: `fieldValidation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    Ignore,
    Warn,
    Strict,
}

/// A decoded body.
#[derive(Debug)]
pub struct Decoded {
    /// The object with unknown fields dropped, quantities canonicalised.
    pub object: Value,
    /// `unknown field "spec.x" (did you mean "spec.y"?)`, `duplicate field "spec.y"`, in order of appearance.
    /// Empty under `Ignore`.
    pub complaints: Vec<String>,
}

/// Decodes JSON text against a type. Errors (malformed JSON, a wrong type such as
/// `json: cannot unmarshal string into Go struct field JobSpec.spec.completions of type int32`) are always errors;
/// complaints are for the caller to turn into an error or into warnings.
/// Depth and size are bounded; nothing panics.
pub fn decode(body: &[u8], ty: TypeRef, strictness: Strictness) -> Result<Decoded, String> {
    let _ = (body, ty, strictness);
    todo!()
}

/// The same walk over a value already parsed (a patched object): duplicates cannot be seen any more.
pub fn check(object: Value, ty: TypeRef, strictness: Strictness) -> Result<Decoded, String> {
    let _ = (object, ty, strictness);
    todo!()
}

/// Duplicate fields in a JSON text, as complaints.
pub fn duplicates(body: &[u8]) -> Vec<String> {
    let _ = body;
    todo!()
}
