//! Weights of other tools, in every container.

use sightline_fuzz::{Damage, seeds, within_limits};
use sightline_import::{Index, containers};

/// No tensor of the seeds has more values than this.
const FEW: usize = 1 << 16;

fn read(bytes: &[u8]) {
    let Ok(mut tensors) = within_limits(|| containers::read(bytes)) else {
        return;
    };
    let names: Vec<String> = tensors.names().cloned().collect();
    for name in names {
        // Few bytes may claim to be many values; the importer decodes only what has a network's shape.
        let shape = tensors.shape(&name).unwrap_or_default();
        if shape
            .iter()
            .try_fold(1_usize, |count, size| count.checked_mul(*size))
            .is_some_and(|count| count <= FEW)
        {
            within_limits(|| tensors.take(&name)).expect("what is there is decoded");
        }
    }
}

#[test]
fn damaged_weights_of_other_tools_are_read_or_refused() {
    let folder = "tests/golden/import/containers";
    let mut seeds: Vec<_> = [".pth", ".pt", ".pt2", ".safetensors", ".onnx"]
        .into_iter()
        .flat_map(|ending| seeds(folder, ending))
        .collect();
    assert!(seeds.len() > 10);
    // An index of several files.
    seeds.push(br#"{"weight_map": {"a": "m-00001-of-00002.safetensors"}}"#.to_vec());
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        let bytes = damage.of(&seeds);
        read(&bytes);
        let _ = within_limits(|| Index::parse(&bytes));
    });
}

#[test]
fn any_bytes_are_no_pickle_or_a_tree() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        read(bytes);
        read(&[&b"\x80\x02"[..], &bytes[..]].concat());
    });
}
