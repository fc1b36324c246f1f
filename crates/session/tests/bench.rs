//! The messages that `xtask/bench/web/` makes and reads by hand: when one of these fails, its `ours.js` and `ours_webgpu.js` have to follow.

use borsh::BorshSerialize;
use sightline_core::asked::{Scored, Wants};
use sightline_core::explain::fill::Fill;
use sightline_core::explain::method::Asking;
use sightline_core::explain::occlusion;
use sightline_session::helpers::{Done, Task};
use sightline_session::messages::{
    Answer, DeviceChoice, PackagePlace, Reason, Refusal, Request, encode,
};

fn text(words: &str) -> Vec<u8> {
    let length = (words.len() as u32).to_le_bytes();
    [&length, words.as_bytes()].concat()
}

fn is(message: &impl BorshSerialize, parts: &[&[u8]]) {
    assert_eq!(encode(message), parts.concat());
}

fn package() -> PackagePlace {
    PackagePlace::Beside {
        name: "lite0".to_owned(),
        folder: "models/lite0".to_owned(),
    }
}

#[test]
fn requests_are_those_of_the_bench() {
    let (name, folder) = (text("lite0"), text("models/lite0"));
    let [one, three, eight] = [1_u64, 3, 8].map(u64::to_le_bytes);
    let [zero, seven] = [0_u32, 7].map(u32::to_le_bytes);
    let load = Request::Load {
        package: package(),
        device: DeviceChoice::WebGpu,
        at_once: 8,
    };
    is(&load, &[&[0, 0], &name, &folder, &[2], &eight]);
    let read = Request::Read {
        id: 7,
        file: "7.png".to_owned(),
        depth: None,
        keep: true,
    };
    is(&read, &[&[1], &seven, &text("7.png"), &[0, 1]]);
    let windows = occlusion::Options {
        grid: 3,
        window: 1,
        stride: 1,
        fill: Fill::PictureMean,
    };
    let explain = Request::Explain {
        id: 0,
        asking: Asking::Occlusion(windows),
    };
    is(&explain, &[&[2], &zero, &[2], &three, &one, &one, &[1]]);
    let probe = Request::Probe {
        id: 0,
        mask: Vec::new(),
        fill: Fill::PictureMean,
    };
    is(&probe, &[&[3], &zero, &zero, &[1]]);
    let load = Task::Load {
        package: package(),
        several_cores: true,
    };
    is(&load, &[&[0, 0], &name, &folder, &[1]]);
    let score = Task::Score {
        ticket: 7,
        wants: Wants::Scores,
        values: vec![0.5],
    };
    let value = 0.5_f32.to_le_bytes();
    is(&score, &[&[1], &seven, &[0], &1_u32.to_le_bytes(), &value]);
}

#[test]
fn answers_are_those_of_the_bench() {
    is(&Answer::Scoring(8), &[&[8], &8_u64.to_le_bytes()]);
    let refused = Answer::Refused(Refusal::Model(Reason::Nothing));
    assert_eq!(encode(&refused)[0], 14);
    is(&Done::Loaded, &[&[0]]);
    is(&Done::NotLoaded, &[&[1]]);
    let scored = Done::Scored {
        ticket: 7,
        scored: Some(vec![Scored {
            probabilities: vec![Some(0.5), None],
            evidence: Vec::new(),
            maps: Vec::new(),
        }]),
    };
    let count = |count: u32| count.to_le_bytes();
    let probabilities = [&[1][..], &0.5_f64.to_le_bytes(), &[0]].concat();
    is(
        &scored,
        &[
            &[2],
            &count(7),
            &[1],
            &count(1),
            &count(2),
            &probabilities,
            &count(0),
            &count(0),
        ],
    );
}
