//! A page without a browser: what it is told, what it asks for, and what an engine would say.

use sightline_core::explain::heat_map::HeatMap;
use sightline_core::explain::lime::{self, FindingLime, Segments};
use sightline_core::explain::method::Explanation;
use sightline_core::package::{Manifest, ModelEntry, Output};
use sightline_core::radiograph::{GreyImage, Radiograph, Region};
use sightline_core::reading::Reading;
use sightline_core::report::{Report, Timings};
use sightline_session::messages::{Adapter, Answer, DeviceChoice, Reason, Refusal, Request};
use sightline_session::session::{Effect, Session, Status};
use sightline_session::validation::TABLES;

pub const MANIFEST: &str =
    include_str!("../../../../www/models/efficientnet-lite0-nih/manifest.json");

pub fn manifest() -> Manifest {
    Manifest::parse(MANIFEST.as_bytes()).expect("the shipped manifest")
}

pub fn cpu() -> Adapter {
    Adapter::Cpu {
        workers: 2,
        because: String::new(),
    }
}

pub fn gpu() -> Adapter {
    Adapter::WebGpu {
        name: "a card".to_owned(),
        software: false,
        float16: false,
    }
}

/// The page, and what it did.
pub struct Page {
    pub session: Session,
    pub requests: Vec<Request>,
    /// The numbers under which the files were fetched that went with requests.
    pub files: Vec<u32>,
    /// The number of the file at hand, as the page keeps it: one that comes late does not replace a later one.
    at_hand: Option<u32>,
    pub starts: usize,
    /// Files that are to be fetched: the number of the radiograph, and which of those given.
    pub fetches: Vec<(u32, usize)>,
    /// Files of rows that are to be fetched for reading in the background.
    pub row_fetches: Vec<(u32, usize)>,
    /// The number of the row's file at hand.
    row_at_hand: Option<u32>,
}

impl Page {
    /// Without a list of models.
    pub fn empty() -> Self {
        Self {
            session: Session::new(DeviceChoice::Best),
            requests: Vec::new(),
            files: Vec::new(),
            at_hand: None,
            starts: 0,
            fetches: Vec::new(),
            row_fetches: Vec::new(),
            row_at_hand: None,
        }
    }

    pub fn new() -> Self {
        let mut page = Self::empty();
        let entry = |name: &str| ModelEntry {
            name: name.to_owned(),
            path: None,
        };
        page.tell(|session| session.list(Ok(vec![entry("one"), entry("two")])));
        page
    }

    pub fn loaded() -> Self {
        let mut page = Self::new();
        page.ready(cpu());
        page
    }

    pub fn tell(&mut self, event: impl FnOnce(&mut Session)) {
        event(&mut self.session);
        for effect in self.session.effects() {
            match effect {
                Effect::Send(request) | Effect::SendWithWeights(request) => {
                    self.requests.push(request);
                }
                Effect::SendWithFile(request, fetched_as) => {
                    self.requests.push(request);
                    if fetched_as == TABLES {
                        continue;
                    }
                    assert!(
                        [self.at_hand, self.row_at_hand].contains(&Some(fetched_as)),
                        "the file is not at hand any more"
                    );
                    self.files.push(fetched_as);
                }
                Effect::StartEngine => self.starts += 1,
                Effect::Fetch { id, index } => self.fetches.push((id, index)),
                Effect::FetchRow { id, index } => self.row_fetches.push((id, index)),
                Effect::StopEngine | Effect::FetchList => {}
            }
        }
    }

    pub fn ready(&mut self, adapter: Adapter) {
        let manifest = Box::new(manifest());
        self.tell(|session| session.hear(Answer::Ready { adapter, manifest }));
    }

    pub fn give(&mut self, names: &[&str]) -> u32 {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.tell(|session| session.give(names, Vec::new()));
        self.fetches.last().expect("a file is fetched").0
    }

    pub fn arrives(&mut self, id: u32, name: &str) {
        self.at_hand = self.at_hand.max(Some(id));
        self.tell(|session| session.fetched(id, Ok(name.to_owned())));
    }

    /// The row that is fetched in the background arrives: its number.
    pub fn row_arrives(&mut self, name: &str) -> u32 {
        let (id, _) = *self.row_fetches.last().expect("a row is fetched");
        self.row_at_hand = Some(id);
        self.tell(|session| session.row_fetched(id, Ok(name.to_owned())));
        id
    }

    /// The number and file of the reading that was asked for last.
    pub fn reading(&self) -> (u32, String) {
        let mut requests = self.requests.iter().rev();
        let read = requests.find_map(|request| match request {
            Request::Read { id, file, .. } => Some((*id, file.clone())),
            _ => None,
        });
        read.expect("nothing is read")
    }

    pub fn answer(&mut self, answer: Answer) {
        self.tell(|session| session.hear(answer));
    }

    /// Gives a file, which is read.
    pub fn open(&mut self, name: &str) -> u32 {
        let id = self.give(&[name]);
        self.arrives(id, name);
        let (id, _) = self.reading();
        self.answer(read(id, name));
        assert_eq!(self.session.status(), Status::Ready);
        id
    }

    pub fn shown(&self) -> Option<String> {
        let picture = self.session.picture()?;
        Some(picture.report.image.file.clone())
    }

    pub fn complaint(&self) -> String {
        self.session.problems().join(" ")
    }
}

pub fn report(file: &str) -> Report {
    let manifest = manifest();
    let cells = HeatMap {
        width: 1,
        height: 1,
        values: vec![1.0],
    };
    let count = manifest.findings.len();
    let probabilities = (0..count).map(|index| manifest.probability(Output(index), index as f32));
    let reading = Reading {
        logits: vec![0.0; count],
        probabilities: probabilities.collect(),
        evidence: vec![cells; count],
        branches: vec![Vec::new(); count],
        bias: vec![0.0; count],
        odd: None,
        region: Region {
            x: 0.0,
            y: 0.0,
            width: 1.0,
            height: 1.0,
        },
        float16: false,
    };
    // A grey picture as a bitmap: the smallest that is one, with all levels.
    let pixels: Vec<u8> = (0..=255).collect();
    let radiograph = Radiograph::decode(&bitmap(16, &pixels)).expect("a picture");
    let timings = Timings::default();
    Report::new(
        &manifest,
        &radiograph,
        file,
        String::new(),
        &reading,
        "CPU",
        timings,
    )
}

/// A square bitmap of 8 bits (BMP), whose rows begin at the bottom.
fn bitmap(side: u8, pixels: &[u8]) -> Vec<u8> {
    let side = u32::from(side);
    let start = 14 + 40 + 4 * 256;
    let mut file = b"BM".to_vec();
    for number in [
        start + side * side,
        0,
        start,
        40,
        side,
        side,
        1 | 8 << 16,
        0,
        0,
        0,
        0,
        256,
        0,
    ] {
        file.extend(number.to_le_bytes());
    }
    file.extend((0..=255u8).flat_map(|grey| [grey, grey, grey, 0]));
    file.extend(pixels);
    file
}

pub fn read(id: u32, file: &str) -> Answer {
    reading(id, &report(file))
}

pub fn reading(id: u32, report: &Report) -> Answer {
    Answer::Read {
        id,
        report: Box::new(report.clone()),
        preview: GreyImage {
            width: 1,
            height: 1,
            pixels: vec![0],
        },
        study: None,
    }
}

pub fn lime(id: u32, options: &lime::Options, done: bool) -> Answer {
    let samples = if done { options.samples } else { 10 };
    lime_after(id, options, samples, done)
}

/// An explanation on its way.
pub fn lime_of(id: u32, options: &lime::Options, samples: usize) -> Answer {
    lime_after(id, options, samples, false)
}

fn lime_after(id: u32, options: &lime::Options, samples: usize, done: bool) -> Answer {
    let finding = FindingLime {
        coefficients: vec![0.5],
        margins: vec![0.1],
        intercept: 0.0,
        r_squared: 1.0,
    };
    let explanation = lime::Explanation {
        options: options.clone(),
        samples,
        stable: done,
        segments: Segments {
            width: 1,
            height: 1,
            labels: vec![0],
            count: 1,
        },
        findings: vec![Some(finding); 14],
    };
    Answer::Explained {
        id,
        done,
        explanation: Box::new(Explanation::Lime(explanation)),
    }
}

/// Why nothing can be done, in these tests.
fn why() -> Reason {
    Reason::Radiograph("It cannot be done.".to_owned())
}

pub fn refused_model() -> Answer {
    Answer::Refused(Refusal::Model(why()))
}

pub fn refused_file(id: u32) -> Answer {
    Answer::Refused(Refusal::File { id, why: why() })
}

pub fn refused_job(id: u32) -> Answer {
    Answer::Refused(Refusal::Job { id, why: why() })
}
