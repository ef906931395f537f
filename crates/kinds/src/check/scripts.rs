//! Scripts from ConfigMaps and Secrets: whether they are there, and whether they may be executed.

use super::Finding;
use super::object::Object;
use super::pods::{Container, Pod};
use super::references;
use super::world::{Found, World};
use crate::at::At;

/// Modes that somebody meant to be octal, written as decimal numbers.
const DECIMAL: [i64; 4] = [400, 440, 444, 500];
const EXECUTE: i64 = 0o111;
const DEFAULT_MODE: i64 = 0o644;
/// Volumes whose files have a mode of their own.
const SOURCES: [(&str, &str, &str); 2] = [("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")];

/// Whether a program is a shell that takes `-c`.
pub(super) fn is_shell(program: &str) -> bool {
    matches!(program.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash" | "zsh" | "ksh"))
}

/// A script that a container runs.
#[derive(Debug)]
pub(super) struct Script<'a> {
    /// Where it is said that it runs.
    pub path: String,
    /// What it is called: its path in the container, or `the script`.
    pub name: &'a str,
    pub text: &'a str,
}

/// The scripts that a container runs: in its command, and of ConfigMaps and Secrets in the files.
pub(super) fn texts<'a>(
    object: &Object<'_>,
    pod: &Pod<'a>,
    world: &World<'a>,
    container: &Container<'a>,
) -> Vec<Script<'a>> {
    let mut words = container.words("command");
    words.extend(container.words("args"));
    let mut scripts: Vec<Script<'a>> = Vec::new();
    if let Some(inline) = inline(&words) {
        scripts.push(Script { path: inline.path.clone(), name: "the script", text: inline.text() });
    }
    for start in starts(container) {
        if let Some(text) = file(pod, container, start.file).and_then(|file| content(object, world, &file)) {
            scripts.push(Script { path: start.path, name: start.file, text });
        }
    }
    scripts
}

/// What stands in a file, if its source is in the files.
fn content<'a>(object: &Object<'_>, world: &World<'a>, file: &File<'_>) -> Option<&'a str> {
    let Found::Here(source) = world.find(file.kind, &object.namespace, file.name) else { return None };
    let item = item(&file.source, &file.inside);
    let key = item.as_ref().map_or(file.inside.as_str(), |item| item.field("key").text());
    ["data", "stringData"].iter().find_map(|field| source[*field].get(key)?.as_str())
}

/// Tells of files that are executed without the mode for it, and of scripts that are not in their volume.
pub(super) fn check(object: &Object<'_>, pod: &Pod<'_>, world: &World<'_>, findings: &mut Vec<Finding>) {
    for volume in pod.spec.field("volumes").items() {
        modes(object, &volume, findings);
    }
    for container in pod.containers() {
        let mut told: Vec<&str> = Vec::new();
        for start in starts(&container) {
            if told.contains(&start.file) {
                continue;
            }
            if let Some(finding) = judge(object, pod, world, &container, &start) {
                told.push(start.file);
                findings.push(finding);
            }
        }
    }
}

/// A file that a container starts.
#[derive(Debug, PartialEq, Eq)]
struct Start<'a> {
    /// Its absolute path.
    file: &'a str,
    /// Where that is said.
    path: String,
    /// Whether the kernel executes it; else a shell reads it.
    is_executed: bool,
}

fn starts<'a>(container: &Container<'a>) -> Vec<Start<'a>> {
    let (mut words, args) = (container.words("command"), container.words("args"));
    words.extend(args);
    let mut starts = of_words(&words);
    let hooks = [["lifecycle", "postStart"], ["lifecycle", "preStop"]].map(|path| container.at.fields(&path));
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"].map(|probe| container.at.field(probe));
    for place in hooks.iter().chain(&probes) {
        let words: Vec<At<'a>> = place.fields(&["exec", "command"]).items().collect();
        starts.extend(of_words(&words));
    }
    starts
}

/// What a command line starts, as far as it can be told without its image.
fn of_words<'a>(words: &[At<'a>]) -> Vec<Start<'a>> {
    let Some((program, rest)) = words.split_first() else { return Vec::new() };
    let start = |at: &At<'_>, file: &'a str, is_executed| Start { file, path: at.path.clone(), is_executed };
    if !is_shell(program.text()) {
        return program.text().starts_with('/').then(|| start(program, program.text(), true)).into_iter().collect();
    }
    let options = n_options(rest);
    let Some(next) = rest.get(options) else { return Vec::new() };
    if inline(words).is_none() {
        return next.text().starts_with('/').then(|| start(next, next.text(), false)).into_iter().collect();
    }
    of_script(next.text()).into_iter().map(|(file, is_executed)| start(next, file, is_executed)).collect()
}

fn n_options(words: &[At<'_>]) -> usize {
    words.iter().take_while(|word| word.text().starts_with(['-', '+'])).count()
}

/// The script of `sh -c SCRIPT`.
fn inline<'w, 'a>(words: &'w [At<'a>]) -> Option<&'w At<'a>> {
    let (program, rest) = words.split_first()?;
    let n_options = n_options(rest);
    let takes_one = rest[..n_options].iter().any(|word| word.text().starts_with('-') && word.text().contains('c'));
    rest.get(n_options).filter(|_| takes_one && is_shell(program.text()))
}

/// The files that a shell's script starts: first words of its commands.
fn of_script(script: &str) -> Vec<(&str, bool)> {
    let commands = script.split(['\n', ';', '|', '&', '(', ')']);
    commands.filter_map(of_command).collect()
}

fn of_command(command: &str) -> Option<(&str, bool)> {
    let is_before = |word: &&str| {
        let is_assignment = word
            .split_once('=')
            .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        is_assignment
            || matches!(
                *word,
                "exec" | "if" | "then" | "else" | "do" | "while" | "until" | "!" | "{" | "time" | "nohup"
            )
    };
    let mut words = command.split_whitespace().skip_while(is_before);
    let program = words.next()?;
    if program.starts_with('/') && !is_shell(program) {
        return Some((program, true));
    }
    let is_reader = is_shell(program) || matches!(program, "." | "source");
    words.next().filter(|file| is_reader && file.starts_with('/')).map(|file| (file, false))
}

/// A file in a volume.
struct File<'a> {
    /// `ConfigMap`, `Secret` or empty for a projected volume.
    kind: &'static str,
    name: &'a str,
    source: At<'a>,
    /// Its path in the volume.
    inside: String,
    mode: i64,
}

fn judge(
    object: &Object<'_>,
    pod: &Pod<'_>,
    world: &World<'_>,
    container: &Container<'_>,
    start: &Start<'_>,
) -> Option<Finding> {
    let file = file(pod, container, start.file)?;
    if let Found::Here(source) = world.find(file.kind, &object.namespace, file.name)
        && !is_there(&file, &references::keys(source))
    {
        let keys = references::keys(source).join(", ");
        let finding = object.warning(&start.path, format!("there will be no file {}", start.file));
        let cause = format!("it would come from the {} {:?}, which has no key {:?}", file.kind, file.name, file.inside);
        let has = if keys.is_empty() { "it has no keys at all".to_owned() } else { format!("it has {keys}") };
        return Some(finding.because(cause).remedy(format!("{has}; a file is called as its key is")));
    }
    if !start.is_executed {
        return None;
    }
    if file.mode & EXECUTE != 0 {
        return no_bash(object, container, start, content(object, world, &file)?);
    }
    let finding = object.warning(&start.path, format!("{} may not be executed: Permission denied", start.file));
    let cause = format!("its mode is {:04o}, by {}", file.mode, file.source.path);
    let remedy = format!(
        "add defaultMode: 0755 to {}, or let a shell read it: command: [\"sh\", \"{}\"]",
        file.source.path, start.file
    );
    Some(finding.because(cause).remedy(remedy))
}

/// Small images have no bash, which the first line of a script that is executed may ask for.
fn no_bash(object: &Object<'_>, container: &Container<'_>, start: &Start<'_>, text: &str) -> Option<Finding> {
    let image = container.at.field("image").text();
    let last = image.rsplit('/').next().unwrap_or(image);
    let is_small = last.starts_with("busybox") || last.contains("alpine");
    let first = text.lines().next().unwrap_or_default();
    if !is_small || !first.starts_with("#!") || !first.contains("bash") {
        return None;
    }
    let finding =
        object.warning(&start.path, format!("{} asks for bash, which {image} has not: not found", start.file));
    Some(
        finding
            .because(format!("its first line is {first}"))
            .remedy("write #!/bin/sh, if it needs no more, or take an image that has bash"),
    )
}

/// The file of a volume that a container sees at this path.
fn file<'a>(pod: &Pod<'a>, container: &Container<'a>, path: &str) -> Option<File<'a>> {
    let beneath = |mount: &At<'_>| {
        let rest = path.strip_prefix(mount.field("mountPath").text().trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/').to_owned())
    };
    let mounts = container.at.field("volumeMounts").items().filter_map(|mount| Some((beneath(&mount)?, mount)));
    let (rest, mount) = mounts.max_by_key(|(_, mount)| mount.field("mountPath").text().len())?;
    let sub_path = mount.field("subPath").text().trim_matches('/');
    let inside = match (sub_path, rest.as_str()) {
        ("", rest) => rest.to_owned(),
        (sub_path, "") => sub_path.to_owned(),
        (sub_path, rest) => format!("{sub_path}/{rest}"),
    };
    let volume = pod.volume(mount.field("name").text())?;
    let projected = volume.field("projected");
    if projected.is_set() {
        return Some(File {
            kind: "",
            name: "",
            mode: projected_mode(&projected, &inside)?,
            source: projected,
            inside,
        });
    }
    let (kind, name, source) = SOURCES.iter().find_map(|(field, kind, name)| {
        let source = volume.field(field);
        source.is_set().then(|| (*kind, source.field(name).text(), source))
    })?;
    let mode = item(&source, &inside).and_then(|item| item.field("mode").int());
    let mode = mode.or(source.field("defaultMode").int()).unwrap_or(DEFAULT_MODE);
    Some(File { kind, name, source, inside, mode })
}

fn projected_mode(projected: &At<'_>, inside: &str) -> Option<i64> {
    // A token or a field is no script.
    let sources: Vec<At<'_>> = projected
        .field("sources")
        .items()
        .flat_map(|source| [source.field("configMap"), source.field("secret")])
        .collect();
    if sources.iter().all(|source| !source.is_set()) {
        return None;
    }
    let own = sources.iter().find_map(|source| item(source, inside)?.field("mode").int());
    Some(own.or(projected.field("defaultMode").int()).unwrap_or(DEFAULT_MODE))
}

/// The item that puts a key at this path.
fn item<'a>(source: &At<'a>, inside: &str) -> Option<At<'a>> {
    source.field("items").items().find(|item| item.field("path").text() == inside)
}

fn is_there(file: &File<'_>, keys: &[&str]) -> bool {
    if file.source.field("items").len() == 0 {
        return keys.contains(&file.inside.as_str());
    }
    // Whether the item's key is there is told where the item stands.
    item(&file.source, &file.inside).is_some()
}

/// Modes that are numbers of another base than they look.
fn modes(object: &Object<'_>, volume: &At<'_>, findings: &mut Vec<Finding>) {
    for source in ["configMap", "secret", "projected", "downwardAPI"].map(|source| volume.field(source)) {
        let items = source.field("items").items().map(|item| item.field("mode"));
        for mode in std::iter::once(source.field("defaultMode")).chain(items) {
            let Some(number) = mode.int().filter(|number| DECIMAL.contains(number)) else { continue };
            let finding = object.warning(&mode.path, format!("{number} is the mode {number:04o}"));
            let octal = i64::from_str_radix(&number.to_string(), 8).unwrap_or(number);
            findings.push(
                finding
                    .because("modes are octal, this number is decimal")
                    .remedy(format!("write 0{number} in YAML, which is {octal} in JSON")),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_command_line_starts_is_found_in_it() {
        for (words, expect) in [
            (json!(["/s/x.sh", "a"]), vec![("/s/x.sh", true)]),
            (json!(["x.sh", "/s/x.sh"]), vec![]),
            (json!(["sh", "/s/x.sh"]), vec![("/s/x.sh", false)]),
            (json!(["/bin/bash", "-eu", "/s/x.sh"]), vec![("/s/x.sh", false)]),
            (json!(["sh", "-c", "/s/x.sh a && exec /s/y.sh"]), vec![("/s/x.sh", true), ("/s/y.sh", true)]),
            (
                json!(["sh", "-ec", "A=1 /s/x.sh\nsh /s/y.sh; . /s/z.sh"]),
                vec![("/s/x.sh", true), ("/s/y.sh", false), ("/s/z.sh", false)],
            ),
            (json!(["sh", "-c", "if ! /s/x.sh; then echo /s/y.sh; fi"]), vec![("/s/x.sh", true)]),
            (json!(["sh", "-c", "cat /s/x.sh | /bin/sh"]), vec![]),
            (json!(["sh"]), vec![]),
            (json!(["sh", "-c"]), vec![]),
        ] {
            let words: Vec<At<'_>> = At::root(&words).items().collect();
            let found: Vec<(&str, bool)> =
                of_words(&words).iter().map(|start| (start.file, start.is_executed)).collect();
            assert_eq!(found, expect, "{words:?}");
        }
    }
}
