//! Keeps what a controller needs of every object of one resource in memory, and tells whoever asked of each change.
//! Nothing here is durable: a new cache lists everything again.

use crate::engine::Key;
use crate::engine::expectations::{Seen, version};
use futures::StreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::warn;

const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// What is kept of an object.
pub trait Entry: Send + Sync + 'static {
    /// The groups by which this entry is looked up together with others, such as "pods of this owner".
    fn groups(&self, _key: &Key) -> Vec<String> {
        Vec::new()
    }
}

/// One object came, changed or went.
pub struct Change<T> {
    pub key: Key,
    pub old: Option<Arc<T>>,
    pub new: Option<Arc<T>>,
}

type Listener<T> = Box<dyn Fn(&Change<T>) + Send + Sync>;

/// A cache. Clones share it.
pub struct Cache<T>(Arc<Inner<T>>);

struct Inner<T> {
    objects: RwLock<Objects<T>>,
    listeners: Mutex<Arc<Vec<Listener<T>>>>,
    seen: Seen,
    filled: watch::Sender<bool>,
}

struct Objects<T> {
    all: HashMap<Key, Arc<T>>,
    groups: HashMap<String, BTreeMap<Key, Arc<T>>>,
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Entry> Default for Cache<T> {
    fn default() -> Self {
        Self(Arc::new(Inner {
            objects: RwLock::new(Objects { all: HashMap::new(), groups: HashMap::new() }),
            listeners: Mutex::default(),
            seen: Seen::default(),
            filled: watch::Sender::new(false),
        }))
    }
}

impl<T: Entry> Cache<T> {
    /// Calls `listener` after every change, in order. To be asked for before the cache runs.
    pub fn on_change(&self, listener: impl Fn(&Change<T>) + Send + Sync + 'static) {
        let mut listeners = self.0.listeners.lock();
        Arc::get_mut(&mut listeners).expect("listeners come before the cache runs").push(Box::new(listener));
    }

    /// What is kept of one object.
    pub fn get(&self, key: &Key) -> Option<Arc<T>> {
        self.0.objects.read().all.get(key).cloned()
    }

    /// The entries of a group, in the order of their keys.
    pub fn group(&self, name: &str) -> Vec<(Key, Arc<T>)> {
        let objects = self.0.objects.read();
        let group = objects.groups.get(name).into_iter().flatten();
        group.map(|(key, entry)| (key.clone(), entry.clone())).collect()
    }

    /// The same without the keys, for entries that say who they are.
    pub fn members(&self, name: &str) -> Vec<Arc<T>> {
        let objects = self.0.objects.read();
        objects.groups.get(name).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// Every entry.
    pub fn all(&self) -> Vec<(Key, Arc<T>)> {
        let objects = self.0.objects.read();
        objects.all.iter().map(|(key, entry)| (key.clone(), entry.clone())).collect()
    }

    /// For `Written::expect`.
    pub fn seen(&self) -> &Seen {
        &self.0.seen
    }

    /// Waits until the first list is in.
    pub async fn is_filled(&self) {
        // The sender lives as long as self.
        let _ = self.0.filled.subscribe().wait_for(|filled| *filled).await;
    }

    /// Follows the resource until dropped; `keep` cuts each object down to its entry.
    pub async fn run<K>(self, api: Api<K>, keep: impl Fn(&Key, K) -> T)
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        self.follow(api, watcher::Config::default(), keep).await;
    }

    /// The same, of the objects that `config` selects.
    pub async fn follow<K>(self, api: Api<K>, config: watcher::Config, keep: impl Fn(&Key, K) -> T)
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let listeners = self.0.listeners.lock().clone();
        let mut events = std::pin::pin!(watcher::watcher(api, config));
        let mut listed: HashMap<Key, T> = HashMap::new();
        let mut list_shows = 0;
        let mut retry = FIRST_RETRY;
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    // The watcher itself decides whether it resumes or lists again; here is only the back-off.
                    warn!(error = %error, retry_in = ?retry, "watch failed");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(LAST_RETRY);
                    continue;
                }
            };
            match event {
                Event::Init => {
                    listed.clear();
                    // The list is asked for after this event, so it contains every write answered before.
                    list_shows = self.0.seen.wanted();
                }
                Event::InitApply(object) => {
                    list_shows = list_shows.max(version(object.meta().resource_version.as_deref()));
                    let key = Key::of(object.meta());
                    let entry = keep(&key, object);
                    listed.insert(key, entry);
                }
                Event::InitDone => {
                    for change in self.0.objects.write().replace(std::mem::take(&mut listed)) {
                        listeners.iter().for_each(|listener| listener(&change));
                    }
                    self.0.seen.advance(list_shows);
                    self.0.filled.send_replace(true);
                }
                Event::Apply(object) => {
                    retry = FIRST_RETRY;
                    let seen = version(object.meta().resource_version.as_deref());
                    let key = Key::of(object.meta());
                    let new = Arc::new(keep(&key, object));
                    let old = self.0.objects.write().put(key.clone(), new.clone());
                    let change = Change { key, old, new: Some(new) };
                    listeners.iter().for_each(|listener| listener(&change));
                    self.0.seen.advance(seen);
                }
                Event::Delete(object) => {
                    retry = FIRST_RETRY;
                    let key = Key::of(object.meta());
                    let old = self.0.objects.write().remove(&key);
                    let change = Change { key, old, new: None };
                    listeners.iter().for_each(|listener| listener(&change));
                    self.0.seen.advance(version(object.meta().resource_version.as_deref()));
                }
            }
        }
    }
}

impl<T: Entry> Objects<T> {
    fn put(&mut self, key: Key, entry: Arc<T>) -> Option<Arc<T>> {
        let old = self.remove(&key);
        for group in entry.groups(&key) {
            self.groups.entry(group).or_default().insert(key.clone(), entry.clone());
        }
        self.all.insert(key, entry);
        old
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<T>> {
        let old = self.all.remove(key)?;
        for name in old.groups(key) {
            if let Some(group) = self.groups.get_mut(&name) {
                group.remove(key);
                if group.is_empty() {
                    self.groups.remove(&name);
                }
            }
        }
        Some(old)
    }

    /// Takes over a new list; what is not in it is gone.
    fn replace(&mut self, listed: HashMap<Key, T>) -> Vec<Change<T>> {
        let gone: Vec<Key> = self.all.keys().filter(|key| !listed.contains_key(key)).cloned().collect();
        let mut changes: Vec<Change<T>> =
            gone.into_iter().map(|key| Change { old: self.remove(&key), key, new: None }).collect();
        for (key, entry) in listed {
            let new = Arc::new(entry);
            let old = self.put(key.clone(), new.clone());
            changes.push(Change { key, old, new: Some(new) });
        }
        // A hash map's order would make two runs of one simulation differ.
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        changes
    }
}
