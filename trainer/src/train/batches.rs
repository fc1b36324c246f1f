//! The training images in batches: shuffled, changed at random, made ready while the network works on the batch before.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;

use super::Recipe;
use super::pointing::Mark;
use super::soft_labels::SoftTargets;
use crate::data::{Boxes, Dataset, Pictures};

/// Batches that wait, at most.
const AHEAD: usize = 3;

/// Pictures, targets and masks, picture after picture.
#[derive(Clone)]
pub struct Batch {
    pub pictures: usize,
    pub values: Vec<f32>,
    pub targets: Vec<f32>,
    pub mask: Vec<f32>,
    pub marks: Vec<Mark>,
}

impl Batch {
    /// As many parts, of pictures that follow each other; as equal as they can be.
    pub fn split(self, parts: usize) -> Vec<Batch> {
        if parts == 1 {
            return vec![self];
        }
        let part = |index: usize| {
            let bound = |index: usize| index * self.pictures / parts;
            let (from, to) = (bound(index), bound(index + 1));
            let of = |values: &[f32]| {
                let one = values.len() / self.pictures;
                values[from * one..to * one].to_vec()
            };
            let marks = self
                .marks
                .iter()
                .filter(|mark| (from..to).contains(&mark.picture));
            let marks = marks.map(|mark| mark.counted_from(from));
            Batch {
                pictures: to - from,
                marks: marks.collect(),
                values: of(&self.values),
                targets: of(&self.targets),
                mask: of(&self.mask),
            }
        };
        (0..parts).map(part).collect()
    }
}

/// What batches are made of.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub recipe: &'a Recipe,
    pub data: &'a Dataset,
    pub pictures: &'a Pictures,
    pub soft_labels: &'a SoftTargets,
    pub boxes: Option<&'a Boxes>,
}

impl Source<'_> {
    /// Batches of an epoch. A last batch of a picture or two would spoil the batch statistics: its pictures are left for the
    /// next epoch, which draws another order.
    pub fn batches(&self) -> usize {
        (self.data.rows.len() / self.recipe.batch).max(1)
    }

    /// The batches of an epoch from `first` on. All chance comes from the seed, the epoch and the image, so that a run that
    /// was stopped and goes on sees what it would have seen.
    pub fn start<'scope, 'env>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        epoch: usize,
        first: usize,
    ) -> Receiver<Batch>
    where
        Self: 'scope,
    {
        let (send, receive) = sync_channel(AHEAD);
        scope.spawn(move || {
            let seed = seed_of(self.recipe.seed, epoch, 0);
            let mut order: Vec<usize> = (0..self.data.rows.len()).collect();
            order.shuffle(&mut StdRng::seed_from_u64(seed));
            let batches = order.chunks(self.recipe.batch).take(self.batches());
            for batch in batches.skip(first) {
                if send.send(self.batch(batch, epoch)).is_err() {
                    break;
                }
            }
        });
        receive
    }

    fn batch(&self, indices: &[usize], epoch: usize) -> Batch {
        let input = &self.recipe.input;
        let examples = indices.par_iter().enumerate().map(|(place, &index)| {
            let mut rng = StdRng::seed_from_u64(seed_of(self.recipe.seed, epoch, index + 1));
            let picture = self.pictures.get(index);
            let change = self.recipe.augmentation.draw(&mut rng);
            let changed = change.apply(&picture, input.size);
            let row = &self.data.rows[index];
            let (mut targets, mut mask) = self.recipe.labels.targets(&row.labels, &mut rng);
            self.soft_labels.blend(&row.path, &mut targets, &mut mask);
            let marks = self
                .boxes
                .into_iter()
                .flat_map(|boxes| boxes.of_image(&row.path));
            let marks = marks.map(|(finding, boxes)| Mark::new(place, finding, boxes, &change));
            let marks: Vec<Mark> = marks.collect();
            (input.normalise(&changed), targets, mask, marks)
        });
        let examples: Vec<_> = examples.collect();
        Batch {
            pictures: indices.len(),
            values: examples
                .iter()
                .flat_map(|example| &example.0)
                .copied()
                .collect(),
            targets: examples.iter().flat_map(|example| example.1).collect(),
            mask: examples.iter().flat_map(|example| example.2).collect(),
            marks: examples.into_iter().flat_map(|example| example.3).collect(),
        }
    }
}

/// A seed for a part of a run.
pub fn seed_of(seed: u64, epoch: usize, part: usize) -> u64 {
    let mut rng = StdRng::seed_from_u64(seed);
    rng.random::<u64>()
        .wrapping_add((epoch as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add((part as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9))
}
