//! CSV files in CheXpert's format.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use sightline_core::finding::{Finding, plain};
use sightline_core::vocabulary::is_called;

use super::labels::Label;
use super::row::{Entry, Folder, Format, Place, Position, Row};
use super::table::{Line, Table};
use super::{nih, paths};

/// Where CheXpert's columns are; all but the path may be missing, and they may be in any order.
#[derive(Debug)]
pub struct CheXpert {
    path: usize,
    findings: Vec<(Finding, Option<usize>)>,
    view: Option<usize>,
    position: Option<usize>,
    /// Not CheXpert's: the patient, where the path does not say.
    patient: Option<usize>,
    leads: Vec<Lead>,
}

/// Paths that begin with `given`, and with what instead of it they lead to the images.
#[derive(Debug, PartialEq)]
struct Lead {
    given: String,
    found: String,
    /// Below the folder above the root, not below the root itself.
    above: bool,
}

/// Images of each beginning that are looked for.
const LOOKED_FOR: usize = 20;

impl CheXpert {
    /// # Errors
    /// When there is no column Path, or one is there twice.
    pub fn of(table: &Table, findings: &[Finding]) -> Result<Self> {
        let one_of = |names: &[&str]| -> Result<Option<usize>> {
            for name in names {
                if let Some(column) = table.column(name)? {
                    return Ok(Some(column));
                }
            }
            Ok(None)
        };
        let column = |finding: Finding| -> Result<(Finding, Option<usize>)> {
            let own = |name: &str| {
                plain(name) == plain(finding.name()) || Finding::from_name(name) == Some(finding)
            };
            // A column of another finding's own name is that one's.
            let other = |name: &str| {
                let mut others = findings.iter().filter(|other| **other != finding);
                !others.any(|other| plain(other.name()) == plain(name)) && is_called(finding, name)
            };
            let column = match table.only(finding.name(), own)? {
                Some(column) => Some(column),
                None => table.only(finding.name(), other)?,
            };
            Ok((finding, column))
        };
        let columns = findings.iter().map(|finding| column(*finding));
        Ok(Self {
            path: table.needed("Path")?,
            findings: columns.collect::<Result<_>>()?,
            view: table.column("Frontal/Lateral")?,
            position: one_of(&["AP/PA", "View Position", "ViewPosition"])?,
            patient: one_of(&["Patient", "Patient ID", "PatientID", "subject_id"])?,
            leads: Vec::new(),
        })
    }

    /// What columns say of the view: CheXpert's own, or, without it, one that has `LATERAL` or `LL` (left lateral) beside AP and
    /// PA. In CheXpert itself `LL` is a frontal picture of a patient who lies on the left side.
    fn is_lateral(&self, line: &Line) -> Result<Option<bool>> {
        let said = |column: Option<usize>| column.map(|column| line.cell(column).to_uppercase());
        if let Some(view) = said(self.view).filter(|view| !view.is_empty()) {
            return match view.as_str() {
                "FRONTAL" | "F" | "AP" | "PA" => Ok(Some(false)),
                "LATERAL" | "L" | "LAT" => Ok(Some(true)),
                _ => bail!("{view:?} is no view; views are Frontal and Lateral"),
            };
        }
        Ok(match said(self.position).unwrap_or_default().as_str() {
            "AP" | "PA" => Some(false),
            "LATERAL" | "LAT" | "LL" | "RL" if self.view.is_none() => Some(true),
            _ => None,
        })
    }
}

impl Format for CheXpert {
    fn entry(&self, line: &Line) -> Result<Entry> {
        let path = line.cell(self.path);
        if path.is_empty() {
            bail!("there is no path");
        }
        let label = |(finding, column): &(Finding, Option<usize>)| match column {
            Some(column) => Label::read(line.cell(*column)).with_context(|| finding.name()),
            None => Ok(Label::Unlabelled),
        };
        let labels = self.findings.iter().map(label);
        Ok(Entry {
            path: path.to_owned(),
            patient: paths::patient_in(self.patient.map(|column| line.cell(column))),
            labels: labels.collect::<Result<_>>()?,
            lateral: self.is_lateral(line)?,
            position: self.position.and_then(|c| Position::of(line.cell(c))),
        })
    }

    /// Paths begin with CheXpert's own folder, whether one points at that folder or at the one above, and whether the images are
    /// those of the small set or of the full one; or with a drive and folders of another machine.
    fn look(&mut self, folder: &dyn Folder, rows: &[Row]) {
        let mut begin: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in rows {
            let path = paths::plain(&row.path);
            let lead = &path[..paths::lead(&path)];
            match begin.get_mut(lead) {
                Some(paths) if paths.len() >= LOOKED_FOR => {
                    // Folders that are not all alike do not belong to the beginning.
                    let like = common_folders(&paths[0], &path);
                    paths[0].truncate(like);
                }
                Some(paths) => {
                    let like = common_folders(&paths[0], &path);
                    paths[0].truncate(like);
                    paths.push(path.into_owned());
                }
                None => {
                    let folders = path.rfind('/').map_or(0, |end| end + 1);
                    let first = vec![path[..folders].to_owned(), path.to_string()];
                    begin.insert(lead.to_owned(), first);
                }
            }
        }
        let leads = begin.iter().filter_map(|(lead, paths)| {
            let (folders, paths) = paths.split_first()?;
            found(folder, lead, folders, paths)
        });
        self.leads = leads.collect();
        self.leads
            .sort_by_key(|lead| std::cmp::Reverse(lead.given.len()));
    }

    fn file(&self, folder: &dyn Folder, path: &str) -> Place {
        let path = paths::plain(path);
        let mut leads = self.leads.iter();
        match leads.find(|lead| path.starts_with(&lead.given)) {
            Some(lead) => lead.file(&path),
            None if paths::is_nih(&path) => nih::file(folder, &path),
            None => Place::below(&path),
        }
    }

    fn notes(&self) -> Vec<String> {
        let missing = self.findings.iter().filter(|(_, column)| column.is_none());
        let missing: Vec<&str> = missing.map(|(finding, _)| finding.name()).collect();
        if missing.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "there is no column for {}: not labelled",
            missing.join(", ")
        )]
    }
}

impl Lead {
    fn file(&self, path: &str) -> Place {
        let rest = &path[self.given.len()..];
        Place {
            above: self.above,
            path: format!("{}{rest}", self.found),
        }
    }
}

/// How long the folders are that both paths begin with.
fn common_folders(folders: &str, path: &str) -> usize {
    let pairs = folders.split_inclusive('/').zip(path.split_inclusive('/'));
    let same = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len());
    same.sum()
}

/// Where the images of some paths are that begin alike; `None` where none is found, or all are where the paths say.
fn found(folder: &dyn Folder, lead: &str, folders: &str, paths: &[String]) -> Option<Lead> {
    let place = |given: &str, found: &str, above| Lead {
        given: given.to_owned(),
        found: found.to_owned(),
        above,
    };
    let mut tried = vec![place(lead, lead, false), place(lead, lead, true)];
    let own = lead
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    if own.to_ascii_lowercase().starts_with("chexpert") {
        let names = [own, "CheXpert-v1.0-small", "CheXpert-v1.0"];
        for above in [false, true] {
            tried.extend(names.map(|name| place(lead, &format!("{name}/"), above)));
        }
        tried.push(place(lead, "", false));
    } else if !lead.is_empty() {
        // The folders that all of them have, one after the other.
        let ends = folders.match_indices('/').map(|(end, _)| end + 1);
        let ends = ends.filter(|end| *end >= lead.len());
        tried.extend(ends.map(|end| place(&folders[..end], "", false)));
    }
    let leads = |lead: &Lead| paths.iter().any(|path| folder.has(&lead.file(path)));
    tried.into_iter().find(leads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_the_names_of_the_package() {
        let named = |name: &str| Finding::named(name).expect("a name");
        let of = |header: &str, findings: &[Finding]| -> Vec<Label> {
            let text = format!("{header}\na.png,1,0\n");
            let mut table = Table::of(&text).expect("a table");
            let format = CheXpert::of(&table, findings).expect("columns");
            let line = table.next_line().expect("a table").expect("a row");
            format.entry(&line).expect("labels").labels.to_vec()
        };
        let (present, absent) = (Label::Present, Label::Absent);
        // Another word counts where CheXpert's name is asked for, unless it is another finding's own.
        let header = "Path,Effusion,Hernia";
        assert_eq!(of(header, &[Finding::PleuralEffusion]), [present]);
        let own = [Finding::PleuralEffusion, named("Effusion"), named("Hernia")];
        assert_eq!(of(header, &own), [Label::Unlabelled, present, absent]);
        let header = "Path,Pleural Effusion,pleural_thickening";
        let own = [named("Effusion"), named("Pleural_Thickening")];
        assert_eq!(of(header, &own), [Label::Unlabelled, absent]);
    }
}
