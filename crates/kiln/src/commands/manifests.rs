//! `-f`: the objects that files hold, YAML or JSON; a directory's files, or standard input.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::output::Problem;

/// Which files.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Files {
    /// Objects from this file, or a directory's .yaml, .yml and .json files; - is standard input. May be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE", value_delimiter = ',')]
    pub files: Vec<PathBuf>,
    /// Directories within directories too
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

impl Files {
    /// Their objects, in order. Those of a List are taken out of it.
    pub fn read(&self) -> Result<Vec<Value>, Problem> {
        let mut objects = Vec::new();
        for path in self.paths()? {
            objects.extend(documents(&text(&path)?, &path.display().to_string())?);
        }
        if objects.is_empty() && !self.files.is_empty() {
            return Err(self.empty());
        }
        Ok(objects)
    }

    /// The files themselves, in order.
    pub fn paths(&self) -> Result<Vec<PathBuf>, Problem> {
        let mut paths = Vec::new();
        for file in &self.files {
            if file.to_str().is_some_and(|text| text.starts_with("http://") || text.starts_with("https://")) {
                return Err(Problem::usage(format!("kiln reads no manifests from the network: {}", file.display()))
                    .remedy("fetch it, look at it, and give the file"));
            }
            paths.extend(expand(file, self.recursive)?);
        }
        Ok(paths)
    }

    /// The problem of files without objects.
    pub fn empty(&self) -> Problem {
        let names: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        Problem::usage(format!("there are no objects in {}", names.join(", ")))
    }
}

/// The text of a file; `-` is standard input.
pub fn text(path: &Path) -> Result<String, Problem> {
    let text =
        if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    text.map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: std::io::Error) -> Problem {
    let remedy = match error.kind() {
        ErrorKind::NotFound => "check the name; a relative one begins at the working directory",
        ErrorKind::PermissionDenied => "make it readable for the user who runs this",
        ErrorKind::InvalidData => "a manifest is YAML or JSON, in UTF-8",
        _ => "give another file, or - for standard input",
    };
    Problem::usage(format!("cannot read {}", path.display())).because(error).remedy(remedy)
}

fn expand(path: &Path, recursive: bool) -> Result<Vec<PathBuf>, Problem> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |error| unreadable(path, error);
    let entries = std::fs::read_dir(path).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        // A link to a directory could lead round in a circle.
        let is_directory = path.is_dir() && !path.is_symlink();
        if is_directory && recursive {
            files.extend(expand(&path, true)?);
        }
        let is_manifest = path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        if is_manifest && !path.is_dir() {
            files.push(path);
        }
    }
    Ok(files)
}

/// How YAML is read here. kubectl reads YAML 1.1: `defaultMode: 0755` is 493.
pub fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.legacy_octal_numbers = true;
    options
}

/// The objects of a text; `source` names it in errors.
pub fn documents(text: &str, source: &str) -> Result<Vec<Value>, Problem> {
    let documents: Result<Vec<Value>, _> = serde_saphyr::from_multiple_with_options(text, options());
    let documents = documents.map_err(|error| Problem::usage(format!("{source} is not valid YAML")).because(error))?;
    let mut objects = Vec::new();
    for document in documents.into_iter().filter(|document| !document.is_null()) {
        flatten(document, &mut objects);
    }
    match objects.iter().find_map(misshapen) {
        Some(what) => Err(Problem::usage(format!("{source} holds what is no object: {what}"))
            .remedy("an object is a map, and so are its metadata")),
        None => Ok(objects),
    }
}

/// The object, or the objects of a list: `List`, `ConfigMapList`, … Items need not say what they are where the list does.
fn flatten(mut document: Value, objects: &mut Vec<Value>) {
    let of_what = document["kind"].as_str().and_then(|kind| kind.strip_suffix("List")).map(str::to_owned);
    let items = match (of_what.as_deref(), document.get_mut("items")) {
        (Some(_), Some(Value::Array(items))) => std::mem::take(items),
        (Some(""), None | Some(Value::Null)) => Vec::new(),
        _ => return objects.push(document),
    };
    let said_by_list = [("kind", of_what.map(Value::from)), ("apiVersion", document.get("apiVersion").cloned())];
    let is_of_one_kind = said_by_list[0].1.as_ref().is_some_and(|kind| kind != "");
    for mut item in items {
        if let (Value::Object(item), true) = (&mut item, is_of_one_kind)
            && !item.contains_key("kind")
        {
            let said = said_by_list.iter().filter_map(|(field, value)| Some(((*field).to_owned(), value.clone()?)));
            item.extend(said);
        }
        flatten(item, objects);
    }
}

/// What is wrong with the form of something that is to be an object.
fn misshapen(object: &Value) -> Option<String> {
    match (object, object.get("metadata")) {
        (Value::Object(_), None | Some(Value::Null | Value::Object(_))) => None,
        (Value::Object(_), Some(metadata)) => Some(format!("metadata: {metadata}")),
        (other, _) => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_holds_documents_and_lists() {
        let text = "kind: Job\nmode: 0755\n---\n---\nkind: List\nitems: [{kind: Pod}, {kind: Secret}]\n";
        let objects = documents(text, "x").unwrap();
        let kinds: Vec<&str> = objects.iter().filter_map(|object| object["kind"].as_str()).collect();
        assert_eq!(kinds, ["Job", "Pod", "Secret"]);
        assert_eq!(objects[0]["mode"], 493);
        assert!(documents("a: [", "x.yaml").unwrap_err().what.contains("x.yaml is not valid YAML"));
    }

    #[test]
    fn lists_of_one_kind_are_opened() {
        let text = "apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: a}}, {kind: Secret, apiVersion: x/v1}]\n---\n\
                    apiVersion: v1\nkind: List\nitems: [{kind: JobList, apiVersion: batch/v1, items: [{}]}]\n---\nkind: Wish\nitems: []\n";
        let objects = documents(text, "x").unwrap();
        let text = |object: &Value, field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let seen: Vec<_> = objects.iter().map(|object| (text(object, "apiVersion"), text(object, "kind"))).collect();
        let expect = [("v1", "ConfigMap"), ("x/v1", "Secret"), ("batch/v1", "Job"), ("", "Wish")];
        assert_eq!(seen, expect.map(|(version, kind)| (version.to_owned(), kind.to_owned())));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for (text, expect) in [
            ("kind: Job\nmetadata: []", "metadata: []"),
            ("kind: Job\nmetadata: x", "metadata: \"x\""),
            ("kind: List\nitems: [1]", "1"),
            ("just words", "\"just words\""),
        ] {
            let problem = documents(text, "x.yaml").unwrap_err();
            assert_eq!(problem.what, format!("x.yaml holds what is no object: {expect}"));
            assert_eq!(problem.exit.code(), 2);
        }
        assert_eq!(documents("kind: Job\nmetadata:\n", "x.yaml").unwrap().len(), 1);
    }

    #[test]
    fn a_directory_stands_for_its_manifests() {
        let directory = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("b.yaml", "kind: B");
        put("a.json", r#"{"kind":"A"}"#);
        put("deep/c.yml", "kind: C");
        put("README.md", "x: [");
        let kinds = |recursive: bool| {
            let files = Files { files: vec![directory.path().into()], recursive };
            files.read().unwrap().iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(kinds(false), ["A", "B"]);
        assert_eq!(kinds(true), ["A", "B", "C"]);
    }

    #[test]
    fn what_cannot_be_read_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("binary.yaml");
        std::fs::write(&binary, [0xff, 0xfe, 0]).unwrap();
        for (path, expect) in [
            (directory.path().join("absent.yaml"), "check the name; a relative one begins at the working directory"),
            (binary, "a manifest is YAML or JSON, in UTF-8"),
        ] {
            let problem = text(&path).unwrap_err();
            assert_eq!(problem.what, format!("cannot read {}", path.display()));
            assert_eq!(problem.remedy.as_deref(), Some(expect));
        }
    }

    #[test]
    fn nothing_is_fetched() {
        let files = Files { files: vec!["https://example.org/x.yaml".into()], recursive: false };
        assert!(files.read().unwrap_err().what.contains("no manifests from the network"));
    }
}
