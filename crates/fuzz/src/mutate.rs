//! What is done to inputs. A function of the seed number alone.

use crate::Shape;
use serde_json::{Map, Value, json};

/// Inputs grow no longer than this, but for bombs.
const MAX_BYTES: usize = 64 * 1024;

/// SplitMix64.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `n`, which is not 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap_or(u64::MAX)).unwrap_or(0)
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A new input from one or two old ones.
pub(crate) fn mutate(chance: &mut Chance, base: &[u8], other: &[u8], words: &[&str], shape: Shape) -> Vec<u8> {
    if shape == Shape::Json
        && chance.below(2) == 0
        && let Ok(mut tree) = serde_json::from_slice::<Value>(base)
    {
        let donor = serde_json::from_slice(other).unwrap_or(Value::Null);
        for _ in 0..=chance.below(4) {
            mutate_tree(chance, &mut tree, &donor, words);
        }
        return tree.to_string().into_bytes();
    }
    let mut input = base.to_vec();
    for _ in 0..=chance.below(5) {
        mutate_bytes(chance, &mut input, other, words);
    }
    input
}

const ODD_BYTES: [u8; 18] =
    [0, 1, 0x7f, 0x80, 0xff, b' ', b'\n', b'"', b'\\', b'{', b'[', b'}', b':', b',', b'-', b'9', b'%', b'&'];

fn mutate_bytes(chance: &mut Chance, input: &mut Vec<u8>, other: &[u8], words: &[&str]) {
    let at = chance.below(input.len() + 1);
    let until = at + chance.below((input.len() - at).min(64) + 1);
    match chance.below(11) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 if at < input.len() => input[at] = *chance.pick(&ODD_BYTES),
        2 => input.insert(at, *chance.pick(&ODD_BYTES)),
        3 => drop(input.drain(at..until)),
        4 => {
            let piece = input[at..until].to_vec();
            let times = if chance.below(50) == 0 { 2_000 } else { 1 + chance.below(4) };
            input.splice(at..at, std::iter::repeat_n(piece, times).flatten());
        }
        5 if !other.is_empty() => {
            let from = chance.below(other.len());
            let to = from + chance.below((other.len() - from).min(256) + 1);
            input.splice(at..until, other[from..to].iter().copied());
        }
        6 => input.truncate(at),
        7 | 8 if !words.is_empty() => drop(input.splice(at..until, chance.pick(words).bytes())),
        9 => {
            let number = *chance.pick(&NUMBERS);
            input.splice(at..until, number.bytes());
        }
        _ if at < input.len() => input[at] = input[at].wrapping_add(1),
        _ => input.push(*chance.pick(&ODD_BYTES)),
    }
    // Bombs come a little longer than that, so that there are some.
    input.truncate(2 * MAX_BYTES);
}

const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "2147483647",
    "2147483648",
    "-9223372036854775808",
    "9223372036854775807",
    "18446744073709551616",
    "1e400",
    "0.1",
    "1E9",
    "00",
];

fn mutate_tree(chance: &mut Chance, tree: &mut Value, donor: &Value, words: &[&str]) {
    let node = descend(chance, tree);
    match (chance.below(8), &mut *node) {
        (0, Value::Object(fields)) => {
            if let Some(key) = fields.keys().nth(chance.below(fields.len())).cloned() {
                fields.shift_remove(&key);
            }
        }
        (1, Value::Object(fields)) if !words.is_empty() => {
            fields.insert((*chance.pick(words)).to_owned(), odd(chance, words));
        }
        (2, Value::Object(fields)) => {
            // Another field's value under this one's name.
            let values: Vec<Value> = fields.values().cloned().collect();
            if let (Some(key), false) = (fields.keys().nth(chance.below(fields.len())).cloned(), values.is_empty()) {
                fields.insert(key, chance.pick(&values).clone());
            }
        }
        (3, Value::Array(items)) => {
            if let Some(item) = items.first().cloned() {
                let times = if chance.below(100) == 0 { 2_000 } else { 1 + chance.below(3) };
                items.extend(std::iter::repeat_n(item, times));
            }
        }
        (4, node) => {
            // Deeper and deeper, sometimes very deep.
            let depth = if chance.below(20) == 0 { 200 } else { 1 + chance.below(3) };
            for _ in 0..depth {
                let inner = std::mem::take(node);
                *node = if chance.below(2) == 0 { json!([inner]) } else { json!({"a": inner}) };
            }
        }
        (5, node) => *node = descend(chance, &mut donor.clone()).clone(),
        (_, node) => *node = odd(chance, words),
    }
}

/// Some node of the tree, the root included.
fn descend<'v>(chance: &mut Chance, mut node: &'v mut Value) -> &'v mut Value {
    loop {
        let n = match node {
            Value::Object(fields) => fields.len(),
            Value::Array(items) => items.len(),
            _ => 0,
        };
        if n == 0 || chance.below(5) == 0 {
            return node;
        }
        let index = chance.below(n);
        node = match node {
            Value::Object(fields) => fields.values_mut().nth(index).expect("the index is below their number"),
            Value::Array(items) => &mut items[index],
            _ => unreachable!("it has children"),
        };
    }
}

fn odd(chance: &mut Chance, words: &[&str]) -> Value {
    match chance.below(10) {
        0 => Value::Null,
        1 => json!(chance.below(2) == 0),
        2 => json!(chance.next()),
        3 => json!(-1),
        4 => json!(0.5),
        5 => json!([]),
        6 => Value::Object(Map::new()),
        7 => json!("\u{0}é\"\\"),
        _ if !words.is_empty() => json!(chance.pick(words)),
        _ => json!(""),
    }
}
