//! Rules for pods, as tables of manifests and their mistakes.
