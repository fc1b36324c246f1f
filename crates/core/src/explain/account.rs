//! What a map adds up to, as a sentence whose numbers add up as well.

use crate::heat_map::HeatMap;
use crate::order::falling;

/// The largest share of a logit by which sums of 32-bit numbers miss it; of a logit below 1, the largest difference.
const ROUNDING: f64 = 1e-3;

/// A total, and the parts that it is the sum of.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    parts: Vec<(&'static str, f64)>,
    total: f64,
    /// What the total is.
    of: String,
}

impl Account {
    /// The account of values: for, against, and the parts that are no values of the map. `None` where they do not add up to the total.
    pub fn new(
        values: impl Iterator<Item = f64>,
        others: impl IntoIterator<Item = (&'static str, f64)>,
        total: f64,
        of: String,
    ) -> Option<Self> {
        let (mut supporting, mut opposing) = (0.0, 0.0);
        for value in values {
            match value > 0.0 {
                true => supporting += value,
                false => opposing += value,
            }
        }
        let mut parts = vec![("For", supporting), ("against", opposing)];
        parts.extend(others);
        let sum: f64 = parts.iter().map(|(_, part)| part).sum();
        // Written so that a sum which is no number is none of the total.
        let adds_up = (sum - total).abs() <= ROUNDING * total.abs().max(1.0);
        adds_up.then_some(Self { parts, total, of })
    }

    /// The account of a logit: the cells of a map, the bias, and of one network's map the `others` of a combined model.
    pub fn of_logit(
        cells: &HeatMap,
        others: Option<f64>,
        bias: f32,
        logit: f32,
        score: Option<f64>,
    ) -> Option<Self> {
        let others = others.map(|others| ("the other networks", others));
        let parts = others.into_iter().chain([("bias", f64::from(bias))]);
        let of = match score {
            Some(score) => format!("the logit behind the score {score:.2}"),
            None => "the logit".to_owned(),
        };
        let values = cells.values.iter().copied().map(f64::from);
        Self::new(values, parts, f64::from(logit), of)
    }

    /// The parts and the total in thousandths. Each is the true value or less than one off, and the parts add up to the total.
    fn thousandths(&self) -> (Vec<i64>, i64) {
        let exact = self.parts.iter().map(|(_, part)| 1000.0 * part);
        let exact: Vec<f64> = exact.collect();
        let mut rounded: Vec<i64> = exact.iter().map(|part| part.floor() as i64).collect();
        let total = (1000.0 * self.total).round() as i64;
        // What is missing goes to those that lost most.
        let lost: Vec<f64> = exact.iter().map(|part| part - part.floor()).collect();
        let order = falling(&lost);
        let missing = total - rounded.iter().sum::<i64>();
        for part in order.iter().take(usize::try_from(missing).unwrap_or(0)) {
            rounded[*part] += 1;
        }
        // Sums of 32-bit numbers miss large logits by more: the largest part takes the rest, of which it is a small share.
        let rest = total - rounded.iter().sum::<i64>();
        if let Some(largest) = rounded.iter_mut().max_by_key(|part| part.abs()) {
            *largest += rest;
        }
        (rounded, total)
    }

    /// The account as a sentence: the parts as they are written add up to the total as it is written.
    pub fn said(&self) -> String {
        let (parts, total) = self.thousandths();
        let named = self.parts.iter().zip(parts);
        let named: Vec<String> = named
            .map(|((name, _), part)| format!("{name}: {}", signed(part)))
            .collect();
        let total = signed(total);
        format!("{}; together {total}, {}.", named.join(", "), self.of)
    }
}

/// Thousandths with three decimals and a sign.
pub fn signed(thousandths: i64) -> String {
    let sign = match thousandths.signum() {
        1 => "+",
        0 => "",
        _ => "-",
    };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{:03}", size / 1000, size % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_logit(cells: Vec<f32>, bias: f32, logit: f32) -> Option<Account> {
        let cells = HeatMap::new(cells.len(), 1, cells);
        Account::of_logit(&cells, None, bias, logit, Some(0.43))
    }

    /// The numbers of a sentence, in their order.
    fn numbers(said: &str) -> Vec<f64> {
        let words = said.split(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)));
        words
            .filter_map(|word| word.trim_end_matches('.').parse().ok())
            .collect()
    }

    #[test]
    fn the_parts_of_a_logit_are_said_with_their_signs() {
        let account = of_logit(vec![3.0, -1.0, 0.25, -0.125], -2.5, -0.375).expect("it adds up");
        assert_eq!(
            account.said(),
            "For: +3.250, against: -1.125, bias: -2.500; together -0.375, the logit behind the score 0.43."
        );
        let nothing = of_logit(vec![0.0], 0.0, 0.0).expect("it adds up");
        assert!(
            nothing
                .said()
                .starts_with("For: 0.000, against: 0.000, bias: 0.000; together 0.000,")
        );
    }

    #[test]
    fn what_is_written_adds_up_though_each_number_is_rounded() {
        // Numbers that repeat themselves late (a linear congruence with Knuth's factor), so that all roundings come.
        let mut state = 1u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / (1u64 << 24) as f32 * 8.0 - 4.0
        };
        for _ in 0..500 {
            let cells = vec![next(), next(), next()];
            let bias = next();
            let exact: f64 = cells.iter().chain([&bias]).map(|v| f64::from(*v)).sum();
            let part = |keep: fn(&f32) -> bool| -> f64 {
                let kept = cells.iter().filter(|v| keep(v));
                kept.map(|v| f64::from(*v)).sum()
            };
            let parts = [part(|v| *v > 0.0), part(|v| *v < 0.0), f64::from(bias)];
            let said = of_logit(cells.clone(), bias, exact as f32).expect("it adds up");
            let said = numbers(&said.said());
            let sum: f64 = said[..3].iter().sum();
            assert!((sum - said[3]).abs() < 1e-9, "{said:?}");
            assert!((said[3] - exact).abs() < 6e-4, "{said:?} {exact}");
            for (said, part) in said.iter().zip(parts) {
                assert!((said - part).abs() < 1.1e-3, "{said} {part}");
            }
        }
    }

    #[test]
    fn a_map_that_does_not_add_up_has_no_account() {
        assert_eq!(of_logit(vec![1.0, -0.5], 0.25, 0.7), None);
        assert_eq!(of_logit(vec![f32::NAN], 0.25, 0.7), None);
        // One network of a combined model adds up with the others only.
        let cells = HeatMap::new(2, 1, vec![1.0, -0.5]);
        let account = Account::of_logit(&cells, Some(0.125), 0.25, 0.875, None);
        assert_eq!(
            account.expect("it adds up").said(),
            "For: +1.000, against: -0.500, the other networks: +0.125, bias: +0.250; together +0.875, the logit."
        );
        assert_eq!(Account::of_logit(&cells, None, 0.25, 0.875, None), None);
    }
}
