//! Messages between the page and its engine, and what the page makes of them.

use sightline::explain::fill::Fill;
use sightline::explain::heat_map::HeatMap;
use sightline::explain::lime;
use sightline::package::ModelEntry;
use sightline::trust::erase::Spot;
use sightline::trust::faithfulness;
use sightline_fuzz::{Damage, seeds, within_limits};
use sightline_session::messages::{
    Adapter, Answer, DeviceChoice, Progress, ReadingAnswer, Request, What, decode, encode,
};
use sightline_session::picture::Method;
use sightline_session::session::{GivenFile, Session};

fn requests() -> Vec<Vec<u8>> {
    let map = HeatMap {
        width: 2,
        height: 2,
        values: vec![0.0, 0.5, -1.0, 1.0],
    };
    let requests = [
        Request::LoadModel {
            name: "a".to_owned(),
            folder: "models/a".to_owned(),
            device: DeviceChoice::Best,
            at_once: 16,
        },
        Request::Read {
            id: 3,
            file: "a.png".to_owned(),
            bytes: vec![1, 2, 3],
            depth: Some(12),
        },
        Request::Explain {
            id: 3,
            options: lime::Options::default(),
        },
        Request::Probe {
            id: 3,
            mask: vec![Spot {
                x: 0.5,
                y: 0.5,
                radius: 0.1,
            }],
            fill: Fill::Grey(128),
        },
        Request::Score {
            ticket: 1,
            values: vec![0.25; 9],
        },
        Request::Measure {
            id: 3,
            finding: 1,
            method: "lime".to_owned(),
            map: map.clone(),
            other: Some(map),
            options: faithfulness::Options::default(),
        },
        Request::Cancel,
    ];
    requests.iter().map(encode).collect()
}

#[test]
fn damaged_requests_are_understood_or_not() {
    let seeds = requests();
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        let bytes = damage.of(&seeds);
        let _ = within_limits(|| decode::<Request>(&bytes));
    });
}

/// A page that reads the radiograph of the report, or has read it.
fn page(answers: &[Answer]) -> Session {
    let mut session = Session::new(DeviceChoice::Best);
    let entry = ModelEntry {
        name: "a".to_owned(),
        path: None,
    };
    session.list(Ok(vec![entry]));
    session.hear(answers[0].clone());
    session.give(vec!["a.png".to_owned()], Vec::new());
    let file = GivenFile {
        name: "a.png".to_owned(),
        bytes: vec![0],
    };
    session.fetched(1, Ok(file));
    session
}

#[test]
fn damaged_answers_leave_a_page_that_goes_on() {
    let manifest = seeds("www/models/efficientnet-lite0-nih")
        .into_iter()
        .filter_map(|bytes| String::from_utf8(bytes).ok())
        .find(|text| text.contains("weights"))
        .expect("a manifest");
    let report = String::from_utf8(seeds("fuzz/seeds/reports").swap_remove(0)).expect("text");
    let parts: serde_json::Value = serde_json::from_str(&report).expect("a report");
    let part = |name: &str| parts[name].to_string();
    let adapter = Adapter::Cpu {
        workers: 2,
        because: String::new(),
    };
    // The number of the reading that the page asks for.
    let id = 2;
    let answers = [
        Answer::Ready {
            adapter: adapter.clone(),
            manifest,
        },
        Answer::Reading(Box::new(ReadingAnswer {
            id,
            width: 2,
            height: 2,
            pixels: vec![0, 1, 2, 3],
            report,
        })),
        Answer::Explanation {
            id,
            done: true,
            lime: part("lime"),
        },
        Answer::Probed {
            id,
            erased: part("erased"),
        },
        Answer::Measured {
            id,
            trust: parts["trust"][0].to_string(),
        },
        Answer::Progress(Progress {
            step: "LIME".to_owned(),
            done: 1,
            total: 2,
        }),
        Answer::Opened { adapter },
        Answer::Scoring(8),
        Answer::Refused {
            what: What::Job(id),
            why: "no".to_owned(),
        },
    ];
    let seeds: Vec<Vec<u8>> = answers.iter().map(encode).collect();
    let begun = page(&answers);
    let look = |session: &mut Session| {
        let _ = (session.status(), session.problems(), session.notices());
        let _ = (session.depths(), session.effects());
        let Some(picture) = session.picture().cloned() else {
            return;
        };
        for index in picture.ranking() {
            for method in Method::ALL {
                let _ = picture.map(index, method, Some(0), session.lime());
                let _ = picture.trust(index, method);
            }
            let _ = picture.erased_score(index);
        }
    };
    bolero::check!()
        .with_type::<(Damage, Damage, bool)>()
        .for_each(|(first, second, read)| {
            let mut session = begun.clone();
            if *read {
                session.hear(answers[1].clone());
            }
            for damage in [first, second] {
                let bytes = damage.of(&seeds);
                within_limits(|| {
                    if let Some(answer) = decode::<Answer>(&bytes) {
                        session.hear(answer);
                        look(&mut session);
                    }
                });
            }
        });
}
