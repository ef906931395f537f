//! How much an archive may ask of this machine. A few kilobytes can claim to be terabytes; these bounds stop them with an error
//! that names the archive and the bound.

use super::ImageError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Bounds on one import. The defaults let every honest image pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Unpacked bytes of one image, all layers together; also of a decompressed archive.
    pub image_bytes: u64,
    /// Files, directories and links in one image, all layers together.
    pub entries: u64,
    /// Unpacked bytes for each packed byte, once `RATIO_FREE_BYTES` have come out.
    pub ratio: u64,
    /// Layers of one image; overlay mounts take no more.
    pub layers: usize,
    /// Bytes of a manifest, index or configuration.
    pub document_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { image_bytes: 64 << 30, entries: 4_000_000, ratio: 500, layers: 128, document_bytes: 8 << 20 }
    }
}

/// Small streams may be as compressible as they like: an empty disk image or a layer of zeros is no attack.
const RATIO_FREE_BYTES: u64 = 256 << 20;

/// What one image has used so far; its layers may be unpacked at once.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    bytes: AtomicU64,
    entries: AtomicU64,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, bytes: AtomicU64::new(0), entries: AtomicU64::new(0) }
    }

    /// Counts one entry of `size` bytes before a byte of it is written.
    pub(super) fn take_entry(&self, size: u64) -> Result<(), ImageError> {
        let entries = 1 + self.entries.fetch_add(1, Relaxed);
        // Saturating: an entry may claim any size.
        let add = |bytes: u64| Some(bytes.saturating_add(size));
        let before = self.bytes.fetch_update(Relaxed, Relaxed, add).unwrap_or_default();
        let bytes = before.saturating_add(size);
        check_entries(entries, self.limits)?;
        if self.limits.image_bytes < bytes {
            return Err(too_much("unpacked bytes", self.limits.image_bytes, "--max-bytes"));
        }
        Ok(())
    }
}

/// Judges a number of entries.
pub(super) fn check_entries(entries: u64, limits: Limits) -> Result<(), ImageError> {
    if limits.entries < entries {
        return Err(too_much("entries", limits.entries, "--max-entries"));
    }
    Ok(())
}

impl Limits {
    /// Judges a stream of which `packed` bytes have become `unpacked` bytes.
    pub(super) fn check_stream(&self, packed: u64, unpacked: u64) -> Result<(), ImageError> {
        let too_dense = RATIO_FREE_BYTES < unpacked && packed.saturating_mul(self.ratio) < unpacked;
        if too_dense {
            return Err(too_much("unpacked bytes for each packed byte", self.ratio, "--max-ratio"));
        }
        // A tar carries its headers and padding beside what it unpacks to.
        let headroom = self.entries.saturating_mul(4096);
        if self.image_bytes.saturating_add(headroom) < unpacked {
            return Err(too_much("unpacked bytes", self.image_bytes, "--max-bytes"));
        }
        Ok(())
    }
}

fn too_much(what: &str, limit: u64, flag: &str) -> ImageError {
    ImageError::Broken(format!(
        "more than {limit} {what} (`{flag} N` of `kiln image import` and `pull` sets this limit)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_at_the_edge() {
        let limits = Limits { image_bytes: 10, entries: 2, ..Limits::default() };
        let budget = Budget::new(limits);
        budget.take_entry(10).unwrap();
        budget.take_entry(0).unwrap();
        let error = budget.take_entry(0).unwrap_err().to_string();
        assert_eq!(error, "more than 2 entries (`--max-entries N` of `kiln image import` and `pull` sets this limit)");
        let budget = Budget::new(limits);
        let error = budget.take_entry(u64::MAX).unwrap_err().to_string();
        assert_eq!(
            error,
            "more than 10 unpacked bytes (`--max-bytes N` of `kiln image import` and `pull` sets this limit)"
        );
    }

    #[test]
    fn a_small_stream_may_be_dense_and_a_big_one_may_not() {
        let limits = Limits::default();
        limits.check_stream(1, RATIO_FREE_BYTES).unwrap();
        limits.check_stream(RATIO_FREE_BYTES, RATIO_FREE_BYTES * 200).unwrap();
        let error = limits.check_stream(1, RATIO_FREE_BYTES + 1).unwrap_err().to_string();
        assert!(error.starts_with("more than 500 unpacked bytes for each packed byte"), "{error}");
    }
}
