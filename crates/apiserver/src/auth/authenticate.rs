//! Who sends a request: a certificate first, else a token, else nobody (K:pkg/kubeapiserver/authenticator/config.go).

use super::{Credential, ISSUER, TokenKeys, User};
use crate::admission::Stored;
use crate::server::ApiServer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderValue};
use kinds::service_account::claims::{self, Identity};

/// Browsers cannot set headers on a WebSocket: they name the token as a protocol
/// (K:apiserver/pkg/authentication/request/websocket).
const WEBSOCKET_PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// What this server and its clients know each other by, beside client certificates.
pub struct Trust {
    /// Signs and checks ServiceAccount tokens.
    pub tokens: TokenKeys,
    /// The CA's certificate (PEM), for clients in pods.
    pub root_ca: String,
}

/// The audience of a token that names none.
pub(crate) fn own_audiences() -> Vec<String> {
    vec![ISSUER.into()]
}

/// Who sends a request with these headers over a connection with this certificate. `None`: what was shown is not good.
/// Nobody after this sees the token.
pub(crate) fn authenticate(server: &ApiServer, credential: Credential, headers: &mut HeaderMap) -> Option<User> {
    let token = take_token(headers);
    match (credential, token) {
        (Credential::Known(user), _) => Some(user),
        (_, Some(token)) => match identify(server, &token, &own_audiences()) {
            Ok(identity) => Some(identity.user),
            Err(reason) => {
                tracing::debug!(reason, "a token was refused");
                None
            }
        },
        (Credential::Absent, None) => Some(User::anonymous()),
        (Credential::Invalid, None) => None,
    }
}

/// Whom a token names. The error is for TokenReviews and the log.
pub(crate) fn identify(server: &ApiServer, token: &str, audiences: &[String]) -> Result<Identity, String> {
    const INVALID: &str = "invalid bearer token";
    let said = server.trust.as_ref().and_then(|trust| trust.tokens.verify(token)).ok_or(INVALID)?;
    claims::identify(&said, audiences, &Stored::of(server), server.clock.now())
        .map_err(|reason| format!("[{INVALID}, {reason}]"))
}

fn take_token(headers: &mut HeaderMap) -> Option<String> {
    let authorization = headers.remove(AUTHORIZATION);
    authorization.as_ref().and_then(bearer).or_else(|| take_websocket_token(headers))
}

/// `Bearer TOKEN`; anything else is no token (K:apiserver/pkg/authentication/request/bearertoken).
fn bearer(authorization: &HeaderValue) -> Option<String> {
    let mut parts = authorization.to_str().ok()?.trim().splitn(3, ' ');
    let is_bearer = parts.next()?.eq_ignore_ascii_case("bearer");
    let token = parts.next().filter(|token| !token.is_empty())?;
    is_bearer.then(|| token.to_owned())
}

/// Takes the token out of the protocols that a WebSocket offers.
fn take_websocket_token(headers: &mut HeaderMap) -> Option<String> {
    let offers = |name: &HeaderName| -> Vec<String> {
        let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).map(|offer| offer.trim().to_owned()).collect()
    };
    let (tokens, others): (Vec<_>, Vec<_>) =
        offers(&SEC_WEBSOCKET_PROTOCOL).into_iter().partition(|offer| offer.starts_with(WEBSOCKET_PREFIX));
    let encoded = tokens.first()?.strip_prefix(WEBSOCKET_PREFIX)?.to_owned();
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let Ok(others) = HeaderValue::from_str(&others.join(", ")) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, others);
    }
    // What cannot be read is a token that is not good, not none.
    let decoded = URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('=')).ok();
    Some(decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_taken_from_where_clients_put_them() {
        for (name, value, expect) in [
            ("authorization", "Bearer abc", Some("abc")),
            ("authorization", "bearer abc def", Some("abc")),
            ("authorization", "Bearer", None),
            ("authorization", "Bearer  abc", None),
            ("authorization", "Basic abc", None),
            ("sec-websocket-protocol", "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.YWJj", Some("abc")),
            ("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io.!!", Some("")),
            ("sec-websocket-protocol", "v5.channel.k8s.io", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            assert_eq!(take_token(&mut headers).as_deref(), expect, "{value}");
            let rest = headers.get(SEC_WEBSOCKET_PROTOCOL).map(|rest| rest.to_str().unwrap().to_owned());
            assert!(rest.is_none_or(|rest| !rest.contains("bearer")), "the token is gone");
            assert!(!headers.contains_key(AUTHORIZATION));
        }
    }
}
