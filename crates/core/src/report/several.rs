//! Several reports in one file, with the scores of studies that have several views.

use serde::{Serialize, Serializer};

use super::Report;
use crate::json::{Layout, text};

/// A study of several views.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Study<'a> {
    /// The files of its views.
    pub files: Vec<&'a str>,
    /// The maximum over the views of each finding's score.
    #[serde(serialize_with = "map")]
    pub maximum: Vec<(&'a str, f64)>,
}

fn map<S: Serializer>(pairs: &[(&str, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

/// Reports and studies as JSON: `{"reports": [...], "studies": [{"files": [...], "maximum": {...}}]}`, a line for each.
///
/// # Errors
/// When a report cannot be written.
pub fn json<'a>(
    reports: impl Iterator<Item = &'a Report>,
    studies: &[Study],
) -> Result<String, serde_json::Error> {
    let reports = reports.map(|report| text(report, Layout::Compact));
    let reports = reports.collect::<Result<Vec<String>, _>>()?;
    let studies = studies.iter().map(|study| text(study, Layout::Compact));
    let studies = studies.collect::<Result<Vec<String>, _>>()?;
    let (reports, studies) = (reports.join(",\n"), studies.join(",\n"));
    Ok(format!(
        "{{\"reports\":[\n{reports}\n],\"studies\":[\n{studies}\n]}}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_report_and_a_study_are_json() {
        let study = Study {
            files: vec!["a \"b\".png", "c.png"],
            maximum: vec![("Edema", 0.75)],
        };
        let text = json(std::iter::empty(), &[study]).expect("JSON");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let expected = serde_json::json!({
            "reports": [],
            "studies": [{ "files": ["a \"b\".png", "c.png"], "maximum": { "Edema": 0.75 } }],
        });
        assert_eq!(value, expected);
    }
}
