//! A simulated world: virtual clock, in-memory store, fake runtime; the shipped code between them.
