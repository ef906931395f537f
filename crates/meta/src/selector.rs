//! Label and field selectors, as text and as metav1.LabelSelector (K:apimachinery/pkg/labels, pkg/fields).

mod fields;
mod labels;
mod lexer;

pub use fields::FieldSelector;
pub use labels::LabelSelector;
