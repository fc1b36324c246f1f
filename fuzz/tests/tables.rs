//! Tables of images, boxes and probabilities, as every command reads them.

use sightline_fuzz::{Damage, seeds, within_limits};
use sightline_trainer::read_as_tables;

#[test]
fn damaged_tables_are_read_or_refused() {
    let seeds: Vec<Vec<u8>> = ["windows-paths", "written-by-programs"]
        .into_iter()
        .flat_map(|folder| seeds(&format!("trainer/tests/cases/{folder}"), ""))
        .chain([
            b"Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000003_000.png,Mass,1.5,20.25,300,40\n".to_vec(),
            b"Path;Edema;prob_Mass\nview1_frontal.jpg;0,25;1,0\n".to_vec(),
            b"Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n\
              00000001_000.png,Cardiomegaly|Effusion,0,1,058Y,M,PA\n00000001_001.png,No Finding,1,1,58,M,AP\n"
                .to_vec(),
        ])
        .collect();
    assert!(seeds.len() > 10);
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        let bytes = damage.of(&seeds);
        within_limits(|| read_as_tables(bytes));
    });
}
