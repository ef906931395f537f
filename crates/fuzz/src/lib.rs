//! Decoders under mangled input: see README.md. For tests only.

pub mod drive;
mod mutate;
mod targets;

use std::hash::{DefaultHasher, Hash, Hasher};

/// One decoder.
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// How its inputs are mangled.
    pub shape: Shape,
    /// What to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What stands in such inputs, to be thrown in.
    pub words: &'static [&'static str],
    /// The decoder. Panics when a promise is broken.
    run: fn(&[u8]) -> Signal,
}

/// What inputs are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Anything.
    Bytes,
    /// A JSON text, mangled as a tree too.
    Json,
}

/// What came of an input, roughly. Equal signals: probably the same way through the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(u64);

impl Signal {
    /// By the words of a text; names, numbers and what is quoted do not count.
    pub fn of(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        let outside_quotes = text.split('"').step_by(2).flat_map(str::chars);
        outside_quotes.filter(|c| c.is_ascii_alphabetic()).take(200).collect::<String>().hash(&mut hasher);
        Self(hasher.finish())
    }

    /// By any value.
    pub fn hash(value: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// By an error's words, or what `features` tells of a success.
    pub fn result<T, E: std::fmt::Display, H: Hash>(result: &Result<T, E>, features: impl FnOnce(&T) -> H) -> Self {
        match result {
            Ok(value) => Self::hash((1, features(value))),
            Err(error) => Self::of(&error.to_string()),
        }
    }
}

impl Target {
    /// Runs one input.
    pub fn run(&self, input: &[u8]) -> Signal {
        (self.run)(input)
    }
}

/// Every target.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    [targets::meta::TARGETS, targets::kinds::TARGETS, targets::apiserver::TARGETS, targets::agent::TARGETS]
        .into_iter()
        .flatten()
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    targets().find(|target| target.name == name)
}
