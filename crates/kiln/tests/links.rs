//! Links between the documents lead somewhere: to a file that is there, and to a heading that it has.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::path::{Path, PathBuf};

/// What a heading is called in a link, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|char| char.is_alphanumeric() || [' ', '-', '_'].contains(char));
    kept.map(|char| if char == ' ' { '-' } else { char }).collect()
}

/// Anchors of a document.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

/// Lines outside of blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_in_block = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_in_block ^= is_fence;
        !is_in_block && !is_fence
    })
}

/// What the links of a document say: `FILE`, `FILE#ANCHOR`, `#ANCHOR`.
fn links(text: &str) -> Vec<&str> {
    let pieces = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = pieces.filter_map(|piece| piece.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://")).collect()
}

fn documents(root: &Path) -> Vec<PathBuf> {
    let within = |directory: PathBuf| std::fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        ["", "docs", "examples"].into_iter().flat_map(|name| within(root.join(name))).collect();
    found.extend(within(root.join("crates")).filter(|path| path.is_dir()).flat_map(within));
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found.sort();
    found
}

/// What is wrong with a link of this document, if anything is.
fn broken(document: &Path, text: &str, link: &str) -> Option<String> {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { document.to_owned() } else { document.parent()?.join(file) };
    if !target.exists() {
        return Some(format!("{}: there is no {file}", document.display()));
    }
    let theirs = if file.is_empty() { text.to_owned() } else { std::fs::read_to_string(&target).unwrap_or_default() };
    let is_there = heading.is_empty() || anchors(&theirs).iter().any(|anchor| anchor == heading);
    (!is_there).then(|| format!("{}: {file} has no heading #{heading}", document.display()))
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let mut n_links = 0;
    let mut mistakes = Vec::new();
    for document in documents(&root) {
        let text = std::fs::read_to_string(&document).unwrap();
        let links = links(&text);
        n_links += links.len();
        mistakes.extend(links.into_iter().filter_map(|link| broken(&document, &text, link)));
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    assert!(20 < n_links, "only {n_links} links were found");
}

#[test]
fn links_and_headings_are_found_outside_of_blocks() {
    let text =
        "# Runs of `CronJobs`, here\n[a](b.md#c) and [d](#e)\n```sh\n# f](g)\n```\n[h](https://i/)\n## See-also\n";
    assert_eq!(links(text), ["b.md#c", "#e"]);
    assert_eq!(anchors(text), ["runs-of-cronjobs-here", "see-also"]);
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    assert_eq!(broken(&document, text, "#see-also"), None);
    assert!(broken(&document, text, "#none").unwrap().ends_with("has no heading #none"));
    assert!(broken(&document, text, "nowhere.md").unwrap().ends_with("there is no nowhere.md"));
}
