//! Models that are dropped into the page.

use sightline_session::messages::{Answer, KeptModel, PackagePlace, Reason, Refusal, Request};
use sightline_session::session::{End, Session, Status, is_weights};

use super::page::*;

fn files() -> Vec<(String, u64)> {
    vec![("CheXNet.pth.tar".to_owned(), 28_000_000)]
}

fn fields(title: &str) -> Vec<(String, String)> {
    vec![("title".to_owned(), title.to_owned())]
}

/// The number of the last look, or of the last that a package was asked for.
fn asked(page: &Page) -> u32 {
    match page.requests.last() {
        Some(Request::Look { id, .. } | Request::Keep { id, .. }) => *id,
        other => panic!("{other:?}"),
    }
}

fn kept(name: &str) -> KeptModel {
    KeptModel {
        name: name.to_owned(),
        hash: format!("{name}0123456789"),
    }
}

/// What a page has for a model that it is to look over.
fn reviewed(page: &mut Page) -> u32 {
    page.tell(|session| session.drop_model(files()));
    let id = asked(page);
    page.answer(Answer::Proposed {
        id,
        form: "<p>fields</p>".to_owned(),
    });
    id
}

fn names(page: &Page) -> Vec<&str> {
    let models = page.session.models().iter();
    models.map(|entry| entry.name.as_str()).collect()
}

#[test]
fn weights_are_told_from_radiographs_by_their_names() {
    for name in [
        "a.pth",
        "B.PT",
        "x/y/model.safetensors",
        "m-7.pth.tar",
        "c.ckpt",
        "k.h5",
    ] {
        assert!(is_weights(name), "{name}");
    }
    for name in [
        "a.png",
        "pth",
        "x.pth.png",
        "a.dcm",
        "IM0001",
        "a.tar",
        "a.zip",
    ] {
        assert!(!is_weights(name), "{name}");
    }
}

#[test]
fn a_dropped_model_is_looked_over_kept_and_loaded() {
    let mut page = Page::loaded();
    page.open("a.png");
    reviewed(&mut page);
    let review = page.session.review().expect("a review");
    assert_eq!((&*review.file, review.busy), ("CheXNet.pth.tar", false));
    assert_eq!(review.form, "<p>fields</p>");
    // The radiograph is as it was.
    assert_eq!(page.session.status(), Status::Ready);
    page.tell(|session| session.accept_model(fields("Mine")));
    assert!(page.session.review().is_some_and(|review| review.busy));
    let Some(Request::Keep { files: sent, .. }) = page.requests.last() else {
        panic!("{:?}", page.requests.last());
    };
    assert_eq!(*sent, files());
    let new = kept("mine");
    page.answer(Answer::Keeps {
        models: vec![new.clone()],
        added: Some(new.hash.clone()),
    });
    assert!(page.session.review().is_none());
    assert_eq!(names(&page), ["one", "two", "mine"]);
    assert_eq!(page.session.model(), "mine");
    let Some(Request::Load { package, .. }) = page.requests.last() else {
        panic!("{:?}", page.requests.last());
    };
    let KeptModel { name, hash } = new;
    assert_eq!(*package, PackagePlace::Kept { name, hash });
    // The radiograph is read with it, and that nobody measured it is said.
    page.ready(cpu());
    let (id, file) = page.reading();
    page.answer(read(id, &file));
    let notices = page.session.notices().join(" ");
    let is_measured = manifest().evaluation.is_some();
    assert_eq!(
        notices.contains("Nothing is known of this model"),
        !is_measured
    );
}

#[test]
fn what_a_look_refuses_is_said_and_what_a_form_refuses_leaves_the_form() {
    let mut page = Page::loaded();
    page.tell(|session| session.drop_model(files()));
    let id = asked(&page);
    let refused = |id, why: &str| {
        Answer::Refused(Refusal::Weights {
            id,
            why: Reason::Weights(why.to_owned()),
        })
    };
    page.answer(refused(id, "it is TorchScript"));
    assert_eq!(page.complaint(), "CheXNet.pth.tar: it is TorchScript.");
    assert!(page.session.review().is_none());
    assert_eq!(page.session.status(), Status::Idle);
    reviewed(&mut page);
    assert_eq!(page.complaint(), "");
    page.tell(|session| session.accept_model(fields("")));
    page.answer(refused(
        asked(&page),
        "two outputs are named, and the network has 14",
    ));
    assert!(
        page.complaint().contains("two outputs"),
        "{}",
        page.complaint()
    );
    let review = page.session.review().expect("the form");
    assert!(!review.busy && !review.form.is_empty());
}

#[test]
fn answers_about_a_model_that_was_left_or_looked_at_again_come_too_late() {
    let mut page = Page::loaded();
    let first = reviewed(&mut page);
    page.tell(|session| session.look_at_model(fields("x")));
    page.answer(Answer::Proposed {
        id: first,
        form: "late".to_owned(),
    });
    assert_eq!(
        page.session.review().map(|review| &*review.form),
        Some("<p>fields</p>")
    );
    page.tell(Session::leave_model);
    let id = asked(&page);
    page.answer(Answer::Proposed {
        id,
        form: "late".to_owned(),
    });
    assert!(page.session.review().is_none());
    // The next has a number that none of them had.
    assert!(reviewed(&mut page) > id);
}

#[test]
fn an_engine_that_ends_at_a_model_is_started_again_and_the_file_named() {
    let mut page = Page::loaded();
    page.tell(|session| session.drop_model(files()));
    page.tell(|session| session.ended(End::Died("no memory".to_owned())));
    assert!(
        page.complaint().contains("CheXNet.pth.tar"),
        "{}",
        page.complaint()
    );
    assert_eq!(page.session.status(), Status::Loading);
    assert!(page.session.review().is_none());
    // A file that no browser has room for is not tried.
    page.ready(cpu());
    let asked = page.requests.len();
    page.tell(|session| session.drop_model(vec![("huge.ckpt".to_owned(), 5 << 30)]));
    assert_eq!(page.requests.len(), asked);
    assert!(
        page.complaint().contains("5120 MiB"),
        "{}",
        page.complaint()
    );
}

#[test]
fn kept_models_are_listed_after_the_servers_and_the_chosen_one_can_be_deleted() {
    let mut page = Page::loaded();
    page.answer(Answer::Keeps {
        models: vec![kept("mine"), kept("one")],
        added: None,
    });
    // No two models have one name.
    assert_eq!(names(&page), ["one", "two", "mine", "one-one012"]);
    // The server's models are not deleted.
    let asked = page.requests.len();
    page.tell(Session::delete_model);
    assert_eq!(page.requests.len(), asked);
    page.tell(|session| session.load("mine"));
    page.ready(cpu());
    assert!(page.session.folder().is_err());
    page.tell(Session::delete_model);
    let Some(Request::Delete { hash }) = page.requests.last() else {
        panic!("{:?}", page.requests.last());
    };
    assert_eq!(*hash, kept("mine").hash);
    page.answer(Answer::Keeps {
        models: vec![kept("one")],
        added: None,
    });
    assert_eq!(names(&page), ["one", "two", "one-one012"]);
    assert_eq!(page.session.model(), "one");
    assert_eq!(page.session.status(), Status::Loading);
}
