//! What Kubernetes knows and this version does not do yet. It is refused, so that nobody relies on it: tables of paths
//! beside the kinds say what, this file walks them.

use crate::at::At;
use meta::field::FieldError;
use serde_json::Value;

/// One row of a table.
pub(crate) struct Unsupported {
    /// Where, from the table's root; `[]` stands for every item: `containers[].stdin`.
    pub path: &'static str,
    /// When it is refused.
    pub when: When,
    /// What to do instead: `leave it out`.
    pub way_out: &'static str,
}

/// Which values are refused.
pub(crate) enum When {
    /// Any that asks for something: not null, `""`, `[]` or `{}`, which charts like to write.
    Set,
    /// `true`.
    True,
    /// `false`.
    False,
    /// Any text but these.
    IsNot(&'static [&'static str]),
    /// Any field but these; each one found is named.
    HasOther(&'static [&'static str]),
}

/// Shorthand for a row.
pub(crate) const fn refuse(path: &'static str, when: When, way_out: &'static str) -> Unsupported {
    Unsupported { path, when, way_out }
}

/// Names every refused field below `root`.
pub(crate) fn check(root: &At<'_>, table: &[Unsupported], errors: &mut Vec<FieldError>) {
    for row in table {
        for at in places(root, row.path) {
            row.check(&at, errors);
        }
    }
}

impl Unsupported {
    fn check(&self, at: &At<'_>, errors: &mut Vec<FieldError>) {
        let is_refused = match self.when {
            When::Set => !is_empty(at.value),
            When::True => at.value == &Value::Bool(true),
            When::False => at.value == &Value::Bool(false),
            When::IsNot(texts) => !at.text().is_empty() && !texts.contains(&at.text()),
            When::HasOther(known) => {
                let fields = at.value.as_object().into_iter().flatten();
                for (field, value) in fields.filter(|(field, _)| !known.contains(&field.as_str())) {
                    if !value.is_null() {
                        errors.push(self.refuse(&at.field(field)));
                    }
                }
                false
            }
        };
        if is_refused {
            errors.push(self.refuse(at));
        }
    }

    fn refuse(&self, at: &At<'_>) -> FieldError {
        at.forbidden(&format!("not supported by this version of kiln: {}", self.way_out))
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Every place that a path leads to.
fn places<'a>(root: &At<'a>, path: &str) -> Vec<At<'a>> {
    path.split('.').fold(vec![root.clone()], |places, part| match part.strip_suffix("[]") {
        Some(list) => places.iter().flat_map(|at| at.field(list).items()).collect(),
        None => places.iter().map(|at| at.field(part)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;
    use serde_json::json;

    #[test]
    fn each_refused_field_is_named_with_the_way_out() {
        let table = [
            refuse("list[].inner.set", When::Set, "leave it out"),
            refuse("flag", When::True, "leave it out"),
            refuse("other", When::False, "leave it out"),
            refuse("policy", When::IsNot(&["A", "B"]), "use A or B"),
            refuse("list[]", When::HasOther(&["inner", "name"]), "use inner"),
        ];
        let object = json!({"spec": {"flag": true, "other": false, "policy": "C",
            "list": [{"name": "a"}, {"inner": {"set": 0}, "more": 1, "less": null}]}});
        let mut errors = Vec::new();
        check(&At::root(&object).field("spec"), &table, &mut errors);
        assert_eq!(
            texts(&errors),
            [
                "spec.list[1].inner.set: Forbidden: not supported by this version of kiln: leave it out",
                "spec.flag: Forbidden: not supported by this version of kiln: leave it out",
                "spec.other: Forbidden: not supported by this version of kiln: leave it out",
                "spec.policy: Forbidden: not supported by this version of kiln: use A or B",
                "spec.list[1].more: Forbidden: not supported by this version of kiln: use inner",
            ]
        );
        let fine = json!({"spec": {"flag": false, "other": true, "policy": "A", "list": [{"inner": {"set": []}}, {"inner": {"set": {}}}, {"inner": {"set": ""}}]}});
        let mut errors = Vec::new();
        check(&At::root(&fine).field("spec"), &table, &mut errors);
        assert_eq!(errors, []);
    }
}
