//! The table as Rust: one line a field, with only what differs from the default.

use super::{Field, Kind, Shape, Type};
use std::collections::HashMap;
use std::fmt::Write;

/// The text of `table.rs`.
pub fn table(types: &[Type]) -> String {
    let constants: HashMap<&str, String> = types.iter().map(|ty| (ty.name.as_str(), constant(&ty.name))).collect();
    let mut text = String::from(
        "//! Written by `cargo run -p xtask -- schema`: Kubernetes v1.36 types. Do not edit.\n\n\
         use super::types::{Kind, ListType::*, Patch::*, Type, field as f};\n\
         use super::TypeRef;\n\
         use Kind::*;\n\n",
    );
    let is_used = |name: &str| {
        let target = Kind::Message(name.to_owned());
        types.iter().flat_map(|ty| &ty.fields).any(|field| field.kind == target)
    };
    for (index, ty) in types.iter().enumerate().filter(|(_, ty)| is_used(&ty.name)) {
        writeln!(text, "const {}: Kind = Message(TypeRef({index}));", constants[ty.name.as_str()])
            .expect("writing to a String does not fail");
    }
    text.push_str("\n/// Sorted by name; a `TypeRef` is an index.\npub(super) static TYPES: &[Type] = &[\n");
    for ty in types {
        let gvk = match &ty.gvk {
            Some([group, version, kind]) => format!("Some([{group:?}, {version:?}, {kind:?}])"),
            None => "None".to_owned(),
        };
        let atomic = ty.atomic;
        writeln!(text, "Type {{ name: {:?}, gvk: {gvk}, atomic: {atomic}, fields: &[", ty.name)
            .expect("writing to a String does not fail");
        for field in &ty.fields {
            writeln!(text, "    {},", line(field, &constants)).expect("writing to a String does not fail");
        }
        text.push_str("] },\n");
    }
    text.push_str("];\n");
    text
}

fn line(field: &Field, constants: &HashMap<&str, String>) -> String {
    let kind = match &field.kind {
        Kind::Scalar(scalar) => (*scalar).to_owned(),
        Kind::Message(target) => constants[target.as_str()].clone(),
    };
    let mut text = format!("f({:?}, {kind}, {})", field.name, field.tag);
    let mut add = |part: String| text.push_str(&part);
    if field.via != 0 {
        add(format!(".via({})", field.via));
    }
    match (field.shape, field.list_type.as_deref()) {
        (Shape::One, _) => {}
        (Shape::Map, _) => add(".map()".to_owned()),
        (Shape::List, None) => add(".list(Unset)".to_owned()),
        (Shape::List, Some("atomic")) => add(".list(Atomic)".to_owned()),
        (Shape::List, Some("set")) => add(".list(Set)".to_owned()),
        (Shape::List, Some(_)) => add(format!(".list(Keyed(&{:?}))", field.list_keys)),
    }
    let merge_key = field.merge_key.as_deref().unwrap_or_default();
    match field.patch_strategy.as_deref() {
        None => {}
        Some("merge") => add(format!(".patch(Merge, {merge_key:?})")),
        Some("merge,retainKeys") => add(format!(".patch(MergeRetainKeys, {merge_key:?})")),
        Some("retainKeys") => add(format!(".patch(RetainKeys, {merge_key:?})")),
        Some(_) => add(format!(".patch(Replace, {merge_key:?})")),
    }
    if field.atomic {
        add(".atomic()".to_owned());
    }
    if field.required {
        add(".required()".to_owned());
    }
    if field.keeps_zero {
        add(".keeps_zero()".to_owned());
    }
    text
}

/// `CORE_V1_ENV_VAR` of `io.k8s.api.core.v1.EnvVar`.
fn constant(definition: &str) -> String {
    let mut parts = definition.rsplit('.');
    let (name, version, group) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut constant = format!("{group}_{version}");
    let mut after_upper = true;
    for (index, c) in name.char_indices() {
        let next_is_lower = name[index + c.len_utf8()..].starts_with(|c: char| c.is_ascii_lowercase());
        let starts_word = c.is_ascii_uppercase() && (!after_upper || next_is_lower || index == 0);
        if starts_word {
            constant.push('_');
        }
        after_upper = c.is_ascii_uppercase();
        constant.push(c);
    }
    constant.to_ascii_uppercase()
}
