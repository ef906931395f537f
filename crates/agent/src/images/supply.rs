//! What the pods of this machine, and whoever pulls by hand, get their images from: the image directory, and registries as
//! `registries.yaml` says. Whoever wants what is being pulled already waits for that pull instead of beginning another.

use super::reference::{self, Name, Reference};
use super::registry::configuration::Registries;
use super::registry::keyring::Keyring;
use super::registry::progress::Progress;
use super::registry::{Fault, Http, Patience, Pull, PullError, Pulled, Underway, blocking, pull};
use super::{Image, ImageError, ImageStore};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Images that are pulled at once; each fetches several layers.
const PULLS_AT_ONCE: usize = 3;

type Flight = BoxFuture<'static, Result<Pulled, PullError>>;
/// A pull that goes on as long as somebody waits for it, and how far it is.
type InFlight = (WeakShared<Flight>, Arc<Progress>);
/// The same name with other credentials is another flight: one must not profit from what the other may see.
type Ticket = (String, Keyring);

/// A source of images for one server or command.
pub struct Supply {
    store: ImageStore,
    file: PathBuf,
    patience: Patience,
    http: Mutex<Option<(Stamp, Arc<Http>)>>,
    flights: Mutex<HashMap<Ticket, InFlight>>,
    slots: Arc<Semaphore>,
    underway: Arc<Underway>,
}

/// Tells whether the file has changed.
type Stamp = Option<(SystemTime, u64)>;

impl Supply {
    /// Images of `store`; `registries` is the path of `registries.yaml`, which need not exist, and is read again when it changes.
    pub fn new(store: ImageStore, registries: PathBuf) -> Self {
        Self {
            store,
            file: registries,
            patience: Patience::default(),
            http: Mutex::default(),
            flights: Mutex::default(),
            slots: Arc::new(Semaphore::new(PULLS_AT_ONCE)),
            underway: Arc::default(),
        }
    }

    /// The same with other waits.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// The image directory.
    pub fn store(&self) -> &ImageStore {
        &self.store
    }

    /// Reads `registries.yaml`, to say early what is wrong with it.
    ///
    /// # Errors
    /// `Fault::Local`, with the file and every mistake in it.
    pub fn check(&self) -> Result<(), PullError> {
        read_registries(&self.file).map(drop)
    }

    /// Pulls `name`, or joins a pull of it. `progress` is told how far it is.
    ///
    /// # Errors
    /// Whatever kept it from this machine, as users read it.
    pub async fn pull(&self, name: &str, keyring: &Keyring) -> Result<Pulled, PullError> {
        self.begin(name, keyring)?.0.await
    }

    /// Begins a pull of `name`, or joins one: the pull itself, which goes on while somebody awaits it, and how far it is.
    ///
    /// # Errors
    /// A name that no registry has, and a `registries.yaml` that cannot be read.
    pub fn begin(&self, name: &str, keyring: &Keyring) -> Result<(Shared<Flight>, Arc<Progress>), PullError> {
        let reference = match reference::parse(name).map_err(PullError::from)? {
            Name::Image(reference) => reference,
            Name::Builtin(_) | Name::Reserved(_) => {
                let text = format!("{name}: names that begin with kiln/ are built in, and no registry has them");
                return Err(PullError { fault: Fault::Name, text });
            }
        };
        let ticket = (reference.to_string(), keyring.clone());
        let mut flights = self.flights.lock();
        flights.retain(|_, (flight, _)| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        if let Some((flight, progress)) = flights.get(&ticket)
            && let Some(flight) = flight.upgrade()
        {
            return Ok((flight, progress.clone()));
        }
        let progress = Arc::new(Progress::default());
        let flight = self.flight(reference, keyring.clone(), progress.clone())?.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(ticket, (weak, progress.clone()));
        }
        Ok((flight, progress))
    }

    fn flight(
        &self,
        reference: Reference,
        keyring: Keyring,
        progress: Arc<Progress>,
    ) -> Result<impl Future<Output = Result<Pulled, PullError>> + Send + 'static, PullError> {
        let pulling = Pull {
            store: self.store.0.clone(),
            http: self.http()?,
            underway: self.underway.clone(),
            progress: progress.clone(),
        };
        let (store, slots) = (self.store.clone(), self.slots.clone());
        Ok(async move {
            let _slot = slots.acquire().await;
            let begun = Instant::now();
            pull(&pulling, &reference, &keyring).await?;
            let name = reference.to_string();
            let image = blocking(move || store.resolve(&name)).await?;
            Ok(Pulled { image, took: begun.elapsed(), downloaded_bytes: progress.downloaded_bytes() })
        })
    }

    /// Connections under the configuration as it is now.
    fn http(&self) -> Result<Arc<Http>, PullError> {
        let stamp = stamp(&self.file);
        let mut known = self.http.lock();
        if let Some((at, http)) = &*known
            && *at == stamp
        {
            return Ok(http.clone());
        }
        let http = Arc::new(Http::new(read_registries(&self.file)?, self.patience));
        *known = Some((stamp, http.clone()));
        Ok(http)
    }
}

fn stamp(file: &Path) -> Stamp {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read_registries(file: &Path) -> Result<Registries, PullError> {
    let local = |text: String| PullError { fault: Fault::Local, text: format!("{}: {text}", file.display()) };
    match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Registries::default()),
        Err(error) => Err(local(error.to_string())),
        Ok(text) => Registries::parse(&text).map_err(|problems| local(problems.join("; "))),
    }
}

#[async_trait::async_trait]
impl crate::pod::Images for Supply {
    async fn resolve(&self, reference: &str) -> Result<Image, ImageError> {
        let (store, reference) = (self.store.clone(), reference.to_owned());
        blocking(move || store.resolve(&reference)).await
    }

    async fn pull(&self, reference: &str, keyring: &Keyring) -> Result<Pulled, PullError> {
        Self::pull(self, reference, keyring).await
    }
}
