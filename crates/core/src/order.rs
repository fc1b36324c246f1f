//! Orders of positions. All orders that the page makes go through one function: the standard library's sort is compiled anew for each
//! type and comparison, some 4 kB each.

use std::cmp::Ordering;

/// The positions `0..count` in the order of `compare`; equal ones keep theirs.
///
/// It merges runs of doubled length, and is about as fast as the standard library's sort for lists of thousands.
pub fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..count).collect();
    let mut merged = sorted.clone();
    let mut run = 1;
    while run < count {
        let mut start = 0;
        while start < count {
            let (middle, end) = ((start + run).min(count), (start + 2 * run).min(count));
            let (mut left, mut right) = (start, middle);
            for place in &mut merged[start..end] {
                let takes_left = left < middle
                    && (right == end || compare(sorted[left], sorted[right]) != Ordering::Greater);
                let next = if takes_left { &mut left } else { &mut right };
                *place = sorted[*next];
                *next += 1;
            }
            start = end;
        }
        std::mem::swap(&mut sorted, &mut merged);
        run *= 2;
    }
    sorted
}

/// The positions from the highest value down; equal ones keep their order.
pub fn falling(values: &[f64]) -> Vec<usize> {
    order(values.len(), &|a, b| values[b].total_cmp(&values[a]))
}

/// These values in the order of `compare`; equal ones keep theirs.
pub fn ordered<T>(values: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let order = order(values.len(), &|a, b| compare(&values[a], &values[b]));
    let mut values: Vec<Option<T>> = values.into_iter().map(Some).collect();
    let values = order.into_iter().filter_map(|place| values[place].take());
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_standard_library() {
        for count in 0..40 {
            // Numbers that repeat, so that the order of equal ones shows.
            let values: Vec<usize> = (0..count).map(|n| n * n * 7 % 11).collect();
            let mut expected: Vec<usize> = (0..count).collect();
            expected.sort_by_key(|place| values[*place]);
            assert_eq!(
                order(count, &|a, b| values[a].cmp(&values[b])),
                expected,
                "{count}"
            );
        }
        assert_eq!(falling(&[0.5, 2.0, 0.5, f64::NEG_INFINITY]), [1, 0, 2, 3]);
        assert_eq!(ordered(vec!["b", "c", "a"], Ord::cmp), ["a", "b", "c"]);
    }
}
