//! Time and randomness as parameters. Only the traits stand here: `kiln` reads the machine's, `sim` its own.

use jiff::Timestamp;

/// Tells the wall clock's time.
pub trait Clock: Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// A source of random bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}
