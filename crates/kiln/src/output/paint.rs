//! Colours, on a terminal only; `NO_COLOR` turns them off. What they say is always said in words too. Pure but for `wanted`.

use std::io::IsTerminal;

const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// Whether stdout is a terminal whose user wants colours.
pub fn wanted() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A column's heading.
pub fn heading(text: String, is_coloured: bool) -> String {
    paint(text, BOLD, is_coloured)
}

/// The word that an error begins with.
pub fn error(text: String, is_coloured: bool) -> String {
    paint(text, RED, is_coloured)
}

/// The word that a warning begins with.
pub fn warning(text: String, is_coloured: bool) -> String {
    paint(text, YELLOW, is_coloured)
}

/// A status: green is well, yellow is waiting, red has failed.
pub fn status(text: String, is_coloured: bool) -> String {
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.split(',').any(|part| part == *word));
    let has_failed = ["Failed", "Error", "BackOff", "Err", "Invalid", "Killed", "DeadlineExceeded", "Evicted", "Lost"];
    let colour =
        if is_one_of(&["Complete", "Completed", "Succeeded", "Running", "Active", "Bound", "Ready", "Available"]) {
            GREEN
        } else if has_failed.iter().any(|word| text.contains(word)) || text.contains("ExitCode:") {
            RED
        } else {
            YELLOW
        };
    paint(text, colour, is_coloured)
}

/// A word that all is well.
pub fn good(text: String, is_coloured: bool) -> String {
    paint(text, GREEN, is_coloured)
}

/// A word that something is left to wish for.
pub fn waiting(text: String, is_coloured: bool) -> String {
    paint(text, YELLOW, is_coloured)
}

/// A word that something has failed.
pub fn failed(text: String, is_coloured: bool) -> String {
    paint(text, RED, is_coloured)
}

fn paint(text: String, colour: &str, is_coloured: bool) -> String {
    if is_coloured && !text.is_empty() { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text }
}

/// How many characters a terminal shows of a text that may be painted.
pub fn width(text: &str) -> usize {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().chars().count();
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, text)| text.chars().count())).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_say_how_it_stands() {
        for (text, colour) in [
            ("Complete", GREEN),
            ("Running", GREEN),
            ("Ready,SchedulingDisabled", GREEN),
            ("Failed", RED),
            ("ImagePullBackOff", RED),
            ("ErrImagePull", RED),
            ("Init:ExitCode:3", RED),
            ("Pending", YELLOW),
            ("ContainerCreating", YELLOW),
            ("NotReady", YELLOW),
        ] {
            assert_eq!(status(text.into(), true), format!("\u{1b}[{colour}m{text}\u{1b}[0m"));
            assert_eq!(status(text.into(), false), text);
        }
    }

    #[test]
    fn paint_takes_no_room() {
        assert_eq!(width(&status("Failed".into(), true)), 6);
        assert_eq!(width("äb"), 2);
        assert_eq!(heading(String::new(), true), "");
    }
}
