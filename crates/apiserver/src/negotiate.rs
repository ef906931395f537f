//! Which form an answer takes: the Accept header against what can be made.

use http::HeaderMap;

/// How an answer is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    #[default]
    Json,
    Yaml,
    Protobuf,
}

/// What is made of an object or a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Shape {
    #[default]
    Object,
    /// meta.k8s.io Table
    Table,
    /// meta.k8s.io PartialObjectMetadata (and its list)
    Partial,
}

/// The form that won.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Form {
    pub encoding: Encoding,
    pub shape: Shape,
    /// meta.k8s.io/v1beta1 instead of v1, for tables and partial objects.
    pub v1beta1: bool,
}

/// One alternative of an Accept header.
struct Alternative {
    media: String,
    parameters: Vec<(String, String)>,
    quality: f32,
}

impl Alternative {
    fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }

    fn form(&self) -> Option<Form> {
        let encoding = match self.media.as_str() {
            "*/*" | "application/*" | "application/json" => Encoding::Json,
            "application/yaml" => Encoding::Yaml,
            "application/vnd.kubernetes.protobuf" => Encoding::Protobuf,
            _ => return None,
        };
        let shape = match self.parameter("as") {
            "" => return Some(Form { encoding, ..Form::default() }),
            "Table" => Shape::Table,
            "PartialObjectMetadata" | "PartialObjectMetadataList" => Shape::Partial,
            _ => return None,
        };
        let v1beta1 = match (self.parameter("g"), self.parameter("v")) {
            ("meta.k8s.io", "v1") => false,
            ("meta.k8s.io", "v1beta1") => true,
            _ => return None,
        };
        Some(Form { encoding, shape, v1beta1 })
    }
}

/// The form the client likes best of those that can be made, `None` when it takes none (406).
pub(crate) fn form(headers: &HeaderMap) -> Option<Form> {
    forms(headers).into_iter().next()
}

/// The same for what has no protobuf form: clients that prefer protobuf take JSON as well, as a rule.
pub(crate) fn text_form(headers: &HeaderMap) -> Option<Form> {
    let form = forms(headers).into_iter().find(|form| form.encoding != Encoding::Protobuf)?;
    Some(Form { encoding: form.encoding, ..Form::default() })
}

fn forms(headers: &HeaderMap) -> Vec<Form> {
    match alternatives(headers) {
        none if none.is_empty() => vec![Form::default()],
        alternatives => alternatives.iter().filter_map(Alternative::form).collect(),
    }
}

/// The first of `offers` (media types with parameters, compared piece by piece) that the client names itself, by the
/// client's order; `None` when it names none of them and no wildcard.
pub(crate) fn pick(headers: &HeaderMap, offers: &[&'static str]) -> Option<&'static str> {
    let alternatives = alternatives(headers);
    let last = offers.last()?;
    if alternatives.is_empty() {
        return Some(last);
    }
    for alternative in &alternatives {
        for offer in offers {
            let wanted = parse_one(offer);
            let same = wanted.media == alternative.media
                && wanted.parameters.iter().all(|(key, value)| alternative.parameter(key) == value)
                && (alternative.parameter("as").is_empty() || !wanted.parameter("as").is_empty());
            if same {
                return Some(offer);
            }
        }
        if alternative.media == "*/*" || alternative.media == "application/*" {
            return Some(last);
        }
    }
    None
}

/// Alternatives by falling quality, in order where that is equal.
fn alternatives(headers: &HeaderMap) -> Vec<Alternative> {
    let mut found: Vec<Alternative> = headers
        .get_all(http::header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(parse_one)
        .filter(|alternative| alternative.quality > 0.0)
        .collect();
    found.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    found
}

fn parse_one(text: &str) -> Alternative {
    let mut pieces = text.split(';').map(str::trim);
    let media = pieces.next().unwrap_or("").to_ascii_lowercase();
    let mut quality = 1.0;
    let mut parameters = Vec::new();
    for piece in pieces {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
        if key == "q" {
            quality = value.parse().unwrap_or(1.0);
        } else {
            parameters.push((key, value.to_owned()));
        }
    }
    Alternative { media, parameters, quality }
}

/// The media type of a body without its parameters, lower case; JSON when the header is missing.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| "application/json".into())
}

/// Whether the client takes gzip.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(http::header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let item = parse_one(item.trim());
            item.media == "gzip" && item.quality > 0.0
        })
}

/// The refusal of an Accept header.
pub(crate) fn not_acceptable() -> crate::error::Failure {
    meta::status::Status::not_acceptable(
        "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::ACCEPT, text.parse().unwrap());
        headers
    }

    #[test]
    fn forms() {
        use Encoding::{Json, Protobuf, Yaml};
        use Shape::{Object, Partial, Table};
        for (text, expect) in [
            ("application/json", Some((Json, Object, false))),
            ("*/*", Some((Json, Object, false))),
            ("application/vnd.kubernetes.protobuf,application/json", Some((Protobuf, Object, false))),
            ("application/vnd.kubernetes.protobuf;q=0.5,application/json", Some((Json, Object, false))),
            ("application/vnd.kubernetes.protobuf;stream=watch", Some((Protobuf, Object, false))),
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
                Some((Protobuf, Partial, false)),
            ),
            ("application/vnd.kubernetes.protobuf", Some((Protobuf, Object, false))),
            ("application/yaml", Some((Yaml, Object, false))),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Some((Json, Table, false)),
            ),
            ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Some((Json, Table, true))),
            ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Some((Json, Object, false))),
            ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Some((Json, Partial, false))),
            ("application/json;q=0.1,application/yaml;q=0.9", Some((Yaml, Object, false))),
            ("text/html, application/xhtml+xml, */*;q=0.8", Some((Json, Object, false))),
            ("image/png", None),
            ("application/json;q=0", Some((Json, Object, false))),
        ] {
            let form = form(&accept(text)).map(|f| (f.encoding, f.shape, f.v1beta1));
            // A header that refuses everything is read like none.
            assert_eq!(form, expect, "{text}");
        }
        assert_eq!(super::form(&HeaderMap::new()), Some(Form::default()));
    }

    #[test]
    fn picks() {
        const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        const BETA: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        let offers = [V2, BETA, "application/json"];
        for (text, expect) in [
            ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", Some(BETA)),
            ("application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io", Some(V2)),
            ("application/json;as=Other;v=v2;g=x,application/json", Some("application/json")),
            ("application/json", Some("application/json")),
            ("*/*", Some("application/json")),
            ("image/png", None),
        ] {
            assert_eq!(pick(&accept(text), &offers), expect, "{text}");
        }
    }
}
