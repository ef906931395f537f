//! Label and field selectors, as text and as metav1.LabelSelector (K:apimachinery/pkg/labels).

use serde_json::Value;

/// Requirements that must all hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelSelector(());

impl LabelSelector {
    /// Parses `a=b,c!=d,e in (f,g),!h,i`. The error is the API server's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        todo!("{text}")
    }
    /// From metav1.LabelSelector JSON (`matchLabels`, `matchExpressions`). An empty one matches everything.
    pub fn from_json(selector: &Value) -> Result<Self, String> {
        todo!("{selector}")
    }
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// Whether labels match; `get` looks a label up.
    pub fn matches<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        let _ = get("x");
        todo!()
    }
}

/// `metadata.name=x,status.phase!=Running`: (field, equal?, value).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FieldSelector {
    pub terms: Vec<(String, bool, String)>,
}

impl FieldSelector {
    /// Parses the text with its escapes (`\,`, `\=`, `\\`).
    pub fn parse(text: &str) -> Result<Self, String> {
        todo!("{text}")
    }
    pub fn matches(&self, get: impl Fn(&str) -> String) -> bool {
        let _ = get("x");
        todo!()
    }
}
