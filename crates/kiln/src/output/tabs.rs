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
    let widths = widths(&lines, layout, remembered, remembers);
    let mut out = written(&lines, &widths);
    if !ends_with_newline {
        out.pop();
    }
    out
}

/// The width of each cell but the last of its line. A column is a run of lines that have a cell there: each run is as wide as its
/// longest cell.
fn widths(lines: &[Vec<&str>], layout: Layout, remembered: &mut Widths, remembers: bool) -> Vec<Vec<usize>> {
    let mut widths: Vec<Vec<usize>> = vec![Vec::new(); lines.len()];
    let mut long: Vec<usize> = (0..lines.len()).collect();
    for column in 0.. {
        long.retain(|line| column + 1 < lines[*line].len());
        if long.is_empty() {
            return widths;
        }
        for run in long.chunk_by(|line, next| line + 1 == *next) {
            let longest = run.iter().map(|line| super::paint::width(lines[*line][column])).max();
            let mut width = (longest.unwrap_or(0) + layout.padding).max(layout.min_width);
            if remembers {
                if remembered.len() <= column {
                    remembered.resize(column + 1, 0);
                }
                width = width.max(remembered[column]);
                remembered[column] = width;
            }
            run.iter().for_each(|line| widths[*line].push(width));
        }
    }
    widths
}

fn written(lines: &[Vec<&str>], widths: &[Vec<usize>]) -> String {
    let mut out = String::new();
    for (line, widths) in lines.iter().zip(widths) {
        for (position, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if let Some(width) = widths.get(position) {
                let blanks = width.saturating_sub(super::paint::width(cell));
                out.extend(std::iter::repeat_n(' ', blanks));
            }
        }
        out.push('\n');
    }
    out
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
    fn a_line_of_very_many_cells_is_aligned_like_any_other() {
        let text = format!("a\tb\n{}\n", "\t".repeat(200_000));
        let aligned = align(&text, DESCRIPTION);
        assert_eq!(aligned.lines().map(str::len).collect::<Vec<_>>(), [4, 2 * 200_000 + 1]);
    }

    #[test]
    fn nothing_stays_nothing() {
        assert_eq!(align("", TABLE), "");
        assert_eq!(align("\n", TABLE), "\n");
    }
}
