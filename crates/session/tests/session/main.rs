//! The page's behaviour, without a browser: what happened goes in, what is shown and what is to be done comes out.

mod address;
mod dropped;
mod errand;
mod jobs;
mod maps;
mod page;
mod teaching;
mod validation;
mod vocabulary;
mod worklist;

use page::*;
use sightline_core::explain::method::Method;
use sightline_core::gate::{Judgement, Kind, Verdict};
use sightline_core::package::ModelEntry;
use sightline_core::radiograph::{Depth, DepthSource};
use sightline_core::report::Report;
use sightline_session::messages::{Answer, DeviceChoice, Progress, Request, Step};
use sightline_session::session::{End, Remedy, Session, Status};

// The picture given last.

#[test]
fn a_file_that_arrives_late_does_not_replace_the_one_given_after_it() {
    let mut page = Page::loaded();
    let slow = page.give(&["slow.png"]);
    let quick = page.give(&["quick.png"]);
    page.arrives(quick, "quick.png");
    let (id, _) = page.reading();
    page.answer(read(id, "quick.png"));
    page.arrives(slow, "slow.png");
    assert_eq!(page.shown().as_deref(), Some("quick.png"));
    assert_eq!(page.reading().1, "quick.png");
    // It is still at hand for another model.
    page.tell(|session| session.load("two"));
    page.ready(cpu());
    assert_eq!(page.reading().1, "quick.png");
    assert_eq!(page.files, [quick, quick]);
}

#[test]
fn a_file_that_turns_out_unreadable_late_leaves_the_one_given_after_it() {
    let mut page = Page::loaded();
    let slow = page.give(&["slow.png"]);
    page.open("quick.png");
    page.tell(|session| session.fetched(slow, Err("It is gone.".to_owned())));
    assert_eq!(page.shown().as_deref(), Some("quick.png"));
    assert_eq!(page.session.problems(), Vec::<String>::new());
}

#[test]
fn the_last_of_two_files_given_while_the_model_loads_is_read() {
    let mut page = Page::new();
    let first = page.give(&["first.png"]);
    let second = page.give(&["second.png"]);
    page.arrives(second, "second.png");
    page.arrives(first, "first.png");
    page.ready(cpu());
    assert_eq!(page.reading().1, "second.png");
}

#[test]
fn a_picture_is_gone_from_the_moment_another_is_given() {
    let mut page = Page::loaded();
    page.open("old.png");
    page.give(&["new.png"]);
    assert_eq!(page.shown(), None);
    assert_eq!(page.session.status(), Status::Reading);
}

#[test]
fn no_answer_for_one_picture_is_shown_beside_another() {
    let mut page = Page::loaded();
    let old = page.open("old.png");
    page.tell(|session| session.explain_by(Method::Lime));
    let options = page.session.settings().lime.clone();
    let new = page.open_while_explaining("new.png");
    // As they were on their way.
    page.answer(read(old, "old.png"));
    page.answer(lime(old, &options, true));
    page.answer(refused_job(old));
    page.answer(refused_file(old));
    let picture = page.session.picture().expect("the new picture");
    assert_eq!(picture.report.image.file, "new.png");
    assert!(picture.report.explanations.lime.is_none());
    assert_eq!(page.session.status(), Status::Explaining);
    page.answer(lime(new, &options, true));
    assert_eq!(page.session.status(), Status::Ready);
}

impl Page {
    fn open_while_explaining(&mut self, name: &str) -> u32 {
        let id = self.give(&[name]);
        self.arrives(id, name);
        let (id, _) = self.reading();
        self.answer(read(id, name));
        id
    }
}

#[test]
fn a_file_that_arrives_after_cancelling_is_not_read() {
    let mut page = Page::loaded();
    let id = page.give(&["slow.png"]);
    page.tell(Session::cancel);
    page.arrives(id, "slow.png");
    assert_eq!(page.session.status(), Status::Idle);
    assert!(
        !page
            .requests
            .iter()
            .any(|request| matches!(request, Request::Read { .. }))
    );
}

// Several files.

#[test]
fn of_several_files_the_first_readable_one_is_read_and_the_others_are_named() {
    let mut page = Page::loaded();
    let id = page.give(&["notes.txt", "a.png", "b.png"]);
    page.arrives(id, "notes.txt");
    let (id, _) = page.reading();
    page.answer(refused_file(id));
    let (id, index) = *page.fetches.last().expect("the next is fetched");
    assert_eq!(index, 1);
    page.arrives(id, "a.png");
    let (id, _) = page.reading();
    page.answer(read(id, "a.png"));
    assert_eq!(page.shown().as_deref(), Some("a.png"));
    let [notice] = page.session.notices().try_into().expect("one notice");
    assert!(
        notice.contains("notes.txt") && notice.contains("b.png"),
        "{notice}"
    );
}

#[test]
fn what_is_to_be_known_of_the_file_that_is_shown_is_said_beside_it() {
    let mut page = Page::loaded();
    let id = page.give(&["a.png", "b.png"]);
    page.arrives(id, "a.png");
    let (id, _) = page.reading();
    let mut report = report("a.png");
    report.image.notices = vec!["12 bits, as far as the pixels tell.".to_owned()];
    page.answer(reading(id, &report));
    let [first, second] = page.session.notices().try_into().expect("two notices");
    assert!(
        first.starts_with("12 bits") && second.contains("b.png"),
        "{first} {second}"
    );
}

// The gate.

#[test]
fn scores_of_a_picture_that_the_gate_stopped_are_shown_and_explained_only_when_asked_for() {
    let mut page = Page::loaded();
    page.tell(|session| session.explain_by(Method::Lime));
    let mut odd = report("turned.png");
    odd.gate = Some(Judgement {
        verdict: Verdict::Stop,
        kind: Some(Kind::Turned),
        value: Some(0.99),
        why: "It looks turned.".to_owned(),
    });
    let explains = |page: &Page| {
        let requests = page.requests.iter();
        requests
            .filter(|request| matches!(request, Request::Explain { .. }))
            .count()
    };
    let open = |page: &mut Page, report: &Report| {
        let id = page.give(&["turned.png"]);
        page.arrives(id, "turned.png");
        let (id, _) = page.reading();
        page.answer(reading(id, report));
    };
    open(&mut page, &odd);
    assert!(!page.session.shows_scores());
    assert_eq!(page.session.status(), Status::Ready);
    assert_eq!(explains(&page), 0);
    page.tell(Session::show_scores);
    assert!(page.session.shows_scores());
    assert_eq!(explains(&page), 1);
    // Wanted of that picture, with another model too, and of no other.
    page.tell(|session| session.load("two"));
    page.ready(cpu());
    let (id, _) = page.reading();
    page.answer(reading(id, &odd));
    assert!(page.session.shows_scores());
    open(&mut page, &odd);
    assert!(!page.session.shows_scores());
    odd.gate = odd.gate.map(|gate| Judgement {
        verdict: Verdict::Warn,
        ..gate
    });
    open(&mut page, &odd);
    assert!(page.session.shows_scores());
}

/// What the engine says of a file whose pixels alone tell its depth, read as it was asked to.
fn read_with_depth(page: &mut Page) -> Option<u8> {
    let asked = page
        .requests
        .iter()
        .rev()
        .find_map(|request| match request {
            Request::Read { id, depth, .. } => Some((*id, *depth)),
            _ => None,
        });
    let (id, chosen) = asked.expect("a reading");
    let mut report = report("a.png");
    let told_by = chosen.map_or(DepthSource::Pixels, |_| DepthSource::Choice);
    report.image.depth = Some(Depth {
        bits: chosen.unwrap_or(12),
        told_by,
        other: chosen.is_none().then_some(16),
    });
    page.answer(reading(id, &report));
    chosen
}

#[test]
fn scores_in_view_stay_in_view_when_another_depth_is_chosen() {
    let mut page = Page::loaded();
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    read_with_depth(&mut page);
    page.tell(|session| session.choose_depth(16));
    let (id, _) = page.reading();
    let mut dark = report("a.png");
    dark.gate = dark.gate.map(|gate| Judgement {
        verdict: Verdict::Stop,
        ..gate
    });
    page.answer(reading(id, &dark));
    assert!(page.session.shows_scores());
}

#[test]
fn where_the_file_does_not_tell_its_depth_both_readings_are_offered() {
    let mut page = Page::loaded();
    let depths = |page: &Page| page.session.depths().map(|d| (d.offered(), d.bits()));
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    assert_eq!(depths(&page), None);
    assert_eq!(read_with_depth(&mut page), None);
    assert_eq!(depths(&page), Some(([12, 16], 12)));
    // What is not offered, and what there is already, asks for nothing.
    let asked = page.requests.len();
    page.tell(|session| session.choose_depth(10));
    page.tell(|session| session.choose_depth(12));
    assert_eq!(page.requests.len(), asked);

    page.tell(|session| session.choose_depth(16));
    assert_eq!(page.session.status(), Status::Reading);
    assert_eq!(read_with_depth(&mut page), Some(16));
    assert_eq!(depths(&page), Some(([12, 16], 16)));
    // Another model reads it as it was chosen; another file as it says itself.
    page.tell(|session| session.load("two"));
    page.ready(cpu());
    assert_eq!(read_with_depth(&mut page), Some(16));
    page.tell(|session| session.choose_depth(12));
    assert_eq!(read_with_depth(&mut page), None);
    page.tell(|session| session.choose_depth(16));
    page.open("b.png");
    assert_eq!(depths(&page), None);
}

#[test]
fn a_depth_that_shows_nothing_is_said_and_the_picture_is_read_as_before() {
    let mut page = Page::loaded();
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    read_with_depth(&mut page);
    page.tell(|session| session.choose_depth(16));
    let (id, _) = page.reading();
    page.answer(refused_file(id));
    assert_eq!(read_with_depth(&mut page), None);
    assert_eq!(page.shown().as_deref(), Some("a.png"));
    assert!(page.session.complains());
}

#[test]
fn where_no_file_can_be_read_each_is_named() {
    let mut page = Page::loaded();
    let id = page.give(&["a.txt", "b.txt"]);
    page.tell(|session| session.fetched(id, Err("Not there.".to_owned())));
    let (id, _) = *page.fetches.last().expect("the next is fetched");
    page.tell(|session| session.fetched(id, Err("Not there.".to_owned())));
    assert_eq!(page.session.status(), Status::Error);
    let said = page.complaint();
    assert!(said.contains("a.txt") && said.contains("b.txt"), "{said}");
}

#[test]
fn a_folder_without_files_is_said_to_be_one_and_leaves_the_picture() {
    let mut page = Page::loaded();
    page.open("a.png");
    page.tell(|session| session.give(Vec::new(), vec!["patients".to_owned()]));
    assert_eq!(page.shown().as_deref(), Some("a.png"));
    assert!(
        page.complaint()
            .contains("The folder patients holds no file"),
        "{}",
        page.complaint()
    );
    assert_eq!(page.session.status(), Status::Ready);
    page.tell(Session::dismiss);
    assert_eq!(page.session.problems(), Vec::<String>::new());
}

// Refusals.

#[test]
fn a_refused_job_leaves_the_picture_and_the_next_one_is_done() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    page.tell(Session::measure);
    assert_eq!(page.session.status(), Status::Explaining);
    page.answer(refused_job(id));
    assert_eq!(page.session.status(), Status::Ready);
    assert_eq!(page.shown().as_deref(), Some("a.png"));
    assert_eq!(page.complaint(), "It cannot be done.");
    // The next thing to do takes the complaint away, and another model still has the file to read.
    page.tell(Session::measure);
    assert!(matches!(
        page.requests.last(),
        Some(Request::Measure { .. })
    ));
    assert_eq!(page.complaint(), "");
    page.tell(|session| session.load("two"));
    page.ready(cpu());
    assert_eq!(page.reading().1, "a.png");
}

#[test]
fn refused_painting_leaves_the_picture_without_scores_of_other_places() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    let spot = sightline_core::trust::erase::Spot {
        x: 0.5,
        y: 0.5,
        radius: 0.1,
    };
    page.tell(|session| session.erase(|spots| spots.push(spot)));
    assert!(matches!(page.requests.last(), Some(Request::Probe { .. })));
    page.answer(refused_job(id));
    assert_eq!(page.session.status(), Status::Ready);
    let picture = page.session.picture().expect("the picture");
    assert!(picture.report.erased.is_none());
}

#[test]
fn a_refused_file_while_a_model_loads_stays_said_and_loads_nothing_again() {
    let mut page = Page::new();
    let id = page.give(&["large.png"]);
    page.tell(|session| session.fetched(id, Err("It is too long.".to_owned())));
    assert_eq!(page.session.status(), Status::Loading);
    assert_eq!(page.complaint(), "It is too long.");
    // The next file does not start the model over.
    page.give(&["next.png"]);
    assert_eq!(page.starts, 1);
    let id = page.fetches.last().expect("it is fetched").0;
    page.tell(|session| session.fetched(id, Err("It is too long too.".to_owned())));
    page.ready(cpu());
    assert_eq!(page.complaint(), "It is too long too.");
    assert_eq!(page.session.status(), Status::Error);
    assert_eq!(page.starts, 1);
}

#[test]
fn what_cannot_be_done_stays_said_while_the_first_list_arrives() {
    let mut session = Session::new(DeviceChoice::Best);
    session.give(Vec::new(), vec!["patients".to_owned()]);
    let entry = ModelEntry {
        name: "one".to_owned(),
        path: None,
    };
    session.list(Ok(vec![entry]));
    assert!(session.complains());
    // Choosing a model is an answer to it.
    session.load("one");
    assert!(!session.complains());
}

#[test]
fn a_file_given_after_the_model_failed_loads_it_again() {
    let mut page = Page::new();
    page.answer(refused_model());
    assert_eq!(page.session.status(), Status::Error);
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    assert_eq!(page.starts, 2);
    page.ready(cpu());
    assert_eq!(page.reading().1, "a.png");
}

// Findings that were not trained.

#[test]
fn an_untrained_finding_is_never_selected() {
    let mut page = Page::loaded();
    page.open("a.png");
    let untrained = manifest().findings.iter().position(|card| !card.trained);
    let untrained = untrained.expect("the shipped model has some");
    let selected = page.session.selected();
    assert!(selected.is_some() && selected != Some(untrained));
    page.tell(|session| session.select(untrained));
    assert_eq!(page.session.selected(), selected);
    for step in [-1, 1] {
        for _ in 0..14 {
            page.tell(|session| session.select_by(step));
            assert_ne!(page.session.selected(), Some(untrained));
        }
    }
}

#[test]
fn of_a_model_that_was_trained_on_nothing_no_finding_is_selected_or_measured() {
    let mut page = Page::loaded();
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    let (id, _) = page.reading();
    let mut report = report("a.png");
    for finding in &mut report.findings {
        finding.trained = false;
        finding.probability = None;
    }
    page.answer(reading(id, &report));
    assert_eq!(page.session.selected(), None);
    page.tell(Session::measure);
    assert!(
        !page
            .requests
            .iter()
            .any(|request| matches!(request, Request::Measure { .. }))
    );
}

// LIME's controls and its map.

/// The map in view, and whether it is made as the controls say.
fn agrees(page: &Page) -> bool {
    let picture = page.session.picture().expect("a picture");
    let map = picture.map(0, page.session.method(), None, page.session.settings());
    let made = picture
        .report
        .explanations
        .lime
        .as_ref()
        .map(|lime| &lime.options);
    page.session.method() == Method::GradCam
        || map.is_none()
        || made == Some(&page.session.settings().lime)
}

#[test]
fn a_lime_map_is_never_shown_under_options_it_was_not_made_with() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    page.tell(|session| session.explain_by(Method::Lime));
    let first = page.session.settings().lime.clone();
    page.answer(lime(id, &first, true));
    page.tell(|session| session.choose(|settings| settings.lime.samples = 300));
    // Until the first of the new samples, the map is on its way.
    let picture = page.session.picture().expect("a picture");
    assert!(
        picture
            .map(2, Method::Lime, None, page.session.settings())
            .is_none()
    );
    // Answers to what was asked before.
    page.answer(lime(id, &first, true));
    assert!(agrees(&page));
    assert_eq!(page.session.status(), Status::Explaining);
    // Given up, or refused: the controls say again how the map in view was made.
    page.tell(Session::cancel);
    assert_eq!(page.session.settings().lime, first);
    let picture = page.session.picture().expect("a picture");
    assert!(
        picture
            .map(2, Method::Lime, None, page.session.settings())
            .is_some()
    );
    page.tell(|session| session.choose(|settings| settings.lime.samples = 300));
    page.answer(refused_job(id));
    assert_eq!(page.session.settings().lime, first);
    assert_eq!(page.session.status(), Status::Ready);
}

#[test]
fn lime_that_is_refused_with_nothing_to_show_gives_way_to_grad_cam_and_can_be_asked_again() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    page.tell(|session| session.explain_by(Method::Lime));
    page.answer(refused_job(id));
    assert_eq!(page.session.method(), Method::GradCam);
    page.tell(|session| session.explain_by(Method::Lime));
    assert_eq!(page.session.status(), Status::Explaining);
}

#[test]
fn samples_out_of_bounds_become_the_nearest_that_are_allowed() {
    let mut page = Page::loaded();
    page.open("a.png");
    for (asked, taken) in [(0, 50), (20, 50), (77, 77), (1_000_000, 10_000)] {
        page.tell(|session| session.choose(|settings| settings.lime.samples = asked));
        assert_eq!(page.session.settings().lime.samples, taken);
    }
}

// Engines that end.

#[test]
fn a_death_in_a_batch_halves_it() {
    let mut page = Page::new();
    page.ready(gpu());
    page.open("a.png");
    page.tell(|session| session.explain_by(Method::Lime));
    page.answer(Answer::Scoring(16));
    page.tell(|session| session.ended(End::Died("no memory".to_owned())));
    assert!(matches!(
        page.requests.last(),
        Some(Request::Load { at_once: 8, .. })
    ));
    // The picture is read again, and LIME made again.
    page.ready(gpu());
    let (id, file) = page.reading();
    assert_eq!(file, "a.png");
    page.answer(read(id, "a.png"));
    assert_eq!(page.session.status(), Status::Explaining);
}

#[test]
fn a_later_death_is_not_blamed_on_a_batch_that_failed() {
    let mut page = Page::new();
    page.ready(gpu());
    let id = page.open("a.png");
    page.tell(|session| session.explain_by(Method::Lime));
    page.answer(Answer::Scoring(16));
    page.answer(Answer::Scoring(0));
    page.answer(refused_job(id));
    page.tell(|session| session.ended(End::Died("lost".to_owned())));
    let fallback = page.session.fallback().unwrap_or_default();
    assert!(fallback.contains("continues on the CPU"), "{fallback}");
    let cpu_asked = |request: &Request| {
        matches!(
            request,
            Request::Load {
                device: DeviceChoice::Cpu,
                at_once: usize::MAX,
                ..
            }
        )
    };
    assert!(
        page.requests.last().is_some_and(cpu_asked),
        "{:?}",
        page.requests.last()
    );
}

#[test]
fn an_engine_that_ends_at_any_time_ends_the_waiting() {
    for end in [
        End::Silent,
        End::OtherVersion,
        End::NotLoaded("404".to_owned()),
        End::Died("a trap".to_owned()),
    ] {
        // While it loads, idles, reads, explains.
        let mut waiting = Vec::new();
        let mut page = Page::new();
        page.answer(Answer::Opened(cpu()));
        waiting.push(page);
        waiting.push(Page::loaded());
        let mut page = Page::loaded();
        let id = page.give(&["a.png"]);
        page.arrives(id, "a.png");
        waiting.push(page);
        let mut page = Page::loaded();
        page.open("a.png");
        page.tell(|session| session.explain_by(Method::Lime));
        waiting.push(page);
        for mut page in waiting {
            page.tell(|session| session.ended(end.clone()));
            assert_eq!(page.session.status(), Status::Error, "{end:?}");
            assert!(!page.complaint().is_empty());
            let other = end == End::OtherVersion;
            let remedy = if other {
                Remedy::ReloadPage
            } else {
                Remedy::LoadAgain
            };
            assert_eq!(page.session.remedy(), Some(remedy));
            assert!(page.session.progress().is_none());
        }
    }
}

#[test]
fn a_picture_is_read_again_after_the_engine_ended() {
    let mut page = Page::loaded();
    page.open("a.png");
    page.tell(|session| session.ended(End::Silent));
    assert_eq!(page.shown(), None);
    page.tell(Session::load_again);
    page.ready(cpu());
    assert_eq!(page.reading().1, "a.png");
}

#[test]
fn a_file_that_an_engine_did_not_survive_is_named_and_another_one_is_read() {
    let died = || End::Died("no memory".to_owned());
    let mut page = Page::loaded();
    let id = page.give(&["large.dcm"]);
    page.arrives(id, "large.dcm");
    page.tell(|session| session.ended(died()));
    assert!(
        page.complaint().contains("while it read large.dcm"),
        "{}",
        page.complaint()
    );
    let starts = page.starts;
    let id = page.give(&["small.png"]);
    page.arrives(id, "small.png");
    assert_eq!(page.starts, starts + 1, "nothing was loaded again");
    page.ready(cpu());
    let (id, name) = page.reading();
    assert_eq!(name, "small.png");
    page.answer(read(id, "small.png"));
    assert_eq!(page.session.problems(), Vec::<String>::new());
    // An engine that ends later did not end for this file.
    page.tell(|session| session.ended(died()));
    assert!(
        !page.complaint().contains("small.png"),
        "{}",
        page.complaint()
    );
}

#[test]
fn a_gpu_that_is_lost_at_any_time_is_replaced_by_the_cpu_and_the_picture_is_read() {
    let lost = || End::Died("the device is lost".to_owned());
    let mut idle = Page::new();
    idle.ready(gpu());
    idle.tell(|session| session.ended(lost()));
    let id = idle.give(&["a.png"]);
    idle.arrives(id, "a.png");
    let mut reading = Page::new();
    reading.ready(gpu());
    let id = reading.give(&["a.png"]);
    reading.arrives(id, "a.png");
    reading.tell(|session| session.ended(lost()));
    let mut shown = Page::new();
    shown.ready(gpu());
    shown.open("a.png");
    shown.tell(|session| session.ended(lost()));
    for mut page in [idle, reading, shown] {
        assert_eq!(page.session.status(), Status::Loading);
        let Some(Request::Load { device, .. }) = page.requests.last() else {
            panic!("{:?}", page.requests.last());
        };
        assert_eq!(*device, DeviceChoice::Cpu);
        page.ready(cpu());
        let (id, name) = page.reading();
        assert_eq!(name, "a.png");
        page.answer(read(id, "a.png"));
        assert_eq!(page.session.status(), Status::Ready);
        assert_eq!(page.session.problems(), Vec::<String>::new());
    }
}

#[test]
fn progress_of_work_that_was_given_up_is_not_shown() {
    let mut page = Page::loaded();
    page.answer(Answer::Progress(Progress {
        step: Step::Explain,
        done: 1,
        total: 2,
    }));
    assert!(page.session.progress().is_none());
}
