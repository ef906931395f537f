//! One place, one repository, one identity: requests with whatever authorization the registry asks for, repeated when it is busy.

use super::challenge::{self, Challenge};
use super::endpoints::Place;
use super::http::{Ask, Http, NoAnswer, may_pass, same_origin, shown};
use super::keyring::Login;
use super::{Fault, PullError};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use hyper::body::Incoming;
use parking_lot::Mutex;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Tries of one request before the place is given up for now; the pod's own back-off follows.
const TRIES: u32 = 3;
/// Answers to challenges in one request: an expired token is renewed once, and no registry asks for ever.
const MAX_CHALLENGES: u32 = 2;
/// An error's text and a token are far shorter.
const MAX_SMALL_BODY: u64 = 256 << 10;

/// See above.
pub(super) struct Session {
    pub http: Arc<Http>,
    pub place: Place,
    login: Option<Login>,
    authorization: Mutex<Option<HeaderValue>>,
}

impl Session {
    pub(super) fn new(http: Arc<Http>, place: Place, login: Option<Login>) -> Self {
        Self { http, place, login, authorization: Mutex::default() }
    }

    /// Where a thing of the repository is: `manifests/TAG`, `blobs/sha256:…`.
    pub(super) fn url(&self, thing: &str) -> Result<Uri, PullError> {
        let mut url = format!("{}/{}/{thing}", self.place.endpoint.base(), self.place.repository);
        if let Some(domain) = &self.place.mirrored {
            url.push_str(&format!("?ns={}", challenge::escaped(domain)));
        }
        url.parse().map_err(|_| {
            PullError::new(Fault::Local, format!("{url} is no URL: look at the rewrite in registries.yaml"))
        })
    }

    /// Gets it. What is returned is a success.
    pub(super) async fn get(&self, url: &Uri, headers: &HeaderMap) -> Result<Response<Incoming>, PullError> {
        let (mut tries, mut challenges) = (0, 0);
        loop {
            tries += 1;
            let authorization = self.authorization.lock().clone();
            let ask = Ask { url: url.clone(), headers, authorization, form: None };
            let pause = match self.http.ask(ask).await {
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED && challenges < MAX_CHALLENGES => {
                    challenges += 1;
                    tries -= 1;
                    self.answer_challenge(url, answer).await?;
                    continue;
                }
                Ok(answer) if may_pass(answer.status()) && tries < TRIES => self.pause(tries, answer.headers()),
                Ok(answer) => return Err(self.refusal(url, answer).await),
                Err(NoAnswer { may_pass: true, .. }) if tries < TRIES => self.pause(tries, &HeaderMap::new()),
                Err(NoAnswer { text, .. }) => return Err(PullError::new(Fault::Unreachable, text)),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// How long the registry wants to be left alone, within reason.
    fn pause(&self, tries: u32, headers: &HeaderMap) -> Duration {
        let patience = self.http.patience;
        let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        asked.map_or(patience.pause * 2u32.pow(tries - 1), Duration::from_secs).min(patience.longest_pause)
    }

    async fn answer_challenge(&self, url: &Uri, answer: Response<Incoming>) -> Result<(), PullError> {
        let headers = answer.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges = challenge::parse(headers);
        let bearer = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer { realm, service, error } => Some((realm, service, error)),
            Challenge::Basic => None,
        });
        let had_one = self.authorization.lock().is_some();
        let authorization = match (bearer, &self.login) {
            // With a fresh token of the right scope it will not get better.
            (Some((_, _, Some(error))), _) if had_one && error == "insufficient_scope" => {
                return Err(self.refusal(url, answer).await);
            }
            (Some((realm, service, _)), login) => self.token(url, realm, service.as_deref(), login.as_ref()).await?,
            (None, Some(login)) if challenges.contains(&Challenge::Basic) && !had_one => challenge::basic(login),
            _ => return Err(self.refusal(url, answer).await),
        };
        let mut value = HeaderValue::try_from(authorization)
            .map_err(|_| PullError::new(Fault::Dishonest, format!("{}: a token that cannot be sent", shown(url))))?;
        value.set_sensitive(true);
        *self.authorization.lock() = Some(value);
        Ok(())
    }

    async fn token(
        &self,
        url: &Uri,
        realm: &str,
        service: Option<&str>,
        login: Option<&Login>,
    ) -> Result<String, PullError> {
        let request = challenge::token_request(realm, service, &self.place.repository, login);
        let denied =
            |text: String| PullError::new(Fault::Denied, format!("failed to authorize: failed to fetch {text}"));
        let kind = if login.is_some() { "oauth token" } else { "anonymous token" };
        let realm: Uri = request.url.parse().map_err(|_| denied(format!("{kind}: {realm:?} is no URL")))?;
        // What came encrypted does not go on in the clear.
        let is_downgrade = url.scheme() == Some(&Scheme::HTTPS) && realm.scheme() != Some(&Scheme::HTTPS);
        let leaves_in_clear = realm.scheme() != Some(&Scheme::HTTPS) && login.is_some() && !same_host(url, &realm);
        if is_downgrade || leaves_in_clear {
            return Err(denied(format!("{kind}: its service {} is not encrypted", shown(&realm))));
        }
        let authorization = request.authorization.and_then(|value| HeaderValue::try_from(value).ok());
        let headers = HeaderMap::new();
        let ask = Ask { url: realm.clone(), headers: &headers, authorization, form: request.form };
        let answer = self.http.ask(ask).await.map_err(|error| {
            PullError::new(Fault::Unreachable, format!("failed to authorize: failed to fetch {kind}: {}", error.text))
        })?;
        if may_pass(answer.status()) {
            let text = format!("failed to authorize: failed to fetch {kind}: {}: {}", shown(&realm), answer.status());
            return Err(PullError::new(Fault::Unreachable, text));
        }
        if !answer.status().is_success() {
            return Err(denied(format!(
                "{kind}: unexpected status from GET request to {}: {}",
                shown(&realm),
                answer.status()
            )));
        }
        let body = self
            .http
            .read(answer.into_body(), MAX_SMALL_BODY)
            .await
            .map_err(|text| denied(format!("{kind}: {text}")))?;
        challenge::bearer(&body).ok_or_else(|| denied(format!("{kind}: {} answers without one", shown(&realm))))
    }

    /// The error that an answer stands for.
    async fn refusal(&self, url: &Uri, answer: Response<Incoming>) -> PullError {
        let status = answer.status();
        let body = self.http.read(answer.into_body(), MAX_SMALL_BODY).await.unwrap_or_default();
        let said = registry_message(&body).map(|text| format!(": {text}")).unwrap_or_default();
        let at = shown(url);
        match status {
            StatusCode::NOT_FOUND => PullError::new(Fault::Absent, "not found"),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let text = "pull access denied, repository does not exist or may require authorization";
                PullError::new(Fault::Denied, format!("{text}: server message: {status}{said}"))
            }
            _ if may_pass(status) => PullError::new(Fault::Unreachable, format!("{at}: {status}{said}")),
            _ => PullError::new(Fault::Dishonest, format!("{at}: unexpected status {status}{said}")),
        }
    }
}

fn same_host(a: &Uri, b: &Uri) -> bool {
    same_origin(a, b) || a.host() == b.host()
}

/// `{"errors": [{"code": …, "message": …}]}`, cut to a line.
fn registry_message(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let first = document["errors"].get(0)?;
    let text = [first["code"].as_str(), first["message"].as_str()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_message_is_one_line() {
        let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication\nrequired","detail":[]}]}"#;
        assert_eq!(registry_message(body).as_deref(), Some("UNAUTHORIZED: authentication required"));
        for body in ["", "{}", r#"{"errors":[]}"#, r#"{"errors":[{"code":5}]}"#, "<html>"] {
            assert_eq!(registry_message(body.as_bytes()), None, "{body}");
        }
    }
}
