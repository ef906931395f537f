//! Which objects a command line means: `TYPE/NAME…`, `TYPE[,TYPE] [NAME…]`, `all`. Pure.

use kinds::Kind;

use super::objects::{self, kind_named};
use crate::output::Problem;

/// Objects of one kind: those with these names, or, without names, all that selectors leave.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Their kind.
    pub kind: &'static dyn Kind,
    /// Their names, checked.
    pub names: Vec<String>,
}

/// Reads words as kubectl does.
pub fn parse(words: &[String]) -> Result<Vec<Wanted>, Problem> {
    let has_slash = words.iter().any(|word| word.contains('/'));
    if has_slash {
        let mut wanted: Vec<Wanted> = Vec::new();
        for named in objects::parse(words)? {
            let (kind, name) = (kind_named(named.kind)?, named.name.unwrap_or_default().to_owned());
            objects::check_name(&name)?;
            match wanted.last_mut().filter(|last| is_same(last.kind, kind)) {
                Some(last) => last.names.push(name),
                None => wanted.push(Wanted { kind, names: vec![name] }),
            }
        }
        return Ok(wanted);
    }
    let Some((types, names)) = words.split_first() else {
        return Err(Problem::usage("you must specify the type of resource to get")
            .remedy(format!("name one, e.g. jobs, or an object, e.g. job/pi; there are {}", objects::served())));
    };
    names.iter().try_for_each(|name| objects::check_name(name))?;
    let mut wanted: Vec<Wanted> = Vec::new();
    for word in types.split(',').filter(|word| !word.is_empty()) {
        for kind in kinds_called(word)? {
            if !wanted.iter().any(|wanted| is_same(wanted.kind, kind)) {
                wanted.push(Wanted { kind, names: names.to_vec() });
            }
        }
    }
    Ok(wanted)
}

/// The kinds of a category (`all`), else the one kind of that name.
fn kinds_called(word: &str) -> Result<Vec<&'static dyn Kind>, Problem> {
    let lower = word.to_lowercase();
    let members: Vec<&'static dyn Kind> =
        kinds::KINDS.iter().copied().filter(|kind| kind.names().categories.contains(&lower.as_str())).collect();
    if members.is_empty() {
        return Ok(vec![kind_named(word)?]);
    }
    Ok(members)
}

/// Whether two are the same kind.
pub fn is_same(a: &dyn Kind, b: &dyn Kind) -> bool {
    (a.names().group, a.names().plural) == (b.names().group, b.names().plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let wanted = parse(&words).unwrap();
        wanted.iter().map(|wanted| format!("{}:{}", wanted.kind.names().plural, wanted.names.join("+"))).collect()
    }

    #[test]
    fn types_and_names_are_read() {
        for (line, expect) in [
            ("jobs", &["jobs:"][..]),
            ("jobs,po", &["jobs:", "pods:"]),
            ("job a b", &["jobs:a+b"]),
            ("job,pod a", &["jobs:a", "pods:a"]),
            ("job/a job/b pod/c job/d", &["jobs:a+b", "pods:c", "jobs:d"]),
            ("all", &["pods:", "services:", "jobs:", "cronjobs:"]),
            ("jobs,job", &["jobs:"]),
        ] {
            assert_eq!(read(line), expect, "{line}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for line in ["", "job/a b", "nothing", "jobs a/../b", "jobs .."] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(parse(&words).unwrap_err().exit.code(), 2, "{line}");
        }
    }
}
