//! Ages as kubectl prints them (K:apimachinery/util/duration).

use jiff::SignedDuration;

/// `119s`, `2m`, `9m59s`, `10m`, `3h`, `7h59m`, `2d` …; `<invalid>` before zero.
pub fn human(duration: SignedDuration) -> String {
    todo!("{duration:?}")
}
