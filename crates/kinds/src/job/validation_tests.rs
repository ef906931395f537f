//! Rules for Jobs, as tables of manifests and their mistakes.
