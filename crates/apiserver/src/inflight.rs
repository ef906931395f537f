//! How many requests are worked on at once. Beyond that a client is asked to come again: 429.
//!
//! What streams (watches, logs) keeps no place, and the machine's own components and administrators always get through:
//! whoever could clear a jam must not stand in it (K:apiserver/pkg/server/filters/maxinflight.go).

use crate::auth::User;
use crate::request::RequestInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// K:apiserver/pkg/server/config.go MaxRequestsInFlight, MaxMutatingRequestsInFlight.
const READ_ONLY: usize = 400;
const MUTATING: usize = 200;

/// Both kinds of places.
#[derive(Debug)]
pub(crate) struct InFlight {
    read_only: Arc<Places>,
    mutating: Arc<Places>,
}

#[derive(Debug)]
struct Places {
    n_taken: AtomicUsize,
    n_places: usize,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.n_taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a request may go on.
#[derive(Debug)]
#[must_use = "a place that is dropped is given back"]
pub(crate) enum Entry {
    Taken(#[expect(dead_code, reason = "held until it is given back")] Place),
    /// It needs none.
    Free,
    Full,
}

impl Default for InFlight {
    fn default() -> Self {
        Self::new(READ_ONLY, MUTATING)
    }
}

impl InFlight {
    fn new(read_only: usize, mutating: usize) -> Self {
        let places = |n_places| Arc::new(Places { n_taken: AtomicUsize::new(0), n_places });
        Self { read_only: places(read_only), mutating: places(mutating) }
    }

    pub(crate) fn enter(&self, info: &RequestInfo, user: &User) -> Entry {
        if info.is_long_running() {
            return Entry::Free;
        }
        let places = if info.is_read_only() { &self.read_only } else { &self.mutating };
        let n_before = places.n_taken.fetch_add(1, Ordering::Relaxed);
        let place = Place(places.clone());
        match places.n_places <= n_before && !user.is_in("system:masters") {
            true => Entry::Full,
            false => Entry::Taken(place),
        }
    }

    /// Requests that only read, and others.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.read_only.n_taken.load(Ordering::Relaxed), self.mutating.n_taken.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(verb: &str) -> RequestInfo {
        RequestInfo { is_resource: true, verb: verb.into(), ..RequestInfo::default() }
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let in_flight = InFlight::new(2, 1);
        let user = User::new("x", &["system:authenticated"]);
        let enter = |verb: &str| in_flight.enter(&info(verb), &user);
        let (first, second) = (enter("get"), enter("list"));
        assert!(matches!((&first, &second), (Entry::Taken(_), Entry::Taken(_))));
        assert!(matches!(enter("get"), Entry::Full));
        let write = enter("create");
        assert!(matches!((&write, enter("patch")), (Entry::Taken(_), Entry::Full)), "writes have places of their own");
        assert!(matches!(enter("watch"), Entry::Free));
        assert_eq!(in_flight.counts(), (2, 1), "who was refused keeps none");
        drop(first);
        assert!(matches!(enter("get"), Entry::Taken(_)));
        let admin = User::new("admin", &["system:masters"]);
        let (a, b) = (in_flight.enter(&info("get"), &admin), in_flight.enter(&info("get"), &admin));
        assert!(matches!((a, b), (Entry::Taken(_), Entry::Taken(_))));
    }
}
