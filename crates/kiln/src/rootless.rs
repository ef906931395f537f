//! What a server without root cannot give its pods, said once when it starts.

use std::path::Path;

use agent::cgroups::{self, Cgroups};
use agent::userns::{Ids, Standing, standing};

/// What pods are told that have to share the machine's network.
pub const NO_BRIDGE: &str = "the server is not root";

/// One sentence; `None` for root, who has everything.
pub fn shortfalls(state_dir: &Path) -> Option<String> {
    match standing() {
        Standing::Namespace(ids) if agent::userns::has_entered() => {
            Some(sentence(ids, &cgroups::detect::detect(state_dir)))
        }
        _ => None,
    }
}

fn sentence(ids: Ids, cgroups: &Cgroups) -> String {
    let unlimited = cgroups.unlimited();
    let mut lacks = vec!["pods share this machine's network".to_owned()];
    if !unlimited.is_empty() {
        lacks.push(format!("limits of {} do not hold", unlimited.join(", ")));
    }
    if ids == Ids::One {
        lacks.push("containers have no user but root".to_owned());
    }
    format!("without root {} (`kiln doctor` says how to get more)", lacks.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::cgroups::{Hierarchy, Unified};

    #[test]
    fn only_what_is_missing_is_told() {
        let cgroups = |controllers: &[&str]| Cgroups {
            hierarchy: Hierarchy {
                unified: Some(Unified {
                    base: "/x".into(),
                    controllers: controllers.iter().map(|name| (*name).to_owned()).collect(),
                }),
                ..Hierarchy::default()
            },
            instance: "kiln-1".into(),
        };
        let more = "(`kiln doctor` says how to get more)";
        assert_eq!(
            sentence(Ids::One, &cgroups(&["pids"])),
            format!(
                "without root pods share this machine's network; limits of cpu, memory do not hold; containers have no user but root {more}"
            )
        );
        assert_eq!(
            sentence(Ids::Many, &cgroups(&["cpu", "memory", "pids"])),
            format!("without root pods share this machine's network {more}")
        );
    }
}
