//! What is asked of the radiograph that is shown: maps, measurements, painting; and cancelling.

use sightline_core::explain::fill::Fill;
use sightline_core::explain::method::{Asking, Method};
use sightline_core::trust::erase::{Erased, Spot};
use sightline_session::messages::{Answer, Progress, Request, Step};
use sightline_session::session::{Remedy, Session, Status};

use super::page::*;

fn spot(x: f32) -> Spot {
    Spot {
        x,
        y: 0.5,
        radius: 0.1,
    }
}

/// The engine's answer to what was painted last.
fn probed(page: &Page) -> Answer {
    let asked = page
        .requests
        .iter()
        .rev()
        .find_map(|request| match request {
            Request::Probe { id, mask, fill } => Some((*id, mask.clone(), *fill)),
            _ => None,
        });
    let (id, spots, fill) = asked.expect("scores are asked for");
    let erased = Erased {
        fill,
        spots,
        probabilities: vec![Some(0.5); 14],
    };
    Answer::Probed { id, erased }
}

fn probes(page: &Page) -> usize {
    let probes = page.requests.iter();
    probes
        .filter(|request| matches!(request, Request::Probe { .. }))
        .count()
}

fn erased(page: &Page) -> Option<Erased> {
    page.session
        .picture()
        .expect("a picture")
        .report
        .erased
        .clone()
}

#[test]
fn places_that_are_painted_while_scores_are_on_their_way_are_scored_after_them() {
    let mut page = Page::loaded();
    page.open("a.png");
    page.tell(|session| session.erase(|spots| spots.push(spot(0.2))));
    page.tell(|session| session.erase(|spots| spots.push(spot(0.4))));
    assert_eq!(
        probes(&page),
        1,
        "the engine works for the newest request only"
    );
    let answer = probed(&page);
    page.answer(answer);
    assert_eq!(probes(&page), 2);
    let answer = probed(&page);
    page.answer(answer);
    assert_eq!(probes(&page), 2);
    assert_eq!(erased(&page).expect("scores").spots.len(), 2);
}

#[test]
fn undoing_all_places_forgets_their_scores() {
    let mut page = Page::loaded();
    page.open("a.png");
    page.tell(|session| session.erase(|spots| spots.push(spot(0.2))));
    let answer = probed(&page);
    page.answer(answer);
    assert!(erased(&page).is_some());
    page.tell(|session| session.erase(Vec::clear));
    assert_eq!(erased(&page), None);
    // Scores that were on their way are of places that are not painted any more.
    page.tell(|session| session.erase(|spots| spots.push(spot(0.2))));
    let late = probed(&page);
    page.tell(|session| session.erase(Vec::clear));
    page.answer(late);
    assert_eq!(erased(&page), None);
}

#[test]
fn another_fill_is_another_question() {
    let mut page = Page::loaded();
    page.open("a.png");
    page.tell(|session| session.choose_fill(Fill::Grey(0)));
    assert_eq!(probes(&page), 0, "nothing is painted");
    page.tell(|session| session.erase(|spots| spots.push(spot(0.2))));
    let answer = probed(&page);
    page.answer(answer);
    page.tell(|session| session.choose_fill(Fill::Grey(128)));
    let answer = probed(&page);
    page.answer(answer);
    assert_eq!(erased(&page).expect("scores").fill, Fill::Grey(128));
}

#[test]
fn a_map_is_measured_once_and_not_while_something_else_is_made() {
    let mut page = Page::new();
    page.tell(Session::measure);
    page.ready(cpu());
    page.tell(Session::measure);
    let measured = |page: &Page| {
        let requests = page.requests.iter();
        requests
            .filter(|r| matches!(r, Request::Measure { .. }))
            .count()
    };
    assert_eq!(measured(&page), 0, "there is no map");
    page.open("a.png");
    page.tell(Session::measure);
    page.tell(Session::measure);
    assert_eq!(measured(&page), 1);
}

#[test]
fn cancelling_a_job_leaves_the_picture_and_tells_the_engine() {
    let mut page = Page::loaded();
    page.open("a.png");
    page.tell(|session| session.explain_by(Method::Lime));
    assert_eq!(page.session.status(), Status::Explaining);
    page.tell(Session::cancel);
    assert!(matches!(page.requests.last(), Some(Request::Cancel)));
    assert_eq!(page.session.status(), Status::Ready);
    assert_eq!(page.shown().as_deref(), Some("a.png"));
    // Without a map of LIME there is Grad-CAM's.
    assert_eq!(page.session.method(), Method::GradCam);
}

#[test]
fn lime_that_was_cancelled_on_its_way_keeps_what_is_known() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    page.tell(|session| session.explain_by(Method::Lime));
    let options = page.session.settings().lime.clone();
    page.answer(lime(id, &options, false));
    page.tell(Session::cancel);
    assert_eq!(page.session.method(), Method::Lime);
    let picture = page.session.picture().expect("the picture");
    let lime = picture.report.explanations.lime.as_ref();
    assert_eq!(lime.map(|lime| lime.samples), Some(10));
    // What the engine had sent before it heard of that is what it measures: the page has it, too.
    page.answer(lime_of(id, &options, 40));
    let picture = page.session.picture().expect("the picture");
    let lime = picture.report.explanations.lime.as_ref();
    assert_eq!(lime.map(|lime| lime.samples), Some(40));
    assert_eq!(page.session.status(), Status::Ready);
}

#[test]
fn cancelling_the_reading_leaves_nothing_and_its_late_answer_shows_nothing() {
    let mut page = Page::loaded();
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    let (id, _) = page.reading();
    page.tell(Session::cancel);
    assert_eq!(page.session.status(), Status::Idle);
    page.answer(read(id, "a.png"));
    assert_eq!(page.shown(), None);
}

#[test]
fn cancelling_the_loading_can_be_taken_back() {
    let mut page = Page::new();
    page.tell(Session::cancel);
    assert_eq!(page.session.status(), Status::Error);
    assert_eq!(page.session.remedy(), Some(Remedy::LoadAgain));
    let starts = page.starts;
    page.tell(Session::load_again);
    assert_eq!(
        (page.starts, page.session.status()),
        (starts + 1, Status::Loading)
    );
    page.ready(cpu());
    assert_eq!(page.session.status(), Status::Idle);
}

#[test]
fn cancelling_where_nothing_is_done_does_nothing() {
    let mut page = Page::loaded();
    page.tell(Session::cancel);
    assert_eq!(page.session.status(), Status::Idle);
    page.open("a.png");
    let requests = page.requests.len();
    page.tell(Session::cancel);
    assert_eq!(page.requests.len(), requests);
    assert_eq!(page.shown().as_deref(), Some("a.png"));
}

#[test]
fn a_list_of_models_that_cannot_be_fetched_is_fetched_again() {
    let mut session = Session::new(sightline_session::messages::DeviceChoice::Best);
    let fetches = |session: &mut Session| {
        let effects = session.effects();
        let fetch = |effect: &&sightline_session::session::Effect| {
            matches!(effect, sightline_session::session::Effect::FetchList)
        };
        effects.iter().filter(fetch).count()
    };
    assert_eq!(fetches(&mut session), 1);
    session.list(Err("The list cannot be fetched.".to_owned()));
    assert_eq!(session.status(), Status::Error);
    assert!(session.problems()[0].contains("cannot be fetched"));
    session.load_again();
    assert_eq!(
        (fetches(&mut session), session.status()),
        (1, Status::Loading)
    );
}

#[test]
fn the_findings_are_walked_through_from_the_highest_score_down() {
    let mut page = Page::loaded();
    page.open("a.png");
    let order = page.session.picture().expect("the picture").trained();
    assert_eq!(page.session.selected(), order.first().copied());
    page.tell(|session| session.select_by(1));
    assert_eq!(page.session.selected(), Some(order[1]));
    page.tell(|session| session.select_by(100));
    assert_eq!(page.session.selected(), order.last().copied());
    page.tell(|session| session.select_by(-1));
    assert_eq!(page.session.selected(), Some(order[order.len() - 2]));
}

#[test]
fn progress_is_said_of_what_is_under_way_only() {
    let mut page = Page::loaded();
    let progress = || {
        Answer::Progress(Progress {
            step: Step::Explain,
            done: 1,
            total: 2,
        })
    };
    page.answer(progress());
    assert!(page.session.progress().is_none(), "nothing is under way");
    let id = page.open("a.png");
    page.tell(|session| session.explain_by(Method::Lime));
    page.answer(progress());
    assert!(page.session.progress().is_some());
    page.answer(refused_job(id));
    assert!(page.session.progress().is_none());
}

#[test]
fn a_card_is_shown_while_a_map_is_made_and_ends_nothing() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    page.tell(|session| session.explain_by(Method::Lime));
    let options = page.session.settings().lime.clone();
    page.tell(|session| session.show_card(Ok("# A card".to_owned()), "models/one".to_owned()));
    assert!(matches!(page.requests.last(), Some(Request::Card { .. })));
    page.answer(Answer::Card("<h1>A card</h1>".to_owned()));
    assert_eq!(page.session.card(), &(1, "<h1>A card</h1>".to_owned()));
    assert_eq!(page.session.status(), Status::Explaining);
    page.answer(lime(id, &options, true));
    assert_eq!(page.session.status(), Status::Ready);
    // One that cannot be had says so, each time that it is asked for.
    for opened in [2, 3] {
        let gone = || Err("it is gone".to_owned());
        page.tell(|session| session.show_card(gone(), "models/one".to_owned()));
        let (times, said) = page.session.card();
        assert!(
            *times == opened && said.contains("it is gone"),
            "{times} {said}"
        );
    }
    // What comes late, of a model that is not chosen any more, is not shown.
    let cards = |page: &Page| {
        let asked = page.requests.iter();
        asked
            .filter(|request| matches!(request, Request::Card { .. }))
            .count()
    };
    page.tell(|session| session.show_card(Ok("# B".to_owned()), "models/two".to_owned()));
    assert_eq!((cards(&page), page.session.card().0), (1, 3));
}

/// The last request to measure: how its map was made, and the other one's.
fn measured(page: &Page) -> (Option<Asking>, Option<Asking>) {
    match page.requests.last() {
        Some(Request::Measure { map, other, .. }) => (map.clone(), other.clone()),
        other => panic!("nothing is measured: {other:?}"),
    }
}

#[test]
fn the_map_in_view_is_measured_beside_another_that_was_made() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    page.tell(Session::measure);
    assert_eq!(measured(&page), (None, None));
    page.answer(refused_job(id));
    page.tell(|session| session.explain_by(Method::Lime));
    let asking = page.session.settings().asking(Method::Lime);
    let options = page.session.settings().lime.clone();
    page.answer(lime(id, &options, true));
    page.tell(Session::measure);
    assert_eq!(measured(&page), (asking.clone(), None));
    page.answer(refused_job(id));
    page.tell(|session| session.explain_by(Method::GradCam));
    page.tell(Session::measure);
    assert_eq!(measured(&page), (None, asking));
}

#[test]
fn every_method_is_asked_for_by_its_name_and_keeps_its_own_map() {
    let mut page = Page::loaded();
    page.open("a.png");
    for method in Method::ALL {
        page.tell(|session| session.explain_by(*method));
        let asked = match page.requests.last() {
            Some(Request::Explain { asking, .. }) => asking.method(),
            _ => Method::GradCam,
        };
        assert_eq!((asked, page.session.method()), (*method, *method));
        let shown = page.session.picture().expect("the picture");
        let map = shown.map(2, *method, None, page.session.settings());
        assert_eq!(map.is_some(), *method == Method::GradCam, "{method}");
        page.tell(Session::cancel);
    }
}

#[test]
fn work_on_one_method_leaves_the_view_of_another() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    page.tell(|session| session.explain_by(Method::Lime));
    let options = page.session.settings().lime.clone();
    page.answer(lime(id, &options, true));
    // Another is being made, and the reader looks at what is there meanwhile.
    page.tell(|session| session.explain_by(Method::ALL[2]));
    page.tell(|session| session.explain_by(Method::Lime));
    assert_eq!(page.session.making(), Some(Method::ALL[2]));
    page.tell(Session::cancel);
    assert_eq!(page.session.method(), Method::Lime);
    assert_eq!(page.session.making(), None);
    page.tell(|session| session.explain_by(Method::ALL[2]));
    page.tell(|session| session.explain_by(Method::Lime));
    page.answer(refused_job(id));
    assert_eq!(page.session.method(), Method::Lime);
}

#[test]
fn work_ends_though_other_settings_were_chosen_while_another_method_was_in_view() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    page.tell(|session| session.explain_by(Method::Lime));
    let options = page.session.settings().lime.clone();
    page.tell(|session| session.explain_by(Method::GradCam));
    page.tell(|session| session.choose(|settings| settings.lime.samples = 300));
    assert_eq!(page.session.status(), Status::Explaining);
    page.answer(lime(id, &options, true));
    assert_eq!(page.session.status(), Status::Ready);
    // A map of other options than those that are chosen is not shown.
    let picture = page.session.picture().expect("a picture");
    assert!(picture.report.explanations.all().is_empty());
}

#[test]
fn a_file_goes_with_the_request_to_read_it_and_with_no_other() {
    let mut page = Page::loaded();
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    assert_eq!(page.files, [id]);
    let (reading, _) = page.reading();
    page.answer(read(reading, "a.png"));
    page.tell(|session| session.explain_by(Method::Lime));
    // Another model reads the same file.
    page.tell(|session| session.load("two"));
    page.ready(cpu());
    assert_eq!(page.files, [id, id]);
}

#[test]
fn a_manifest_that_contradicts_itself_loads_no_model() {
    let mut page = Page::new();
    let mut manifest = manifest();
    manifest.findings.clear();
    page.tell(|session| {
        session.hear(Answer::Ready {
            adapter: cpu(),
            manifest: Box::new(manifest),
        });
    });
    assert_eq!(page.session.status(), Status::Error);
    assert!(
        page.complaint().contains("lists no finding"),
        "{}",
        page.complaint()
    );
}
