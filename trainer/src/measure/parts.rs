//! Work in parts, on as many machines, and how the parts become the whole again.

use std::str::FromStr;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::data::Dataset;

/// The rows whose place among the selected ones is `index` modulo `of`. Rows lie side by side, not in blocks: parts take equally
/// long, and none has more than one row more than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    pub index: usize,
    pub of: usize,
}

impl FromStr for Shard {
    type Err = anyhow::Error;

    /// `0/4` to `3/4`, or `1/4` to `4/4`: either way four parts make the whole.
    fn from_str(text: &str) -> Result<Self> {
        let (index, of) = text.split_once('/').context("a shard is i/n")?;
        let (index, of): (usize, usize) = (index.trim().parse()?, of.trim().parse()?);
        if of == 0 || index > of {
            bail!("there is no part {index} of {of}");
        }
        Ok(Self {
            index: index % of,
            of,
        })
    }
}

impl Shard {
    pub const WHOLE: Shard = Shard { index: 0, of: 1 };

    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// The part that a Slurm array's task or a Kubernetes indexed job's pod has to do; the whole elsewhere.
    ///
    /// # Errors
    /// When the variables are there and make no sense, or the number of parts is missing.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let number = |name: &str| -> Result<Option<usize>> {
            let value = variable(name).map(|text| text.parse());
            value
                .transpose()
                .with_context(|| format!("{name} is no number"))
        };
        let (name, shard) = if let Some(task) = number("SLURM_ARRAY_TASK_ID")? {
            let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
            let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
            let of =
                number("SLURM_ARRAY_TASK_COUNT")?.context("SLURM_ARRAY_TASK_COUNT is not set")?;
            let index = task
                .checked_sub(first)
                .context("SLURM_ARRAY_TASK_ID is below its minimum")?
                / step;
            ("SLURM_ARRAY_TASK_ID", Shard { index, of })
        } else if let Some(index) = number("JOB_COMPLETION_INDEX")? {
            // Kubernetes tells a pod its number, but not of how many: the job's manifest has to.
            let of = number("JOB_COMPLETIONS")?
                .context("JOB_COMPLETION_INDEX is set, and JOB_COMPLETIONS (of how many) is not")?;
            ("JOB_COMPLETION_INDEX", Shard { index, of })
        } else {
            return Ok(Shard::WHOLE);
        };
        if shard.index >= shard.of {
            bail!("{name}: there is no part {} of {}", shard.index, shard.of);
        }
        eprintln!(
            "part {}/{} of the rows, by {name}; --shard 0/1 for all",
            shard.index, shard.of
        );
        Ok(shard)
    }

    /// The rows of this part, of those that are selected.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_rows(self, mut data: Dataset) -> Result<Dataset> {
        let mut places = 0..;
        data.rows.retain(|_| {
            places
                .next()
                .is_some_and(|place| place % self.of == self.index)
        });
        if data.rows.is_empty() {
            bail!("part {}/{} has no rows", self.index, self.of);
        }
        Ok(data)
    }
}

/// A part of a result, or the whole of it: what does not depend on the rows, and what each row gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part<H, R> {
    /// Which command made it.
    pub of: String,
    pub shard: Shard,
    #[serde(flatten)]
    pub header: H,
    /// With their numbers.
    pub rows: Vec<(usize, R)>,
}

/// Joins all parts of one result.
///
/// # Errors
/// When they are of different results, or one is missing or there twice.
pub fn join<H: PartialEq, R>(parts: Vec<Part<H, R>>) -> Result<Part<H, R>> {
    let mut parts = parts.into_iter();
    let mut whole = parts.next().context("there is nothing to merge")?;
    let mut there = vec![whole.shard];
    for part in parts {
        if part.of != whole.of || part.header != whole.header || part.shard.of != whole.shard.of {
            bail!("these are not parts of one result: model, images or options differ");
        }
        there.push(part.shard);
        whole.rows.extend(part.rows);
    }
    complete(there)?;
    whole.rows.sort_by_key(|(number, _)| *number);
    once(whole.rows.iter().map(|(number, _)| *number))?;
    whole.shard = Shard::WHOLE;
    Ok(whole)
}

/// Refuses parts that are not the whole.
///
/// # Errors
/// When a part is missing or there twice.
pub fn complete(mut there: Vec<Shard>) -> Result<()> {
    there.sort();
    let of = there.first().map_or(1, |shard| shard.of);
    for index in 0..of {
        match there.iter().filter(|shard| shard.index == index).count() {
            1 => {}
            0 => bail!("part {index}/{of} is missing"),
            _ => bail!("part {index}/{of} is there twice"),
        }
    }
    Ok(())
}

/// Refuses a row that two parts have: they were divided by two states of the CSV.
///
/// # Errors
/// When a number follows itself.
pub fn once(numbers: impl IntoIterator<Item = usize>) -> Result<()> {
    let mut before = None;
    for number in numbers {
        if before.replace(number) == Some(number) {
            bail!(
                "row {} is in two parts: the CSV changed between them",
                number + 2
            );
        }
    }
    Ok(())
}

/// The column that the rows' numbers have in a part of `predict`'s CSV. Its name says which part it is, and of which result: parts
/// of two models, or of two selections, are not to be joined.
pub fn row_column(shard: Shard, result: &str) -> String {
    format!("Row {}/{} of {result}", shard.index, shard.of)
}

/// The part and the result that [`row_column`] named.
pub fn of_row_column(name: &str) -> Option<(Shard, &str)> {
    let (shard, result) = name.strip_prefix("Row ")?.split_once(" of ")?;
    Some((shard.parse().ok()?, result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Row;

    #[test]
    fn parts_counted_from_0_or_from_1_make_the_whole() {
        for parts in [["0/3", "1/3", "2/3"], ["1/3", "2/3", "3/3"]] {
            let shards = parts.map(|text| text.parse::<Shard>().expect("a shard"));
            for row in 0..10 {
                let takers = shards.iter().filter(|s| row % s.of == s.index).count();
                assert_eq!(takers, 1);
            }
        }
        for wrong in ["4/3", "0/0", "1", "a/b"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_selected_rows_are_divided_evenly_whatever_their_numbers() {
        // As where every fourth row of a CSV is of the split asked for.
        let row = |place: usize| Row {
            number: 4 * place + 3,
            ..Row::default()
        };
        let root = std::path::Path::new(".").into();
        let data = Dataset::new(root, (0..11).map(row).collect());
        let part = |index| {
            let part = Shard { index, of: 4 }.of_rows(data.clone()).expect("rows");
            part.rows.iter().map(|row| row.number).collect::<Vec<_>>()
        };
        let parts = [0, 1, 2, 3].map(part);
        assert_eq!(parts.each_ref().map(Vec::len), [3, 3, 3, 2]);
        let mut all = parts.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(data.rows.iter().map(|row| row.number)));
        let error = Shard { index: 11, of: 12 }
            .of_rows(data)
            .expect_err("no row");
        assert!(error.to_string().contains("has no rows"), "{error}");
    }

    #[test]
    fn a_part_is_known_by_its_column() {
        let shard = Shard { index: 2, of: 3 };
        let column = row_column(shard, "1a2b3c4d");
        assert_eq!(of_row_column(&column), Some((shard, "1a2b3c4d")));
        assert_eq!(of_row_column("Row 2/3"), None);
        assert_eq!(of_row_column("Pleural Effusion"), None);
    }

    #[test]
    fn slurm_and_kubernetes_say_which_part_it_is() {
        let shard = |variables: &[(&str, &str)]| {
            let variables: Vec<(String, String)> = variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            Shard::from_environment(|name| {
                let found = variables.iter().find(|(key, _)| key == name);
                found.map(|(_, value)| value.clone())
            })
        };
        assert_eq!(shard(&[]).expect("no array"), Shard::WHOLE);
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "7"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_STEP", "2"),
            ("SLURM_ARRAY_TASK_COUNT", "5"),
        ];
        assert_eq!(shard(&slurm).expect("an array"), Shard { index: 3, of: 5 });
        assert!(shard(&slurm[..3]).is_err(), "of how many is not known");
        let pod = [("JOB_COMPLETION_INDEX", "2"), ("JOB_COMPLETIONS", "4")];
        assert_eq!(shard(&pod).expect("a job"), Shard { index: 2, of: 4 });
        assert!(shard(&pod[..1]).is_err());
        assert!(shard(&[("JOB_COMPLETION_INDEX", "4"), ("JOB_COMPLETIONS", "4")]).is_err());
    }

    #[test]
    fn only_all_parts_of_one_result_are_joined() {
        let part = |index, of, header: u32| Part {
            of: "evaluate".to_owned(),
            shard: Shard { index, of },
            header,
            rows: vec![(index, 'a'), (index + of, 'b')],
        };
        let whole = join(vec![part(1, 2, 0), part(0, 2, 0)]).expect("two halves");
        let numbers: Vec<usize> = whole.rows.iter().map(|row| row.0).collect();
        assert_eq!(numbers, [0, 1, 2, 3]);
        let refused = |parts, why: &str| {
            let error = join(parts).expect_err("no whole").to_string();
            assert!(error.contains(why), "{error}");
        };
        refused(vec![part(0, 2, 0)], "part 1/2 is missing");
        refused(vec![part(0, 2, 0), part(0, 2, 0)], "there twice");
        refused(
            vec![part(0, 2, 0), part(1, 2, 1)],
            "not parts of one result",
        );
        refused(Vec::<Part<u32, char>>::new(), "nothing to merge");
        // The CSV lost a row between the two.
        let mut moved = part(1, 2, 0);
        moved.rows[1].0 = 2;
        refused(vec![part(0, 2, 0), moved], "row 4 is in two parts");
    }
}
