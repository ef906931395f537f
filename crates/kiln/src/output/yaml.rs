//! YAML as kubectl prints it, byte for byte: the order of keys, the quoting and the folding of Go's yaml.v2. Pure.
//! Another writer's YAML would mean the same, and still differ in every diff.

use std::cmp::Ordering;

use serde_json::Value;

use super::stable;

/// Lines are folded at the first single blank after this column.
const BEST_WIDTH: usize = 80;

/// The text of `-o yaml`.
pub fn document(value: &Value) -> String {
    let mut writer = Writer { out: String::new(), column: 0 };
    writer.node(value, 0, Place::Line);
    writer.newline();
    writer.out
}

/// What stands before a node on its line.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Nothing.
    Line,
    /// `key:`
    Key,
    /// `-`
    Dash,
}

struct Writer {
    out: String,
    /// In characters.
    column: usize,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn newline(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn indent(&mut self, indent: usize) {
        self.newline();
        self.put(&" ".repeat(indent));
    }

    /// `indent` is that of the collection the node is in.
    fn node(&mut self, value: &Value, indent: usize, place: Place) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                let indent = match place {
                    Place::Line => indent,
                    Place::Key | Place::Dash => indent + 2,
                };
                let fields: Vec<(&String, &Value)> = fields.iter().collect();
                let fields = stable::sorted(fields, &|a, b| by_key(a.0, b.0));
                for (position, (key, field)) in fields.into_iter().enumerate() {
                    match (position, place) {
                        (0, Place::Line) => {}
                        (0, Place::Dash) => self.put(" "),
                        _ => self.indent(indent),
                    }
                    self.scalar(key, indent, true);
                    self.put(":");
                    self.node(field, indent, Place::Key);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                // A list is not indented beneath its key.
                let indent = if place == Place::Dash { indent + 2 } else { indent };
                for (position, item) in items.iter().enumerate() {
                    match (position, place) {
                        (0, Place::Line) => {}
                        (0, Place::Dash) => self.put(" "),
                        _ => self.indent(indent),
                    }
                    self.put("-");
                    self.node(item, indent, Place::Dash);
                }
            }
            scalar => {
                if place != Place::Line {
                    self.put(" ");
                }
                match scalar {
                    Value::Object(_) => self.put("{}"),
                    Value::Array(_) => self.put("[]"),
                    Value::String(text) => self.scalar(text, indent + 2, false),
                    other => self.put(&other.to_string()),
                }
            }
        }
    }

    fn scalar(&mut self, text: &str, indent: usize, is_key: bool) {
        match style(text, is_key) {
            Style::Plain => self.folded(text, indent, is_key, false),
            Style::Single => {
                self.put("'");
                self.folded(text, indent, is_key, true);
                self.put("'");
            }
            Style::Double => self.double_quoted(text, indent, is_key),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn folded(&mut self, text: &str, indent: usize, is_key: bool, is_quoted: bool) {
        let chars: Vec<char> = text.chars().collect();
        let mut after_blank = false;
        for (position, char) in chars.iter().enumerate() {
            let next = chars.get(position + 1);
            let may_fold = !is_quoted || (0 < position && next.is_some());
            if *char == ' ' {
                if !is_key && !after_blank && BEST_WIDTH < self.column && may_fold && next != Some(&' ') {
                    self.indent(indent);
                } else {
                    self.put(" ");
                }
                after_blank = true;
                continue;
            }
            after_blank = false;
            let is_quote = *char == '\'' && is_quoted;
            let mut buffer = [0; 4];
            self.put(if is_quote { "''" } else { char.encode_utf8(&mut buffer) });
        }
    }

    fn double_quoted(&mut self, text: &str, indent: usize, is_key: bool) {
        self.put("\"");
        let chars: Vec<char> = text.chars().collect();
        let mut after_blank = false;
        for (position, char) in chars.iter().enumerate() {
            let next = chars.get(position + 1);
            if *char == ' ' {
                if !is_key && !after_blank && BEST_WIDTH < self.column && 0 < position && next.is_some() {
                    self.indent(indent);
                    if next == Some(&' ') {
                        self.put("\\");
                    }
                } else {
                    self.put(" ");
                }
                after_blank = true;
                continue;
            }
            after_blank = false;
            match escape(*char) {
                Some(escaped) => self.put(&escaped),
                None => self.put(char.encode_utf8(&mut [0; 4])),
            }
        }
        self.put("\"");
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with([' ', '\n']) {
            self.put("2");
        }
        if !text.ends_with('\n') {
            self.put("-");
        } else if text == "\n" || text.ends_with("\n\n") {
            self.put("+");
        }
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            self.newline();
            if !line.is_empty() {
                self.put(&" ".repeat(indent));
                self.put(line);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

fn style(text: &str, is_key: bool) -> Style {
    let found = analyze(text);
    if text.contains('\n') {
        return if found.may_be_block && !is_key { Style::Literal } else { Style::Double };
    }
    if is_another_type(text) {
        return Style::Double;
    }
    match (found.may_be_plain, found.may_be_single) {
        (true, _) => Style::Plain,
        (false, true) => Style::Single,
        (false, false) => Style::Double,
    }
}

struct Found {
    may_be_plain: bool,
    may_be_single: bool,
    may_be_block: bool,
}

/// libyaml's `yaml_emitter_analyze_scalar`, as far as block style asks.
fn analyze(text: &str) -> Found {
    let chars: Vec<char> = text.chars().collect();
    let is_space_or_break = |char: Option<&char>| char.is_none_or(|char| matches!(char, ' ' | '\t') || is_break(*char));
    let mut has_indicator = text.starts_with("---") || text.starts_with("...");
    let mut is_special = false;
    let (mut break_space, mut space_break) = (false, false);
    for (position, char) in chars.iter().enumerate() {
        let before = position.checked_sub(1).and_then(|before| chars.get(before));
        let blank_before = position == 0 || is_space_or_break(before);
        let blank_after = is_space_or_break(chars.get(position + 1));
        has_indicator |= match char {
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => position == 0,
            '?' | '-' => position == 0 && blank_after,
            ':' => blank_after,
            '#' => blank_before,
            _ => false,
        };
        is_special |= !is_printable(*char);
        break_space |= *char == ' ' && before.is_some_and(|before| is_break(*before));
        space_break |= is_break(*char) && before == Some(&' ');
    }
    let is_edge = |char: Option<&char>| char.is_some_and(|char| *char == ' ' || is_break(*char));
    let ends_in_space = chars.last() == Some(&' ');
    let is_multiline = chars.iter().any(|char| is_break(*char));
    let is_hopeless = space_break || is_special;
    Found {
        may_be_plain: !(has_indicator
            || is_multiline
            || is_hopeless
            || is_edge(chars.first())
            || is_edge(chars.last())),
        may_be_single: !(break_space || is_hopeless),
        may_be_block: !(ends_in_space || is_hopeless),
    }
}

fn is_break(char: char) -> bool {
    matches!(char, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(char: char) -> bool {
    matches!(char, '\n' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && char != '\u{feff}'
}

fn escape(char: char) -> Option<String> {
    let letter = match char {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ if is_printable(char) => return None,
        _ => {
            let code = u32::from(char);
            return Some(match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            });
        }
    };
    Some(format!("\\{letter}"))
}

/// Whether the text, unquoted, would be read as a number, a boolean, null, a date or a time of day (YAML 1.1).
fn is_another_type(text: &str) -> bool {
    const WORDS: [&str; 36] = [
        "", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE", "n",
        "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE", ".nan", ".NaN", ".NAN", ".inf", ".Inf",
        ".INF", "<<", "-.inf", "+.inf",
    ];
    const SIGNED_INFINITIES: [&str; 4] = ["+.Inf", "+.INF", "-.Inf", "-.INF"];
    WORDS.contains(&text) || SIGNED_INFINITIES.contains(&text) || is_number(text) || is_date(text) || is_base_60(text)
}

fn is_number(text: &str) -> bool {
    let text = text.replace('_', "");
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    if !unsigned.starts_with(|char: char| char.is_ascii_digit() || char == '.') {
        return false;
    }
    let digits_of = |prefixes: [&str; 2]| prefixes.iter().find_map(|prefix| unsigned.strip_prefix(prefix));
    let all = |digits: &str, radix: u32| !digits.is_empty() && digits.chars().all(|char| char.is_digit(radix));
    if digits_of(["0x", "0X"]).is_some_and(|digits| all(digits, 16) && digits.len() <= 16)
        || digits_of(["0b", "0B"]).is_some_and(|digits| all(digits, 2) && digits.len() <= 64)
        || digits_of(["0o", "0O"]).is_some_and(|digits| all(digits, 8))
    {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_mantissa = (whole.is_empty() || all(whole, 10))
        && match fraction {
            Some(fraction) => all(fraction, 10) || (fraction.is_empty() && !whole.is_empty()),
            None => !whole.is_empty(),
        };
    let is_exponent = exponent.is_none_or(|exponent| all(exponent.strip_prefix(['+', '-']).unwrap_or(exponent), 10));
    is_mantissa && is_exponent
}

/// `2026-1-2`, with a time of day or without.
fn is_date(text: &str) -> bool {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let parts: Vec<&str> = date.split('-').collect();
    let is_day =
        matches!(parts[..], [year, month, day] if number(year, 4..=4) && number(month, 1..=2) && number(day, 1..=2));
    let Some(time) = time else { return is_day };
    let has_zone = !text.contains(' ');
    let without_zone = time.strip_suffix('Z').or_else(|| time.rsplit_once(['+', '-']).map(|(time, _)| time));
    let time = if has_zone { without_zone } else { Some(time) };
    let Some(time) = time else { return false };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_clock = clock.split(':').count() == 3 && clock.split(':').all(|part| number(part, 1..=2));
    is_day && is_clock && number(fraction, 1..=9)
}

/// `10:30`: YAML 1.1 reads it as 630.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (clock, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut parts = clock.split(':');
    let first = parts.next().unwrap_or_default();
    let is_part = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    clock.contains(':')
        && first.starts_with(|char: char| char.is_ascii_digit())
        && digits(first)
        && parts.all(is_part)
        && digits(fraction)
}

/// yaml.v2's `keyList.Less`: letters after everything else, runs of digits by their value.
fn by_key(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else {
        return a.len().cmp(&b.len());
    };
    let (x, y) = (a[at], b[at]);
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let in_number = (x == '0' || y == '0')
        && a[..at].iter().rev().take_while(|char| char.is_ascii_digit()).any(|char| *char != '0');
    let number = |chars: &[char]| {
        let digits: Vec<u64> = chars[at..].iter().map_while(|char| char.to_digit(10)).map(u64::from).collect();
        let start = u64::from(in_number);
        (digits.iter().fold(start, |sum, digit| sum.wrapping_mul(10).wrapping_add(*digit)), digits.len())
    };
    number(&a).cmp(&number(&b)).then(x.cmp(&y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_stand_beneath_their_keys_and_keys_are_sorted() {
        let value = json!({ "spec": { "containers": [{ "name": "a", "args": ["x", ["u", "z"]], "env": [] }], "x": {} }, "a": null });
        let expect = "a: null\nspec:\n  containers:\n  - args:\n    - x\n    - - u\n      - z\n    env: []\n    name: a\n  x: {}\n";
        assert_eq!(document(&value), expect);
        assert_eq!(document(&json!([{ "a": 1 }])), "- a: 1\n");
        assert_eq!(document(&json!("x")), "x\n");
    }

    #[test]
    fn keys_that_go_round_in_a_circle_are_written_all_the_same() {
        let keys = (0..300_u32).map(|n| (format!("{:08x}", n.wrapping_mul(2_654_435_761)), json!(1)));
        assert_eq!(document(&Value::Object(keys.collect())).lines().count(), 300);
    }

    #[test]
    fn what_would_read_as_something_else_is_quoted() {
        for (text, expect) in [
            ("plain text", "plain text"),
            ("größer", "größer"),
            ("\u{1f600}", "\"\\U0001F600\""),
            ("", "\"\""),
            ("true", "\"true\""),
            ("no", "\"no\""),
            ("12", "\"12\""),
            ("0x1F", "\"0x1F\""),
            ("1e3", "\"1e3\""),
            ("1.", "\"1.\""),
            ("1.2.3", "1.2.3"),
            ("10:30", "\"10:30\""),
            ("a:b", "a:b"),
            ("2026-01-01T00:00:00Z", "\"2026-01-01T00:00:00Z\""),
            ("2026-01-01", "\"2026-01-01\""),
            ("- x", "'- x'"),
            ("-x", "-x"),
            ("*/5 * * * *", "'*/5 * * * *'"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("it's: so", "'it''s: so'"),
            ("tab\there", "\"tab\\there\""),
            (" edge", "' edge'"),
            ("{}", "'{}'"),
            ("@x", "'@x'"),
            ("ü", "ü"),
            ("\u{1b}", "\"\\e\""),
        ] {
            assert_eq!(document(&json!({ "k": text })), format!("k: {expect}\n"), "{text:?}");
        }
    }

    #[test]
    fn several_lines_are_a_block() {
        for (text, expect) in [
            ("a\nb\n", "k: |\n  a\n  b\n"),
            ("a\n\nb", "k: |-\n  a\n\n  b\n"),
            ("a\n\n", "k: |+\n  a\n\n"),
            (" a\nb\n", "k: |2\n   a\n  b\n"),
            ("a \nb\n", "k: \"a \\nb\\n\"\n"),
            ("a\tb\nc", "k: \"a\\tb\\nc\"\n"),
        ] {
            assert_eq!(document(&json!({ "k": text })), expect, "{text:?}");
        }
        assert_eq!(document(&json!({ "a": ["x\ny\n"], "b": 1 })), "a:\n- |\n  x\n  y\nb: 1\n");
    }

    #[test]
    fn long_texts_are_folded() {
        let text = format!("{} {} end", "x".repeat(40), "y".repeat(60));
        let expect = format!("k: {} {}\n  end\n", "x".repeat(40), "y".repeat(60));
        assert_eq!(document(&json!({ "k": text })), expect);
        let text = format!("{}: it {}", "x".repeat(80), "'");
        assert_eq!(document(&json!({ "k": text })), format!("k: '{}:\n  it '''\n", "x".repeat(80)));
    }

    #[test]
    fn keys_with_numbers_are_in_their_order() {
        let value = json!({ "a10": 1, "a2": 1, "ab": 1, "a-b": 1, "A": 1, "b": 1 });
        assert_eq!(document(&value), "A: 1\na-b: 1\na2: 1\na10: 1\nab: 1\nb: 1\n");
    }
}
