//! Rules for names, labels and annotations (K:apimachinery/util/validation), and generated names.

use crate::clock::Entropy;

/// What is wrong with `value` as a DNS-1123 label; empty when nothing is.
pub fn dns_label_errors(value: &str) -> Vec<String> {
    todo!("{value}")
}
/// What is wrong with `value` as a DNS-1123 subdomain; empty when nothing is.
pub fn dns_subdomain_errors(value: &str) -> Vec<String> {
    todo!("{value}")
}
/// What is wrong with `value` as a label or annotation key (`prefix/name`).
pub fn qualified_name_errors(value: &str) -> Vec<String> {
    todo!("{value}")
}
/// What is wrong with `value` as a label's value.
pub fn label_value_errors(value: &str) -> Vec<String> {
    todo!("{value}")
}
/// `prefix` cut to 58 bytes plus five characters of `bcdfghjklmnpqrstvwxz2456789`.
pub fn generate(prefix: &str, entropy: &dyn Entropy) -> String {
    let _ = entropy;
    todo!("{prefix}")
}
/// A random UUID (version 4), as metadata.uid holds.
pub fn uid(entropy: &dyn Entropy) -> String {
    let _ = entropy;
    todo!()
}
