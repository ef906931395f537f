//! resource.Quantity: `500m`, `128Mi`, `1E`, `0.5` (K:apimachinery/pkg/api/resource).

/// A quantity with its suffix family kept for canonical printing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity(());

impl std::str::FromStr for Quantity {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        todo!("{text}")
    }
}
impl Quantity {
    /// The canonical text: `0.5` → `500m`.
    pub fn canonical(&self) -> String {
        todo!()
    }
    /// Rounded up to whole units (bytes, cores); saturates.
    pub fn value(&self) -> i64 {
        todo!()
    }
    /// Rounded up to thousandths; saturates.
    pub fn milli_value(&self) -> i64 {
        todo!()
    }
}
