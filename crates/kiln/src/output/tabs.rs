//! Columns of text as kubectl aligns them: Go's text/tabwriter, with the memory for widths that kubectl's copy of it has. Pure.

/// How wide columns are at least.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Width of the narrowest column, its padding included.
    min_width: usize,
    /// Blanks after the longest cell.
    padding: usize,
}

/// Of `get`: columns three blanks apart.
pub const TABLE: Layout = Layout { min_width: 6, padding: 3 };
/// Of `describe`: two blanks.
pub const DESCRIPTION: Layout = Layout { min_width: 0, padding: 2 };

/// Widths of columns that were printed earlier: later rows line up with them, and may widen them.
pub type Widths = Vec<usize>;

/// Aligns the cells of lines, which tabs separate. What follows a line's last tab belongs to no column.
pub fn align(text: &str, layout: Layout) -> String {
    align_with(text, layout, &mut Widths::new(), false)
}

/// The same, beneath what was aligned before.
pub fn align_on(text: &str, layout: Layout, widths: &mut Widths) -> String {
    align_with(text, layout, widths, true)
}

fn align_with(text: &str, layout: Layout, remembered: &mut Widths, remembers: bool) -> String {
    let mut lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let ends_with_newline = text.ends_with('\n') || text.is_empty();
    if ends_with_newline {
        lines.pop();
    }
    let mut writer = Writer { lines: &lines, layout, remembered, remembers, out: String::new() };
    writer.format(&mut Vec::new(), 0, lines.len());
    let mut out = writer.out;
    if !ends_with_newline {
        out.pop();
    }
    out
}

struct Writer<'a> {
    lines: &'a [Vec<&'a str>],
    layout: Layout,
    remembered: &'a mut Widths,
    remembers: bool,
    out: String,
}

impl Writer<'_> {
    /// A column is a run of lines that have a cell there; `widths` are those of the columns to its left.
    fn format(&mut self, widths: &mut Vec<usize>, first: usize, end: usize) {
        let column = widths.len();
        let has_cell = |line: &Vec<&str>| column + 1 < line.len();
        let mut begin = first;
        while begin < end {
            let lines = &self.lines[begin..end];
            let Some(offset) = lines.iter().position(has_cell) else { break };
            self.write(widths, begin, begin + offset);
            let block = begin + offset;
            let n_lines = self.lines[block..end].iter().take_while(|line| has_cell(line)).count();
            let longest = self.lines[block..block + n_lines].iter().map(|line| super::paint::width(line[column])).max();
            let width = (longest.unwrap_or(0) + self.layout.padding).max(self.layout.min_width);
            widths.push(self.remember(column, width));
            self.format(widths, block, block + n_lines);
            widths.pop();
            begin = block + n_lines;
        }
        self.write(widths, begin, end);
    }

    fn remember(&mut self, column: usize, width: usize) -> usize {
        if !self.remembers {
            return width;
        }
        if self.remembered.len() <= column {
            self.remembered.resize(column + 1, 0);
        }
        let widest = self.remembered[column].max(width);
        self.remembered[column] = widest;
        widest
    }

    fn write(&mut self, widths: &[usize], begin: usize, end: usize) {
        for line in &self.lines[begin..end] {
            for (position, cell) in line.iter().enumerate() {
                self.out.push_str(cell);
                if let Some(width) = widths.get(position) {
                    let blanks = width.saturating_sub(super::paint::width(cell));
                    self.out.extend(std::iter::repeat_n(' ', blanks));
                }
            }
            self.out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let text = "NAME\tSTATUS\tAGE\npi\tComplete\t4s\n";
        assert_eq!(align(text, TABLE), "NAME   STATUS     AGE\npi     Complete   4s\n");
        assert_eq!(align("A\tB\nx\ty\n", TABLE), "A     B\nx     y\n");
    }

    #[test]
    fn a_line_without_the_cell_ends_a_column() {
        let text = "Name:\tx\nA very long line\nB:\ty\n  Key\tValue\tEnd\n  K\tV\tE\n";
        let expect = "Name:  x\nA very long line\nB:     y\n  Key  Value  End\n  K    V      E\n";
        assert_eq!(align(text, DESCRIPTION), expect);
        assert_eq!(align("a\tb\n\nlonger\tc", DESCRIPTION), "a  b\n\nlonger  c");
    }

    #[test]
    fn later_rows_line_up_with_earlier_ones() {
        let mut widths = Widths::new();
        assert_eq!(align_on("NAME\tAGE\nlong-name\t1s\n", TABLE, &mut widths), "NAME        AGE\nlong-name   1s\n");
        assert_eq!(align_on("x\t2s\n", TABLE, &mut widths), "x           2s\n");
        assert_eq!(align_on("very-long-name\t2s\n", TABLE, &mut widths), "very-long-name   2s\n");
        assert_eq!(align_on("x\t3s\n", TABLE, &mut widths), "x                3s\n");
    }

    #[test]
    fn nothing_stays_nothing() {
        assert_eq!(align("", TABLE), "");
        assert_eq!(align("\n", TABLE), "\n");
    }
}
