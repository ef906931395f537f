//! Where list items stand, and the order that a merged list ends in.

use serde_json::{Map, Value};
use std::collections::HashMap;

/// The places of a list's items, by their merge key or, for scalars, by themselves.
pub struct Places<'k> {
    key: Option<&'k str>,
    places: HashMap<String, usize>,
}

impl<'k> Places<'k> {
    pub fn of(items: &[Value], key: Option<&'k str>) -> Self {
        let mut places = Self { key, places: HashMap::with_capacity(items.len()) };
        for (place, item) in items.iter().enumerate() {
            if let Some(identity) = places.identity(item) {
                places.places.entry(identity).or_insert(place);
            }
        }
        places
    }

    pub fn of_item(&self, item: &Value) -> Option<usize> {
        self.places.get(&self.identity(item)?).copied()
    }

    pub fn of_object(&self, item: &Map<String, Value>) -> Option<usize> {
        self.places.get(&item.get(self.key?)?.to_string()).copied()
    }

    pub fn add(&mut self, item: &Map<String, Value>, place: usize) {
        if let Some(value) = self.key.and_then(|key| item.get(key)) {
            self.places.entry(value.to_string()).or_insert(place);
        }
    }

    fn identity(&self, item: &Value) -> Option<String> {
        match self.key {
            Some(key) => item.get(key).map(Value::to_string),
            None => Some(item.to_string()),
        }
    }
}

/// Items that the patch names come in its order, the others in the live order. Between the two, the live order decides
/// where it knows both, and otherwise the patch's item comes first (K:strategicpatch mergeSortedSlice).
pub fn interleave(merged: Vec<Value>, wanted: &Places<'_>, live: &Places<'_>) -> Vec<Value> {
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| wanted.of_item(item).is_some());
    named.sort_by_key(|item| wanted.of_item(item));
    others.sort_by_key(|item| live.of_item(item).unwrap_or(usize::MAX));
    let mut all = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some(next_named), Some(next_other)) = (named.peek(), others.peek()) {
        let other_is_first = match (live.of_item(next_other), live.of_item(next_named)) {
            (Some(other), Some(named)) => other < named,
            _ => false,
        };
        all.extend(if other_is_first { others.next() } else { named.next() });
    }
    all.extend(named);
    all.extend(others);
    all
}
