//! Rules for names, labels and annotations (K:apimachinery/util/validation), and generated names.

use crate::clock::Entropy;
use std::fmt::Write;

const LABEL_LENGTH: usize = 63;
const SUBDOMAIN_LENGTH: usize = 253;
const PORT_NAME_LENGTH: usize = 15;
const GENERATED_PREFIX_LENGTH: usize = 58;
const GENERATED_SUFFIX_LENGTH: usize = 5;
/// No vowels, and nothing that reads like another character: names that spell nothing.
const GENERATED_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const LABEL_REGEX: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const SUBDOMAIN_REGEX: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const QUALIFIED_RULE: &str =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const LABEL_1035_RULE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const LABEL_1035_REGEX: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_REGEX: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const LABEL_VALUE_REGEX: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const CONFIG_KEY_RULE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
const CONFIG_KEY_REGEX: &str = "[-._a-zA-Z0-9]+";
const UNDERSCORE_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
const UNDERSCORE_REGEX: &str = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*";
const HEADER_RULE: &str = "a valid HTTP header must consist of alphanumeric characters or '-'";
const HEADER_REGEX: &str = "[-A-Za-z0-9]+";
const PATH_REGEX: &str = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";

/// What is wrong with `value` as a DNS-1123 label; empty when nothing is.
pub fn dns_label_errors(value: &str) -> Vec<String> {
    let mut errors = too_long(value, LABEL_LENGTH);
    if is_dns_label(value) {
        return errors;
    }
    errors.push(match is_dns_subdomain(value) {
        true => "must not contain dots".to_owned(),
        false => rule(LABEL_RULE, LABEL_REGEX, &["my-name", "123-abc"]),
    });
    errors
}

/// What is wrong with `value` as a DNS-1035 label, which begins with a letter; empty when nothing is.
pub fn dns_1035_label_errors(value: &str) -> Vec<String> {
    let mut errors = too_long(value, LABEL_LENGTH);
    let begins_with_letter = value.starts_with(|first: char| first.is_ascii_lowercase());
    if !begins_with_letter || !is_dns_label(value) {
        errors.push(rule(LABEL_1035_RULE, LABEL_1035_REGEX, &["my-name", "abc-123"]));
    }
    errors
}

/// What is wrong with `value` as a DNS-1123 subdomain; empty when nothing is.
pub fn dns_subdomain_errors(value: &str) -> Vec<String> {
    let mut errors = too_long(value, SUBDOMAIN_LENGTH);
    if !is_dns_subdomain(value) {
        errors.push(rule(SUBDOMAIN_RULE, SUBDOMAIN_REGEX, &["example.com"]));
    }
    errors
}

/// What is wrong with `value` as a domain to search names in: a DNS-1123 subdomain that may hold underscores.
pub fn dns_subdomain_with_underscore_errors(value: &str) -> Vec<String> {
    let mut errors = too_long(value, SUBDOMAIN_LENGTH);
    let is_label = |label: &str| {
        let body = label.strip_prefix('_').unwrap_or(label);
        let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends_well = body.bytes().next().is_some_and(alphanumeric) && body.bytes().last().is_some_and(alphanumeric);
        ends_well && body.bytes().all(|byte| alphanumeric(byte) || matches!(byte, b'-' | b'_'))
    };
    if !value.split('.').all(is_label) {
        errors.push(rule(UNDERSCORE_RULE, UNDERSCORE_REGEX, &["example.com"]));
    }
    errors
}

/// What is wrong with `value` as the name of an HTTP header.
pub fn http_header_errors(value: &str) -> Vec<String> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Vec::new();
    }
    vec![rule(HEADER_RULE, HEADER_REGEX, &["X-Header-Name"])]
}

/// What is wrong with `value` as a segment of a path (K:apimachinery/pkg/api/validation/path); empty when nothing is.
pub fn path_segment_errors(value: &str) -> Vec<String> {
    if matches!(value, "." | "..") {
        return vec![format!("may not be '{value}'")];
    }
    let forbidden = ['/', '%'].into_iter().filter(|character| value.contains(*character));
    forbidden.map(|character| format!("may not contain '{character}'")).collect()
}

/// What is wrong with `value` as a label or annotation key (`prefix/name`).
pub fn qualified_name_errors(value: &str) -> Vec<String> {
    let qualified_rule = || rule(QUALIFIED_RULE, QUALIFIED_REGEX, &["MyName", "my.name", "123-abc"]);
    let mut errors = Vec::new();
    let name = match value.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        ["", name] => {
            errors.push("prefix part must be non-empty".to_owned());
            *name
        }
        [prefix, name] => {
            let wrong = dns_subdomain_errors(prefix);
            errors.extend(wrong.into_iter().map(|text| format!("prefix part {text}")));
            *name
        }
        _ => {
            let rule = qualified_rule();
            return vec![format!(
                "a qualified name {rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    }
    let too_long = too_long(name, LABEL_LENGTH);
    errors.extend(too_long.into_iter().map(|text| format!("name part {text}")));
    if !is_qualified_part(name) {
        errors.push(format!("name part {}", qualified_rule()));
    }
    errors
}

/// What is wrong with `value` as a label's value.
pub fn label_value_errors(value: &str) -> Vec<String> {
    let mut errors = too_long(value, LABEL_LENGTH);
    if !value.is_empty() && !is_qualified_part(value) {
        let examples = ["MyValue", "my_value", "12345"];
        errors.push(rule(LABEL_VALUE_RULE, LABEL_VALUE_REGEX, &examples));
    }
    errors
}

/// What is wrong with `value` as a key of a ConfigMap or Secret, which becomes a file name.
pub fn config_key_errors(value: &str) -> Vec<String> {
    let mut errors = too_long(value, SUBDOMAIN_LENGTH);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if value.is_empty() || !value.bytes().all(allowed) {
        let examples = ["key.name", "KEY_NAME", "key-name"];
        errors.push(rule(CONFIG_KEY_RULE, CONFIG_KEY_REGEX, &examples));
    }
    match value {
        "." => errors.push("must not be '.'".to_owned()),
        ".." => errors.push("must not be '..'".to_owned()),
        _ if value.starts_with("..") => errors.push("must not start with '..'".to_owned()),
        _ => {}
    }
    errors
}

/// What is wrong with `value` as the name of an environment variable.
pub fn env_name_errors(value: &str) -> Vec<String> {
    let allowed = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    if !value.is_empty() && value.bytes().all(allowed) {
        return Vec::new();
    }
    vec!["a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned()]
}

/// What is wrong with `value` as the name of a port.
pub fn port_name_errors(value: &str) -> Vec<String> {
    let mut errors = too_long(value, PORT_NAME_LENGTH);
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let mut complain = |text: &str| errors.push(text.to_owned());
    if value.is_empty() || !value.bytes().all(allowed) {
        complain("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !value.bytes().any(|byte| byte.is_ascii_lowercase()) {
        complain("must contain at least one letter (a-z)");
    }
    if value.contains("--") {
        complain("must not contain consecutive hyphens");
    }
    if value.starts_with('-') || value.ends_with('-') {
        complain("must not begin or end with a hyphen");
    }
    errors
}

/// What is wrong with `value` as a domain and a path (`acme.io/foo`): pairs of the offending part and the text.
pub fn domain_prefixed_path_errors(value: &str) -> Vec<(String, String)> {
    let shape = "must be a domain-prefixed path (such as \"acme.io/foo\")";
    let Some((domain, path)) = value.split_once('/') else {
        return vec![(value.to_owned(), shape.to_owned())];
    };
    if domain.is_empty() || path.is_empty() {
        return vec![(value.to_owned(), shape.to_owned())];
    }
    let mut errors: Vec<_> = dns_subdomain_errors(domain).into_iter().map(|text| (domain.to_owned(), text)).collect();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
    if !path.bytes().all(allowed) {
        errors.push((path.to_owned(), rule("Invalid path", PATH_REGEX, &[])));
    }
    errors
}

/// `prefix` cut to 58 bytes plus five characters of `bcdfghjklmnpqrstvwxz2456789`.
pub fn generate(prefix: &str, entropy: &dyn Entropy) -> String {
    let end = prefix.floor_char_boundary(GENERATED_PREFIX_LENGTH);
    let mut name = prefix[..end].to_owned();
    name.push_str(&random_suffix(entropy));
    name
}

/// Five characters of `bcdfghjklmnpqrstvwxz2456789`.
pub fn random_suffix(entropy: &dyn Entropy) -> String {
    // Bytes from 243 up would favour the first characters: 243 is the largest multiple of 27 in a byte.
    let fair = 243;
    let mut suffix = String::new();
    while suffix.len() < GENERATED_SUFFIX_LENGTH {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        let missing = GENERATED_SUFFIX_LENGTH - suffix.len();
        let usable = bytes.into_iter().filter(|byte| *byte < fair);
        suffix.extend(usable.take(missing).map(|byte| {
            let index = usize::from(byte) % GENERATED_ALPHABET.len();
            char::from(GENERATED_ALPHABET[index])
        }));
    }
    suffix
}

/// A random UUID (version 4), as metadata.uid holds.
pub fn uid(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut uid = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            uid.push('-');
        }
        write!(uid, "{byte:02x}").expect("writing to a String cannot fail");
    }
    uid
}

fn is_dns_label(value: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = value.as_bytes();
    let ends_well = bytes.first().copied().is_some_and(alphanumeric) && bytes.last().copied().is_some_and(alphanumeric);
    ends_well && bytes.iter().all(|byte| alphanumeric(*byte) || *byte == b'-')
}

fn is_dns_subdomain(value: &str) -> bool {
    value.split('.').all(is_dns_label)
}

/// A label's value, or the name part of its key.
fn is_qualified_part(value: &str) -> bool {
    let bytes = value.as_bytes();
    let ends_well =
        bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.last().is_some_and(u8::is_ascii_alphanumeric);
    ends_well && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn too_long(value: &str, max_bytes: usize) -> Vec<String> {
    if value.len() <= max_bytes {
        return Vec::new();
    }
    vec![format!("must be no more than {max_bytes} bytes")]
}

/// A rule with examples and the regular expression behind it. The two spaces before "or" are Kubernetes' own.
fn rule(text: &str, regex: &str, examples: &[&str]) -> String {
    let mut rule = format!("{text} (");
    if !examples.is_empty() {
        let quoted: Vec<String> = examples.iter().map(|one| format!("'{one}', ")).collect();
        rule.push_str("e.g. ");
        rule.push_str(&quoted.join(" or "));
    }
    rule.push_str("regex used for validation is '");
    rule.push_str(regex);
    rule.push_str("')");
    rule
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    const SUBDOMAIN: &str = r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

    #[track_caller]
    fn check(rule: fn(&str) -> Vec<String>, value: &str, expect: &[&str]) {
        assert_eq!(rule(value), expect, "for {value:?}");
    }

    #[test]
    fn dns_labels_are_lower_case_words_with_hyphens() {
        for good in ["a", "0", "my-name", "123-abc", &"a".repeat(63)] {
            check(dns_label_errors, good, &[]);
        }
        for bad in ["", "-a", "a-", "A", "a_b", "é", "a b"] {
            check(dns_label_errors, bad, &[LABEL]);
        }
        check(dns_label_errors, "a.b", &["must not contain dots"]);
        let long = "a".repeat(64);
        check(dns_label_errors, &long, &["must be no more than 63 bytes"]);
        let long_and_bad = "A".repeat(64);
        check(dns_label_errors, &long_and_bad, &["must be no more than 63 bytes", LABEL]);
    }

    #[test]
    fn dns_subdomains_are_labels_joined_by_dots() {
        for good in ["a", "a.b", "1.2-3.c", &"a".repeat(253)] {
            check(dns_subdomain_errors, good, &[]);
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a.-b", "My.name", "a_b"] {
            check(dns_subdomain_errors, bad, &[SUBDOMAIN]);
        }
        let long = "a".repeat(254);
        check(dns_subdomain_errors, &long, &["must be no more than 253 bytes"]);
    }

    #[test]
    fn search_domains_may_hold_underscores_and_headers_are_words() {
        for good in ["a", "_tcp.example", "a_b.c-d", "svc.cluster.local"] {
            check(dns_subdomain_with_underscore_errors, good, &[]);
        }
        let wrong = r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
        for bad in ["", "_", "a_", "A", "a..b", "__a"] {
            check(dns_subdomain_with_underscore_errors, bad, &[wrong]);
        }
        check(http_header_errors, "X-Header", &[]);
        let wrong = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
        for bad in ["", "a b", "a:"] {
            check(http_header_errors, bad, &[wrong]);
        }
    }

    #[test]
    fn label_keys_have_a_name_and_perhaps_a_prefix() {
        for good in ["a", "A.b_c-d", "example.com/MyName", "1/2"] {
            check(qualified_name_errors, good, &[]);
        }
        let name_part = format!("name part {QUALIFIED}");
        check(qualified_name_errors, "", &["name part must be non-empty", &name_part]);
        check(qualified_name_errors, "a b", &[&name_part]);
        check(qualified_name_errors, "/a", &["prefix part must be non-empty"]);
        check(qualified_name_errors, "A/b", &[&format!("prefix part {SUBDOMAIN}")]);
        check(
            qualified_name_errors,
            "a/b/c",
            &[&format!(
                "a qualified name {QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )],
        );
        check(qualified_name_errors, &"a".repeat(64), &["name part must be no more than 63 bytes"]);
    }

    #[test]
    fn label_values_may_be_empty() {
        for good in ["", "a", "A.b_c-9", &"a".repeat(63)] {
            check(label_value_errors, good, &[]);
        }
        for bad in ["-a", "a-", "a b", "a/b", "."] {
            check(label_value_errors, bad, &[VALUE]);
        }
        check(label_value_errors, &"a".repeat(64), &["must be no more than 63 bytes"]);
    }

    #[test]
    fn config_keys_are_file_names_that_stay_in_their_directory() {
        for good in ["a", ".a", "A_b-c.d"] {
            check(config_key_errors, good, &[]);
        }
        check(config_key_errors, "", &[CONFIG_KEY]);
        check(config_key_errors, "a/b", &[CONFIG_KEY]);
        check(config_key_errors, ".", &["must not be '.'"]);
        check(config_key_errors, "..", &["must not be '..'"]);
        check(config_key_errors, "..a", &["must not start with '..'"]);
        check(config_key_errors, "...", &["must not start with '..'"]);
    }

    #[test]
    fn environment_variables_may_be_named_almost_anything() {
        let wrong = "a valid environment variable name must consist only of printable ASCII characters other than '='";
        for good in ["A", "a.b", "1", "a b"] {
            check(env_name_errors, good, &[]);
        }
        for bad in ["", "a=b", "é", "a\n"] {
            check(env_name_errors, bad, &[wrong]);
        }
    }

    #[test]
    fn port_names_are_short_and_hold_a_letter() {
        check(port_name_errors, "http-8080", &[]);
        check(port_name_errors, "8080", &["must contain at least one letter (a-z)"]);
        check(port_name_errors, "a--b", &["must not contain consecutive hyphens"]);
        check(port_name_errors, "a-", &["must not begin or end with a hyphen"]);
        check(port_name_errors, "abcdefghijklmnop", &["must be no more than 15 bytes"]);
        check(port_name_errors, "aB", &["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]);
    }

    #[test]
    fn domain_prefixed_paths_have_both_parts() {
        let shape = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        assert!(domain_prefixed_path_errors("acme.io/foo/bar").is_empty());
        for bad in ["acme.io", "/foo", "acme.io/", ""] {
            let expect = vec![(bad.to_owned(), shape.to_owned())];
            assert_eq!(domain_prefixed_path_errors(bad), expect);
        }
        let expect = vec![("Acme".to_owned(), SUBDOMAIN.to_owned())];
        assert_eq!(domain_prefixed_path_errors("Acme/x"), expect);
        assert_eq!(
            domain_prefixed_path_errors("a/b c"),
            [(
                "b c".to_owned(),
                r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')".to_owned()
            )]
        );
    }

    /// Counts up, so that every byte value is met.
    struct Counting(AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill_with(|| self.0.fetch_add(1, Relaxed));
        }
    }
    fn counting_from(start: u8) -> Counting {
        Counting(AtomicU8::new(start))
    }

    #[test]
    fn generated_names_are_cut_so_that_the_suffix_fits() {
        assert_eq!(generate("pi-", &counting_from(0)), "pi-bcdfg");
        let long = generate(&"a".repeat(80), &counting_from(0));
        assert_eq!(long, format!("{}bcdfg", "a".repeat(58)));
        let cut_inside_a_character = generate(&"é".repeat(40), &counting_from(0));
        assert_eq!(cut_inside_a_character, format!("{}bcdfg", "é".repeat(29)));
    }

    #[test]
    fn bytes_that_would_favour_some_characters_are_thrown_away() {
        assert_eq!(generate("", &counting_from(241)), "89bcd");
    }

    #[test]
    fn uids_are_version_four_uuids() {
        assert_eq!(uid(&counting_from(0)), "00010203-0405-4607-8809-0a0b0c0d0e0f");
        assert_eq!(uid(&counting_from(240)), "f0f1f2f3-f4f5-46f7-b8f9-fafbfcfdfeff");
    }
}
