//! What changed between two objects, as Kubernetes 1.34 and later write it into a refusal: a unified diff of the two as
//! indented JSON (K:apimachinery/pkg/util/diff, which is difflib underneath).

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};
use std::fmt::Write;

/// Lines shown around a change.
const CONTEXT: usize = 3;
/// Lines compared in all. Objects of thousands of lines that have nothing in common would else take minutes.
const MAX_COMPARED: usize = 4_000_000;

/// The diff, every line ended; empty when the two are the same.
pub(crate) fn unified(old: &Value, new: &Value) -> String {
    let (old, new) = (indented(old), indented(new));
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut text = String::new();
    for hunk in hunks(&blocks(&old, &new), old.len(), new.len()) {
        let (first, last) = (&hunk[0], &hunk[hunk.len() - 1]);
        let (left, right) = (range(first.old.0, last.old.1), range(first.new.0, last.new.1));
        line(&mut text, format_args!("@@ -{left} +{right} @@"));
        for change in &hunk {
            if change.is_equal {
                old[change.old.0..change.old.1].iter().for_each(|kept| line(&mut text, format_args!(" {kept}")));
                continue;
            }
            old[change.old.0..change.old.1].iter().for_each(|gone| line(&mut text, format_args!("-{gone}")));
            new[change.new.0..change.new.1].iter().for_each(|come| line(&mut text, format_args!("+{come}")));
        }
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a String cannot fail");
}

/// JSON with one space for each level, as Go's MarshalIndent is asked for.
fn indented(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b" "));
    value.serialize(&mut serializer).expect("a Value can always be written");
    String::from_utf8(bytes).expect("JSON is text")
}

/// `START,LENGTH`, counted from 1; a range of one line is its number.
fn range(start: usize, end: usize) -> String {
    match end - start {
        1 => (start + 1).to_string(),
        0 => format!("{start},0"),
        length => format!("{},{length}", start + 1),
    }
}

/// Lines that match, longest first, then left and right of it: (start in old, start in new, length). Once so many have
/// been compared, of what is left only the beginnings and ends.
fn blocks(old: &[&str], new: &[&str]) -> Vec<(usize, usize, usize)> {
    let mut todo = vec![(0, old.len(), 0, new.len())];
    let mut found = Vec::new();
    let mut n_left = MAX_COMPARED;
    while let Some((old_start, old_end, new_start, new_end)) = todo.pop() {
        let Some(left) = n_left.checked_sub((old_end - old_start) * (new_end - new_start)) else {
            found.extend(ends(old, new, (old_start, old_end), (new_start, new_end)));
            continue;
        };
        n_left = left;
        let (i, j, length) = longest(old, new, (old_start, old_end), (new_start, new_end));
        if length == 0 {
            continue;
        }
        found.push((i, j, length));
        todo.push((old_start, i, new_start, j));
        todo.push((i + length, old_end, j + length, new_end));
    }
    found.sort_unstable();
    found
}

/// The equal lines at the beginning and at the end.
fn ends(
    old: &[&str],
    new: &[&str],
    in_old: (usize, usize),
    in_new: (usize, usize),
) -> impl Iterator<Item = (usize, usize, usize)> {
    let (old, new) = (&old[in_old.0..in_old.1], &new[in_new.0..in_new.1]);
    let n_first = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (rest, new_rest) = (&old[n_first..], &new[n_first..]);
    let n_last = rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(old, new)| old == new).count();
    let blocks = [(in_old.0, in_new.0, n_first), (in_old.1 - n_last, in_new.1 - n_last, n_last)];
    blocks.into_iter().filter(|(_, _, length)| *length != 0)
}

/// The longest run of equal lines; of several the first.
fn longest(old: &[&str], new: &[&str], in_old: (usize, usize), in_new: (usize, usize)) -> (usize, usize, usize) {
    let mut best = (in_old.0, in_new.0, 0);
    let mut before = vec![0; in_new.1 - in_new.0 + 1];
    for (i, old_line) in old.iter().enumerate().take(in_old.1).skip(in_old.0) {
        let mut here = vec![0; before.len()];
        for (j, new_line) in new.iter().enumerate().take(in_new.1).skip(in_new.0) {
            if old_line == new_line {
                let length: usize = before[j - in_new.0] + 1;
                here[j - in_new.0 + 1] = length;
                if best.2 < length {
                    best = (i + 1 - length, j + 1 - length, length);
                }
            }
        }
        before = here;
    }
    best
}

/// A run of lines of both sides: equal ones, or those of one side that the other's replace.
#[derive(Debug, Clone)]
struct Change {
    old: (usize, usize),
    new: (usize, usize),
    is_equal: bool,
}

/// Changes with their context; those nearer to each other than twice the context stand together.
fn hunks(blocks: &[(usize, usize, usize)], n_old: usize, n_new: usize) -> Vec<Vec<Change>> {
    let mut hunks = Vec::new();
    let mut hunk: Vec<Change> = Vec::new();
    let (mut i, mut j) = (0, 0);
    for &(old, new, length) in blocks.iter().chain([&(n_old, n_new, 0)]) {
        if i < old || j < new {
            hunk.push(Change { old: (i, old), new: (j, new), is_equal: false });
        }
        (i, j) = (old + length, new + length);
        let equal = |from: usize, to: usize| Change {
            old: (old + from, old + to),
            new: (new + from, new + to),
            is_equal: true,
        };
        let is_last = old + length == n_old && new + length == n_new;
        if hunk.is_empty() {
            hunk.push(equal(length.saturating_sub(CONTEXT), length));
        } else if is_last || 2 * CONTEXT < length {
            hunk.push(equal(0, length.min(CONTEXT)));
            hunks.push(std::mem::take(&mut hunk));
            hunk.push(equal(length.saturating_sub(CONTEXT), length));
        } else {
            hunk.push(equal(0, length));
        }
    }
    hunks.retain(|hunk| hunk.iter().any(|change| !change.is_equal));
    for hunk in &mut hunks {
        hunk.retain(|change| change.old.0 < change.old.1 || change.new.0 < change.new.1);
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_shown_with_three_lines_around_it() {
        let old = json!({"AccessModes": ["ReadWriteMany"], "Selector": null, "Resources": {"Limits": null}});
        let new = json!({"AccessModes": ["ReadWriteOnce"], "Selector": null, "Resources": {"Limits": null}});
        // As a cluster's server wrote it.
        let expect = "@@ -1,6 +1,6 @@\n {\n  \"AccessModes\": [\n-  \"ReadWriteMany\"\n+  \"ReadWriteOnce\"\n  ],\n  \
                      \"Selector\": null,\n  \"Resources\": {\n";
        assert_eq!(unified(&old, &new), expect);
        assert_eq!(unified(&old, &old), "");
    }

    #[test]
    fn changes_far_apart_stand_apart() {
        let object = |first: u8, last: u8| json!({"a": first, "b": 0, "c": 0, "d": 0, "e": 0, "f": 0, "g": 0, "h": 0, "i": last});
        assert_eq!(
            unified(&object(0, 0), &object(1, 1)),
            "@@ -1,5 +1,5 @@\n {\n- \"a\": 0,\n+ \"a\": 1,\n  \"b\": 0,\n  \"c\": 0,\n  \"d\": 0,\n\
             @@ -7,5 +7,5 @@\n  \"f\": 0,\n  \"g\": 0,\n  \"h\": 0,\n- \"i\": 0\n+ \"i\": 1\n }\n"
        );
    }

    #[test]
    fn what_is_too_large_to_compare_is_shown_without_its_equal_ends() {
        let numbers = |from: usize| -> Value { (from..from + 100_000).map(Value::from).collect() };
        let object = |from: usize| json!({"a": 1, "b": 2, "c": 3, "d": 4, "numbers": numbers(from), "z": 5});
        let text = unified(&object(0), &object(100_000));
        assert!(
            text.starts_with("@@ -4,100006 +4,100006 @@\n  \"c\": 3,\n  \"d\": 4,\n  \"numbers\": [\n-  0,\n-  1,\n")
        );
        assert!(text.ends_with("+  199999\n  ],\n  \"z\": 5\n }\n"), "{}", &text[text.len() - 80..]);
    }

    #[test]
    fn lines_that_come_and_go_are_counted() {
        assert_eq!(unified(&json!([1]), &json!([1, 2])), "@@ -1,3 +1,4 @@\n [\n- 1\n+ 1,\n+ 2\n ]\n");
    }
}
