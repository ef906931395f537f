//! Directories that scripts write to and nobody makes. A volume that the files make is empty at first, so what stands in it
//! has been made by a script.

use super::object::Object;
use super::pods::{Container, Pod};
use super::scripts::{self, Script};
use super::world::{Found, World};
use super::{Finding, pods};
use crate::at::At;
use std::collections::BTreeMap;

/// Tells of directories in new volumes that are written to and that no script of the files makes.
pub(super) fn check(objects: &[Object<'_>], world: &World<'_>, findings: &mut Vec<Finding>) {
    let made = made(objects);
    for object in objects {
        let Some(pod) = pods::of(object) else { continue };
        for container in pod.containers() {
            let mounts = new_mounts(object, &pod, world, &container);
            for script in scripts::texts(object, &pod, world, &container) {
                findings.extend(judge(object, &container, &mounts, &script, &made));
            }
        }
    }
}

/// The names of all directories that any script makes.
fn made(objects: &[Object<'_>]) -> Vec<String> {
    let of_files = objects.iter().filter(|object| object.is("ConfigMap") || object.is("Secret")).flat_map(|object| {
        let root = At::root(&object.written);
        ["data", "stringData"]
            .map(|field| root.field(field))
            .into_iter()
            .flat_map(|entries| entries.entries().map(|(_, entry)| entry.text()))
    });
    let of_pods = objects.iter().filter_map(pods::of).flat_map(|pod| pod.containers()).flat_map(|container| {
        ["command", "args"].into_iter().flat_map(move |field| container.words(field)).map(|word| word.text())
    });
    let lines = of_files.chain(of_pods).flat_map(expanded).collect::<Vec<String>>();
    let makes = lines.iter().filter_map(|line| line.split_once("mkdir ").or_else(|| line.split_once("install -d ")));
    makes
        .flat_map(|(_, rest)| rest.split_whitespace())
        .map(|word| bare(word).trim_end_matches('/').to_owned())
        .collect()
}

/// A volume that is empty at first, and where a container sees it.
struct Mount<'a> {
    path: &'a str,
    volume: &'a str,
}

fn new_mounts<'a>(object: &Object<'_>, pod: &Pod<'a>, world: &World<'_>, container: &Container<'a>) -> Vec<Mount<'a>> {
    let is_new = |mount: &At<'a>| {
        let Some(volume) = pod.volume(mount.field("name").text()) else { return false };
        let claim = volume.fields(&["persistentVolumeClaim", "claimName"]);
        let is_made = matches!(world.find("PersistentVolumeClaim", &object.namespace, claim.text()),
            Found::Here(claim) if claim["spec"]["volumeName"].is_null());
        !mount.field("subPath").is_set() && (volume.field("emptyDir").is_set() || is_made)
    };
    let mounts = container.at.field("volumeMounts").items().filter(is_new);
    mounts
        .map(|mount| Mount {
            path: mount.field("mountPath").text().trim_end_matches('/'),
            volume: mount.field("name").text(),
        })
        .collect()
}

fn judge(
    object: &Object<'_>,
    container: &Container<'_>,
    mounts: &[Mount<'_>],
    script: &Script<'_>,
    made: &[String],
) -> Option<Finding> {
    let is_mounted = |directory: &str| {
        container
            .at
            .field("volumeMounts")
            .items()
            .any(|mount| mount.field("mountPath").text().trim_end_matches('/') == directory)
    };
    let is_made = |directory: &str| {
        let last = directory.rsplit('/').next().unwrap_or(directory);
        // Another container may see it elsewhere, so its name alone will do.
        made.iter().any(|made| made.split('/').any(|part| part == last))
    };
    let lines = expanded(script.text);
    let written = lines.iter().flat_map(|line| writes(line)).filter_map(|file| Some(file.rsplit_once('/')?.0));
    for directory in written {
        let mount =
            mounts.iter().find(|mount| directory.strip_prefix(mount.path).is_some_and(|rest| rest.starts_with('/')));
        let Some(mount) = mount else { continue };
        if is_mounted(directory) || is_made(directory) {
            continue;
        }
        let finding = object.warning(&script.path, format!("nothing makes the directory {directory}"));
        let cause = format!("{} writes to it, and the volume {:?} is empty at first", script.name, mount.volume);
        return Some(finding.because(cause).remedy(format!("write mkdir -p {directory} before it")));
    }
    None
}

/// The lines of a script with the variables in them that it sets itself.
fn expanded(script: &str) -> Vec<String> {
    let mut variables: BTreeMap<&str, String> = BTreeMap::new();
    let mut lines = Vec::new();
    for line in script.lines() {
        let mut text = line.to_owned();
        for (name, value) in variables.iter().rev() {
            text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
        }
        if let Some((name, _)) = assignment(line) {
            let value = text.split_once('=').map_or("", |(_, value)| value);
            variables.insert(name, bare(value).to_owned());
        }
        lines.push(text);
    }
    lines
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let line = ["export ", "local ", "readonly "].iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, value))
}

/// The absolute paths of files that a line writes to, as far as they do not depend on what the shell computes.
fn writes(line: &str) -> Vec<&str> {
    let after = |mark: &'static str| line.match_indices(mark).map(move |(at, mark)| &line[at + mark.len()..]);
    let targets = line.split('>').skip(1).chain(after("tee -a ")).chain(after("tee "));
    targets.map(|target| bare(target.trim_start())).filter(|target| target.starts_with('/')).collect()
}

/// A word of the shell without its quotes, up to where something is computed.
fn bare(word: &str) -> &str {
    let word = word.trim_start_matches(['"', '\'']);
    let end = word.find(|char: char| char.is_whitespace() || "\"'$`;|&()<>*".contains(char));
    end.map_or(word, |end| &word[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_writes_to_is_found_in_it() {
        for (line, expect) in [
            ("date > /data/out/x.txt", vec!["/data/out/x.txt"]),
            ("date >>\"/data/out/$HOSTNAME.txt\" 2>/dev/null", vec!["/data/out/", "/dev/null"]),
            ("run 2>&1 | tee -a /logs/a.log", vec!["/logs/a.log"]),
            ("cat > \"/data/results/result-$X.json\" << EOF", vec!["/data/results/result-"]),
            ("echo a > b; test 1 -gt /x", vec![]),
        ] {
            assert_eq!(writes(line), expect, "{line}");
        }
    }

    #[test]
    fn a_scripts_own_variables_are_known() {
        let script = "DIR=/data/work\nexport FILE=\"$DIR/x-${HOSTNAME}\"\nmkdir -p \"$DIR\"\ndate > $FILE\n";
        assert_eq!(expanded(script)[2..], ["mkdir -p \"/data/work\"", "date > /data/work/x-"]);
    }
}
