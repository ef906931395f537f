//! Descriptions of ConfigMaps, and of Secrets, whose values stay secret. Pure.

use serde_json::Value;

use super::page::{Page, sorted, text_or};

fn head(page: &mut Page, object: &Value) {
    page.field("Name", meta::object::name(object));
    page.field("Namespace", meta::object::namespace(object));
    page.labels("Labels", &object["metadata"]["labels"]);
    page.annotations("Annotations", &object["metadata"]["annotations"]);
}

/// Every key with its value.
pub fn config_map(page: &mut Page, map: &Value) {
    head(page, map);
    page.line("\nData\n====");
    for (key, value) in sorted(&map["data"]) {
        page.line(format!("{key}:\n----\n{}\n", text_or(value, "")));
    }
    page.line("\nBinaryData\n====");
    for (key, value) in sorted(&map["binaryData"]) {
        page.line(format!("{key}: {} bytes", n_bytes(value)));
    }
    page.line("");
}

/// Every key with its value's length.
pub fn secret(page: &mut Page, secret: &Value) {
    head(page, secret);
    page.line(format!("\nType:\t{}", text_or(&secret["type"], "")));
    page.line("\nData\n====");
    for (key, value) in sorted(&secret["data"]) {
        page.line(format!("{key}:\t{} bytes", n_bytes(value)));
    }
}

/// How much a text in base64 stands for.
fn n_bytes(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default().trim_end_matches('=');
    text.len() * 3 / 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_show_only_how_long_they_are() {
        let mut page = Page::default();
        secret(
            &mut page,
            &json!({ "metadata": { "name": "s" }, "type": "Opaque", "data": { "a": "cGFzcw==", "b": "" } }),
        );
        let text = page.finish();
        assert!(text.ends_with("\nType:  Opaque\n\nData\n====\na:  4 bytes\nb:  0 bytes\n"), "{text}");
        assert!(!text.contains("cGFzcw"));
    }
}
