//! Protobuf tags, from k8s-pb's generated structs. Names are matched without case and punctuation, since prost
//! renames both types and fields.

use super::Type;
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::path::Path;

/// A field of a protobuf message.
#[derive(Debug)]
struct Member {
    name: String,
    tag: u16,
    /// The last part of its type's path, when it is one other message.
    message: Option<String>,
}

type Messages = HashMap<String, Vec<Member>>;

/// Sets the tags of every field that has one; returns the names of those that have none.
pub fn add_tags(types: &mut [Type], src: &Path) -> Result<Vec<String>> {
    let mut files: HashMap<String, Messages> = HashMap::new();
    let mut untagged = Vec::new();
    for ty in types {
        let module = module_of(&ty.name);
        if !files.contains_key(&module) {
            let path = src.join(&module).join("mod.rs");
            let text = std::fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
            files.insert(module.clone(), scan(&text)?);
        }
        let messages = &files[&module];
        let own = messages.get(&plain(ty.short())).map_or(&[][..], Vec::as_slice);
        for field in &mut ty.fields {
            // apiVersion and kind travel in the envelope.
            if matches!(field.name.as_str(), "apiVersion" | "kind") && ty.gvk.is_some() {
                continue;
            }
            match find(own, messages, &field.name) {
                Some((tag, via)) => (field.tag, field.via) = (tag, via),
                None => untagged.push(format!("{}.{}", ty.name, field.name)),
            }
        }
    }
    Ok(untagged)
}

/// A field's tag: its own, or that within a message which Go embeds and JSON flattens (`volumeSource`).
fn find(own: &[Member], messages: &Messages, field: &str) -> Option<(u16, u16)> {
    let wanted = plain(field);
    if let Some(member) = own.iter().find(|member| member.name == wanted) {
        return Some((member.tag, 0));
    }
    own.iter().find_map(|outer| {
        let embedded = messages.get(outer.message.as_ref()?)?;
        let inner = embedded.iter().find(|member| member.name == wanted)?;
        Some((inner.tag, outer.tag))
    })
}

/// `api/core/v1` of `io.k8s.api.core.v1.Pod`.
fn module_of(definition: &str) -> String {
    let parts: Vec<&str> = definition.trim_start_matches("io.k8s.").split('.').collect();
    parts[..parts.len() - 1].join("/")
}

fn scan(text: &str) -> Result<Messages> {
    let mut messages = Messages::new();
    let mut current = String::new();
    let mut attribute: Option<(bool, u16)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            current = plain(rest.split([' ', '{']).next().unwrap_or_default());
            messages.insert(current.clone(), Vec::new());
        } else if let Some(rest) = line.strip_prefix("#[prost(") {
            let tag = rest.split("tag = \"").nth(1).and_then(|tag| tag.split('"').next());
            let tag = tag.with_context(|| format!("no tag in {line}"))?.parse()?;
            attribute = Some((rest.starts_with("message, optional"), tag));
        } else if let (Some(rest), Some((is_message, tag))) = (line.strip_prefix("pub "), attribute.take()) {
            let (name, ty) = rest.split_once(':').with_context(|| format!("no type in {line}"))?;
            let message = ty.trim_end_matches([',', '>']).rsplit([':', '<']).next().map(plain);
            if let Some(members) = messages.get_mut(&current) {
                members.push(Member {
                    name: plain(name.trim_start_matches("r#")),
                    tag,
                    message: message.filter(|_| is_message),
                });
            }
        }
    }
    Ok(messages)
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
