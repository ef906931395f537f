//! Label selectors.

use super::lexer::{Token, tokens};
use crate::field::FieldError;
use crate::names;
use serde_json::Value;

/// Requirements that must all hold. The default one is empty and matches everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    /// A selector that was not given (null) selects nothing.
    selects_nothing: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Requirement {
    key: String,
    condition: Condition,
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
    GreaterThan(i64),
    LessThan(i64),
}

impl LabelSelector {
    /// Parses `a=b,c!=d,e in (f,g),!h,i`. The error is the API server's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parser = Parser { tokens: tokens(text), next: 0 };
        Ok(Self { requirements: parser.requirements()?, selects_nothing: false })
    }

    /// From metav1.LabelSelector JSON (`matchLabels`, `matchExpressions`). An empty one matches everything,
    /// null nothing.
    pub fn from_json(selector: &Value) -> Result<Self, String> {
        if selector.is_null() {
            return Ok(Self { requirements: Vec::new(), selects_nothing: true });
        }
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or("").to_owned();
            requirements.push(requirement(key, "In", vec![value])?);
        }
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let operator = expression["operator"].as_str().unwrap_or("");
            if !matches!(operator, "In" | "NotIn" | "Exists" | "DoesNotExist") {
                let operator = crate::field::quote(operator);
                return Err(format!("{operator} is not a valid label selector operator"));
            }
            let key = expression["key"].as_str().unwrap_or("");
            requirements.push(requirement(key, operator, texts(&expression["values"]))?);
        }
        Ok(Self { requirements, selects_nothing: false })
    }

    /// Whether it has no requirements and so matches everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty() && !self.selects_nothing
    }

    /// Whether labels match; `get` looks a label up.
    pub fn matches<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.selects_nothing
            && self.requirements.iter().all(|requirement| requirement.condition.holds(get(&requirement.key)))
    }
}

impl Condition {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_among = |values: &[String]| value.is_some_and(|value| values.iter().any(|v| v == value));
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Condition::In(values) => is_among(values),
            Condition::NotIn(values) => !is_among(values),
            Condition::Exists => value.is_some(),
            Condition::DoesNotExist => value.is_none(),
            Condition::GreaterThan(bound) => number().is_some_and(|number| *bound < number),
            Condition::LessThan(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Checks key, operator and values against each other.
fn requirement(key: &str, operator: &str, values: Vec<String>) -> Result<Requirement, String> {
    let mut errors: Vec<FieldError> =
        names::qualified_name_errors(key).iter().map(|text| FieldError::invalid("key", key, text)).collect();
    let shown = || Value::from(values.clone());
    let bound = match (operator, values.as_slice()) {
        ("Gt" | "Lt", [value]) => value.parse::<i64>().ok(),
        _ => None,
    };
    match operator {
        "In" | "NotIn" if values.is_empty() => errors.push(FieldError::invalid(
            "values",
            shown(),
            "for 'in', 'notin' operators, values set can't be empty",
        )),
        "Exists" | "DoesNotExist" if !values.is_empty() => errors.push(FieldError::invalid(
            "values",
            shown(),
            "values set must be empty for exists and does not exist",
        )),
        "Gt" | "Lt" if bound.is_none() => errors.push(FieldError::invalid(
            "values[0]",
            values.first().cloned().unwrap_or_default(),
            "for 'Gt', 'Lt' operators, the value must be an integer",
        )),
        _ => {}
    }
    for (index, value) in values.iter().enumerate() {
        let field = format!("values[{index}][{key}]");
        let wrong = names::label_value_errors(value);
        errors.extend(wrong.iter().map(|text| FieldError::invalid(&field, value.as_str(), text)));
    }
    if !errors.is_empty() {
        let texts: Vec<String> = errors.iter().map(FieldError::to_string).collect();
        return Err(match texts.as_slice() {
            [text] => text.clone(),
            _ => format!("[{}]", texts.join(", ")),
        });
    }
    let condition = match (operator, bound) {
        ("In", _) => Condition::In(values),
        ("NotIn", _) => Condition::NotIn(values),
        ("Exists", _) => Condition::Exists,
        ("DoesNotExist", _) => Condition::DoesNotExist,
        ("Gt", Some(bound)) => Condition::GreaterThan(bound),
        ("Lt", Some(bound)) => Condition::LessThan(bound),
        _ => {
            return Err(format!("{} is not a valid label selector operator", crate::field::quote(operator)));
        }
    };
    Ok(Requirement { key: key.to_owned(), condition })
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.next).copied().unwrap_or(Token::End)
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn requirements(mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            let starts_requirement = matches!(self.peek(), Token::Word(_)) || self.peek().is("!");
            match self.peek() {
                Token::End => return Ok(requirements),
                _ if starts_requirement => {}
                other => {
                    let found = other.literal();
                    return Err(format!("found '{found}', expected: !, identifier, or 'end of string'"));
                }
            }
            let requirement = self.requirement();
            requirements.push(requirement.map_err(|error| format!("unable to parse requirement: {error}"))?);
            match self.take() {
                Token::End => return Ok(requirements),
                comma if comma.is(",") => {}
                other => {
                    let found = other.literal();
                    return Err(format!("found '{found}', expected: ',' or 'end of string'"));
                }
            }
            let goes_on = matches!(self.peek(), Token::Word(_)) || self.peek().is("!");
            if !goes_on {
                let found = self.peek().literal();
                return Err(format!("found '{found}', expected: identifier after ','"));
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let is_negated = self.peek().is("!");
        if is_negated {
            self.take();
        }
        let key = match self.take() {
            Token::Word(key) => key,
            other => return Err(format!("found '{}', expected: identifier", other.literal())),
        };
        if let Some(text) = names::qualified_name_errors(key).first() {
            return Err(FieldError::invalid("<nil>", key, text).to_string());
        }
        if is_negated {
            return requirement(key, "DoesNotExist", Vec::new());
        }
        if self.peek() == Token::End || self.peek().is(",") {
            return requirement(key, "Exists", Vec::new());
        }
        match self.take() {
            Token::Word("in") => requirement(key, "In", self.values()?),
            Token::Word("notin") => requirement(key, "NotIn", self.values()?),
            Token::Symbol("=" | "==") => requirement(key, "In", self.exact_value()?),
            Token::Symbol("!=") => requirement(key, "NotIn", self.exact_value()?),
            Token::Symbol(">") => requirement(key, "Gt", self.exact_value()?),
            Token::Symbol("<") => requirement(key, "Lt", self.exact_value()?),
            other => {
                let found = other.literal();
                Err(format!("found '{found}', expected: in, notin, =, ==, !=, gt, lt"))
            }
        }
    }

    fn exact_value(&mut self) -> Result<Vec<String>, String> {
        if self.peek() == Token::End || self.peek().is(",") {
            return Ok(vec![String::new()]);
        }
        match self.take() {
            Token::Word(value) => Ok(vec![value.to_owned()]),
            other => Err(format!("found '{}', expected: identifier", other.literal())),
        }
    }

    /// `(a,b)`; an empty place between commas is an empty value.
    fn values(&mut self) -> Result<Vec<String>, String> {
        let opening = self.take();
        if !opening.is("(") {
            return Err(format!("found '{}' expected: '('", opening.literal()));
        }
        let mut values: Vec<String> = Vec::new();
        if self.peek().is(")") {
            self.take();
            return Ok(values);
        }
        loop {
            let value = match self.peek() {
                Token::Word(value) => {
                    self.take();
                    value
                }
                token if token.is(",") || token.is(")") => "",
                other => {
                    let found = other.literal();
                    return Err(format!("found '{found}', expected: ',', or identifier"));
                }
            };
            if !values.iter().any(|known| known == value) {
                values.push(value.to_owned());
            }
            match self.take() {
                token if token.is(",") => {}
                token if token.is(")") => break,
                other => {
                    return Err(format!("found '{}', expected: ',' or ')'", other.literal()));
                }
            }
        }
        values.sort();
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lookup<'a>(labels: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<&'a str> {
        |key| labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    #[test]
    fn selectors_match_labels() {
        let labels = [("app", "web"), ("tier", "front"), ("n", "5"), ("empty", "")];
        for (text, expect) in [
            ("", true),
            ("  ", true),
            ("app=web", true),
            ("app==web", true),
            (" app = web ", true),
            ("app=db", false),
            ("app!=db", true),
            ("app!=web", false),
            ("absent!=x", true),
            ("absent=x", false),
            ("empty=", true),
            ("app=", false),
            ("absent=", false),
            ("app", true),
            ("absent", false),
            ("!app", false),
            ("!absent", true),
            ("app in (db,web)", true),
            ("app in (db)", false),
            ("app in (db, web ),tier notin (back)", true),
            ("absent notin (x)", true),
            ("app notin (web)", false),
            ("empty in (,x)", true),
            ("empty in (x,)", true),
            ("app=web,tier=back", false),
            ("app=web,tier=front,!gone", true),
            ("n>4", true),
            ("n>5", false),
            ("n<6", true),
            ("app>1", false),
            ("app in (in,notin,web)", true),
            ("example.com/x!=y", true),
        ] {
            let selector = LabelSelector::parse(text).unwrap();
            assert_eq!(selector.matches(lookup(&labels)), expect, "for {text:?}");
        }
    }

    #[test]
    fn in_and_notin_may_be_label_names_too() {
        let selector = LabelSelector::parse("in=x,notin in (y)").unwrap();
        assert!(selector.matches(lookup(&[("in", "x"), ("notin", "y")])));
    }

    #[test]
    fn malformed_selectors_are_refused_with_kubernetes_texts() {
        let key_rule = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
        let value_rule = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
        for (text, expect) in [
            ("a,", "found '', expected: identifier after ','".to_owned()),
            (",a", "found ',', expected: !, identifier, or 'end of string'".to_owned()),
            ("=a", "found '=', expected: !, identifier, or 'end of string'".to_owned()),
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt".to_owned()),
            ("a=b c", "found 'c', expected: ',' or 'end of string'".to_owned()),
            ("a=b,,c", "found ',', expected: identifier after ','".to_owned()),
            ("a===b", "unable to parse requirement: found '=', expected: identifier".to_owned()),
            ("!", "unable to parse requirement: found '', expected: identifier".to_owned()),
            ("!a=b", "found '=', expected: ',' or 'end of string'".to_owned()),
            ("a in b", "unable to parse requirement: found 'b' expected: '('".to_owned()),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'".to_owned()),
            ("a in (", "unable to parse requirement: found '', expected: ',', or identifier".to_owned()),
            ("a in ()", "unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty".to_owned()),
            ("a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer".to_owned()),
            ("a:b", format!("unable to parse requirement: <nil>: Invalid value: \"a:b\": {key_rule}")),
            ("a=-", format!("unable to parse requirement: values[0][a]: Invalid value: \"-\": {value_rule}")),
        ] {
            assert_eq!(LabelSelector::parse(text).unwrap_err(), expect, "for {text:?}");
        }
    }

    #[test]
    fn the_json_form_means_the_same() {
        let labels = [("app", "web"), ("tier", "front")];
        for (selector, expect) in [
            (json!({}), true),
            (json!(null), false),
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchLabels": {"app": "db"}}), false),
            (json!({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["front", "back"]}]}), true),
            (json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["front"]}]}), false),
            (json!({"matchExpressions": [{"key": "x", "operator": "Exists"}]}), false),
            (
                json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}),
                true,
            ),
        ] {
            let parsed = LabelSelector::from_json(&selector).unwrap();
            assert_eq!(parsed.matches(lookup(&labels)), expect, "for {selector}");
        }
        assert!(LabelSelector::from_json(&json!({})).unwrap().is_empty());
        assert!(!LabelSelector::from_json(&json!(null)).unwrap().is_empty());
    }

    #[test]
    fn the_json_form_is_checked() {
        let bad = json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]});
        assert_eq!(LabelSelector::from_json(&bad).unwrap_err(), "\"Gt\" is not a valid label selector operator");
        let bad = json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["1"]}]});
        assert_eq!(
            LabelSelector::from_json(&bad).unwrap_err(),
            "values: Invalid value: [\"1\"]: values set must be empty for exists and does not exist"
        );
    }
}
