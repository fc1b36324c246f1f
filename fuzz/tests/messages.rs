//! Messages between the page and its engine, and what the page makes of them.

use sightline::asked::{Scored, Wants};
use sightline::explain::fill::Fill;
use sightline::explain::heat_map::HeatMap;
use sightline::explain::method::{Explanation, Method, Settings};
use sightline::explain::{hirescam, occlusion};
use sightline::finding::Finding;
use sightline::package::{Manifest, ModelEntry, Output};
use sightline::pictures::Regions;
use sightline::radiograph::{GreyImage, Region};
use sightline::report::Report;
use sightline::trust::Trust;
use sightline::trust::erase::{Erased, Spot};
use sightline::trust::faithfulness::{self, Band, Curve, Faithfulness};
use sightline::trust::sanity::Randomised;
use sightline_fuzz::{Damage, seeds, within_limits};
use sightline_session::helpers::{Done, Task};
use sightline_session::messages::{
    Adapter, Answer, DeviceChoice, KeptModel, PackagePlace, Progress, Reason, Refusal, Request,
    ScoredPicture, Step, decode, encode,
};
use sightline_session::session::Session;

fn requests() -> Vec<Vec<u8>> {
    let settings = Settings::default();
    let asking = settings.asking(Method::Lime).expect("LIME is asked for");
    let requests = [
        Request::Load {
            package: PackagePlace::Beside {
                name: "a".to_owned(),
                folder: "models/a".to_owned(),
            },
            device: DeviceChoice::Best,
            at_once: 16,
        },
        Request::Read {
            id: 3,
            file: "a.png".to_owned(),
            depth: Some(12),
            keep: true,
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
        Request::Measure {
            id: 3,
            output: Output(1),
            map: Some(asking),
            other: None,
            options: faithfulness::Options::default(),
        },
        Request::Card {
            markdown: "# A card".to_owned(),
            folder: "models/a".to_owned(),
        },
        Request::Look {
            id: 1,
            files: vec![("a.pth".to_owned(), 9)],
            fields: vec![("title".to_owned(), "A".to_owned())],
        },
        Request::Pack {
            hash: "00ff".to_owned(),
        },
        Request::Validate {
            id: 1,
            tables: vec![("a.csv".to_owned(), 9)],
            pictures: vec![ScoredPicture {
                file: "a.png".to_owned(),
                probabilities: vec![Some(0.5), None],
                maps: vec![HeatMap::new(1, 1, vec![0.5])],
                region: Region {
                    x: 0.0,
                    y: 0.0,
                    width: 1.0,
                    height: 1.0,
                },
            }],
            kept: Some("00ff".to_owned()),
        },
        Request::Cancel,
    ];
    let asked = Method::ALL
        .iter()
        .filter_map(|method| settings.asking(*method));
    let explain = asked.map(|asking| encode(&Request::Explain { id: 3, asking }));
    requests.iter().map(encode).chain(explain).collect()
}

#[test]
fn damaged_messages_of_helpers_are_understood_or_not() {
    let tasks = [
        Task::Load {
            package: PackagePlace::Kept {
                name: "a".to_owned(),
                hash: "00ff".to_owned(),
            },
            several_cores: true,
        },
        Task::Score {
            ticket: 1,
            wants: Wants::Evidence,
            values: vec![0.25; 9],
        },
        Task::Score {
            ticket: 2,
            wants: Wants::Randomised {
                output: Output(1),
                part: Randomised::Classifier,
                seeds: vec![1, 2],
            },
            values: Vec::new(),
        },
        Task::Regions(Regions {
            labels: vec![0, 1, 1, 0],
            picture: vec![0.5; 4],
            hidden: vec![0.0; 4],
        }),
        Task::ScoreHidden {
            ticket: 3,
            wants: Wants::Scores,
            shown: vec![vec![true, false], vec![false]],
        },
    ];
    let done = [
        Done::Loaded,
        Done::NotLoaded,
        Done::Scored {
            ticket: 2,
            scored: None,
        },
        Done::Scored {
            ticket: 1,
            scored: Some(vec![Scored {
                probabilities: vec![Some(0.5), None],
                evidence: vec![0.1; 98],
                maps: Vec::new(),
            }]),
        },
    ];
    let seeds: Vec<Vec<u8>> = tasks
        .iter()
        .map(encode)
        .chain(done.iter().map(encode))
        .collect();
    bolero::check!().with_type::<Damage>().for_each(|damage| {
        let bytes = damage.of(&seeds);
        let _ = within_limits(|| (decode::<Task>(&bytes), decode::<Done>(&bytes)));
    });
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
    session.fetched(1, Ok("a.png".to_owned()));
    session.drop_model(vec![("a.pth".to_owned(), 9)]);
    session
}

/// What was measured of a map.
fn trust() -> Trust {
    let curve = || Curve {
        scores: vec![0.9, 0.5, 0.1],
        area: 0.5,
        moved: Band::default(),
        middle: Band::default(),
    };
    Trust {
        finding: Finding::Edema,
        method: Method::Lime,
        faithfulness: Faithfulness {
            options: faithfulness::Options::default(),
            deletion: curve(),
            insertion: curve(),
            compared_at: vec![0, 1, 2],
            gap: 0.1,
            moved: vec![0.0],
            middle: vec![0.2],
        },
        elsewhere: None,
        agreement: None,
        agreement_with: None,
        sanity: Vec::new(),
    }
}

#[test]
fn damaged_answers_leave_a_page_that_goes_on() {
    let manifest = seeds("www/models/efficientnet-lite0-nih", "");
    let manifest = manifest
        .iter()
        .find_map(|bytes| Manifest::parse(bytes).ok());
    // Of an earlier version, with everything in it that a report of today has.
    let report = &seeds("fuzz/seeds/reports", "")[0];
    let report: Report = serde_json::from_slice(report).expect("a report");
    let adapter = Adapter::Cpu {
        workers: 2,
        because: String::new(),
    };
    // The number of the reading that the page asks for.
    let id = 2;
    let explanation = report.explanations.all().swap_remove(0);
    let map = HeatMap::new(2, 2, vec![0.0, 0.5, -1.0, 1.0]);
    let answers = [
        Answer::Ready {
            adapter: adapter.clone(),
            manifest: Box::new(manifest.expect("a manifest")),
        },
        Answer::Read {
            id,
            report: Box::new(report.clone()),
            preview: GreyImage {
                width: 2,
                height: 2,
                pixels: vec![0, 1, 2, 3],
            },
            study: Some(7),
        },
        Answer::Explained {
            id,
            done: true,
            explanation: Box::new(explanation),
        },
        Answer::Probed {
            id,
            erased: Erased {
                fill: Fill::Blur,
                spots: Vec::new(),
                probabilities: vec![Some(0.5), None],
            },
        },
        Answer::Measured {
            id,
            trust: Box::new(trust()),
        },
        Answer::Progress(Progress {
            step: Step::Explain,
            done: 1,
            total: 2,
        }),
        Answer::Opened(adapter),
        Answer::Scoring(8),
        Answer::Card("<h1>A card</h1>".to_owned()),
        Answer::Refused(Refusal::Model(Reason::Device("no".to_owned()))),
        Answer::Refused(Refusal::File {
            id,
            why: Reason::NotANumber,
        }),
        Answer::Explained {
            id,
            done: true,
            explanation: Box::new(Explanation::Hirescam(hirescam::Explanation {
                options: hirescam::Options::default(),
                maps: vec![map.clone(); 3],
            })),
        },
        Answer::Explained {
            id,
            done: false,
            explanation: Box::new(Explanation::Occlusion(occlusion::Explanation {
                options: occlusion::Options::default(),
                windows: 7,
                maps: vec![Some(map), None],
            })),
        },
        Answer::Refused(Refusal::Job {
            id,
            why: Reason::NoMap,
        }),
        Answer::Proposed {
            id: 1,
            form: "<p></p>".to_owned(),
        },
        Answer::Keeps {
            models: vec![KeptModel {
                name: "b".to_owned(),
                hash: "00ff".to_owned(),
            }],
            added: Some("00ff".to_owned()),
        },
        Answer::Refused(Refusal::Weights {
            id: 1,
            why: Reason::Weights("no".to_owned()),
        }),
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
                let _ = picture.map(index, *method, Some(0), session.settings());
                let _ = picture.trust(index, *method);
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
