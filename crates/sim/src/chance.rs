//! The world's clock and dice, both given by the seed.

use jiff::{SignedDuration, Timestamp};
use meta::clock::{Alarm, Clock, Entropy};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

/// Midnight of the first of January 2026, when every simulated world begins.
pub const BEGINNING: i64 = 1_767_225_600;

/// Tells the time of tokio's paused clock as a wall clock, which somebody may set.
#[derive(Debug)]
pub struct VirtualClock {
    began: Instant,
    /// How far it has been set forward, or back.
    step: watch::Sender<SignedDuration>,
}

impl VirtualClock {
    /// Begins now.
    pub fn new() -> Self {
        Self { began: Instant::now(), step: watch::Sender::new(SignedDuration::ZERO) }
    }

    /// Sets it forward, or back.
    pub fn set_by(&self, step: SignedDuration) {
        self.step.send_modify(|sum| *sum = sum.saturating_add(step));
    }

    /// Time since the world began.
    pub fn elapsed(&self) -> SignedDuration {
        SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX)
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let beginning = Timestamp::from_second(BEGINNING).unwrap_or(Timestamp::UNIX_EPOCH);
        let shown = self.elapsed().saturating_add(*self.step.borrow());
        beginning.checked_add(shown).unwrap_or(Timestamp::MAX)
    }

    fn alarm(&self, at: Timestamp) -> Alarm {
        let wait = at.duration_since(self.now());
        let mut step = self.step.subscribe();
        Box::pin(async move {
            tokio::select! {
                biased;
                _ = step.changed() => {}
                () = tokio::time::sleep(wait.try_into().unwrap_or_default()) => {}
            }
        })
    }
}

/// Seeded dice (splitmix64).
#[derive(Debug)]
pub struct Chance(Mutex<u64>);

impl Chance {
    /// Dice that always fall the same way for a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// Takes the dice up again as if none had fallen yet.
    pub fn start_again(&self, seed: u64) {
        *self.0.lock() = seed;
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to just under `below`.
    pub fn below(&self, below: u64) -> u64 {
        self.next() % below.max(1)
    }
}

impl Entropy for Chance {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}
