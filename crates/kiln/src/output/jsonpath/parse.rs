//! Reads kubectl's jsonpath (K:client-go/util/jsonpath/parser.go). Pure.

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Printed as it is.
    Text(String),
    /// `{…}`: steps from an object to results.
    Action(Vec<Step>),
    /// `{range …}…{end}`
    Range { over: Vec<Step>, body: Vec<Node> },
}

/// A step from values to values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A literal in a path or in a filter.
    Literal(serde_json::Value),
    /// `.name`
    Field(String),
    /// `[n]`, `[a:b:step]`
    Slice(Slice),
    /// `[*]`, `.*`
    Wildcard,
    /// `..`
    Recursive,
    /// `[a,b]`
    Union(Vec<Vec<Step>>),
    /// `[?(…)]`
    Filter { left: Vec<Step>, operator: Option<Operator>, right: Vec<Step> },
}

/// Bounds of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slice {
    /// First position; from the end when negative.
    pub start: Option<i64>,
    /// One past the last.
    pub end: Option<i64>,
    /// `[n]`: the end was not written, but follows from the start.
    pub is_single: bool,
    /// Every how many.
    pub step: Option<i64>,
}

/// How a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// `.a.b` and `a.b` stand for `{.a.b}`, as in --sort-by and custom-columns.
pub fn relaxed(text: &str) -> Result<String, String> {
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    if inner.is_empty() || inner.contains(['{', '}']) {
        return Err(format!(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{{name1.name2}}' or '{{.name1.name2}}': {text:?}"
        ));
    }
    Ok(format!("{{.{}}}", inner.strip_prefix('.').unwrap_or(inner)))
}

/// Parses a whole template.
pub fn template(text: &str) -> Result<Vec<Node>, String> {
    let mut stack: Vec<(Vec<Step>, Vec<Node>)> = Vec::new();
    let mut nodes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (literal, action) = match rest.split_once('{') {
            Some((literal, action)) => (literal, Some(action)),
            None => (rest, None),
        };
        if !literal.is_empty() {
            nodes.push(Node::Text(literal.into()));
        }
        let Some(action) = action else { break };
        let mut reader = Reader::new(action);
        let word = reader.word();
        match word.as_deref() {
            Some("end") => {
                reader.end_of_action()?;
                let Some((over, outer)) = stack.pop() else { return Err("not in range, nothing to end".into()) };
                let body = std::mem::replace(&mut nodes, outer);
                nodes.push(Node::Range { over, body });
            }
            Some("range") => {
                let over = reader.steps(true)?;
                stack.push((over, std::mem::take(&mut nodes)));
            }
            Some("true" | "false") | None => {
                let mut steps: Vec<Step> =
                    word.map(|word| Step::Literal((word == "true").into())).into_iter().collect();
                steps.extend(reader.steps(true)?);
                nodes.push(Node::Action(steps));
            }
            Some(word) => return Err(format!("unrecognized identifier {word}")),
        }
        rest = reader.rest();
    }
    // A range that nothing ends goes on to the template's end.
    while let Some((over, outer)) = stack.pop() {
        let body = std::mem::replace(&mut nodes, outer);
        nodes.push(Node::Range { over, body });
    }
    Ok(nodes)
}

/// How deep filters may hold filters. The text comes from the user's own command line, but a stack has an end.
const MAX_DEPTH: usize = 32;

struct Reader<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, position: 0, depth: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.position += char.len_utf8();
        Some(char)
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|char| !is_part(char)).unwrap_or(rest.len());
        self.position += length;
        &rest[..length]
    }

    /// A bare word at the beginning of an action.
    fn word(&mut self) -> Option<String> {
        self.take_while(|char| char == ' ');
        if !self.peek()?.is_alphabetic() {
            return None;
        }
        Some(self.take_while(is_word).to_owned())
    }

    fn end_of_action(&mut self) -> Result<(), String> {
        self.take_while(|char| char == ' ');
        match self.next() {
            Some('}') => Ok(()),
            _ => Err("unclosed action".into()),
        }
    }

    /// Steps up to the closing brace, or to the end of the text when there is none to expect.
    fn steps(&mut self, in_braces: bool) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        loop {
            if self.rest().starts_with("[?(") {
                steps.push(self.filter()?);
                continue;
            }
            if self.rest().starts_with("..") {
                self.position += 2;
                steps.push(Step::Recursive);
                if self.peek().is_some_and(is_word) {
                    steps.push(self.field());
                }
                continue;
            }
            match self.peek() {
                None if in_braces => return Err("unclosed action".into()),
                None => return Ok(steps),
                Some('}') if in_braces => {
                    self.next();
                    return Ok(steps);
                }
                Some(' ' | '@' | '$') => {
                    self.next();
                }
                Some('[') => steps.extend(self.brackets()?),
                Some(quote @ ('"' | '\'')) => {
                    self.next();
                    steps.push(Step::Literal(self.quoted(quote)?.into()));
                }
                Some('.') => {
                    self.next();
                    steps.push(self.field());
                }
                Some(char) if char.is_ascii_digit() || matches!(char, '+' | '-') => {
                    let number = self.take_while(|char| char.is_ascii_digit() || "+-.eE".contains(char));
                    let value = number.trim_start_matches('+').parse::<serde_json::Number>();
                    steps.push(Step::Literal(value.map_err(|_| format!("cannot parse number {number}"))?.into()));
                }
                Some(char) if char.is_alphabetic() => match self.take_while(is_word) {
                    word @ ("true" | "false") => steps.push(Step::Literal((word == "true").into())),
                    word => return Err(format!("unrecognized identifier {word}")),
                },
                Some(char) => return Err(format!("unrecognized character in action: {char:?}")),
            }
        }
    }

    /// A field's name, behind the dot. A backslash keeps a dot in it.
    fn field(&mut self) -> Step {
        let mut name = String::new();
        while let Some(char) = self.peek() {
            let is_end = char.is_whitespace() || ".,[]$@{}".contains(char);
            if is_end {
                break;
            }
            self.next();
            match char {
                '\\' => name.extend(self.next()),
                char => name.push(char),
            }
        }
        if name == "*" { Step::Wildcard } else { Step::Field(name) }
    }

    /// A quoted text; its escapes are Go's, and the other quote needs none.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let char = self.next().filter(|char| *char != '\n').ok_or("unterminated quoted string")?;
            match char {
                '\\' => text.push(self.escaped()?),
                char if char == quote => return Ok(text),
                char => text.push(char),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let char = self.next().ok_or("unterminated quoted string")?;
        let length = match char {
            'a' => return Ok('\u{7}'),
            'b' => return Ok('\u{8}'),
            'f' => return Ok('\u{c}'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'v' => return Ok('\u{b}'),
            '\\' | '"' | '\'' => return Ok(char),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0'..='7' => {
                let digits: String = std::iter::once(char).chain((0..2).filter_map(|_| self.next())).collect();
                let code = u8::from_str_radix(&digits, 8).ok().filter(|_| digits.len() == 3);
                return code.map(char::from).ok_or_else(|| "invalid syntax".into());
            }
            _ => return Err("invalid syntax".into()),
        };
        let digits: String = (0..length).filter_map(|_| self.next()).collect();
        let code = u32::from_str_radix(&digits, 16).map_err(|_| "invalid syntax")?;
        char::from_u32(code).ok_or_else(|| "invalid syntax".into())
    }

    fn brackets(&mut self) -> Result<Vec<Step>, String> {
        let rest = self.rest();
        let length = rest.find([']', '\n']).filter(|end| rest[*end..].starts_with(']')).ok_or("unterminated array")?;
        let text = &rest[1..length];
        self.position += length + 1;
        within_brackets(text)
    }

    fn filter(&mut self) -> Result<Step, String> {
        self.depth += 1;
        if MAX_DEPTH < self.depth {
            return Err("filters are too deep".into());
        }
        self.position += "[?(".len();
        let start = self.position;
        let mut quote = None;
        loop {
            match (self.next(), quote) {
                (None | Some('\n'), _) => return Err("unterminated filter".into()),
                (Some('\\'), Some(_)) => {
                    self.next();
                }
                (Some(char), Some(open)) if char == open => quote = None,
                (Some(_), Some(_)) => {}
                (Some(char @ ('"' | '\'')), None) => quote = Some(char),
                (Some(')'), None) => break,
                (Some(_), None) => {}
            }
        }
        let text = &self.text[start..self.position - 1];
        if self.next() != Some(']') {
            return Err("unclosed array expect ]".into());
        }
        let steps = |text: &str| Reader { text, position: 0, depth: self.depth }.steps(false);
        let is_sign = |char: char| "!<>=".contains(char);
        let Some(begin) = text.find(is_sign).filter(|begin| 0 < *begin) else {
            return Ok(Step::Filter { left: steps(text)?, operator: None, right: Vec::new() });
        };
        let signs = &text[begin..];
        let end = begin + signs.find(|char| !is_sign(char)).ok_or("unterminated filter")?;
        let operator = match &text[begin..end] {
            "==" => Operator::Equal,
            "!=" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::AtMost,
            ">" => Operator::Greater,
            ">=" => Operator::AtLeast,
            other => return Err(format!("unrecognized filter operator {other}")),
        };
        Ok(Step::Filter { left: steps(&text[..begin])?, operator: Some(operator), right: steps(&text[end..])? })
    }
}

fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

fn within_brackets(text: &str) -> Result<Vec<Step>, String> {
    let parts: Vec<&str> = text.split(',').collect();
    if 1 < parts.len() {
        let branches: Result<Vec<_>, _> =
            parts.into_iter().map(|part| within_brackets(part.trim_matches(' '))).collect();
        return Ok(vec![Step::Union(branches?)]);
    }
    if let Some(key) =
        text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).filter(|key| !key.contains('\''))
    {
        return Reader::new(&format!(".{key}")).steps(false);
    }
    if text == "*" {
        return Ok(vec![Step::Wildcard]);
    }
    let bounds: Vec<&str> = text.split(':').collect();
    let number = |position: usize| match bounds.get(position).copied().unwrap_or_default() {
        "" => Ok(None),
        text => text.parse::<i64>().map(Some).map_err(|_| format!("invalid array index {text}")),
    };
    if text.is_empty() {
        // As kubectl has it: the first one.
        return Ok(vec![Step::Slice(Slice { start: Some(0), end: Some(1), is_single: true, step: None })]);
    }
    if 3 < bounds.len() {
        return Err(format!("invalid array index {text}"));
    }
    let (start, end, step) = (number(0)?, number(1)?, number(2)?);
    let is_single = bounds.len() == 1;
    let end = if is_single { start.map(|start| start.saturating_add(1)) } else { end };
    Ok(vec![Step::Slice(Slice { start, end, is_single, step })])
}
