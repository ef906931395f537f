//! Which runtime a RuntimeClass's handler stands for. The built-in one needs no configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The OCI runtimes of this machine, by handler.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Handlers(BTreeMap<String, PathBuf>);

impl Handlers {
    /// The handler of the built-in runtime, which is what pods get that name no class.
    pub const BUILT_IN: &str = "kiln";

    /// Those given, with the paths of their programs. None of them replaces the built-in one.
    pub fn new(programs: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        Self(programs.into_iter().filter(|(name, _)| !name.is_empty() && name != Self::BUILT_IN).collect())
    }

    /// The program that a handler stands for; none for the built-in runtime. The error is containerd's.
    pub fn program(&self, handler: &str) -> Result<Option<&Path>, String> {
        if handler.is_empty() || handler == Self::BUILT_IN {
            return Ok(None);
        }
        let found = self.0.get(handler).map(PathBuf::as_path);
        found.map(Some).ok_or_else(|| format!("no runtime for {handler:?} is configured"))
    }

    /// Every handler there is, as a node lists them: the empty one is what pods without a class get.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.0.keys().cloned().chain([String::new(), Self::BUILT_IN.to_owned()]).collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_the_built_in_runtime_or_a_program_or_nothing() {
        let handlers =
            Handlers::new([("runc", "/bin/runc"), ("kiln", "/bin/other")].map(|(n, p)| (n.into(), p.into())));
        for (handler, expect) in [
            ("", Ok(None)),
            ("kiln", Ok(None)),
            ("runc", Ok(Some(Path::new("/bin/runc")))),
            ("kata", Err("no runtime for \"kata\" is configured".to_owned())),
        ] {
            assert_eq!(handlers.program(handler), expect, "{handler}");
        }
        assert_eq!(handlers.names(), ["", "kiln", "runc"]);
        assert_eq!(Handlers::default().names(), ["", "kiln"]);
    }
}
