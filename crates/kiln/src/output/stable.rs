//! A stable sort for orders that are none: kubectl compares keys and columns in ways that may go round in a circle, which the
//! standard library's sort answers with a panic. Pure.

use std::cmp::Ordering;

/// The items in order, equals as they stood. Where the comparison contradicts itself, in some order.
pub fn sorted<T>(mut items: Vec<T>, compare: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if items.len() < 2 {
        return items;
    }
    let right = items.split_off(items.len() / 2);
    let mut left = sorted(items, compare).into_iter().peekable();
    let mut right = sorted(right, compare).into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if compare(b, a).is_lt() { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_keep_their_order() {
        let items = vec![(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd'), (1, 'e')];
        let sorted = sorted(items, &|a, b| a.0.cmp(&b.0));
        assert_eq!(sorted, [(1, 'b'), (1, 'e'), (2, 'd'), (3, 'a'), (3, 'c')]);
    }

    #[test]
    fn a_circle_is_put_in_some_order() {
        // Scissors cut paper, paper wraps stone, stone breaks scissors.
        let circle = |a: &u32, b: &u32| match (a + 3 - b) % 3 {
            0 => Ordering::Equal,
            1 => Ordering::Less,
            _ => Ordering::Greater,
        };
        let items: Vec<u32> = (0..1_000).map(|n| n * 7 % 3).collect();
        let mut sorted = sorted(items.clone(), &circle);
        assert_eq!(sorted.len(), items.len());
        sorted.sort_unstable();
        assert_eq!(sorted.iter().filter(|n| **n == 0).count(), items.iter().filter(|n| **n == 0).count());
    }
}
