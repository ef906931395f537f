//! Where the parts of a document stand in its file.

/// The line of a value, and those of its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// Beginning with 1; 0 when nobody knows.
    pub line: usize,
    /// Fields by name, items by index. What stands twice in the file stands twice here.
    pub parts: Vec<(String, Lines)>,
}

impl Lines {
    /// The line of an API path such as `spec.containers[0].resources.limits[cpu]`; of the nearest thing around it when
    /// that is not in the file.
    pub fn of(&self, path: &str) -> Option<usize> {
        let (mut here, mut rest) = (self, path);
        while let Some((part, after)) = here.step(rest) {
            (here, rest) = (part, after);
        }
        (0 < here.line).then_some(here.line)
    }

    /// The part that a path begins with, and what is left of the path.
    fn step<'a, 'p>(&'a self, path: &'p str) -> Option<(&'a Lines, &'p str)> {
        if path.is_empty() {
            return None;
        }
        if let Some(bracketed) = path.strip_prefix('[') {
            let (key, rest) = bracketed.split_once(']')?;
            return self.parts.iter().rev().find(|(name, _)| name == key).map(|(_, part)| (part, rest));
        }
        let path = path.strip_prefix('.').unwrap_or(path);
        let after = |name: &str| path.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        // Names may hold dots themselves (`data.process.sh`): the longest that fits is meant.
        let fitting = self.parts.iter().filter_map(|(name, part)| Some((name.len(), part, after(name)?)));
        let longest = fitting.max_by_key(|(length, ..)| *length).map(|(_, part, rest)| (part, rest));
        match self.parts.as_slice() {
            // Errors about types leave out indexes.
            [(index, only)] if index == "0" && longest.is_none() => Some((only, path)),
            _ => longest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize, parts: &[(&str, Lines)]) -> Lines {
        Lines { line, parts: parts.iter().map(|(name, part)| ((*name).to_owned(), part.clone())).collect() }
    }

    #[test]
    fn paths_lead_to_lines() {
        let container =
            at(5, &[("name", at(5, &[])), ("resources", at(6, &[("limits", at(7, &[("cpu", at(8, &[]))]))]))]);
        let data = at(9, &[("run", at(10, &[])), ("run.sh", at(11, &[]))]);
        let twice = [("a", at(12, &[])), ("a", at(13, &[]))];
        let file = at(
            1,
            &[("spec", at(2, &[("containers", at(4, &[("0", container)]))])), ("data", data), ("x", at(12, &twice))],
        );
        for (path, line) in [
            ("", 1),
            ("spec", 2),
            ("spec.containers[0].name", 5),
            ("spec.containers[0].resources.limits[cpu]", 8),
            ("spec.containers.resources.limits", 7),
            ("spec.containers[0].image", 5),
            ("spec.containers[1].image", 4),
            ("spec.nonsense.deeper", 2),
            ("data.run.sh", 11),
            ("data[run.sh]", 11),
            ("data.run", 10),
            ("x.a", 13),
            ("x[a", 12),
        ] {
            assert_eq!(file.of(path), Some(line), "{path}");
        }
        assert_eq!(Lines::default().of("spec"), None);
    }
}
