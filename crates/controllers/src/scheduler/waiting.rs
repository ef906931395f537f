//! Whose turn it is: pods without a node, the most important first, then the oldest. Reads nothing but what it is told.
//!
//! ```text
//! add ─▶ active ─▶ next ──▶ bound
//!           ▲        └────▶ refuse ─▶ looked at ── wake ─▶ of its class, looked at again from the first on
//! ```
//! Pods that want the same are of one class. Once the first of a class is refused for what holds for all of them, the others
//! need not be asked: with ten thousand pods and room for five hundred, a pod's end costs one look and not nine thousand.

use super::requested::Requested;
use super::wish::Wish;
use crate::engine::Key;
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Priority, then age.
pub type Turn = (Reverse<i32>, Timestamp, Key);

/// What a pod wants, as a text to compare.
pub type Class = String;

/// The class of a pod.
pub fn class(wish: &Wish, requested: &Requested) -> Class {
    format!("{wish:?} {requested:?}")
}

/// See the file's head.
#[derive(Debug, Default)]
pub struct Waiting {
    active: BTreeSet<Turn>,
    refused: BTreeMap<Class, Refused>,
}

#[derive(Debug, Default)]
struct Refused {
    /// Since the last wake.
    looked_at: BTreeSet<Turn>,
    others: BTreeSet<Turn>,
    /// The others would be refused as well.
    is_shut: bool,
}

impl Waiting {
    /// A new pod, or one that has changed.
    pub fn add(&mut self, turn: Turn) {
        self.active.insert(turn);
    }

    /// The next pod to look at.
    pub fn next(&mut self) -> Option<Turn> {
        let open = self.refused.iter().filter(|(_, refused)| !refused.is_shut);
        let first = open.filter_map(|(class, refused)| Some((refused.others.first()?, class))).min();
        match (self.active.first(), first) {
            (Some(active), Some((refused, _))) if active <= refused => self.active.pop_first(),
            (_, Some((_, class))) => {
                let class = class.clone();
                self.refused.get_mut(&class)?.others.pop_first()
            }
            (_, None) => self.active.pop_first(),
        }
    }

    /// A pod is refused. It is looked at again after the next wake.
    pub fn refuse(&mut self, turn: Turn, class: &str) {
        self.refused.entry(class.to_owned()).or_default().looked_at.insert(turn);
    }

    /// Until the next wake no other of the class need be asked.
    pub fn shut(&mut self, class: &str) {
        if let Some(refused) = self.refused.get_mut(class) {
            refused.is_shut = true;
        }
    }

    /// Something changed that may matter to whoever was refused.
    pub fn wake(&mut self) {
        self.refused.retain(|_, refused| !refused.looked_at.is_empty() || !refused.others.is_empty());
        for refused in self.refused.values_mut() {
            // Not `append`, which takes time in proportion to both.
            refused.others.extend(std::mem::take(&mut refused.looked_at));
            refused.is_shut = false;
        }
    }

    /// Something changed that may matter to this pod. Whether it was refused before.
    pub fn wake_one(&mut self, turn: &Turn) -> bool {
        let mut classes = self.refused.values_mut();
        let was_refused = classes.any(|refused| refused.looked_at.remove(turn) || refused.others.remove(turn));
        if was_refused {
            self.active.insert(turn.clone());
        }
        was_refused
    }

    /// Whether there is anybody new to look at.
    pub fn has_active(&self) -> bool {
        !self.active.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `NAME` is of class `NAME`'s first letter, and as old as its number.
    fn turn(name: &str) -> Turn {
        let age = name[1..].parse().unwrap();
        (Reverse(0), Timestamp::from_second(age).unwrap(), Key { namespace: "n".into(), name: name.into() })
    }

    fn class_of(turn: &Turn) -> Class {
        turn.2.name[..1].to_owned()
    }

    /// Whoever's turn it is, refused; those named in `shutting` shut their class.
    fn look(waiting: &mut Waiting, shutting: &[&str]) -> String {
        let mut names = Vec::new();
        while let Some(turn) = waiting.next() {
            let class = class_of(&turn);
            names.push(turn.2.name.clone());
            waiting.refuse(turn, &class);
            if shutting.contains(&names[names.len() - 1].as_str()) {
                waiting.shut(&class);
            }
        }
        names.join(" ")
    }

    fn waiting(names: &str) -> Waiting {
        let mut waiting = Waiting::default();
        names.split(' ').for_each(|name| waiting.add(turn(name)));
        waiting
    }

    #[test]
    fn everybody_is_looked_at_once_and_again_after_a_wake() {
        let mut waiting = waiting("a3 b2 a1");
        assert_eq!(look(&mut waiting, &[]), "a1 b2 a3");
        assert_eq!(look(&mut waiting, &[]), "");
        waiting.wake();
        assert_eq!(look(&mut waiting, &[]), "a1 b2 a3");
    }

    #[test]
    fn who_is_new_is_looked_at_even_if_its_class_is_shut() {
        let mut waiting = waiting("a1 a2");
        assert_eq!(look(&mut waiting, &["a1"]), "a1 a2");
        waiting.add(turn("a0"));
        assert_eq!(look(&mut waiting, &[]), "a0");
    }

    #[test]
    fn a_shut_class_costs_one_look_after_each_wake() {
        let mut waiting = waiting("a1 a2 a3 b4 b5");
        assert_eq!(look(&mut waiting, &[]), "a1 a2 a3 b4 b5");
        for _ in 0..3 {
            waiting.wake();
            assert_eq!(look(&mut waiting, &["a1", "b4"]), "a1 b4");
        }
        waiting.wake();
        assert_eq!(look(&mut waiting, &["b4"]), "a1 a2 a3 b4");
    }

    #[test]
    fn who_is_bound_makes_way_for_the_next_of_its_class() {
        let mut waiting = waiting("a1 a2 a3");
        assert_eq!(look(&mut waiting, &[]), "a1 a2 a3");
        waiting.wake();
        assert_eq!(waiting.next(), Some(turn("a1")));
        assert_eq!(look(&mut waiting, &["a2"]), "a2");
        waiting.wake();
        assert_eq!(look(&mut waiting, &[]), "a2 a3");
    }

    #[test]
    fn one_alone_may_be_woken() {
        let mut waiting = waiting("a1 a2");
        assert_eq!(look(&mut waiting, &["a2"]), "a1 a2");
        assert!(waiting.wake_one(&turn("a2")) && !waiting.wake_one(&turn("a9")));
        assert!(waiting.has_active());
        assert_eq!(look(&mut waiting, &[]), "a2");
    }
}
