//! What a registry says when it wants to know who asks (`WWW-Authenticate`), and the request for a token that answers it. Pure.
//! Rules: RFC 9110 section 11, and the distribution specification's token flow.

use super::keyring::Login;
use base64::Engine;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One way to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token from a token service.
    Bearer {
        /// Where it is.
        realm: String,
        /// What it is to be for.
        service: Option<String>,
        /// Why the last token would not do: `insufficient_scope`.
        error: Option<String>,
    },
}

/// Reads the values of all `WWW-Authenticate` headers; what nobody knows is left out.
pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Vec<Challenge> {
    headers.flat_map(parse_one).collect()
}

fn parse_one(header: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    for part in split_outside_quotes(header) {
        let (before_equals, value) = part.split_once('=').unwrap_or((part.as_str(), ""));
        // `Bearer realm="…"` begins a challenge, `service="…"` goes on with it.
        let (scheme, key) = match before_equals.trim().split_once(' ') {
            Some((scheme, key)) => (Some(scheme), key.trim()),
            None if part.contains('=') => (None, before_equals.trim()),
            None => (Some(before_equals.trim()), ""),
        };
        if let Some(scheme) = scheme {
            found.push((scheme.to_ascii_lowercase(), BTreeMap::new()));
        }
        if let Some((_, parameters)) = found.last_mut()
            && !key.is_empty()
        {
            parameters.insert(key.to_ascii_lowercase(), unquoted(value.trim()));
        }
    }
    found.into_iter().filter_map(|(scheme, parameters)| challenge(&scheme, parameters)).collect()
}

fn challenge(scheme: &str, mut parameters: BTreeMap<String, String>) -> Option<Challenge> {
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: parameters.remove("realm").filter(|realm| !realm.is_empty())?,
            service: parameters.remove("service"),
            error: parameters.remove("error"),
        }),
        _ => None,
    }
}

fn split_outside_quotes(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for c in text.chars() {
        match c {
            ',' if !quoted => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        part.push(c);
    }
    parts.push(part);
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let (mut text, mut escaped) = (String::new(), false);
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        text.push(c);
    }
    text
}

/// A request for a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenRequest {
    pub url: String,
    /// `Basic …`
    pub authorization: Option<String>,
    /// A form to post; without one the request is a GET.
    pub form: Option<String>,
}

/// Asks for the right to pull `repository`, and for nothing else whatever the registry suggests.
pub(super) fn token_request(
    realm: &str,
    service: Option<&str>,
    repository: &str,
    login: Option<&Login>,
) -> TokenRequest {
    let scope = format!("repository:{repository}:pull");
    let mut fields = vec![("scope", scope.as_str())];
    fields.extend(service.map(|service| ("service", service)));
    if let Some(token) = login.and_then(|login| login.identity_token.as_deref()) {
        fields.extend([("grant_type", "refresh_token"), ("client_id", "kiln"), ("refresh_token", token)]);
        return TokenRequest { url: realm.into(), authorization: None, form: Some(form(&fields)) };
    }
    let separator = if realm.contains('?') { '&' } else { '?' };
    let url = format!("{realm}{separator}{}", form(&fields));
    TokenRequest { url, authorization: login.map(basic), form: None }
}

/// The header value that says who one is.
pub(super) fn basic(login: &Login) -> String {
    let pair = format!("{}:{}", login.username, login.password);
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

fn form(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(key, value)| format!("{key}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

/// Percent-encoded (RFC 3986: everything but unreserved characters).
pub(super) fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

/// The header value that a token service's answer stands for.
pub(super) fn bearer(json: &[u8]) -> Option<String> {
    let answer: TokenAnswer = serde_json::from_slice(json).ok()?;
    let token = answer.token.filter(|t| !t.is_empty()).or(answer.access_token.filter(|t| !t.is_empty()))?;
    Some(format!("Bearer {token}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer_of(realm: &str, service: Option<&str>, error: Option<&str>) -> Challenge {
        let owned = |text: &str| text.to_owned();
        Challenge::Bearer { realm: realm.into(), service: service.map(owned), error: error.map(owned) }
    }

    #[test]
    fn challenges_are_read_however_they_are_written() {
        let basic = Challenge::Basic;
        for (header, expect) in [
            (r#"Basic realm="Registry""#, vec![basic.clone()]),
            ("basic", vec![basic.clone()]),
            (
                r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push""#,
                vec![bearer_of("https://auth.example/token", Some("r.example"), None)],
            ),
            (
                r#"Bearer realm = "https://a.example/t" , error="insufficient_scope""#,
                vec![bearer_of("https://a.example/t", None, Some("insufficient_scope"))],
            ),
            (r#"Bearer realm=https://a.example/t"#, vec![bearer_of("https://a.example/t", None, None)]),
            (r#"Bearer realm="https://a.example/\"t""#, vec![bearer_of("https://a.example/\"t", None, None)]),
            (
                r#"Negotiate, Bearer realm="https://a.example/t", Basic realm="x, y""#,
                vec![bearer_of("https://a.example/t", None, None), basic],
            ),
            (r#"Bearer service="x""#, vec![]),
            ("", vec![]),
            (r#",,="",Bearer"#, vec![]),
            ("\"", vec![]),
        ] {
            assert_eq!(parse([header].into_iter()), expect, "{header}");
        }
    }

    #[test]
    fn a_token_is_asked_for_with_what_there_is() {
        let login = Login { username: "u".into(), password: "p".into(), identity_token: None };
        let anonymous = token_request("https://a.example/t", Some("r & s"), "team/app", None);
        assert_eq!(anonymous.url, "https://a.example/t?scope=repository%3Ateam%2Fapp%3Apull&service=r%20%26%20s");
        assert_eq!((anonymous.authorization, anonymous.form), (None, None));
        let named = token_request("https://a.example/t?x=1", None, "a", Some(&login));
        assert_eq!(named.url, "https://a.example/t?x=1&scope=repository%3Aa%3Apull");
        assert_eq!(named.authorization.as_deref(), Some("Basic dTpw"));
        let identity = Login { identity_token: Some("t/k".into()), ..login };
        let exchanged = token_request("https://a.example/t", None, "a", Some(&identity));
        assert_eq!(exchanged.url, "https://a.example/t");
        assert!(exchanged.form.unwrap().ends_with("grant_type=refresh_token&client_id=kiln&refresh_token=t%2Fk"));
    }

    #[test]
    fn tokens_come_under_two_names() {
        assert_eq!(bearer(br#"{"token":"a","access_token":"b","expires_in":300}"#).as_deref(), Some("Bearer a"));
        assert_eq!(bearer(br#"{"token":"","access_token":"b"}"#).as_deref(), Some("Bearer b"));
        assert_eq!(bearer(b"{}"), None);
        assert_eq!(bearer(b"<html>"), None);
    }
}
