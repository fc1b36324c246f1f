//! Tables in text: CSV as pandas, R, Excel and people write it. Every table that a command or the page takes is read here.
//!
//! The encoding, Excel's `sep=` line and the delimiter are found out first; then the crate `csv` reads. A row with too few or
//! too many cells is named by its line.

use anyhow::{Context, Result, bail};
use csv::{ReaderBuilder, StringRecord};

/// The first is taken where nothing tells.
const DELIMITERS: [u8; 4] = *b",;\t|";

/// How pandas, R, Excel and databases write that there is nothing, in lower case.
const BLANKS: [&str; 13] = [
    "", "nan", "-nan", "#nv", "na", "n/a", "#n/a", "<na>", "none", "null", "\\n", "-", "--",
];

/// A table, read row by row.
pub struct Table<'t> {
    text: &'t str,
    header: Vec<String>,
    /// Cells that a row must have: names that are missing at the header's end stand for cells that nobody needs.
    least: usize,
    reader: csv::Reader<&'t [u8]>,
    record: StringRecord,
    /// Where the reader's text begins: behind a `sep=` line.
    begin: usize,
    /// Up to where lines were counted, and how many they are.
    counted: usize,
    lines: usize,
}

/// A row of a table.
pub struct Line<'a> {
    /// In the file, from 1; the header has one too.
    pub number: usize,
    cells: &'a StringRecord,
}

impl<'t> Table<'t> {
    /// # Errors
    /// When there is no header.
    pub fn of(text: &'t str) -> Result<Self> {
        let (told, begin) = sep_line(text);
        let rest = &text[begin..];
        let (mut reader, mut record) = reader(rest, told.unwrap_or_else(|| delimiter(rest)));
        while is_blank(&record) {
            if !reader.read_record(&mut record)? {
                bail!("the table has no header");
            }
        }
        let header: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
        let last = header.iter().rposition(|name| !name.is_empty());
        Ok(Self {
            text,
            least: last.map_or(0, |last| last + 1),
            header,
            reader,
            record,
            begin,
            counted: 0,
            lines: 0,
        })
    }

    /// The columns' names as they are written.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Where a column is, if it is there. Case does not matter, nor whether a space, `_` or `/` is between words.
    ///
    /// # Errors
    /// When there are two of that name.
    pub fn column(&self, name: &str) -> Result<Option<usize>> {
        self.only(name, |found| plain(found) == plain(name))
    }

    /// The one column whose name is such, if there is one.
    ///
    /// # Errors
    /// When there are two.
    pub fn only(&self, what: &str, is: impl Fn(&str) -> bool) -> Result<Option<usize>> {
        let mut found = (0..self.header.len()).filter(|column| is(&self.header[*column]));
        let first = found.next();
        if let (Some(first), Some(second)) = (first, found.next()) {
            bail!(
                "there are two columns for {what}: the {}. ({}) and the {}. ({})",
                first + 1,
                self.header[first],
                second + 1,
                self.header[second]
            );
        }
        Ok(first)
    }

    /// Where a column is that has to be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn needed(&self, name: &str) -> Result<usize> {
        let found = self.column(name)?;
        found.with_context(|| {
            let names = self.header.iter().filter(|name| !name.is_empty());
            let names: Vec<&str> = names.map(String::as_str).collect();
            format!(
                "there is no column {name}; the header says: {}",
                names.join(", ")
            )
        })
    }

    /// The next row that is not blank.
    ///
    /// # Errors
    /// When it has another number of cells than the header.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        loop {
            let before = self.position();
            if !self.reader.read_record(&mut self.record)? {
                return Ok(None);
            }
            if is_blank(&self.record) {
                continue;
            }
            // Line ends that belong to the row before, and blank lines.
            let rest = self.text[before..].trim_start_matches(['\r', '\n']);
            let start = self.text.len() - rest.len();
            self.lines += line_ends(&self.text[self.counted..start]);
            self.counted = start;
            let number = self.lines + 1;
            self.check(number, start)?;
            return Ok(Some(Line {
                number,
                cells: &self.record,
            }));
        }
    }

    fn position(&self) -> usize {
        self.begin + self.reader.position().byte() as usize
    }

    /// Checks the row that was read last, which begins at `start`.
    fn check(&self, number: usize, start: usize) -> Result<()> {
        let row = &self.text[start..self.position()];
        // The crate takes the end of the file for the end of a quotation, and with it every row behind.
        let to_the_end =
            self.position() == self.text.len() && row.trim_end().contains(['\r', '\n']);
        if to_the_end && row.matches('"').count() % 2 == 1 {
            bail!("line {number}: a quotation mark opens in this row that is never closed");
        }
        let found = self.record.len();
        let mut beyond = self.record.iter().skip(self.header.len());
        if found < self.least || beyond.any(|cell| !cell.trim().is_empty()) {
            bail!(
                "line {number} has {found} cells, the header {}: the row is cut, or a delimiter is missing or too many",
                self.header.len()
            );
        }
        Ok(())
    }
}

impl Line<'_> {
    /// A cell without spaces around it; empty, however a blank is written.
    pub fn cell(&self, column: usize) -> &str {
        let text = self.cells.get(column).unwrap_or_default().trim();
        let lower = || text.to_ascii_lowercase();
        // The longest blank has five letters.
        if text.len() <= 5 && BLANKS.contains(&lower().as_str()) {
            return "";
        }
        text
    }

    /// The cells of a row, each as [`Line::cell`] has it.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.cells.len()).map(|column| self.cell(column))
    }

    /// The row in an error.
    pub fn place(&self) -> String {
        format!("line {}", self.number)
    }
}

/// A number as people write it: `1`, `1.0`, `1,0`, also with the typographer's minus.
pub fn number(text: &str) -> Option<f64> {
    let text = text.replace('\u{2212}', "-");
    let text = match text.contains('.') {
        true => text,
        false => text.replacen(',', ".", 1),
    };
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A column's name without what people write in different ways.
pub fn plain(name: &str) -> String {
    let words = name.split(|c: char| c.is_whitespace() || ['_', '/'].contains(&c));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ").to_lowercase()
}

fn reader(text: &str, delimiter: u8) -> (csv::Reader<&[u8]>, StringRecord) {
    let mut builder = ReaderBuilder::new();
    let builder = builder.has_headers(false).flexible(true);
    let reader = builder.delimiter(delimiter).from_reader(text.as_bytes());
    (reader, StringRecord::new())
}

fn is_blank(record: &StringRecord) -> bool {
    record.iter().all(|cell| cell.trim().is_empty())
}

/// Excel's first line that says the delimiter, and where the text behind it begins.
fn sep_line(text: &str) -> (Option<u8>, usize) {
    let line = text.split(['\r', '\n']).next().unwrap_or_default();
    let said = line.trim_start_matches('"');
    let told = match (said.get(..4), said.as_bytes().get(4)) {
        (Some(word), Some(told)) if word.eq_ignore_ascii_case("sep=") && told.is_ascii() => *told,
        _ => return (None, 0),
    };
    let rest = &text[line.len()..];
    let end = ["\r\n", "\r", "\n"]
        .iter()
        .find(|end| rest.starts_with(**end));
    (Some(told), line.len() + end.map_or(0, |end| end.len()))
}

/// The delimiter that makes the most of the header.
fn delimiter(text: &str) -> u8 {
    let columns = |delimiter: &u8| {
        let (mut reader, mut record) = reader(text, *delimiter);
        // What is wrong with it is said when it is read.
        while is_blank(&record) && reader.read_record(&mut record).unwrap_or(false) {}
        record.len()
    };
    // Of equals, the last is the greatest.
    let best = DELIMITERS.into_iter().rev().max_by_key(columns);
    best.unwrap_or(DELIMITERS[0])
}

/// `\n`, `\r\n` or `\r` each end a line.
fn line_ends(text: &str) -> usize {
    let lone = |at: &usize| text.as_bytes().get(at + 1) != Some(&b'\n');
    let returns = memchr::memchr_iter(b'\r', text.as_bytes()).filter(lone);
    returns.count() + memchr::memchr_iter(b'\n', text.as_bytes()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines and cells of a table, or why there is none.
    fn read(text: &str) -> Result<Vec<(usize, Vec<String>)>> {
        let mut table = Table::of(text)?;
        let mut rows = Vec::new();
        while let Some(line) = table.next_line()? {
            rows.push((line.number, line.cells().map(str::to_owned).collect()));
        }
        Ok(rows)
    }

    fn row(number: usize, cells: [&str; 2]) -> (usize, Vec<String>) {
        (number, cells.map(str::to_owned).to_vec())
    }

    #[test]
    fn delimiters_line_ends_and_blank_lines_are_told() {
        let expected = |lines: [usize; 2]| {
            vec![
                row(lines[0], ["a.png", "1,5"]),
                row(lines[1], ["b.png", ""]),
            ]
        };
        for (text, lines) in [
            ("Path,X\na.png,\"1,5\"\nb.png,NaN\n", [2, 3]),
            ("Path;X\r\na.png;1,5\r\nb.png;\r\n", [2, 3]),
            ("Path\tX\ra.png\t1,5\rb.png\tNULL", [2, 3]),
            ("Path|X\na.png|1,5\nb.png|#N/A\n", [2, 3]),
            ("sep=;\r\nPath;X\r\na.png;1,5\r\nb.png;-\r\n", [3, 4]),
            ("\"sep=;\"\nPath;X\na.png;1,5\nb.png;<NA>", [3, 4]),
            ("SEP=\t\nPath\tX\na.png\t1,5\nb.png\tn/a", [3, 4]),
            (
                "\n\nPath;X\n\n \na.png ; 1,5\n;\n\nb.png; none \n;;;\n\n",
                [6, 9],
            ),
        ] {
            assert_eq!(read(text).expect(text), expected(lines), "{text:?}");
        }
    }

    #[test]
    fn quoted_line_ends_count_and_names_that_miss_at_the_end_are_no_columns() {
        let text = "Path,X,,\r\na.png,\"heart, normal\r\nno \"\"effusion\"\"\"\r\nb.png,2,,\r\nc.png,3\r\n";
        let rows = read(text).expect("a table");
        assert_eq!(
            rows[0],
            row(2, ["a.png", "heart, normal\r\nno \"effusion\""])
        );
        assert_eq!((rows[1].0, rows[2].0), (4, 5));
    }

    #[test]
    fn rows_that_are_cut_or_too_long_are_named_by_their_line() {
        let refused = |text: &str, why: &str| {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        };
        refused(
            "Path,X\n\na.png,1\nb.png\n",
            "line 4 has 1 cells, the header 2",
        );
        refused("Path,X\ra.png,1\rb.png\r", "line 3 has 1 cells");
        refused("Path,X\na.png,1,2\n", "line 2 has 3 cells, the header 2");
        refused("sep=,\nPath,X\na.png\n", "line 3 has 1 cells");
        // In the last column, so that the number of cells is right.
        refused(
            "Path,X\na.png,1\nb.png,\"2\nc.png,3\nd.png,4\n",
            "line 3: a quotation mark opens",
        );
        refused("\"\"\n\"\"\n", "no header");
    }

    #[test]
    fn columns_are_found_by_their_plain_names_and_never_guessed() {
        let table = Table::of("\u{a0}PATH, no_finding,AP/PA,Edema,edema\n").expect("a table");
        let column = |name: &str| table.column(name).expect("one column");
        assert_eq!(column("Path"), Some(0));
        assert_eq!(column("No Finding"), Some(1));
        assert_eq!(column("AP_PA"), Some(2));
        assert_eq!(column("Sex"), None);
        assert!(table.column("Edema").is_err(), "which of the two?");
        let error = table
            .needed("Split")
            .expect_err("no such column")
            .to_string();
        assert!(
            error.contains("the header says: PATH, no_finding"),
            "{error}"
        );
    }

    #[test]
    fn numbers_are_read_with_point_or_comma() {
        for (text, value) in [
            ("1", 1.0),
            ("-1.0", -1.0),
            ("0,25", 0.25),
            ("\u{2212}1", -1.0),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["", "1,000,5", "x", "inf", "1.0,5"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
