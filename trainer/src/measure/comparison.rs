//! Two models on the same images.

use anyhow::{Result, bail};
use sightline::finding::Finding;

use super::beside::{Beside, Both, Pair};
use super::evaluation::{Scores, all_cases};
use super::metrics::ranking::{auc_difference, auc_variance};
use super::metrics::{Case, Scored, auc, bootstrap, cases_of, mean_defined_auc};
use crate::data::{Dataset, Probabilities, key};

/// The seed of the bootstrap: the same figures at every run.
const SEED: u64 = 20_260_103;

/// Two packages' AUCs on the same cases, beside each other, with the difference and its 95% interval.
pub fn comparison(ours: &Scores, theirs: &Scores) -> Result<String> {
    let (a, b) = (all_cases(ours), all_cases(theirs));
    let mut text = format!("{} against {}\n", ours.header.model, theirs.header.model);
    let (ours, theirs) = (&ours.header.findings, &theirs.header.findings);
    for finding in ours {
        let place = |findings: &[Finding]| findings.iter().position(|known| known == finding);
        let (ours, theirs) = (place(ours), place(theirs));
        let both = a
            .iter()
            .zip(&b)
            .filter_map(|(a, b)| Some((a.cases[ours?]?, b.cases[theirs?]?)));
        let (a, b): (Vec<Case>, Vec<Case>) = both.unzip();
        let line = match (auc(&a), auc(&b), auc_difference(&a, &b)) {
            (Some(ours), Some(theirs), Some((difference, variance))) => {
                let margin = 1.96 * variance.sqrt();
                let (low, high) = (difference - margin, difference + margin);
                let own = |cases| auc_variance(cases).map_or(0.0, f64::sqrt);
                format!(
                    "{ours:.3} (SE {:.3})  {theirs:.3} (SE {:.3})  {difference:+.3} ({low:+.3} to {high:+.3})",
                    own(&a),
                    own(&b)
                )
            }
            _ => "undefined".to_owned(),
        };
        text += &format!("{:28} {line}\n", finding.name());
    }
    Ok(text)
}

/// Compares a package's scores with another model's on the images that nobody chose by class (`unselected`, `COLUMN=VALUE`), or on
/// all where none are known to be so.
///
/// # Errors
/// When the other model scored none of the images.
pub fn beside(
    name: &str,
    theirs: &Probabilities,
    scores: &Scores,
    data: &Dataset,
    unselected_part: Option<&str>,
) -> Result<Beside> {
    let findings = &scores.header.findings;
    let part = unselected_part.unwrap_or_default();
    let (column, value) = part.split_once('=').unwrap_or_default();
    let unselected = |row: &super::evaluation::ScoredRow| {
        let found = row.columns.get(column);
        found.is_some_and(|found| found == value)
    };
    let some = scores.rows.iter().any(|(_, row)| unselected(row));
    let mut both = Vec::new();
    for (number, row) in &scores.rows {
        let path = data.rows.iter().find(|row| row.number == *number);
        let Some(their) = path.and_then(|row| theirs.get(key(&row.path).as_ref())) else {
            continue;
        };
        if some && !unselected(row) {
            continue;
        }
        // Ours, then theirs.
        let pairs = (0..findings.len()).map(|index| {
            let positive = row.labels[index].filter(|label| *label >= 0.0)? == 1.0;
            let (ours, theirs) = (row.scores[index]?, their[index]?);
            Some((Case::new(ours, positive), Case::new(theirs, positive)))
        });
        let pairs: Vec<Option<(Case, Case)>> = pairs.collect();
        let ours = pairs.iter().map(|pair| Some(pair.as_ref()?.0));
        let theirs = pairs.iter().map(|pair| Some(pair.as_ref()?.1));
        both.push(Scored {
            patient: row.patient.clone(),
            cases: ours.chain(theirs).collect(),
        });
    }
    if both.is_empty() {
        bail!("{name} scored none of the images");
    }
    let everyone: Vec<&Scored> = both.iter().collect();
    let pairs = findings.iter().enumerate().filter_map(|(index, finding)| {
        let cases = cases_of(&everyone, index);
        let positives = cases.iter().filter(|case| case.positive).count();
        Some(Pair {
            name: *finding,
            positives,
            negatives: cases.len() - positives,
            auc: compare(&both, findings.len(), |drawn, model| {
                auc(&cases_of(drawn, index + model))
            })?,
        })
    });
    let five = scores.header.places(&Finding::COMPETITION);
    Ok(Beside {
        name: name.to_owned(),
        part: if some { part } else { "all" }.to_owned(),
        images: both.len(),
        findings: pairs.collect(),
        mean_of_defined: compare(&both, findings.len(), |drawn, model| {
            let five: Vec<usize> = five.iter().map(|place| place + model).collect();
            mean_defined_auc(drawn, &five)
        }),
    })
}

/// A statistic of cases of which the second half are theirs; `statistic` takes where a model's begin.
fn compare(
    both: &[Scored],
    theirs: usize,
    statistic: impl Fn(&[&Scored], usize) -> Option<f64>,
) -> Option<Both> {
    Some(Both {
        ours: bootstrap(both, SEED, |drawn| statistic(drawn, 0))?,
        theirs: bootstrap(both, SEED, |drawn| statistic(drawn, theirs))?,
        difference: bootstrap(both, SEED, |drawn| {
            Some(statistic(drawn, 0)? - statistic(drawn, theirs)?)
        })?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::data::{Label, Row};
    use crate::measure::evaluation::{Header, ScoredRow};
    use crate::measure::parts::Shard;
    use sightline::package::Unit;

    #[test]
    fn two_models_are_compared_on_the_images_and_findings_that_both_scored() {
        // Ours ranks all right, theirs all wrong; the last image they do not know.
        let edema = Finding::Edema.index();
        let mut rows = Vec::new();
        let mut scored = Vec::new();
        let mut theirs = Probabilities::new();
        for number in 0..9 {
            let (positive, path) = (number % 2 == 0, format!("{number}.jpg"));
            let score = if positive { 0.9 } else { 0.1 };
            let mut labels = [Label::Unlabelled; 14];
            labels[edema] = match positive {
                true => Label::Present,
                false => Label::Absent,
            };
            labels[Finding::Pneumonia.index()] = Label::Uncertain;
            let mut other = vec![Some(0.5); 14];
            other[edema] = Some(1.0 - score);
            if number < 8 {
                theirs.insert(path.clone(), other);
            }
            rows.push(Row {
                number,
                path,
                patient: number.to_string().into(),
                labels: labels.into(),
                ..Row::default()
            });
            scored.push((
                number,
                ScoredRow {
                    patient: number.to_string(),
                    study: String::new(),
                    labels: labels.map(Label::value).to_vec(),
                    scores: vec![Some(score); 14],
                    columns: BTreeMap::new(),
                },
            ));
        }
        let data = Dataset::new(".".parse().expect("a place"), rows);
        let scores = Scores {
            of: String::new(),
            shard: Shard::WHOLE,
            header: Header {
                model: String::new(),
                weights_sha256: String::new(),
                set: String::new(),
                unit: Unit::Image,
                crops: 1,
                findings: Finding::ALL.to_vec(),
                trained: vec![true; 14],
                operating_points: vec![None; 14],
                rules: Vec::new(),
                parts: Vec::new(),
            },
            rows: scored,
        };
        let found = beside("the other", &theirs, &scores, &data, None).expect("both scored");
        assert_eq!((found.images, found.part.as_str()), (8, "all"));
        let [pair] = found.findings.as_slice() else {
            panic!("{} findings", found.findings.len());
        };
        assert_eq!(
            (pair.name, pair.positives, pair.negatives),
            (Finding::Edema, 4, 4)
        );
        let Both {
            ours,
            theirs: other,
            difference,
        } = pair.auc;
        assert_eq!((ours.value, other.value, difference.value), (1.0, 0.0, 1.0));
        assert_eq!(difference.ci95, [1.0, 1.0]);
        assert!(found.mean_of_defined.is_some());
        assert!(found.markdown().contains("| Edema | 4 | 4 | 1.000"));
        assert!(beside("nobody", &Probabilities::new(), &scores, &data, None).is_err());
    }
}
