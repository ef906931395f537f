//! How a server is kept up in the background: by systemd where it runs, else as a process of its own. Pure.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What of the machine and its user matters.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Whether the user is root.
    pub is_root: bool,
    /// systemd is what started the machine (`/run/systemd/system` is there).
    pub has_systemd: bool,
    /// The user's own systemd: `$XDG_RUNTIME_DIR/systemd/private` is there.
    pub has_user_manager: bool,
    /// Where this user's programs keep their configuration.
    pub config_home: PathBuf,
    /// `--no-systemd`
    pub is_systemd_unwanted: bool,
}

/// Who keeps it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// The machine's systemd: from the machine's start on.
    System,
    /// The user's: from login to logout, or from the machine's start on if the user lingers.
    User,
}

/// How it is kept up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a way nobody takes leads nowhere"]
pub enum Way {
    /// A unit, written to this file.
    Unit { manager: Manager, file: PathBuf },
    /// A process of its own, until the machine is switched off.
    Process,
}

/// Chooses. `unit` is the unit's name.
pub fn choose(facts: &Facts, unit: &str) -> Way {
    let file = |dir: &Path| dir.join(unit);
    match facts {
        Facts { has_systemd: false, .. } | Facts { is_systemd_unwanted: true, .. } => Way::Process,
        Facts { is_root: true, .. } => {
            Way::Unit { manager: Manager::System, file: file(Path::new("/etc/systemd/system")) }
        }
        Facts { has_user_manager: true, config_home, .. } => {
            Way::Unit { manager: Manager::User, file: file(&config_home.join("systemd/user")) }
        }
        Facts { has_user_manager: false, .. } => Way::Process,
    }
}

/// `kiln.service`; of a data directory that is not the usual one `kiln-1a2b3c4d5e.service`.
pub fn unit_name(data_dir: &Path, usual: &Path) -> String {
    match data_dir == usual {
        true => "kiln.service".to_owned(),
        false => format!("{}.service", agent::cgroups::instance(&data_dir.join("agent"))),
    }
}

/// What a unit is told of.
#[derive(Debug)]
pub struct Service<'a> {
    /// This program.
    pub program: &'a Path,
    /// Everything the server keeps.
    pub data_dir: &'a Path,
    /// Where it listens.
    pub listen: SocketAddr,
}

/// By this line a unit is known to be kiln's to change and to remove.
pub const MARK: &str = "# Written by kiln up; kiln down removes it.";

/// The unit's text.
pub fn unit(service: &Service<'_>, manager: Manager) -> String {
    let Service { program, data_dir, listen } = service;
    let (after, wanted_by) = match manager {
        Manager::System => ("Wants=network-online.target\nAfter=network-online.target\n", "multi-user.target"),
        Manager::User => ("", "default.target"),
    };
    format!(
        "{MARK}
[Unit]
Description=kiln: Kubernetes Jobs on this machine
{after}
[Service]
ExecStart={} server --data-dir {} --listen {listen}
# Pods are processes of their own: they go on while the server is stopped, restarted or replaced by a newer one.
KillMode=process
# Limits of pods are set in cgroups below this one.
Delegate=yes
TasksMax=infinity
LimitNOFILE=1048576
Restart=on-failure
RestartSec=2

[Install]
WantedBy={wanted_by}
",
        quoted(program),
        quoted(data_dir),
    )
}

/// A word of a unit's command line: systemd knows quotes, and gives `%` and `$` a meaning.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_keeps_it_up_where_it_can() {
        let config_home = PathBuf::from("/home/ann/.config");
        let facts = |is_root, has_systemd, has_user_manager, is_systemd_unwanted| Facts {
            is_root,
            has_systemd,
            has_user_manager,
            is_systemd_unwanted,
            config_home: config_home.clone(),
        };
        let unit = |manager, file: &str| Way::Unit { manager, file: file.into() };
        let system = unit(Manager::System, "/etc/systemd/system/kiln.service");
        let user = unit(Manager::User, "/home/ann/.config/systemd/user/kiln.service");
        for (facts, expect) in [
            (facts(true, true, false, false), system.clone()),
            (facts(true, true, true, false), system),
            (facts(false, true, true, false), user),
            // Logged in by su, say.
            (facts(false, true, false, false), Way::Process),
            (facts(true, false, false, false), Way::Process),
            (facts(false, false, true, false), Way::Process),
            (facts(true, true, true, true), Way::Process),
            (facts(false, true, true, true), Way::Process),
        ] {
            assert_eq!(choose(&facts, "kiln.service"), expect, "{facts:?}");
        }
    }

    #[test]
    fn each_data_directory_has_a_unit_of_its_own() {
        let usual = Path::new("/var/lib/kiln");
        assert_eq!(unit_name(usual, usual), "kiln.service");
        assert_eq!(unit_name(Path::new("/data/kiln"), usual), "kiln-d0572b8ecb.service");
    }

    #[test]
    fn the_unit_leaves_pods_alone() {
        let service = Service {
            program: Path::new("/usr/local/bin/kiln"),
            data_dir: Path::new("/var/lib/kiln"),
            listen: ([127, 0, 0, 1], 6443).into(),
        };
        let expect = r#"# Written by kiln up; kiln down removes it.
[Unit]
Description=kiln: Kubernetes Jobs on this machine
Wants=network-online.target
After=network-online.target

[Service]
ExecStart="/usr/local/bin/kiln" server --data-dir "/var/lib/kiln" --listen 127.0.0.1:6443
# Pods are processes of their own: they go on while the server is stopped, restarted or replaced by a newer one.
KillMode=process
# Limits of pods are set in cgroups below this one.
Delegate=yes
TasksMax=infinity
LimitNOFILE=1048576
Restart=on-failure
RestartSec=2

[Install]
WantedBy=multi-user.target
"#;
        assert_eq!(unit(&service, Manager::System), expect);
        let of_user = unit(&service, Manager::User);
        assert!(of_user.contains("WantedBy=default.target\n") && !of_user.contains("network-online"), "{of_user}");
    }

    #[test]
    fn odd_paths_stay_one_word() {
        assert_eq!(quoted(Path::new(r#"/a b/"c"/%d/$e\f"#)), r#""/a b/\"c\"/%%d/$$e\\f""#);
    }
}
