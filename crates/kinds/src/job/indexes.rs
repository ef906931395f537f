//! Sets of completion indexes as the controller keeps them: `0,2-4,7` in the status, intervals in memory, so that a hundred
//! thousand of them cost what their gaps cost (K:pkg/controller/job/indexed_job_utils.go).

use std::fmt;

/// A set of indexes. Intervals rise and do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexes(Vec<(u32, u32)>);

impl Indexes {
    /// Reads what a status or a policy says. What cannot be read, does not rise or is not below `completions` is left out:
    /// completions may have been lowered since.
    pub fn read(text: &str, completions: u32) -> Self {
        let mut indexes = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) else { continue };
            if completions <= first {
                break;
            }
            indexes.append(first, last.min(completions - 1));
        }
        indexes
    }

    /// Adds an interval behind all others; one that is not behind them is cut.
    fn append(&mut self, first: u32, last: u32) {
        if last < first {
            return;
        }
        match self.0.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => self.0.push((first, last)),
        }
    }

    /// The set with these indexes in it.
    #[must_use]
    pub fn with(&self, indexes: impl IntoIterator<Item = u32>) -> Self {
        let mut added: Vec<(u32, u32)> = indexes.into_iter().map(|index| (index, index)).collect();
        if added.is_empty() {
            return self.clone();
        }
        added.extend(&self.0);
        added.sort_unstable();
        let mut all = Self::default();
        for (first, last) in added {
            all.append(first, last);
        }
        all
    }

    /// Both sets together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut intervals = [self.0.as_slice(), &other.0].concat();
        intervals.sort_unstable();
        let mut all = Self::default();
        for (first, last) in intervals {
            all.append(first, last);
        }
        all
    }

    /// Whether an index is in the set.
    pub fn contains(&self, index: u32) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < index);
        self.0.get(at).is_some_and(|(first, _)| *first <= index)
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(first, last)| (last - first) as usize + 1).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many indexes are in both sets.
    pub fn n_common(&self, other: &Self) -> usize {
        let (mut n, mut a, mut b) = (0, 0, 0);
        while let (Some(one), Some(two)) = (self.0.get(a), other.0.get(b)) {
            let (first, last) = (one.0.max(two.0), one.1.min(two.1));
            n += if first <= last { (last - first) as usize + 1 } else { 0 };
            if one.1 < two.1 { a += 1 } else { b += 1 }
        }
        n
    }

    /// The lowest indexes below `end` that are not in the set.
    pub fn missing(&self, end: u32) -> impl Iterator<Item = u32> + '_ {
        let starts = std::iter::once(0).chain(self.0.iter().map(|(_, last)| last.saturating_add(1)));
        let ends = self.0.iter().map(|(first, _)| *first).chain(std::iter::once(end));
        starts.zip(ends).flat_map(move |(first, next)| first..next.min(end))
    }
}

/// As the status has it: three or more in a row with a hyphen, two with a comma.
impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (first, last)) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn texts_are_read_and_written_back() {
        for (text, completions, expect) in [
            ("", 10, ""),
            ("0", 10, "0"),
            ("0,1", 10, "0,1"),
            ("0,1,2", 10, "0-2"),
            ("1-3,5,7-9", 10, "1-3,5,7-9"),
            ("1-3,5,7-9", 8, "1-3,5,7"),
            ("1-3,5,7-9", 5, "1-3"),
            ("1-3,5,7-9", 1, ""),
            ("x,2,3-y,4", 10, "2,4"),
            ("0-99999", 100_000, "0-99999"),
            ("0-4", 0, ""),
            ("4-2,5", 10, "5"),
            ("4294967295", u32::MAX, ""),
        ] {
            assert_eq!(Indexes::read(text, completions).to_string(), expect, "{text} below {completions}");
        }
    }

    #[test]
    fn sets_behave_as_sets_do() {
        // Small sets, all pairs of a few hundred, against the obvious ones.
        let sets: Vec<BTreeSet<u32>> = (0..200u32)
            .map(|seed| (0..12).filter(|bit| seed.wrapping_mul(2_654_435_761) >> (bit + 8) & 1 == 1).collect())
            .collect();
        let of = |set: &BTreeSet<u32>| Indexes::default().with(set.iter().copied());
        for one in &sets {
            let indexes = of(one);
            assert_eq!(indexes.len(), one.len());
            assert_eq!(Indexes::read(&indexes.to_string(), 12), indexes, "{indexes}");
            let missing: Vec<u32> = (0..12).filter(|index| !one.contains(index)).collect();
            assert_eq!(indexes.missing(12).collect::<Vec<_>>(), missing, "{indexes}");
            for index in 0..14 {
                assert_eq!(indexes.contains(index), one.contains(&index), "{index} in {indexes}");
            }
            for two in &sets {
                assert_eq!(indexes.n_common(&of(two)), one.intersection(two).count(), "{indexes} and {}", of(two));
                let both: BTreeSet<u32> = one.union(two).copied().collect();
                assert_eq!(indexes.union(&of(two)), of(&both));
                assert_eq!(indexes.with(two.iter().copied()), of(&both));
            }
        }
    }
}
