//! What may go when the disk is full: images that were pulled and that nothing has used for a while, the longest unused first.
//! The decision is pure and has the kubelet's rules (K:pkg/kubelet/images/image_gc_manager). What was imported stays: no registry
//! would give it back.

use super::index::{Index, Record};
use super::registry::blocking;
use super::store::{self, Directory, Staging};
use super::{ImageError, ImageStore, at};
use jiff::{SignedDuration, Timestamp};
use meta::clock::Clock;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often the kubelet looks (ImageGCPeriod).
pub const PERIOD: Duration = Duration::from_secs(300);
/// A use is noted anew after so long, not by every one of a thousand pods.
const NOTED_AFTER: Duration = Duration::from_secs(30);

/// How full the disk may be. The defaults are the kubelet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// From this share of the file system on, images go; 100 keeps them all.
    pub high_percent: u8,
    /// Until this share is reached.
    pub low_percent: u8,
    /// What was used a shorter while ago stays.
    pub min_age: SignedDuration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { high_percent: 85, low_percent: 80, min_age: SignedDuration::from_secs(120) }
    }
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// All bytes of it.
    pub capacity_bytes: u64,
    /// Bytes that an ordinary user can still write.
    pub available_bytes: u64,
}

/// An image that might go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    /// Its configuration's digest.
    id: String,
    size_bytes: u64,
    last_used: Timestamp,
    is_used: bool,
    is_imported: bool,
}

/// What goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a decision nobody applies is a lost decision"]
struct Choice {
    ids: Vec<String>,
    bytes: u64,
}

/// What a collection came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Names that are no more.
    pub names: Vec<String>,
    /// How much was to be freed.
    pub wanted_bytes: u64,
    /// How much the removed images held, layers that others share included.
    pub freed_bytes: u64,
}

/// How much has to go; none while there is room.
fn wanted(usage: Usage, thresholds: Thresholds) -> Option<u64> {
    let capacity = u128::from(usage.capacity_bytes);
    let available = u128::from(usage.available_bytes.min(usage.capacity_bytes));
    let used_percent = 100 - (available * 100).checked_div(capacity)?;
    let is_full = thresholds.high_percent < 100 && u128::from(thresholds.high_percent) <= used_percent;
    let keep_free = capacity * u128::from(100 - thresholds.low_percent.min(100)) / 100;
    is_full.then(|| u64::try_from(keep_free.saturating_sub(available)).unwrap_or(u64::MAX))
}

/// The longest unused ones, until enough would be free.
fn choose(mut candidates: Vec<Candidate>, wanted_bytes: u64, min_age: SignedDuration, now: Timestamp) -> Choice {
    candidates.sort_by(|a, b| (a.last_used, &a.id).cmp(&(b.last_used, &b.id)));
    let mut choice = Choice::default();
    for candidate in candidates {
        let is_recent = now.duration_since(candidate.last_used) < min_age;
        if candidate.is_used || candidate.is_imported || is_recent {
            continue;
        }
        if wanted_bytes <= choice.bytes {
            break;
        }
        choice.bytes = choice.bytes.saturating_add(candidate.size_bytes);
        choice.ids.push(candidate.id);
    }
    choice
}

impl ImageStore {
    /// The file system that the images are on.
    ///
    /// # Errors
    /// The kernel's.
    pub fn usage(&self) -> Result<Usage, ImageError> {
        let path = self.0.directory.path();
        let disk = rustix::fs::statvfs(path).map_err(|e| at(path, e))?;
        Ok(Usage {
            capacity_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
            available_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
        })
    }

    /// Removes images if a disk of this `usage` is fuller than it may be. What is in use, was used lately or was imported stays.
    /// Blocking; call from `spawn_blocking`.
    ///
    /// # Errors
    /// Of the disk.
    pub fn collect(&self, usage: Usage, thresholds: Thresholds, now: Timestamp) -> Result<Collected, ImageError> {
        let Some(wanted_bytes) = wanted(usage, thresholds) else {
            return Ok(Collected::default());
        };
        let directory = &self.0.directory;
        let trash = directory.staging()?;
        let lock = directory.lock()?;
        let mut index = Index::load(directory)?;
        let choice = choose(candidates(directory, &index)?, wanted_bytes, thresholds.min_age, now);
        let goes = |record: &Record| choice.ids.contains(&record.config);
        let names = index.images.iter().filter(|(_, record)| goes(record)).map(|(name, _)| name.clone()).collect();
        if !choice.ids.is_empty() {
            index.images.retain(|_, record| !goes(record));
            index.save(directory, &lock)?;
        }
        sweep(directory, &index, &trash)?;
        Ok(Collected { names, wanted_bytes, freed_bytes: choice.bytes })
    }
}

/// Looks every five minutes, for ever. What cannot be removed is told in the log and tried again.
pub async fn keep_room(store: ImageStore, thresholds: Thresholds, clock: Arc<dyn Clock>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let (store, now) = (store.clone(), clock.now());
        let collected = blocking(move || store.collect(store.usage()?, thresholds, now)).await;
        match collected {
            Ok(Collected { wanted_bytes: 0, .. }) => {}
            Ok(Collected { names, wanted_bytes, freed_bytes }) if freed_bytes < wanted_bytes => tracing::warn!(
                removed = names.join(" "),
                wanted_bytes,
                freed_bytes,
                "the disk is full, and too few images are unused: free space there"
            ),
            Ok(Collected { names, freed_bytes, .. }) => {
                tracing::info!(removed = names.join(" "), freed_bytes, "removed images: the disk is nearly full");
            }
            Err(error) => tracing::warn!(%error, "could not remove unused images"),
        }
    }
}

/// One for each image, whatever number of names it has.
fn candidates(directory: &Directory, index: &Index) -> Result<Vec<Candidate>, ImageError> {
    let mut candidates: BTreeMap<&str, Candidate> = BTreeMap::new();
    for record in index.images.values() {
        let is_imported = record.pulled.is_none();
        if let Some(known) = candidates.get_mut(record.config.as_str()) {
            known.is_imported |= is_imported;
            continue;
        }
        let candidate = Candidate {
            id: record.config.clone(),
            size_bytes: record.size_bytes,
            last_used: last_used(&directory.blob(&record.config)),
            is_used: record.is_used(directory),
            is_imported,
        };
        candidates.insert(&record.config, candidate);
    }
    Ok(candidates.into_values().collect())
}

/// The time of an image's configuration says when the image was last used. One that is gone was never used.
fn last_used(blob: &Path) -> Timestamp {
    let modified = std::fs::metadata(blob).and_then(|metadata| metadata.modified()).ok();
    modified.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or(Timestamp::MIN)
}

/// Notes that the image of this configuration is used now.
pub(super) fn note_use(blob: &Path) {
    let modified = std::fs::metadata(blob).and_then(|metadata| metadata.modified()).ok();
    // A time in the future, from another clock, counts as old.
    let is_fresh = modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age < NOTED_AFTER);
    if !is_fresh && let Err(error) = store::renew(blob) {
        tracing::debug!(%error, "could not note the use of an image");
    }
}

/// Moves layers and configurations that no name needs to `trash`. Under the lock, so that no import counts on it meanwhile.
pub(super) fn sweep(directory: &Directory, index: &Index, trash: &Staging) -> Result<(), ImageError> {
    let records = || index.images.values();
    let layers: HashSet<PathBuf> = records().flat_map(|r| &r.layers).map(|l| directory.layer(l)).collect();
    let blobs: HashSet<PathBuf> = records().map(|record| directory.blob(&record.config)).collect();
    for blob in store::entries(&directory.blobs())? {
        if !blobs.contains(&blob) {
            std::fs::remove_file(&blob).map_err(|e| at(&blob, e))?;
        }
    }
    let mut unused = store::entries(&directory.layers())?;
    unused.retain(|layer| !layers.contains(layer));
    for (i, layer) in unused.iter().enumerate() {
        store::move_unheld(layer, &trash.path().join(i.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(used_percent: u64, thresholds: Thresholds, expect: Option<u64>) {
        let usage = Usage { capacity_bytes: 1000, available_bytes: 1000 - used_percent * 10 };
        assert_eq!(wanted(usage, thresholds), expect, "{used_percent}% used");
    }

    #[test]
    fn nothing_goes_below_the_high_threshold_and_then_down_to_the_low_one() {
        let usual = Thresholds::default();
        check(84, usual, None);
        check(85, usual, Some(50));
        check(99, usual, Some(190));
        check(100, usual, Some(200));
        check(100, Thresholds { high_percent: 100, ..usual }, None);
        check(0, Thresholds { high_percent: 0, low_percent: 0, ..usual }, Some(0));
        assert_eq!(wanted(Usage { capacity_bytes: 0, available_bytes: 0 }, usual), None);
        let odd = Usage { capacity_bytes: u64::MAX, available_bytes: 0 };
        assert!(wanted(odd, usual).is_some());
    }

    fn candidate(id: &str, last_used: i64) -> Candidate {
        let last_used = Timestamp::from_second(last_used).unwrap();
        Candidate { id: id.into(), size_bytes: 10, last_used, is_used: false, is_imported: false }
    }

    fn chosen(candidates: Vec<Candidate>, wanted_bytes: u64) -> Vec<String> {
        let now = Timestamp::from_second(1000).unwrap();
        choose(candidates, wanted_bytes, SignedDuration::from_secs(120), now).ids
    }

    #[test]
    fn the_longest_unused_goes_first_and_no_more_than_needed() {
        let all = || vec![candidate("newer", 200), candidate("oldest", 1), candidate("older", 100)];
        assert_eq!(chosen(all(), 1), ["oldest"]);
        assert_eq!(chosen(all(), 11), ["oldest", "older"]);
        assert_eq!(chosen(all(), 1_000), ["oldest", "older", "newer"]);
        assert_eq!(chosen(all(), 0), [""; 0]);
    }

    #[test]
    fn what_is_used_recent_or_imported_stays_however_full_the_disk_is() {
        let used = Candidate { is_used: true, ..candidate("used", 1) };
        let imported = Candidate { is_imported: true, ..candidate("imported", 1) };
        let (recent, old) = (candidate("recent", 881), candidate("old", 880));
        let of_the_future = candidate("future", 5000);
        assert_eq!(chosen(vec![used, imported, recent, old, of_the_future], u64::MAX), ["old"]);
    }
}
