//! Objects of which only the metadata is sent, and lists of them. No schema document describes these two.
//!
//! v1: PartialObjectMetadata { 1: metadata } · PartialObjectMetadataList { 1: metadata, 2: items }
//! v1beta1 has the list's two fields the other way round.

use super::encode::message;
use super::wire::Writer;
use kinds::schema;
use serde_json::Value;

type Result<T> = std::result::Result<T, String>;

/// `None` when the kind is neither of the two.
pub(super) fn encode(api_version: &str, kind: &str, object: &Value) -> Result<Option<Vec<u8>>> {
    let (metadata_tag, items_tag) = match api_version {
        "meta.k8s.io/v1" => (1, 2),
        "meta.k8s.io/v1beta1" => (2, 1),
        _ => return Ok(None),
    };
    match kind {
        "PartialObjectMetadata" => one(object).map(Some),
        "PartialObjectMetadataList" => {
            let mut list = Writer::default();
            let metadata = part("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta", &object["metadata"])?;
            let items = object["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let items = items.iter().map(one).collect::<Result<Vec<_>>>()?;
            // Fields come in the order of their tags.
            if metadata_tag < items_tag {
                list.bytes(metadata_tag, &metadata);
            }
            items.iter().for_each(|item| list.bytes(items_tag, item));
            if items_tag < metadata_tag {
                list.bytes(metadata_tag, &metadata);
            }
            Ok(Some(list.finish()))
        }
        _ => Ok(None),
    }
}

fn one(object: &Value) -> Result<Vec<u8>> {
    let mut partial = Writer::default();
    partial.bytes(1, &part("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", &object["metadata"])?);
    Ok(partial.finish())
}

fn part(definition: &str, value: &Value) -> Result<Vec<u8>> {
    let ty = schema::lookup(definition).ok_or_else(|| format!("{definition} is not in the schema table"))?;
    message(value.as_object().ok_or("metadata is not an object")?, ty.ty())
}
