//! Which row of a table a file is of that was given: by its name, and as many of its folders as tell it from others.

use std::collections::HashMap;

use crate::tables::{Row, paths};

/// The row of each file; `None` where no row is meant, or one of several.
pub fn rows_of(rows: &[Row], files: &[&str]) -> Vec<Option<usize>> {
    let keys: Vec<String> = rows
        .iter()
        .map(|row| paths::key(&row.path).into())
        .collect();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (row, key) in keys.iter().enumerate() {
        let name = key.rsplit('/').next().unwrap_or_default();
        by_name.entry(name).or_default().push(row);
    }
    let row_of = |file: &&str| {
        let file = paths::key(file);
        let candidates = by_name.get(file.rsplit('/').next()?)?;
        let likeness = |row: &usize| like(&keys[*row], &file);
        let best = candidates.iter().map(likeness).max()?;
        let mut best_ones = candidates.iter().filter(|row| likeness(row) == best);
        let only = best_ones.next().filter(|_| best_ones.next().is_none())?;
        (best > Likeness::Name).then_some(*only)
    };
    files.iter().map(row_of).collect()
}

/// How far two paths are alike, from their ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// The name alone is the same; the folders are others.
    Name,
    /// The name and so many folders are the same, and more folders are not.
    Folders(usize),
    /// One is the end of the other; so many parts long.
    End(usize),
    Whole,
}

fn like(one: &str, other: &str) -> Likeness {
    if one == other {
        return Likeness::Whole;
    }
    let parts = |path: &str| path.split('/').count();
    let same = one.rsplit('/').zip(other.rsplit('/'));
    let same = same.take_while(|(a, b)| a == b).count();
    match same {
        same if same == parts(one).min(parts(other)) => Likeness::End(same),
        1 => Likeness::Name,
        same => Likeness::Folders(same - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_of_the_row_that_names_it_and_of_none_where_several_may_be_meant() {
        let row = |path: &str| Row {
            path: path.to_owned(),
            ..Row::default()
        };
        let rows = [
            row("CheXpert-v1.0-small/valid/patient1/study1/view1_frontal.jpg"),
            row("CheXpert-v1.0-small/valid/patient2/study1/view1_frontal.jpg"),
            row("00000012_003.png"),
            row("images/a.png"),
        ];
        let of = |file: &str| rows_of(&rows, &[file])[0];
        assert_eq!(of("patient2/study1/view1_frontal.jpg"), Some(1));
        assert_eq!(
            of("my copy/valid/patient1/study1/view1_frontal.jpg"),
            Some(0)
        );
        assert_eq!(of("elsewhere/patient1/study1/view1_frontal.jpg"), Some(0));
        assert_eq!(of("images_002/images/00000012_003.png"), Some(2));
        assert_eq!(of("a.png"), Some(3));
        // Which of the two?
        assert_eq!(of("view1_frontal.jpg"), None);
        assert_eq!(of("study1/view1_frontal.jpg"), None);
        // The same name in other folders is another picture.
        assert_eq!(of("others/a.png"), None);
        assert_eq!(of("b.png"), None);
    }
}
