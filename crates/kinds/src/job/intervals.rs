//! Indexes as text: `0,2-4,7` (K:pkg/apis/batch/validation, validateIndexesFormat). Reads with the server's error texts.

use meta::field::quote;

/// From one index to another, both included.
pub type Interval = (i64, i64);

/// Reads intervals of indexes below `completions`; they have to rise.
pub fn parse(text: &str, completions: i64) -> Result<Vec<Interval>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut intervals: Vec<Interval> = Vec::new();
    for part in text.split(',') {
        let (first, last) = interval(part, completions)?;
        if let Some((_, previous)) = intervals.last().filter(|(_, previous)| first <= *previous) {
            return Err(format!("non-increasing order, previous: {previous}, current: {first}"));
        }
        intervals.push((first, last));
    }
    Ok(intervals)
}

/// How many indexes they are.
pub fn count(intervals: &[Interval]) -> i64 {
    intervals.iter().map(|(first, last)| last - first + 1).sum()
}

/// The first index that stands in both texts, as far as they can be read.
pub fn overlap(completed: &str, failed: &str, completions: i64) -> Option<i64> {
    let readable =
        |text: &str| -> Vec<Interval> { text.split(',').filter_map(|part| interval(part, completions).ok()).collect() };
    let (completed, failed) = (readable(completed), readable(failed));
    let (mut completed, mut failed) = (completed.iter().peekable(), failed.iter().peekable());
    while let (Some(&&(c_first, c_last)), Some(&&(f_first, f_last))) = (completed.peek(), failed.peek()) {
        if c_first <= f_last && f_first <= c_last {
            return Some(c_first.max(f_first));
        }
        if c_first <= f_first {
            completed.next();
        } else {
            failed.next();
        }
    }
    None
}

fn interval(text: &str, completions: i64) -> Result<Interval, String> {
    let index = |text: &str| -> Result<i64, String> {
        let index: i64 =
            text.parse().map_err(|_| format!("cannot convert string to integer for index: {}", quote(text)))?;
        if completions <= index {
            return Err(format!("too large index: {}", quote(text)));
        }
        Ok(index)
    };
    match text.split('-').collect::<Vec<_>>().as_slice() {
        [one] => index(one).map(|index| (index, index)),
        [first, last] => {
            let (first, last) = (index(first)?, index(last)?);
            if last <= first {
                return Err(format!("non-increasing order, previous: {first}, current: {last}"));
            }
            Ok((first, last))
        }
        _ => Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two parts separated by '-'",
            quote(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_or_say_why_not() {
        for (text, expect) in [
            ("", Ok(0)),
            ("0", Ok(1)),
            ("0,2-4,9", Ok(5)),
            ("1,1", Err("non-increasing order, previous: 1, current: 1")),
            ("2-2", Err("non-increasing order, previous: 2, current: 2")),
            ("4-2", Err("non-increasing order, previous: 4, current: 2")),
            ("2-4,3", Err("non-increasing order, previous: 4, current: 3")),
            ("a", Err("cannot convert string to integer for index: \"a\"")),
            ("1-", Err("cannot convert string to integer for index: \"\"")),
            ("10", Err("too large index: \"10\"")),
            (
                "1-2-3",
                Err(
                    "the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'",
                ),
            ),
        ] {
            let counted = parse(text, 10).map(|intervals| count(&intervals));
            assert_eq!(counted, expect.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn overlaps_are_found() {
        for (completed, failed, expect) in [
            ("0,2-4", "1,5", None),
            ("0,2-4", "3", Some(3)),
            ("1-3", "0,3-5", Some(3)),
            ("x,2", "2", Some(2)),
            ("", "1", None),
        ] {
            assert_eq!(overlap(completed, failed, 10), expect, "{completed} and {failed}");
        }
    }
}
