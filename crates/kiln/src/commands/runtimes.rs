//! Which OCI runtimes pods may ask for by a RuntimeClass, beside kiln's own.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use agent::runtime::Handlers;
use agent::userns::{Standing, standing};

use crate::output::Problem;

/// The one that is there without being named, if this machine has it.
const USUAL: &str = "runc";

/// Flags of the commands that run pods.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Runtimes {
    /// Run the pods of RuntimeClasses with this handler by an OCI runtime, such as crun=/usr/bin/crun; may be repeated. runc is there
    /// without it where it is on the PATH
    #[arg(long = "runtime", value_name = "NAME=PATH", env = "KILN_RUNTIME", value_delimiter = ',', value_parser = parse)]
    named: Vec<(String, PathBuf)>,
}

impl Runtimes {
    /// Those named, and runc if it is on the PATH. A program that is named has to be there. Without root there are none: what they
    /// would need is not this process's to give.
    pub fn handlers(&self) -> Result<Handlers, Problem> {
        if standing() != Standing::Root {
            let first = self.named.first();
            return first.map_or(Ok(Handlers::default()), |(name, _)| {
                Err(Problem::usage(format!("cannot use the runtime {name}: runtimes other than kiln's own need root"))
                    .remedy("leave --runtime out, or run kiln as root: sudo kiln …"))
            });
        }
        for (name, path) in &self.named {
            if !is_program(path) {
                return Err(Problem::usage(format!("cannot use the runtime {name}: {} is no program", path.display()))
                    .remedy("name a program that exists and may be executed: --runtime NAME=PATH"));
            }
        }
        Ok(handlers(&self.named, std::env::var_os("PATH").as_deref(), is_program))
    }
}

fn handlers(named: &[(String, PathBuf)], path: Option<&OsStr>, is_program: impl Fn(&Path) -> bool) -> Handlers {
    // Debian's runc is in /usr/sbin, which not every PATH has.
    let dirs =
        path.map(std::env::split_paths).into_iter().flatten().chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let usual = dirs.map(|dir| dir.join(USUAL)).find(|program| program.is_absolute() && is_program(program));
    let usual = usual.map(|program| (USUAL.to_owned(), program));
    // The named ones last: they replace it.
    Handlers::new(usual.into_iter().chain(named.iter().cloned()))
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn parse(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it takes the form NAME=PATH")?;
    if name == Handlers::BUILT_IN {
        return Err(format!("{name} is kiln's own runtime and cannot be replaced"));
    }
    if let Some(wrong) = meta::names::dns_label_errors(name).first() {
        return Err(format!("{name:?} cannot be a handler: {wrong}"));
    }
    if !Path::new(path).is_absolute() {
        return Err(format!("{path:?} is not an absolute path"));
    }
    Ok((name.to_owned(), path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runc_is_found_on_the_path_and_named_ones_count_more() {
        let named = [("crun".to_owned(), PathBuf::from("/opt/crun"))];
        let there = |wanted: &'static str| move |path: &Path| path == Path::new(wanted);
        let program = |handlers: Handlers, name: &str| handlers.program(name).map(|path| path.map(Path::to_owned));
        let path = Some(OsStr::new("relative:/a:/b"));
        let found = |wanted| handlers(&named, path, there(wanted));
        assert_eq!(program(found("/b/runc"), "runc"), Ok(Some("/b/runc".into())));
        assert_eq!(program(found("/usr/sbin/runc"), "runc"), Ok(Some("/usr/sbin/runc".into())));
        assert_eq!(program(found("/b/runc"), "crun"), Ok(Some("/opt/crun".into())));
        assert!(program(found("relative/runc"), "runc").is_err());
        let named = [("runc".to_owned(), PathBuf::from("/opt/runc"))];
        let found = handlers(&named, path, there("/b/runc"));
        assert_eq!(program(found, "runc"), Ok(Some("/opt/runc".into())));
    }

    #[test]
    fn a_runtime_has_a_name_and_a_path() {
        assert_eq!(parse("crun=/usr/bin/crun"), Ok(("crun".into(), "/usr/bin/crun".into())));
        for (text, expect) in [
            ("/usr/bin/crun", "it takes the form"),
            ("kiln=/usr/bin/crun", "kiln is kiln's own"),
            ("C_run=/usr/bin/crun", "\"C_run\" cannot be a handler: "),
            ("crun=crun", "\"crun\" is not an absolute path"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(expect), "{error}");
        }
    }
}
