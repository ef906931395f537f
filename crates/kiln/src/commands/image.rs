//! `kiln image`: images on this machine, beside a running server or without one.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use agent::images::limits::Limits;
use agent::images::reference::{self, Name};
use agent::images::registry::keyring::Keyring;
use agent::images::registry::progress::Stand;
use agent::images::registry::{Fault, PullError};
use agent::images::supply::Supply;
use agent::images::{Force, ImageError, ImageStore, Listed};

use crate::output::progress::Progress;
use crate::output::{self, Exit, Problem};

/// Images on this machine.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Use the images of this data directory [default: $KILN_IMAGE_DIR, else those of the default data directory]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Import a docker-save archive, an OCI layout or a root file system
    Import(Import),
    /// List the images that are here
    Ls,
    /// Remove images
    Rm {
        /// Names of the images
        #[arg(value_name = "IMAGE", required = true)]
        images: Vec<String>,
        /// Remove an image even though containers run with it; they keep its files
        #[arg(long)]
        force: bool,
    },
    /// Pull an image from its registry
    Pull(Pull),
}

#[derive(Debug, clap::Args)]
struct Pull {
    /// Name of the image
    #[arg(value_name = "IMAGE")]
    image: String,
    #[command(flatten)]
    registries: Registries,
    #[command(flatten)]
    bounds: Bounds,
}

/// Where mirrors, credentials and certificates for registries are written down.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Registries {
    /// Mirrors, credentials and certificates for registries [default: $KILN_REGISTRIES, else /etc/kiln/registries.yaml as root,
    /// $XDG_CONFIG_HOME/kiln/registries.yaml otherwise]
    #[arg(long, value_name = "FILE")]
    registries: Option<PathBuf>,
}

impl Registries {
    /// A source of images that are in `store` or in registries. A file that is named has to be there, and any has to be right.
    pub fn supply(&self, store: ImageStore) -> Result<Supply, Problem> {
        let named = self.registries.clone().or_else(|| std::env::var_os("KILN_REGISTRIES").map(PathBuf::from));
        let file = named.clone().unwrap_or_else(|| super::config_dir().join("registries.yaml"));
        let wrong = |cause: String| {
            Problem::usage(format!("cannot use the registries file {}", file.display()))
                .because(cause)
                .remedy("docs/images.md shows its form, which is that of k3s")
        };
        if named.is_some()
            && let Err(error) = std::fs::metadata(&file)
        {
            return Err(wrong(error.to_string()));
        }
        let supply = Supply::new(store, file.clone());
        match supply.check() {
            Ok(()) => Ok(supply),
            Err(error) => {
                Err(wrong(error.text.trim_start_matches(&format!("{}: ", file.display())).replace("; ", "\n")))
            }
        }
    }
}

/// How much an image may ask of this machine.
#[derive(Debug, clap::Args)]
struct Bounds {
    /// Refuse an image that unpacks to more bytes
    #[arg(long, value_name = "N", default_value_t = Limits::default().image_bytes)]
    max_bytes: u64,
    /// Refuse an image with more files, directories and links
    #[arg(long, value_name = "N", default_value_t = Limits::default().entries)]
    max_entries: u64,
    /// Refuse an archive or layer that is compressed more than N to 1
    #[arg(long, value_name = "N", default_value_t = Limits::default().ratio)]
    max_ratio: u64,
}

impl Bounds {
    fn limits(&self) -> Limits {
        let Self { max_bytes, max_entries, max_ratio } = *self;
        Limits { image_bytes: max_bytes, entries: max_entries, ratio: max_ratio, ..Limits::default() }
    }
}

#[derive(Debug, clap::Args)]
struct Import {
    /// A tar (plain, gzip or zstd) or a directory; - reads standard input
    file: PathBuf,
    /// A name for the image, beside those in the archive
    #[arg(long, value_name = "REF")]
    name: Option<String>,
    /// FILE is a root file system, not an image: needs --name
    #[arg(long, requires = "name")]
    rootfs: bool,
    #[command(flatten)]
    bounds: Bounds,
}

/// `--data-dir D` means `D/images`; else `KILN_IMAGE_DIR`, else that of the default data directory.
pub fn directory(data_dir: Option<&Path>) -> PathBuf {
    match (data_dir, std::env::var_os("KILN_IMAGE_DIR")) {
        (Some(data_dir), _) => data_dir.join("images"),
        (None, Some(directory)) => directory.into(),
        (None, None) => super::default_data_dir().join("images"),
    }
}

/// Opens an image directory.
pub fn open(directory: &Path) -> Result<ImageStore, Problem> {
    ImageStore::open(directory).map_err(|error| {
        Problem::internal(format!("cannot use the image directory {}", directory.display()))
            .because(error)
            .remedy("name another with --data-dir or KILN_IMAGE_DIR, or run as the user it belongs to")
    })
}

/// Does what the arguments say.
pub fn run(arguments: &Arguments) -> Result<Exit, Problem> {
    let directory = directory(arguments.data_dir.as_deref());
    let open = || open(&directory);
    match &arguments.verb {
        Verb::Import(given) => import(&open()?, given),
        Verb::Ls => list(&open()?),
        Verb::Rm { images, force } => {
            remove(&open()?, images, if *force { Force::EvenIfUsed } else { Force::UnlessUsed })
        }
        Verb::Pull(given) => {
            let store = open()?.with_limits(given.bounds.limits());
            super::asynchronously(pull(given.registries.supply(store)?, &given.image))
        }
    }
}

fn import(store: &ImageStore, given: &Import) -> Result<Exit, Problem> {
    let store = store.clone().with_limits(given.bounds.limits());
    let is_stdin = given.file == Path::new("-");
    if is_stdin && std::io::stdin().is_terminal() {
        return Err(Problem::usage("standard input is a terminal, not an archive")
            .remedy("docker save IMAGE | kiln image import -"));
    }
    let file = if is_stdin { Path::new("/proc/self/fd/0") } else { &given.file };
    let imported = match (&given.name, given.rootfs) {
        (Some(name), true) => store.import_rootfs(file, name).map(|()| vec![full_name(name)]),
        (name, _) => store.import(file, name.as_deref()),
    };
    let what = || format!("cannot import {}", given.file.display());
    for name in imported.map_err(|error| explain(what(), &error))? {
        print(&format!("{name}\n"))?;
    }
    Ok(Exit::Success)
}

fn full_name(name: &str) -> String {
    match reference::parse(name) {
        Ok(Name::Image(reference)) => reference.to_string(),
        _ => name.to_owned(),
    }
}

fn list(store: &ImageStore) -> Result<Exit, Problem> {
    let rows = store.list().map_err(|error| explain("cannot list the images".into(), &error))?;
    print(&table(&rows))?;
    Ok(Exit::Success)
}

fn table(rows: &[Listed]) -> String {
    let cells = rows.iter().map(|row| {
        let created = row.created.map_or_else(|| "-".into(), |time| time.strftime("%Y-%m-%d").to_string());
        // The machine's own programs take no space of their own.
        let size = if row.size_bytes == 0 { "-".into() } else { human_size(row.size_bytes) };
        let id = row.id.trim_start_matches("sha256:").chars().take(12).collect();
        [row.reference.clone(), id, size, created]
    });
    let header = ["NAME", "ID", "SIZE", "CREATED"].map(str::to_owned);
    let lines: Vec<[String; 4]> = std::iter::once(header).chain(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [name, id, size, created] in &lines {
        let [a, b, c] = widths;
        text.push_str(&format!("{name:a$}   {id:b$}   {size:c$}   {created}\n"));
    }
    text
}

fn human_size(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "kB", "MB"] {
        if size < 999.5 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1000.0;
    }
    format!("{size:.1} GB")
}

/// Removes what it can and complains about the rest.
fn remove(store: &ImageStore, images: &[String], force: Force) -> Result<Exit, Problem> {
    let mut exit = Exit::Success;
    for image in images {
        match store.remove(image, force) {
            Ok(()) => print(&format!("removed {image}\n"))?,
            Err(error) => exit = output::report(&explain(format!("cannot remove {image}"), &error)),
        }
    }
    Ok(exit)
}

/// Pulls with a line that tells how far it is. The image's full name goes to stdout.
async fn pull(supply: Supply, image: &str) -> Result<Exit, Problem> {
    let what = || format!("cannot pull {image}");
    if let Ok(Name::Builtin(builtin)) = reference::parse(image) {
        eprintln!("{image} is built in: there is nothing to pull");
        print(&format!("{}\n", builtin.name()))?;
        return Ok(Exit::Success);
    }
    let (flight, progress) = supply.begin(image, &Keyring::default()).map_err(|error| unpulled(what(), &error))?;
    let line = Progress::on_stderr();
    let is_live = std::io::stderr().is_terminal();
    let name = full_name(image);
    line.say(&format!("pulling {name}"));
    let tick = std::time::Duration::from_millis(100);
    let mut flight = std::pin::pin!(flight);
    let pulled = loop {
        match tokio::time::timeout(tick, &mut flight).await {
            Ok(pulled) => break pulled,
            Err(_) if is_live => line.say(&how_far(&name, progress.stand())),
            Err(_) => {}
        }
    };
    line.finish();
    let pulled = pulled.map_err(|error| unpulled(what(), &error))?;
    let came = match pulled.downloaded_bytes {
        0 => "every layer was here already".to_owned(),
        bytes => format!("{} in {:.1}s", human_size(bytes), pulled.took.as_secs_f64()),
    };
    eprintln!("pulled {name}: {came}");
    print(&format!("{name}\n"))?;
    Ok(Exit::Success)
}

/// `pulling NAME: 12.3 of 45.6 MB, 2 of 5 layers ready`
fn how_far(name: &str, stand: Stand) -> String {
    if stand.layers == 0 {
        return format!("pulling {name}");
    }
    let (done, total) = (human_size(stand.done_bytes), human_size(stand.total_bytes));
    format!("pulling {name}: {done} of {total}, {} of {} layers ready", stand.layers_ready, stand.layers)
}

/// A pull that failed, and the way out.
fn unpulled(what: String, error: &PullError) -> Problem {
    let problem = match error.fault {
        Fault::Name | Fault::Absent => Problem::usage(what),
        Fault::Denied | Fault::Unreachable | Fault::Dishonest | Fault::Local => Problem::internal(what),
    };
    let problem = problem.because(error);
    if error.text.contains('`') {
        return problem;
    }
    problem.remedy(match error.fault {
        Fault::Name => "write it as [REGISTRY/]NAME[:TAG], in lower case, e.g. busybox:1.35",
        Fault::Absent => "check the name and the tag",
        Fault::Denied => "put the registry's user and password under `configs` in registries.yaml; pods bring theirs as imagePullSecrets",
        Fault::Unreachable => {
            "check the network, or name a mirror in registries.yaml\nwithout a registry: docker save IMAGE -o image.tar on a machine \
             with docker, and here: kiln image import image.tar"
        }
        Fault::Dishonest => "try again; if it stays, the registry or a mirror of it is damaged: ask another one",
        Fault::Local => "free space or correct what is named above, then pull again",
    })
}

fn explain(what: String, error: &ImageError) -> Problem {
    match error {
        ImageError::InvalidName(_) => Problem::usage(what)
            .because(error)
            .remedy("write it as [REGISTRY/]NAME[:TAG], in lower case, e.g. busybox:1.35"),
        ImageError::Reserved(_) => {
            Problem::usage(what).because(error).remedy("kiln/demo and kiln/host stay; use another name")
        }
        ImageError::InUse(_) => {
            Problem::usage(what).because(error).remedy("wait for its pods to end, or remove it under them with --force")
        }
        ImageError::Pull(error) => unpulled(what, error),
        ImageError::NotFound(_) => {
            Problem::usage(what).because(error).remedy("kiln image ls shows the names that are here")
        }
        ImageError::Broken(text) => {
            let problem = Problem::internal(what).because(text);
            // Where the text has the way out already, another one would only confuse.
            if text.contains('`') {
                return problem;
            }
            problem.remedy(
                "make the archive again (docker save IMAGE -o FILE); it is damaged or not what its contents say",
            )
        }
        ImageError::Io(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            Problem::usage(what).because(cause).remedy("check the path")
        }
        ImageError::Io(cause) => {
            Problem::internal(what).because(cause).remedy("free space or correct permissions there, then import again")
        }
    }
}

fn print(text: &str) -> Result<(), Problem> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Problem::internal("cannot write the result").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(sizes: &[(&str, u64, Option<&str>)]) -> Vec<Listed> {
        let row = |(name, size_bytes, created): &(&str, u64, Option<&str>)| Listed {
            reference: (*name).into(),
            id: format!("sha256:{}", "0123456789abcdef".repeat(4)),
            size_bytes: *size_bytes,
            created: created.map(|time| time.parse().unwrap()),
        };
        sizes.iter().map(row).collect()
    }

    #[test]
    fn the_listing_reads_as_a_table() {
        let rows = rows(&[
            ("kiln/host", 0, None),
            ("docker.io/library/busybox:1.35", 1_999_950, Some("2023-05-11T22:49:27Z")),
            ("docker.io/library/perl:5.34", 76_543_210, None),
        ]);
        let expect = "\
NAME                             ID             SIZE      CREATED
kiln/host                        0123456789ab   -         -
docker.io/library/busybox:1.35   0123456789ab   2.0 MB    2023-05-11
docker.io/library/perl:5.34      0123456789ab   76.5 MB   -
";
        assert_eq!(table(&rows), expect);
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, expect) in
            [(5, "5 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "1.0 MB"), (7_200_000_000, "7.2 GB")]
        {
            assert_eq!(human_size(bytes), expect, "{bytes}");
        }
    }

    #[test]
    fn every_error_says_what_to_do() {
        for (error, exit, says) in [
            (ImageError::InvalidName("X".into()), Exit::Usage, "in lower case"),
            (ImageError::Reserved("kiln/x".into()), Exit::Usage, "use another name"),
            (ImageError::NotFound("x".into()), Exit::Usage, "kiln image ls"),
            (ImageError::Broken("x: digest is wrong".into()), Exit::Internal, "make the archive again"),
            (ImageError::Broken("no name: `--name REF`".into()), Exit::Internal, "--name REF"),
            (ImageError::Io(std::io::ErrorKind::NotFound.into()), Exit::Usage, "check the path"),
            (ImageError::Io(std::io::ErrorKind::StorageFull.into()), Exit::Internal, "free space"),
        ] {
            let problem = explain("cannot import x".into(), &error);
            assert_eq!(problem.exit, exit, "{error}");
            assert!(problem.render().contains(says), "{}", problem.render());
        }
    }

    #[test]
    fn a_failed_pull_says_what_to_do() {
        for (fault, exit, says) in [
            (Fault::Name, Exit::Usage, "in lower case"),
            (Fault::Absent, Exit::Usage, "check the name"),
            (Fault::Denied, Exit::Internal, "imagePullSecrets"),
            (Fault::Unreachable, Exit::Internal, "kiln image import"),
            (Fault::Dishonest, Exit::Internal, "try again"),
            (Fault::Local, Exit::Internal, "pull again"),
        ] {
            let problem = unpulled("cannot pull x".into(), &PullError { fault, text: "why".into() });
            assert_eq!(problem.exit, exit, "{fault:?}");
            assert!(problem.render().contains(says), "{}", problem.render());
        }
    }

    #[test]
    fn a_pull_tells_how_far_it_is() {
        assert_eq!(how_far("a", Stand::default()), "pulling a");
        let stand = Stand { done_bytes: 12_300_000, total_bytes: 45_600_000, layers_ready: 2, layers: 5 };
        assert_eq!(how_far("a", stand), "pulling a: 12.3 MB of 45.6 MB, 2 of 5 layers ready");
    }
}
