//! The columns of a CSV by which its rows can be told apart: `Split`, `Sex`, and whatever else has few different values.

use std::collections::HashMap;

use anyhow::{Result, bail};

use super::table::{Line, Table, number, plain};

/// A column with more different values than this is not kept: paths, reports, dates.
const VALUES: usize = 1000;

/// Other headers' names for CheXpert's columns, in plain words.
const ALSO: [(&str, &[&str]); 4] = [
    ("sex", &["patient sex", "patient gender", "gender"]),
    ("ap pa", &["view position", "viewposition"]),
    ("age", &["patient age"]),
    ("split", &[]),
];

const AGE_GROUP: &str = "age group";

/// Each value is written once; a row has its place among them.
#[derive(Debug, Default)]
pub struct Columns {
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    /// In plain words.
    name: String,
    /// `None` when there were too many.
    values: Option<Values>,
}

#[derive(Debug, Default)]
struct Values {
    of_rows: Vec<u16>,
    words: Vec<Box<str>>,
}

impl Columns {
    fn find(&self, name: &str) -> Option<&Column> {
        let name = plain(name);
        let also = ALSO.iter().find(|(own, _)| *own == name);
        let names = std::iter::once(name.as_str())
            .chain(also.into_iter().flat_map(|a| a.1.iter().copied()));
        let found = |name: &str| self.columns.iter().find(|column| column.name == name);
        names.into_iter().find_map(found)
    }

    pub fn value(&self, name: &str, row: usize) -> Option<&str> {
        let values = self.find(name)?.values.as_ref()?;
        let word = &values.words[usize::from(*values.of_rows.get(row)?)];
        (!word.is_empty()).then_some(word)
    }

    /// Whether there is such a column.
    ///
    /// # Errors
    /// When it has too many different values.
    pub fn has(&self, name: &str) -> Result<bool> {
        match self.find(name) {
            None => Ok(false),
            Some(Column { values: None, .. }) => {
                bail!("the column {name} has more than {VALUES} different values")
            }
            Some(_) => Ok(true),
        }
    }
}

/// Columns while their table is read.
pub struct Collector {
    columns: Vec<(Column, HashMap<Box<str>, u16>)>,
    /// In the table.
    places: Vec<usize>,
    /// In the table, and the column that is made of it.
    age: Option<usize>,
}

impl Collector {
    pub fn of(table: &Table) -> Self {
        let names = table.header().iter().enumerate();
        let named: Vec<(usize, String)> = names
            .map(|(place, name)| (place, plain(name)))
            .filter(|(_, name)| !name.is_empty())
            .collect();
        let age = |wanted: &str| named.iter().find(|(_, name)| name == wanted);
        let age = age("age")
            .or_else(|| age("patient age"))
            .map(|(place, _)| *place);
        let made = age.map(|_| AGE_GROUP.to_owned());
        let names = named.iter().map(|(_, name)| name.clone()).chain(made);
        let column = |name| Column {
            name,
            values: Some(Values::default()),
        };
        Self {
            columns: names.map(|name| (column(name), HashMap::new())).collect(),
            places: named.iter().map(|(place, _)| *place).collect(),
            age,
        }
    }

    pub fn push(&mut self, line: &Line) {
        let cells = self.places.iter().map(|place| line.cell(*place));
        let age = self.age.map(|place| age_group(line.cell(place)));
        for ((column, known), cell) in self.columns.iter_mut().zip(cells.chain(age)) {
            let Some(values) = &mut column.values else {
                continue;
            };
            let place = match known.get(cell) {
                Some(place) => *place,
                None if values.words.len() < VALUES => {
                    values.words.push(cell.into());
                    let place = (values.words.len() - 1) as u16;
                    known.insert(cell.into(), place);
                    place
                }
                None => {
                    column.values = None;
                    *known = HashMap::new();
                    continue;
                }
            };
            values.of_rows.push(place);
        }
    }

    pub fn finish(self) -> Columns {
        let columns = self.columns.into_iter().map(|(mut column, _)| {
            if let Some(values) = &mut column.values {
                values.of_rows.shrink_to_fit();
            }
            column
        });
        Columns {
            columns: columns.collect(),
        }
    }
}

/// The group of an age in years, also as ChestX-ray14 wrote it once: `058Y`.
fn age_group(age: &str) -> &'static str {
    match number(age.trim_end_matches(['Y', 'y'])) {
        Some(age) if age < 40.0 => "under 40",
        Some(age) if age < 60.0 => "40 to 59",
        Some(_) => "60 and over",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(text: &str) -> Columns {
        let mut table = Table::of(text).expect("a table");
        let mut collector = Collector::of(&table);
        while let Some(line) = table.next_line().expect("a row") {
            collector.push(&line);
        }
        collector.finish()
    }

    #[test]
    fn columns_answer_by_either_name_and_blanks_say_nothing() {
        let text = "Patient Gender,PATIENT AGE,View_Position\nM,058Y,PA\nF,NaN,AP\n,39,\n";
        let columns = columns(text);
        let all = |name: &str| [0, 1, 2].map(|row| columns.value(name, row));
        assert_eq!(all("Sex"), [Some("M"), Some("F"), None]);
        assert_eq!(all("AP/PA"), [Some("PA"), Some("AP"), None]);
        assert_eq!(all("Age group"), [Some("40 to 59"), None, Some("under 40")]);
        assert_eq!(all("Split"), [None; 3]);
        assert!(!columns.has("Split").expect("no such column"));
    }

    #[test]
    fn a_column_of_very_many_values_is_not_kept_and_says_so() {
        let rows = (0..2000).map(|row| format!("\nreport {row},{}", row % 7));
        let columns = columns(&("Report,Day".to_owned() + &rows.collect::<String>()));
        assert_eq!(columns.value("Day", 1999), Some("4"));
        assert_eq!(columns.value("Report", 0), None);
        assert!(columns.has("Report").is_err());
    }
}
