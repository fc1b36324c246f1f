//! What the page's address asks for.

use sightline_session::messages::KeptModel;
use sightline_session::session::Wanted;

use super::*;

fn with(wanted: Wanted) -> Page {
    let mut page = Page::empty();
    let entry = |name: &str| ModelEntry {
        name: name.to_owned(),
        path: None,
    };
    page.tell(|session| session.begin_with(wanted));
    page.tell(|session| session.list(Ok(vec![entry("one"), entry("two")])));
    page
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_address_chooses_model_finding_and_method() {
    let mut page = with(Wanted {
        model: some("two"),
        method: some("lime"),
        finding: some("Edema"),
    });
    assert_eq!(page.session.model(), "two");
    page.ready(cpu());
    let id = page.give(&["a.png"]);
    page.arrives(id, "a.png");
    page.answer(read(page.reading().0, "a.png"));
    let picture = page.session.picture().expect("a picture");
    let selected = page.session.selected().expect("a finding");
    assert_eq!(picture.report.findings[selected].name.name(), "Edema");
    assert_ne!(
        picture.trained().first(),
        Some(&selected),
        "it is not the one that is shown anyway"
    );
    assert_eq!(page.session.making(), Some(Method::Lime));
    assert_eq!(page.session.problems(), Vec::<String>::new());
}

#[test]
fn what_is_not_there_is_said_and_the_page_begins_as_ever() {
    let mut page = with(Wanted {
        model: some("three"),
        ..Wanted::default()
    });
    assert_eq!(page.session.model(), "one");
    page.ready(cpu());
    assert!(page.complaint().contains("a model"), "{}", page.complaint());

    let mut page = with(Wanted {
        method: some("saliency"),
        finding: some("Beri-beri"),
        ..Wanted::default()
    });
    assert_eq!(page.session.method(), Method::GradCam);
    page.ready(cpu());
    assert!(page.complaint().contains("a method"));
    page.open("a.png");
    let trained = page.session.picture().expect("a picture").trained();
    assert_eq!(page.session.selected(), trained.first().copied());
}

#[test]
fn a_model_that_this_browser_keeps_is_loaded_once_the_engine_says_so() {
    let wanted = || Wanted {
        model: some("mine"),
        ..Wanted::default()
    };
    let keeps = || Answer::Keeps {
        models: vec![KeptModel {
            name: "mine".to_owned(),
            hash: "00ff".to_owned(),
        }],
        added: None,
    };
    let mut page = with(wanted());
    assert_eq!(page.session.model(), "one");
    assert!(page.complaint().contains("not there"));
    page.answer(keeps());
    assert_eq!(page.session.model(), "mine");
    assert_eq!(page.complaint(), "");
    // What was chosen meanwhile goes before it.
    let mut page = with(wanted());
    page.tell(|session| session.load("two"));
    page.answer(keeps());
    assert_eq!(page.session.model(), "two");
}
