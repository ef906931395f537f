//! A set of fields, as a tree of the steps that lead to them.
//!
//! A field and what lies below it are members apart: owning `.spec.template` says nothing of `.spec.template.spec`.

use super::step::{Path, Step};
use std::cmp::Ordering;

/// A set of fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    /// Sorted by step; every node is a member or has members below.
    nodes: Vec<(Step, Node)>,
}

/// What a set holds at a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Whether the field itself is in the set.
    pub is_member: bool,
    /// What is in the set below it.
    pub below: Set,
}

impl Node {
    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        !self.is_member && self.below.is_empty()
    }

    /// The field itself and nothing below.
    pub fn leaf() -> Self {
        Self { is_member: true, below: Set::default() }
    }
}

impl Set {
    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds one field.
    pub fn insert(&mut self, path: &[Step]) {
        let Some((first, rest)) = path.split_first() else { return };
        let place = match self.find(first) {
            Ok(place) => place,
            Err(place) => {
                self.nodes.insert(place, (first.clone(), Node::default()));
                place
            }
        };
        let node = &mut self.nodes[place].1;
        match rest.is_empty() {
            true => node.is_member = true,
            false => node.below.insert(rest),
        }
    }

    /// Puts a whole node at a step where none is yet; nothing is put where there is nothing.
    pub fn put(&mut self, step: Step, node: Node) {
        if node.is_empty() {
            return;
        }
        // What walks an object in order appends, as a rule.
        match self.nodes.last() {
            Some((last, _)) if &step <= last => match self.find(&step) {
                Ok(place) => self.nodes[place].1 = node,
                Err(place) => self.nodes.insert(place, (step, node)),
            },
            _ => self.nodes.push((step, node)),
        }
    }

    /// What is at a step.
    pub fn node(&self, step: &Step) -> Option<&Node> {
        self.find(step).ok().map(|place| &self.nodes[place].1)
    }

    /// Whether this very field is a member.
    pub fn has(&self, path: &[Step]) -> bool {
        let Some((first, rest)) = path.split_first() else { return false };
        self.node(first).is_some_and(|node| match rest.is_empty() {
            true => node.is_member,
            false => node.below.has(rest),
        })
    }

    /// The nodes in their order.
    pub fn nodes(&self) -> impl Iterator<Item = (&Step, &Node)> {
        self.nodes.iter().map(|(step, node)| (step, node))
    }

    /// Changes nodes in place; what is left empty goes.
    pub fn retain(&mut self, mut change: impl FnMut(&Step, &mut Node)) {
        self.nodes.retain_mut(|(step, node)| {
            change(step, node);
            !node.is_empty()
        });
    }

    /// Every member: those of a level before those below it, as Kubernetes lists conflicts.
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut Path, paths: &mut Vec<Path>) {
        for (step, _) in self.nodes.iter().filter(|(_, node)| node.is_member) {
            paths.push(prefix.iter().chain([step]).cloned().collect());
        }
        for (step, node) in &self.nodes {
            prefix.push(step.clone());
            node.below.collect(prefix, paths);
            prefix.pop();
        }
    }

    /// Members of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.join(other, &|left, right| match (left, right) {
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (Some(left), Some(right)) => {
                Node { is_member: left.is_member || right.is_member, below: left.below.union(&right.below) }
            }
            (None, None) => Node::default(),
        })
    }

    /// Members of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.join(other, &|left, right| match (left, right) {
            (Some(left), Some(right)) => {
                Node { is_member: left.is_member && right.is_member, below: left.below.intersection(&right.below) }
            }
            _ => Node::default(),
        })
    }

    /// Members of this one that are not members of the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.join(other, &|left, right| match (left, right) {
            (Some(left), None) => left.clone(),
            (Some(left), Some(right)) => {
                Node { is_member: left.is_member && !right.is_member, below: left.below.difference(&right.below) }
            }
            (None, _) => Node::default(),
        })
    }

    /// Members of this one that are neither members of the other nor lie below one.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.join(other, &|left, right| match (left, right) {
            (Some(left), None) => left.clone(),
            (Some(left), Some(right)) if !right.is_member => {
                Node { is_member: left.is_member, below: left.below.recursive_difference(&right.below) }
            }
            _ => Node::default(),
        })
    }

    fn find(&self, step: &Step) -> Result<usize, usize> {
        self.nodes.binary_search_by(|(known, _)| known.cmp(step))
    }

    /// Walks both in step.
    fn join(&self, other: &Self, combine: &dyn Fn(Option<&Node>, Option<&Node>) -> Node) -> Self {
        let mut joined = Self::default();
        let (mut left, mut right) = (self.nodes.iter().peekable(), other.nodes.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some((left, _)), Some((right, _))) => left.cmp(right),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return joined,
            };
            let from_left = if order == Ordering::Greater { None } else { left.next() };
            let from_right = if order == Ordering::Less { None } else { right.next() };
            let node = combine(from_left.map(|(_, node)| node), from_right.map(|(_, node)| node));
            if let (false, Some((step, _))) = (node.is_empty(), from_left.or(from_right)) {
                joined.nodes.push((step.clone(), node));
            }
        }
    }
}

impl<'a> FromIterator<&'a [Step]> for Set {
    fn from_iter<I: IntoIterator<Item = &'a [Step]>>(paths: I) -> Self {
        let mut set = Self::default();
        for path in paths {
            set.insert(path);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire;
    use serde_json::{Value, json};

    fn check(left: Value, operation: &str, right: Value, expect: Value) {
        let (a, b) = (wire::parse(&left).unwrap(), wire::parse(&right).unwrap());
        let result = match operation {
            "|" => a.union(&b),
            "&" => a.intersection(&b),
            "-" => a.difference(&b),
            _ => a.recursive_difference(&b),
        };
        assert_eq!(wire::print(&result), expect, "{left} {operation} {right}");
    }

    #[test]
    fn a_field_and_what_lies_below_it_are_apart() {
        let deep = || json!({"f:a": {".": {}, "f:b": {}, "f:c": {"f:d": {}}}, "f:e": {}});
        check(deep(), "-", json!({"f:a": {}}), json!({"f:a": {"f:b": {}, "f:c": {"f:d": {}}}, "f:e": {}}));
        check(deep(), "-", json!({"f:a": {"f:c": {}}}), deep());
        check(deep(), "--", json!({"f:a": {"f:c": {}}}), json!({"f:a": {".": {}, "f:b": {}}, "f:e": {}}));
        check(deep(), "--", json!({"f:a": {}}), json!({"f:e": {}}));
        check(deep(), "&", json!({"f:a": {"f:b": {}}, "f:x": {}}), json!({"f:a": {"f:b": {}}}));
        check(deep(), "&", json!({"f:x": {}}), json!({}));
        check(
            json!({"f:a": {"f:b": {}}}),
            "|",
            json!({"f:a": {}, "f:0": {}}),
            json!({"f:0": {}, "f:a": {".": {}, "f:b": {}}}),
        );
        check(json!({}), "|", json!({}), json!({}));
    }
}
