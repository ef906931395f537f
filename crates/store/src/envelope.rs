//! What some values are wrapped in on their way to the disk.

/// Seals values before they are written and opens them when they are read. Memory, and so every reader, has them bare;
/// the store knows neither which values those are nor how it is done.
pub trait Envelope: Send + Sync {
    /// Whether a value for this key could be sealed, if it needs to be. The error is for whoever wants to write it.
    fn check(&self, key: &str) -> Result<(), String>;
    /// The form on disk; `None`: as it is. Called only for what `check` let pass.
    fn seal(&self, key: &str, value: &[u8]) -> Option<Vec<u8>>;
    /// The value that was sealed; `None`: it was not sealed, or cannot be opened and is to be kept as it is.
    fn open(&self, key: &str, stored: &[u8]) -> Option<Vec<u8>>;
}
