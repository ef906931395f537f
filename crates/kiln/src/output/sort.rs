//! `--sort-by`: the order of objects by the values at a path, as kubectl compares them. Pure.

use std::cmp::Ordering;

use serde_json::Value;

use super::jsonpath::{Template, relaxed};
use super::stable;

/// Sorts what stands for objects; those without a value come first. A path that no object has is a mistake.
pub fn by_path<T>(items: &mut [T], path: &str, object: impl Fn(&T) -> &Value) -> Result<(), String> {
    let template: Template = relaxed(path)?.parse()?;
    let key = |item: &T| -> Result<Option<Value>, String> {
        let values = template.values(object(item))?;
        Ok(values.first().map(|value| (*value).clone()))
    };
    let keys = items.iter().map(key).collect::<Result<Vec<_>, String>>()?;
    if !items.is_empty() && keys.iter().all(Option::is_none) {
        return Err(format!("couldn't find any field with path {:?} in the list of objects", relaxed(path)?));
    }
    let positions: Vec<usize> = (0..items.len()).collect();
    let order = stable::sorted(positions, &|a, b| compare(keys[*a].as_ref(), keys[*b].as_ref()));
    permute(items, order);
    Ok(())
}

/// Puts the item at `order[n]` to position n.
fn permute<T>(items: &mut [T], mut order: Vec<usize>) {
    for position in 0..items.len() {
        let mut from = order[position];
        while from < position {
            from = order[from];
        }
        items.swap(position, from);
        order[position] = from;
    }
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0))
        }
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        (Some(Value::String(a)), Some(Value::String(b))) => text(a, b),
        // Of different types, or not of an order.
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: Option<&Value>) -> u8 {
    match value {
        None => 0,
        Some(Value::Null) => 1,
        Some(Value::Bool(_)) => 2,
        Some(Value::Number(_)) => 3,
        Some(Value::String(_)) => 4,
        Some(Value::Array(_)) => 5,
        Some(Value::Object(_)) => 6,
    }
}

/// Quantities by their size, everything else with numbers in it by their value: `job-2` before `job-10`.
fn text(a: &str, b: &str) -> Ordering {
    match (a.parse::<meta::quantity::Quantity>(), b.parse::<meta::quantity::Quantity>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => natural(a.as_bytes(), b.as_bytes()),
    }
}

fn natural(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else { return a.len().cmp(&b.len()) };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (number_a, rest_a) = number(a);
            let (number_b, rest_b) = number(b);
            let order = number_a.len().cmp(&number_b.len()).then(number_a.cmp(number_b));
            if order.is_ne() {
                return order;
            }
            (a, b) = (rest_a, rest_b);
            continue;
        }
        if x != y {
            return x.cmp(y);
        }
        (a, b) = (&a[1..], &b[1..]);
    }
}

/// The digits at the beginning, without zeros in front, and what follows them.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    (&digits[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(values: &[Value], expect: &[Value]) {
        let mut objects: Vec<Value> = values.iter().map(|value| json!({ "k": value })).collect();
        by_path(&mut objects, ".k", |object| object).unwrap();
        assert_eq!(objects.iter().map(|object| object["k"].clone()).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn values_are_compared_as_what_they_are() {
        check(&[json!(10), json!(9), json!(1.5)], &[json!(1.5), json!(9), json!(10)]);
        check(
            &[json!("job-10"), json!("job-2"), json!("job-02"), json!("a")],
            &[json!("a"), json!("job-2"), json!("job-02"), json!("job-10")],
        );
        check(&[json!("1Gi"), json!("900Mi"), json!("2k")], &[json!("2k"), json!("900Mi"), json!("1Gi")]);
        let times = [json!("2026-01-10T00:00:00Z"), json!("2026-01-09T00:00:00Z")];
        check(&times, &[times[1].clone(), times[0].clone()]);
    }

    #[test]
    fn those_without_come_first_and_equals_keep_their_order() {
        let mut objects =
            [json!({ "n": 1, "k": 5 }), json!({ "n": 2 }), json!({ "n": 3, "k": 5 }), json!({ "n": 4, "k": 1 })];
        by_path(&mut objects, "{.k}", |object| object).unwrap();
        assert_eq!(objects.iter().map(|object| object["n"].as_i64().unwrap()).collect::<Vec<_>>(), [2, 4, 1, 3]);
    }

    #[test]
    fn columns_without_an_order_are_sorted_all_the_same() {
        let texts = ["1k", "2", "1z", "3", "1m", "15x", "2M"];
        let mut objects: Vec<Value> = (0..60).map(|n| json!({"k": texts[n * 5 % 7]})).collect();
        by_path(&mut objects, ".k", |object| object).unwrap();
        check(
            &[json!("a"), json!({}), json!(1), json!(true), json!("b")],
            &[json!(true), json!(1), json!("a"), json!("b"), json!({})],
        );
    }

    #[test]
    fn a_path_that_nobody_has_is_a_mistake() {
        let error = by_path(&mut [json!({ "a": 1 })], ".b.c", |object| object).unwrap_err();
        assert_eq!(error, "couldn't find any field with path \"{.b.c}\" in the list of objects");
        by_path(&mut [], ".b", |object: &Value| object).unwrap();
    }
}
