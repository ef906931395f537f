//! What the table is made of.

use super::TypeRef;

/// An object type: its fields, sorted by name.
#[derive(Debug)]
pub struct Type {
    /// Definition name, e.g. `io.k8s.api.batch.v1.JobSpec`.
    pub name: &'static str,
    /// Group, version and kind of a type that stands alone.
    pub gvk: Option<[&'static str; 3]>,
    /// `x-kubernetes-map-type: atomic`.
    pub atomic: bool,
    /// Fields, sorted by JSON name.
    pub fields: &'static [Field],
}

impl Type {
    /// `JobSpec` of `io.k8s.api.batch.v1.JobSpec`.
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// The field with this JSON name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        let index = self.fields.binary_search_by(|field| field.name.cmp(name)).ok()?;
        Some(&self.fields[index])
    }
}

/// A field of a type.
#[derive(Debug)]
pub struct Field {
    /// JSON name.
    pub name: &'static str,
    /// What it, or each of its items, holds.
    pub kind: Kind,
    /// One value, a list or a map.
    pub shape: Shape,
    /// How server-side apply treats the list.
    pub list_type: ListType,
    /// How a strategic merge patch treats it.
    pub patch: Patch,
    /// The key a strategic merge patch merges list items by; empty for none.
    pub merge_key: &'static str,
    /// `x-kubernetes-map-type: atomic` on the field itself.
    pub atomic: bool,
    /// Listed as required in the definition.
    pub required: bool,
    /// A scalar whose zero (`0`, `""`, `false`) is a value and not absence.
    pub keeps_zero: bool,
    /// Protobuf tag; 0 when it is never in protobuf.
    pub tag: u16,
    /// Tag of the embedded message it lies in, which JSON flattens; 0 for none.
    pub via: u16,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// 32-bit integer.
    Int32,
    /// 64-bit integer.
    Int64,
    /// `true` or `false`.
    Bool,
    /// Floating point.
    Double,
    /// Bytes, base64 in JSON.
    Bytes,
    /// metav1.Time: seconds.
    Time,
    /// metav1.MicroTime: microseconds.
    MicroTime,
    /// resource.Quantity.
    Quantity,
    /// An int32 or a string.
    IntOrString,
    /// runtime.RawExtension: any object.
    Raw,
    /// metav1.FieldsV1: managed fields.
    FieldsV1,
    /// A list of strings as a map's value, a message of its own in protobuf.
    Strings,
    /// Another type of the table.
    Message(TypeRef),
}

/// How many values a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One.
    One,
    /// A list.
    List,
    /// A map with string keys.
    Map,
}

/// `x-kubernetes-list-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListType {
    /// Not a list, or nothing said: atomic in effect.
    Unset,
    /// Owned and replaced whole.
    Atomic,
    /// Scalars, each once.
    Set,
    /// Items told apart by these keys.
    Keyed(&'static [&'static str]),
}

/// `x-kubernetes-patch-strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch {
    /// Lists are replaced, objects merged.
    Default,
    /// Lists are merged.
    Merge,
    /// Lists are merged, and objects keep only the keys named by `$retainKeys`.
    MergeRetainKeys,
    /// Objects keep only the keys named by `$retainKeys`.
    RetainKeys,
    /// Replaced whole.
    Replace,
}

pub(super) const fn field(name: &'static str, kind: Kind, tag: u16) -> Field {
    Field {
        name,
        kind,
        shape: Shape::One,
        list_type: ListType::Unset,
        patch: Patch::Default,
        merge_key: "",
        atomic: false,
        required: false,
        keeps_zero: false,
        tag,
        via: 0,
    }
}

/// What the generated table sets beside the defaults.
impl Field {
    pub(super) const fn list(mut self, list_type: ListType) -> Self {
        self.shape = Shape::List;
        self.list_type = list_type;
        self
    }
    pub(super) const fn map(mut self) -> Self {
        self.shape = Shape::Map;
        self
    }
    pub(super) const fn patch(mut self, patch: Patch, merge_key: &'static str) -> Self {
        self.patch = patch;
        self.merge_key = merge_key;
        self
    }
    pub(super) const fn atomic(mut self) -> Self {
        self.atomic = true;
        self
    }
    pub(super) const fn required(mut self) -> Self {
        self.required = true;
        self
    }
    pub(super) const fn keeps_zero(mut self) -> Self {
        self.keeps_zero = true;
        self
    }
    pub(super) const fn via(mut self, tag: u16) -> Self {
        self.via = tag;
        self
    }
}
