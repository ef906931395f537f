//! empty for the moment
