//! kubectl's switches take a value too, behind an equals sign: `--prefix=true`, `--watch=false`. Scripts write them so. Pure.

use clap::ArgAction::SetTrue;
use clap::Command;
use std::ffi::{OsStr, OsString};

/// The words of a command line, the program's name first, with `--SWITCH=true` made `--SWITCH` and `--SWITCH=false` left out. What is
/// no switch of the verb, has another value or stands after `--` stays as it is.
pub fn plain(command: &Command, words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut plain: Vec<OsString> = words.by_ref().take(1).collect();
    let mut verb = command;
    for word in words.by_ref() {
        if word == "--" {
            plain.push(word);
            break;
        }
        verb = verb.find_subcommand(&word).unwrap_or(verb);
        match valued(verb, &word) {
            Some((switch, true)) => plain.push(switch),
            Some((_, false)) => {}
            None => plain.push(word),
        }
    }
    plain.extend(words);
    plain
}

/// A switch of the verb, and the value that it is given.
fn valued(verb: &Command, word: &OsStr) -> Option<(OsString, bool)> {
    let (switch, value) = word.to_str()?.split_once('=')?;
    let mut switches = verb.get_arguments().filter(|argument| matches!(argument.get_action(), SetTrue));
    let is_one = match switch.strip_prefix("--") {
        Some(long) => switches.any(|argument| argument.get_long() == Some(long)),
        None => switches.any(|argument| argument.get_short().is_some_and(|short| switch == format!("-{short}"))),
    };
    let value = boolean(value).filter(|_| is_one)?;
    Some((switch.into(), value))
}

/// As Go's strconv.ParseBool reads it.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn switches_may_have_a_value() {
        let command = super::super::Arguments::command();
        for (line, expect) in [
            ("kiln logs -l a=b --prefix=true x", "kiln logs -l a=b --prefix x"),
            ("kiln logs --prefix=False x -f=1", "kiln logs x -f"),
            ("kiln get jobs -w=false --show-labels=T", "kiln get jobs --show-labels"),
            // Not a switch's value, no switch, no switch of this verb, and somebody else's words.
            ("kiln logs --prefix=maybe", "kiln logs --prefix=maybe"),
            ("kiln logs --tail=1 -l=a", "kiln logs --tail=1 -l=a"),
            ("kiln get jobs --prefix=true", "kiln get jobs --prefix=true"),
            ("kiln exec -i=true x -- tar --prefix=true -i=true", "kiln exec -i x -- tar --prefix=true -i=true"),
        ] {
            let words = line.split(' ').map(OsString::from);
            let plain: Vec<String> =
                plain(&command, words).iter().map(|word| word.to_string_lossy().into_owned()).collect();
            assert_eq!(plain.join(" "), expect, "{line}");
        }
    }
}
