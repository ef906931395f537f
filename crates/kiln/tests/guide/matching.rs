//! Whether what was printed is what a document shows: `…` stands for anything within a line, on a line of its own for any number of
//! lines. How many blanks stand between two words does not matter: columns are as wide as what is in them.

/// Whether all of `printed` is as shown.
pub fn is_as_shown(shown: &[String], printed: &str) -> bool {
    let shown: Vec<String> = trimmed(shown.iter().map(String::as_str));
    matches(&shown, &trimmed(printed.lines()), false)
}

/// Whether it begins so: for what goes on until it is interrupted.
pub fn begins_as_shown(shown: &[String], printed: &str) -> bool {
    let shown: Vec<String> = trimmed(shown.iter().map(String::as_str));
    // What has no end yet is not a line.
    let whole = printed.rfind('\n').map_or("", |end| &printed[..=end]);
    matches(&shown, &trimmed(whole.lines()), true)
}

fn trimmed<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = lines.map(words).collect();
    // A blank line before the next command is layout.
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

fn matches(shown: &[String], printed: &[String], may_go_on: bool) -> bool {
    let Some((first, rest)) = shown.split_first() else { return may_go_on || printed.is_empty() };
    if first == "…" {
        return (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..], may_go_on));
    }
    let Some((line, others)) = printed.split_first() else { return false };
    line_matches(first, line) && matches(rest, others, may_go_on)
}

fn line_matches(shown: &str, printed: &str) -> bool {
    let Some((before, after)) = shown.split_once('…') else { return shown == printed };
    let Some(printed) = printed.strip_prefix(before) else { return false };
    let mut ends = printed.char_indices().map(|(at, _)| at).chain([printed.len()]);
    ends.any(|at| line_matches(after, &printed[at..]))
}

#[test]
fn an_ellipsis_is_anything_in_a_line_or_any_number_of_lines() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (shown, printed, expect) in [
        ("", "", true),
        ("", "more\n", false),
        ("a", "", false),
        ("a\n", "a\n\n", true),
        ("NAME  AGE\npi-…  …", "NAME     AGE\npi-x7f2k   4s\n", true),
        ("pi-…  Done", "pi-x7f2k   Failed\n", false),
        ("…\nlast", "a\nb\nlast\n", true),
        ("…\nlast", "last\n", true),
        ("…\nlast", "a\nlast\nb\n", false),
        ("a\n…", "a\n", true),
        ("a\n…\nb\n…\nd", "a\nx\nb\nc\nb\nd\n", true),
    ] {
        assert_eq!(is_as_shown(&lines(shown), printed), expect, "{shown:?} for {printed:?}");
    }
    for (shown, printed, expect) in [("a\n…\nc", "a\nb\n", false), ("a\n…\nc", "a\nb\nc\nd\n", true), ("a", "a", false)]
    {
        assert_eq!(begins_as_shown(&lines(shown), printed), expect, "{shown:?} for {printed:?}");
    }
}
