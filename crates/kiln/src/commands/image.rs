//! `kiln image`: images on this machine, beside a running server or without one.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use agent::images::limits::Limits;
use agent::images::reference::{self, Name};
use agent::images::{ImageError, ImageStore, Listed};

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
    },
    /// Pull an image from a registry (not in this version)
    Pull {
        /// Name of the image
        #[arg(value_name = "IMAGE")]
        image: String,
    },
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
    /// Refuse an image that unpacks to more bytes
    #[arg(long, value_name = "N", default_value_t = Limits::default().image_bytes)]
    max_bytes: u64,
    /// Refuse an image with more files, directories and links
    #[arg(long, value_name = "N", default_value_t = Limits::default().entries)]
    max_entries: u64,
    /// Refuse an archive that is compressed more than N to 1
    #[arg(long, value_name = "N", default_value_t = Limits::default().ratio)]
    max_ratio: u64,
}

/// `--data-dir D` means `D/images`; else `KILN_IMAGE_DIR`, else that of the default data directory.
pub fn directory(data_dir: Option<&Path>) -> PathBuf {
    match (data_dir, std::env::var_os("KILN_IMAGE_DIR")) {
        (Some(data_dir), _) => data_dir.join("images"),
        (None, Some(directory)) => directory.into(),
        (None, None) => super::default_data_dir().join("images"),
    }
}

/// Does what the arguments say.
pub fn run(arguments: &Arguments) -> Result<Exit, Problem> {
    let directory = directory(arguments.data_dir.as_deref());
    let open = || {
        ImageStore::open(&directory).map_err(|error| {
            Problem::internal(format!("cannot use the image directory {}", directory.display()))
                .because(error)
                .remedy("name another with --data-dir or KILN_IMAGE_DIR, or run as the user it belongs to")
        })
    };
    match &arguments.verb {
        Verb::Import(given) => import(&open()?, given),
        Verb::Ls => list(&open()?),
        Verb::Rm { images } => remove(&open()?, images),
        Verb::Pull { image } => Err(no_pull(&open()?, image)),
    }
}

fn import(store: &ImageStore, given: &Import) -> Result<Exit, Problem> {
    let limits = Limits {
        image_bytes: given.max_bytes,
        entries: given.max_entries,
        ratio: given.max_ratio,
        ..Limits::default()
    };
    let store = store.clone().with_limits(limits);
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
fn remove(store: &ImageStore, images: &[String]) -> Result<Exit, Problem> {
    let mut exit = Exit::Success;
    for image in images {
        match store.remove(image) {
            Ok(()) => print(&format!("removed {image}\n"))?,
            Err(error) => exit = output::report(&explain(format!("cannot remove {image}"), &error)),
        }
    }
    Ok(exit)
}

fn no_pull(store: &ImageStore, image: &str) -> Problem {
    if let Err(error @ ImageError::InvalidName(_)) = reference::parse(image) {
        return explain(format!("cannot pull {image}"), &error);
    }
    let problem = Problem::internal(format!("cannot pull {image}"));
    if store.resolve(image).is_ok() {
        return problem
            .because("this version of kiln does not talk to registries")
            .remedy("nothing: the image is already on this machine");
    }
    problem.because("this version of kiln does not talk to registries").remedy(format!(
        "on a machine with docker: docker save {image} -o image.tar\nhere: kiln image import image.tar\n\
         without any image: kiln/demo and kiln/host are built in"
    ))
}

fn explain(what: String, error: &ImageError) -> Problem {
    match error {
        ImageError::InvalidName(_) => Problem::usage(what)
            .because(error)
            .remedy("write it as [REGISTRY/]NAME[:TAG], in lower case, e.g. busybox:1.35"),
        ImageError::Reserved(_) => {
            Problem::usage(what).because(error).remedy("kiln/demo and kiln/host stay; use another name")
        }
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
    fn a_pull_says_how_to_get_the_image_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path()).unwrap();
        let text = no_pull(&store, "busybox:1.35").render();
        assert!(text.contains("docker save busybox:1.35 -o image.tar"), "{text}");
        let text = no_pull(&store, "kiln/host").render();
        assert!(text.contains("already on this machine"), "{text}");
        assert_eq!(no_pull(&store, "NOT A NAME").exit, Exit::Usage);
    }
}
