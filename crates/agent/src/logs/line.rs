//! One line of a CRI log: `2026-01-02T03:04:05.678901234Z stdout F text`. `P` instead of `F`: the line goes on in the next one.

use super::write::Stream;
use jiff::Timestamp;

/// A line, taken apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line<'a> {
    /// As written.
    pub timestamp: &'a str,
    /// Where it was written to.
    pub stream: Stream,
    /// The text goes on in the stream's next line.
    pub is_partial: bool,
    /// What the container wrote, without its newline.
    pub text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a line without its newline; none if it is not one.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let timestamp = std::str::from_utf8(parts.next()?).ok()?;
        let stream = match parts.next()? {
            b"stdout" => Stream::Stdout,
            b"stderr" => Stream::Stderr,
            _ => return None,
        };
        // Tags may be joined by colons; the first says whether the line is whole.
        let is_partial = match parts.next()?.split(|byte| *byte == b':').next()? {
            b"F" => false,
            b"P" => true,
            _ => return None,
        };
        Some(Self { timestamp, stream, is_partial, text: parts.next().unwrap_or_default() })
    }

    /// Whether it was written before `since`. A timestamp that cannot be read is as old as can be.
    pub fn is_before(&self, since: Timestamp) -> bool {
        self.timestamp.parse::<Timestamp>().map_or(true, |at| at < since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let parsed = Line::parse(b"2026-01-02T03:04:05.6Z stderr P a b ").unwrap();
        assert_eq!(
            parsed,
            Line { timestamp: "2026-01-02T03:04:05.6Z", stream: Stream::Stderr, is_partial: true, text: b"a b " }
        );
        assert_eq!(Line::parse(b"T stdout F ").unwrap().text, b"");
        assert_eq!(Line::parse(b"T stdout F").unwrap().text, b"");
        assert!(!Line::parse(b"T stdout F:x y").unwrap().is_partial);
        for garbage in [&b""[..], b"text", b"T stdin F x", b"T stdout X x", b"\xff stdout F x"] {
            assert_eq!(Line::parse(garbage), None);
        }
    }

    #[test]
    fn since() {
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let before = |line: &[u8]| Line::parse(line).unwrap().is_before(at);
        assert!(before(b"2026-01-02T03:04:04.999999999Z stdout F x"));
        assert!(!before(b"2026-01-02T03:04:05Z stdout F x"));
        assert!(before(b"yesterday stdout F x"));
    }
}
