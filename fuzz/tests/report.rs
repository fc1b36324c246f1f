//! Reports, as `explain --replay` reads them.

use sightline::report::Report;
use sightline_fuzz::{Damage, seeds, within_limits};

#[test]
fn damaged_reports_are_read_or_refused() {
    let seeds = seeds("fuzz/seeds/reports", "");
    for seed in &seeds {
        serde_json::from_slice::<Report>(seed).expect("a report");
    }
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        let bytes = damage.of(&seeds);
        let _ = within_limits(|| serde_json::from_slice::<Report>(&bytes));
    });
}
