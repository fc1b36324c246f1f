//! What several commands take from the command line.

use anyhow::{Result, bail, ensure};
use sightline::finding::Finding;
use sightline::radiograph::Options;

pub use super::model::Model;
use super::values::views;
use crate::data::{Dataset, Row, Selection, Views};
use crate::measure::parts::Shard;
use crate::storage::Location;

/// Which images: a CSV and what of it.
#[derive(clap::Args)]
pub struct Images {
    /// The table of images and labels, in CheXpert's format or ChestX-ray14's Data_Entry. Without it, predict and explain take all files of --root.
    #[arg(long)]
    pub csv: Option<Location>,
    /// The folder that the CSV's paths start from (by default the CSV's own folder).
    #[arg(long)]
    pub root: Option<Location>,
    /// Only rows with this value in the column Split, for example test.
    #[arg(long)]
    pub split: Option<String>,
    /// Only images that this file names, one per line, as ChestX-ray14's test_list.txt does.
    #[arg(long)]
    pub list: Option<Location>,
    /// Which views to use (by default frontal). Views that are left out are counted.
    #[arg(long, value_parser = views())]
    pub views: Option<Views>,
    /// Only one of n equal parts of these rows: 0/4 to 3/4, or 1/4 to 4/4. `merge` joins the parts of predict, evaluate and localize. In a Slurm array or a
    /// Kubernetes indexed job (with JOB_COMPLETIONS set) the part is read from the environment.
    #[arg(long)]
    pub shard: Option<Shard>,
}

impl Images {
    /// All rows of the CSV with their labels of some findings, or all files of the folder, or those of the list.
    pub fn all(&self, findings: &[Finding]) -> Result<Dataset> {
        if let Some(root) = &self.root {
            root.refuse_file("--root", "the folder where the CSV's paths begin")?;
        }
        let data = match (&self.csv, &self.root) {
            (Some(csv), root) => Dataset::read_of(csv, root.as_ref(), findings)?,
            (None, Some(root)) => Dataset::folder(root, findings)?,
            (None, None) => bail!("--csv is needed, or for predict and explain --root alone"),
        };
        match &self.list {
            Some(list) => data.listed(list),
            None => Ok(data),
        }
    }

    /// The rows, with their labels of some findings, numbered in the selection, and the part that is wanted. `decoding`: [`Model::decoding`].
    pub fn rows(
        &self,
        of: &[Finding],
        views: Views,
        decoding: Options,
    ) -> Result<(Dataset, Shard)> {
        let all = self.all(of)?;
        let data = Dataset { decoding, ..all }.select(&Selection {
            views: self.views.unwrap_or(views),
            split: self.split.clone(),
        })?;
        let from_environment = || Shard::from_environment(|name| std::env::var(name).ok());
        let shard = self.shard.map_or_else(from_environment, Ok)?;
        Ok((shard.of_rows(data)?, shard))
    }

    /// The CSV's rows by the values of its column Split, or all of them.
    pub fn sets(&self, findings: &[Finding]) -> Result<Vec<(String, Dataset)>> {
        let all = self.all(findings)?;
        let split = |row: &Row| row.column("Split").map(str::to_owned);
        let mut names: Vec<String> = all.rows.iter().filter_map(split).collect();
        names.sort();
        names.dedup();
        // In the order of their use.
        names.sort_by_key(|name| ["train", "valid", "test"].iter().position(|n| n == name));
        if names.is_empty() {
            return Ok(vec![(self.name(), all)]);
        }
        let set = |name: String| {
            let selection = Selection {
                views: self.views.unwrap_or(Views::Frontal),
                split: Some(name.clone()),
            };
            Ok((name, all.clone().select(&selection)?))
        };
        names.into_iter().map(set).collect()
    }

    /// The table, or the folder.
    fn name(&self) -> String {
        let of = self.csv.as_ref().or(self.root.as_ref());
        of.map(Location::name).unwrap_or_default()
    }

    /// Refuses a folder without a table, which has no labels.
    pub fn needs_labels(&self, command: &str) -> Result<()> {
        let labelled = self.csv.is_some();
        ensure!(labelled, "{command} needs --csv, a table with labels");
        Ok(())
    }

    /// What the selection is called in figures. `depth`: [`Model::depth`].
    pub fn set_name(&self, depth: Option<u8>) -> String {
        let mut name = self.name();
        if let Some(list) = &self.list {
            name += &format!(", {}", list.name());
        }
        if let Some(split) = &self.split {
            name += &format!(", Split={split}");
        }
        if let Some(depth) = depth {
            name += &format!(", 16-bit pictures read as {depth} bits");
        }
        name
    }
}
