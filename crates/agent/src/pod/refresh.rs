//! Keeps the files in a running pod's volumes as their sources are: ConfigMaps and Secrets that change, the pod's own labels and
//! annotations, tokens that are near their end.

use super::plan::Preparation;
use super::prepare::token_problem;
use super::sources::{self, Token, TokenNeed};
use super::worker::{Latest, Worker};
use super::{name, namespace};
use crate::runtime::PodSandbox;
use crate::volumes;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How long after a failure it is tried again.
const RETRY: SignedDuration = SignedDuration::from_secs(60);

/// What stands in the volumes, and what it was made from.
#[derive(Default)]
pub(super) struct Freshness {
    /// When the tokens have to be renewed, or what failed is tried again.
    refresh_at: Option<Timestamp>,
    /// Those that stand there. None after a restart: how old they are is not known.
    tokens: BTreeMap<TokenNeed, Token>,
    n_source_changes: u64,
    fields: u64,
}

impl Freshness {
    /// What is written from now on is as new as this.
    pub(super) fn looked(&mut self, pod: &Pod, n_source_changes: u64) {
        self.n_source_changes = n_source_changes;
        self.fields = fields(pod);
    }

    /// The volumes hold these tokens.
    pub(super) fn filled(&mut self, tokens: BTreeMap<TokenNeed, Token>) {
        self.refresh_at = tokens.values().map(|token| token.refresh_at).min();
        self.tokens = tokens;
    }

    /// Nothing is known of what stands in the volumes.
    pub(super) fn forget(&mut self, now: Timestamp) {
        *self = Self { refresh_at: Some(now), ..Self::default() };
    }

    /// When time alone makes it necessary to look again. What is due has been tried, or is not wanted any more.
    pub(super) fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        self.refresh_at.filter(|at| now < *at)
    }
}

/// What of a pod's changing fields can stand in a file.
fn fields(pod: &Pod) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&pod.metadata.labels, &pod.metadata.annotations).hash(&mut hasher);
    hasher.finish()
}

impl Worker {
    /// Writes anew what is not up to date. What fails is tried again, while the old files are still there.
    pub(super) async fn refresh(&mut self, latest: &Latest) {
        let now = self.context.clock.now();
        let pod = &latest.pod;
        let is_due = self.freshness.refresh_at.is_some_and(|at| at <= now);
        let is_stale =
            || self.freshness.n_source_changes != latest.n_source_changes || self.freshness.fields != fields(pod);
        let (Some(spec), Some(sandbox)) = (&pod.spec, self.sandbox.clone()) else { return };
        if self.preparation != Preparation::Ready || !(is_due || is_stale()) {
            return;
        }
        self.freshness.looked(pod, latest.n_source_changes);
        if is_due {
            self.freshness.tokens.clear();
        }
        match self.try_refresh(pod, spec, sandbox.as_ref()).await {
            Ok(tokens) => self.freshness.filled(tokens),
            Err(error) => {
                tracing::warn!(pod = name(pod), namespace = namespace(pod), error, "could not refresh a pod's volumes");
                let again = now.checked_add(RETRY).ok();
                self.freshness.refresh_at = [self.freshness.next_look(now), again].into_iter().flatten().min();
            }
        }
    }

    async fn try_refresh(
        &self,
        pod: &Pod,
        spec: &PodSpec,
        sandbox: &dyn PodSandbox,
    ) -> Result<BTreeMap<TokenNeed, Token>, String> {
        let volumes: Vec<_> =
            spec.volumes.iter().flatten().filter(|volume| volumes::is_of_files(volume)).cloned().collect();
        if volumes.is_empty() {
            return Ok(BTreeMap::new());
        }
        let spec = PodSpec { volumes: Some(volumes), ..spec.clone() };
        let needs = volumes::needs(name(pod), &spec);
        let client = &self.context.client;
        let mut sources = sources::fetch(client, namespace(pod), &needs).await.map_err(|error| error.to_string())?;
        let now = self.context.clock.now();
        sources.tokens = self.freshness.tokens.clone();
        if needs.tokens.iter().any(|need| !sources.tokens.contains_key(need)) {
            let tokens = sources::fetch_tokens(client, pod, &needs.tokens, now).await;
            sources.tokens = tokens.map_err(|error| token_problem(&error))?;
        }
        let contents = volumes::contents(&spec, &sources, &volumes::Mounts::new(), self.subject(pod))
            .map_err(|error| error.to_string())?;
        volumes::set_up(&sandbox.root(), &self.pod_dir(pod), &spec, &contents, &now.as_nanosecond().to_string())
            .map_err(|error| error.to_string())?;
        Ok(sources.tokens)
    }
}
