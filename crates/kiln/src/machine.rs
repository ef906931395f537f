//! This machine's clock and randomness: the only place that reads them.

use jiff::Timestamp;
use meta::clock::{Clock, Entropy};

/// The machine's wall clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The kernel's random numbers.
#[derive(Debug, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the kernel gives random bytes once it has booted");
    }
}

/// This machine's name, as the node is called: the host name, lower case, as a DNS label.
pub fn node_name() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let name: String = host
        .to_string_lossy()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' })
        .collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "kiln".into() } else { name.chars().take(63).collect() }
}

/// Whether this process is root: containers need it in this version.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Lets this process open as many files as it may, and says how many that are: connections, pods and the store share
/// them. What shells give by default, 1,024, is for programs that use `select`.
pub fn raise_open_files() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 1_024;
    };
    let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    usize::try_from(if raised { hard } else { soft }).unwrap_or(usize::MAX)
}
