//! How often findings are labelled in the training images, and what follows.

use sightline::finding::Finding;

use super::config::Recipe;
use crate::data::{Blank, Dataset, Label};

/// Whether the training images teach a finding: with one kind of label only, nothing can be learned of it but how often it
/// was labelled.
pub fn teaches(recipe: &Recipe, train: &Dataset, finding: Finding) -> bool {
    let has = |label| {
        let mut rows = train.rows.iter();
        rows.any(|row| row.labels[finding.index()] == label)
    };
    let blank = recipe.labels.blank == Blank::Zeros && has(Label::Unlabelled);
    has(Label::Present) && (has(Label::Absent) || blank)
}

/// What a positive of each finding counts.
pub fn positive_weights(recipe: &Recipe, train: &Dataset) -> Vec<f32> {
    let weight = |finding: &Finding| {
        let count = |label| {
            let rows = train.rows.iter();
            let labels = rows.filter(|row| row.labels[finding.index()] == label);
            labels.count() as f32
        };
        let mut negatives = count(Label::Absent);
        if recipe.labels.blank == Blank::Zeros {
            negatives += count(Label::Unlabelled);
        }
        (negatives / count(Label::Present).max(1.0)).clamp(1.0, recipe.positive_weight.max(1.0))
    };
    Finding::ALL.iter().map(weight).collect()
}
