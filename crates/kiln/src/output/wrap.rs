//! Text in lines of a width, folded where kubectl folds it. Pure.

/// Folds at spaces, so that no line is longer than `width` characters unless one word is. Newlines stay, and so do spaces that
/// begin a line of the text.
pub fn wrap(text: &str, width: usize) -> String {
    text.split('\n').map(|line| fold(line, width)).collect::<Vec<_>>().join("\n")
}

/// Every line, an empty one too, after this many spaces: kubectl's are so.
pub fn indent(text: &str, n_spaces: usize) -> String {
    let pad = " ".repeat(n_spaces);
    format!("{pad}{}", text.replace('\n', &format!("\n{pad}")))
}

fn fold(line: &str, width: usize) -> String {
    let mut folded = String::new();
    let (mut n_written, mut spaces, mut word) = (0, String::new(), String::new());
    let (mut n_spaces, mut n_word) = (0, 0);
    for char in line.chars() {
        if char.is_whitespace() && char != '\u{a0}' {
            if spaces.is_empty() || !word.is_empty() {
                n_written += n_spaces + n_word;
                folded.push_str(&spaces);
                folded.push_str(&word);
                (n_spaces, n_word) = (0, 0);
                spaces.clear();
                word.clear();
            }
            spaces.push(char);
            n_spaces += 1;
            continue;
        }
        word.push(char);
        n_word += 1;
        // A word as long as a line stays where it is: nothing is won by a line of its own.
        if width < n_written + n_spaces + n_word && n_word < width {
            folded.push('\n');
            (n_written, n_spaces) = (0, 0);
            spaces.clear();
        }
    }
    if !word.is_empty() || n_written + n_spaces <= width {
        folded.push_str(&spaces);
        folded.push_str(&word);
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_at_spaces() {
        for (text, expect) in [
            ("one two three", "one two\nthree"),
            ("one  two", "one  two"),
            ("a longest-word b", "a\nlongest-word\nb"),
            ("a much-longer-word b", "a\nmuch-longer-word\nb"),
            ("one\n\n  two", "one\n\n  two"),
            ("one two ", "one two "),
            ("one two  ", "one two"),
            ("", ""),
        ] {
            assert_eq!(wrap(text, 8), expect, "{text}");
        }
    }

    #[test]
    fn every_line_is_indented() {
        assert_eq!(indent("a\n\nb\n", 2), "  a\n  \n  b\n  ");
    }
}
