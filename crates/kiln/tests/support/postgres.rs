//! A PostgreSQL of one's own: Debian's, run by its unprivileged user in a directory that goes with it. It listens where pods reach this
//! machine, at the port that everybody expects; nobody else has that address.

use std::net::Ipv4Addr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{signal, stderr, stdout, wait_for};

/// Who runs it. Debian's package makes this user; PostgreSQL refuses to be root's.
const USER: &str = "postgres";

/// Stopped when dropped.
pub struct Postgres {
    child: Child,
    directory: tempfile::TempDir,
}

impl Postgres {
    /// An empty one that listens at this address of this machine, and at a socket in its directory for `postgres`, its superuser.
    pub fn start(address: Ipv4Addr) -> Self {
        let directory = tempfile::Builder::new().prefix("kiln-postgres-").tempdir().unwrap();
        let user = nix::unistd::User::from_name(USER).unwrap().expect("postgresql is installed: ./test does it");
        chown(directory.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        let database = directory.path().join("database");
        let made = as_its_user("initdb", directory.path())
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "-U", USER, "-D"])
            .arg(&database)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}{}", stdout(&made), stderr(&made));
        // As initdb writes it only the loopback may come in.
        let access = database.join("pg_hba.conf");
        let rules = std::fs::read_to_string(&access).unwrap();
        std::fs::write(&access, format!("{rules}host all all 0.0.0.0/0 scram-sha-256\n")).unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let child = as_its_user("postgres", directory.path())
            .arg("-D")
            .arg(&database)
            .args(["-p", "5432", "-F", "-h", &address.to_string(), "-k"])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut postgres = Self { child, directory };
        postgres.wait_until_ready();
        postgres
    }

    fn wait_until_ready(&mut self) {
        wait_for("PostgreSQL to listen", || {
            let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("PostgreSQL ended with {status}:\n{log}");
            }
            log.contains("database system is ready to accept connections").then_some(())
        });
    }

    /// What libpq's programs on this machine need to find it.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [("PGHOST", self.directory.path().display().to_string()), ("PGUSER", USER.to_owned())]
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its immediate shutdown: the children and the shared memory go with it.
        signal(self.child.id(), Signal::SIGQUIT);
        let begin = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && begin.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One of the server's programs, which ends when the test does, however that ends.
fn as_its_user(program: &str, directory: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--pdeathsig", "QUIT"]);
    command.arg(programs().join(program)).env("LC_ALL", "C").current_dir(directory);
    command
}

/// Where Debian keeps them; of several versions the newest.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let found = versions.map(|entry| entry.path()).filter(|path| path.join("bin/postgres").exists());
    found.max_by_key(number).expect("postgresql is installed: ./test does it").join("bin")
}
