//! How many pictures are scored at once: known beforehand, or found on a graphics card.

use std::collections::BTreeMap;

/// What is tried first.
const FIRST: usize = 4;
/// Batches of a size after which it is known how long they take: the first one may wait for shaders.
const RUNS: u32 = 2;
/// A larger batch has to save so much time of each picture: it takes more memory, and ends later.
const GAIN: f64 = 0.95;

/// Finds the size of batches at which a picture takes the least time, while pictures are scored: sizes are doubled or halved as long as that helps.
#[derive(Clone, Debug)]
pub struct BatchSize {
    /// Whether nothing is to be found.
    known: bool,
    most: usize,
    size: usize,
    /// By size: how many batches there were, and the least milliseconds for a picture.
    times: BTreeMap<usize, (u32, f64)>,
}

impl BatchSize {
    /// `most`: what fits.
    pub fn new(most: usize) -> Self {
        Self {
            known: false,
            most,
            size: FIRST.min(most).max(1),
            times: BTreeMap::new(),
        }
    }

    /// A size that is not changed.
    pub fn known(size: usize) -> Self {
        let size = size.max(1);
        Self {
            known: true,
            most: size,
            size,
            times: BTreeMap::new(),
        }
    }

    /// Pictures in the next batch, at most.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Takes how long a batch took. Those of other sizes, as the last one of many, say nothing.
    pub fn took(&mut self, pictures: usize, milliseconds: f64) {
        if self.known || pictures != self.size {
            return;
        }
        let each = milliseconds / pictures as f64;
        let (runs, least) = self.times.entry(pictures).or_insert((0, f64::INFINITY));
        (*runs, *least) = (*runs + 1, least.min(each));
        if *runs < RUNS {
            return;
        }
        let best = self.best();
        let mut next = [2 * best, best / 2].into_iter();
        let untried =
            |size: &usize| (1..=self.most).contains(size) && !self.times.contains_key(size);
        self.size = next.find(untried).unwrap_or(best);
    }

    fn best(&self) -> usize {
        let mut best = (self.size, f64::INFINITY);
        for (size, (_, least)) in &self.times {
            if *least < GAIN * best.1 {
                best = (*size, *least);
            }
        }
        best.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where it ends on a device on which a batch takes so long.
    fn settled(most: usize, time: impl Fn(usize) -> f64) -> usize {
        let mut size = BatchSize::new(most);
        for _ in 0..40 {
            assert!((1..=most.max(1)).contains(&size.size()));
            let pictures = size.size();
            size.took(pictures, time(pictures));
        }
        size.size()
    }

    #[test]
    fn it_ends_where_a_picture_takes_the_least_time() {
        // Each batch has a cost of its own, which large ones share.
        assert_eq!(settled(16, |pictures| 40.0 + pictures as f64), 16);
        assert_eq!(settled(16, |pictures| 1.0 + 10.0 * pictures as f64), 4);
        // Slower the more there are.
        assert_eq!(settled(16, |pictures| (pictures * pictures) as f64), 1);
        assert_eq!(
            settled(16, |pictures| if pictures > 8 { 1e3 } else { 10.0 }),
            8
        );
        assert_eq!(settled(3, |pictures| 40.0 + pictures as f64), 3);
        assert_eq!(settled(1, |_| 5.0), 1);
        assert_eq!(settled(0, |_| 5.0), 1);
    }

    #[test]
    fn a_first_batch_that_waits_for_shaders_decides_nothing() {
        let mut size = BatchSize::new(16);
        for time in [5000.0, 80.0, 9000.0, 100.0, 9000.0, 150.0] {
            let pictures = size.size();
            size.took(pictures, time);
        }
        assert_eq!(size.size(), 16);
        // The last pictures of a job are fewer.
        size.took(3, 1e6);
        assert_eq!(size.size(), 16);
    }

    #[test]
    fn a_known_size_stays() {
        for known in [1, 4] {
            let mut size = BatchSize::known(known);
            for time in [9.0, 1.0, 5.0] {
                size.took(known, time);
                assert_eq!(size.size(), known);
            }
        }
        assert_eq!(BatchSize::known(0).size(), 1);
    }
}
