//! Cuts the text of a label selector into tokens.

/// A token; words stand as they are, `in` and `notin` among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    /// One of `! = == != < > , ( )`.
    Symbol(&'a str),
    /// Special characters that are no symbol; the text says so.
    Unknown(&'a str),
    End,
}

impl<'a> Token<'a> {
    /// The token as error texts quote it.
    pub(super) fn literal(&self) -> String {
        match self {
            Token::Word(text) | Token::Symbol(text) => (*text).to_owned(),
            Token::Unknown(text) => format!("error expected: keyword found '{text}'"),
            Token::End => String::new(),
        }
    }
    pub(super) fn is(&self, symbol: &str) -> bool {
        *self == Token::Symbol(symbol)
    }
}

const SYMBOLS: [&str; 9] = ["!", "=", "==", "!=", "<", ">", ",", "(", ")"];

pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let (token, length) = match rest.starts_with(is_special) {
            true => symbol(rest),
            false => word(rest),
        };
        tokens.push(token);
        rest = rest[length..].trim_start_matches(is_space);
    }
    tokens.push(Token::End);
    tokens
}

fn word(text: &str) -> (Token<'_>, usize) {
    let ends = |c: char| is_space(c) || is_special(c);
    let length = text.find(ends).unwrap_or(text.len());
    (Token::Word(&text[..length]), length)
}

/// The longest symbol that `text` starts with. Every special character is a symbol by itself.
fn symbol(text: &str) -> (Token<'_>, usize) {
    let longest = SYMBOLS.into_iter().filter(|symbol| text.starts_with(symbol)).max_by_key(|symbol| symbol.len());
    match longest {
        Some(symbol) => (Token::Symbol(&text[..symbol.len()]), symbol.len()),
        None => (Token::Unknown(text), text.len()),
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_special(character: char) -> bool {
    "=!(),<>".contains(character)
}
