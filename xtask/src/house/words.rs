//! Comments: the first sentence of each stands alone.

use std::path::Path;

use anyhow::Result;

use super::sources::sources;

/// A doc comment that begins so needs the code below it to be understood.
const BEGINNINGS: [&str; 8] = [
    "Of ", "As above", "As [", "The same", "Those ", "They ", "Its ", "It ",
];

/// Every doc comment whose first sentence does not stand alone, with its place.
pub fn found(root: &Path) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for folder in [
        "app", "crates", "examples", "fuzz", "src", "tests", "trainer", "xtask",
    ] {
        for (name, text) in sources(root, folder)? {
            let lines = of(&text).into_iter();
            wrong.extend(lines.map(|(number, line)| {
                format!("{name}:{number}: a comment that cannot stand alone: {line}")
            }));
        }
    }
    Ok(wrong)
}

/// The first lines of doc comments that cannot stand alone, with their numbers.
fn of(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut before = "";
    for (number, line) in (1..).zip(text.lines()) {
        let comment = |line: &'_ str| {
            let line = line.trim_start();
            line.strip_prefix("///")
                .or(line.strip_prefix("//!"))
                .map(str::len)
        };
        if let Some(length) = comment(line)
            && comment(before).is_none()
        {
            let said = line[line.len() - length..].trim_start();
            if BEGINNINGS
                .iter()
                .any(|beginning| said.starts_with(beginning))
            {
                found.push((number, said));
            }
        }
        before = line;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_that_begins_with_of_cannot_stand_alone_and_a_later_line_may() {
        let text = "/// The hash\n/// Of the file.\nfn a() {}\n    /// Of the file.\nfn b() {}\n//! Of all.\n// Of no matter.\n";
        assert_eq!(of(text), [(4, "Of the file."), (6, "Of all.")]);
    }
}
