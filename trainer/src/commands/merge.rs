//! `merge`: parts that `--shard` made, joined.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::data::{Table, text};
use crate::measure::evaluation::{self, Scores};
use crate::measure::parts::{Shard, complete, join, of_row_column, once};
use crate::measure::pointing::{self, Judgements};
use crate::storage::Location;

#[derive(clap::Args)]
pub struct Options {
    /// The parts: CSVs of `predict`, or JSONs of `evaluate` or `localize`.
    #[arg(required = true)]
    parts: Vec<Location>,
    /// The file to write: what the command without `--shard` would have written.
    #[arg(long)]
    out: Location,
}

/// # Errors
/// When the files are not all parts of one result, or the whole cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let read = |part: &Location| part.read();
    let files = options.parts.iter().map(read).collect::<Result<Vec<_>>>()?;
    let whole = match files[0].first() {
        Some(b'{') => {
            let of: Kind = parse(&files[0], &options.parts[0])?;
            let parts = options.parts.iter().zip(&files);
            match of.of.as_deref() {
                Some("evaluate") => {
                    let parts = parts.map(|(place, file)| parse::<Scores>(file, place));
                    let report = evaluation::report(&join(parts.collect::<Result<_>>()?)?);
                    print!("{}", report.tables());
                    serde_json::to_vec_pretty(&report)?
                }
                Some("localize") => {
                    let parts = parts.map(|(place, file)| parse::<Judgements>(file, place));
                    let report = pointing::report(&join(parts.collect::<Result<_>>()?)?);
                    print!("{}", report.table());
                    serde_json::to_vec_pretty(&report)?
                }
                _ => bail!("{} is not a part that --shard wrote", options.parts[0]),
            }
        }
        _ => predictions(&files, &options.parts)?,
    };
    options.out.write(&whole)
}

#[derive(Deserialize)]
struct Kind {
    of: Option<String>,
}

fn parse<T: DeserializeOwned>(file: &[u8], place: &Location) -> Result<T> {
    serde_json::from_slice(file)
        .with_context(|| format!("{place} is not a part that --shard wrote"))
}

/// CSVs of `predict`.
fn predictions(files: &[Vec<u8>], places: &[Location]) -> Result<Vec<u8>> {
    let mut header: Option<Vec<String>> = None;
    let mut result: Option<String> = None;
    let mut there: Vec<Shard> = Vec::new();
    let mut rows = Vec::new();
    for (file, place) in files.iter().zip(places) {
        let part = || format!("{place} is not a part that --shard wrote");
        let text = text(file.clone()).with_context(part)?;
        let mut table = Table::of(&text).with_context(part)?;
        let (last, names) = table.header().split_last().with_context(part)?;
        let names = names.to_vec();
        let part = of_row_column(last);
        let (shard, of) =
            part.with_context(|| format!("{place} is not a part that --shard wrote"))?;
        let of = of.to_owned();
        if result.get_or_insert(of.clone()) != &of {
            bail!(
                "{place} is of another model or selection than {}",
                places[0]
            );
        }
        there.push(shard);
        if header.as_ref().is_some_and(|first| *first != names) {
            bail!("{place} has other columns than {}", places[0]);
        }
        header = Some(names);
        while let Some(line) = table.next_line().with_context(|| place.to_string())? {
            let mut record: Vec<String> = line.cells().map(str::to_owned).collect();
            let number = record.pop().and_then(|number| number.parse().ok());
            let number: usize = number
                .with_context(|| format!("{place}, {}: a row without its number", line.place()))?;
            rows.push((number, record));
        }
    }
    if there.iter().any(|shard| shard.of != there[0].of) {
        bail!("these are not parts of one result");
    }
    complete(there)?;
    rows.sort_by_key(|(number, _)| *number);
    once(rows.iter().map(|(number, _)| *number))?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header.unwrap_or_default())?;
    for (_, record) in rows {
        writer.write_record(&record)?;
    }
    Ok(writer.into_inner()?)
}
