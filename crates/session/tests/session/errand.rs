//! What a program asks of a session of its own, and what comes of it.

use sightline_session::errand::{Errand, UnderWay};

use super::*;

impl Page {
    /// Begins an errand and lets it ask.
    fn asks(&mut self, errand: Errand) -> UnderWay {
        let mut under_way = UnderWay::begin(&mut self.session, errand);
        self.tell(|session| under_way.go_on(session));
        under_way
    }

    /// Lets an errand see what happened.
    fn goes_on(&mut self, under_way: &mut UnderWay) -> Option<Result<(), String>> {
        self.tell(|session| under_way.go_on(session));
        under_way.outcome().cloned()
    }

    fn explained(&self) -> usize {
        let all = self.requests.iter();
        all.filter(|request| matches!(request, Request::Explain { .. }))
            .count()
    }

    fn measured(&self) -> usize {
        let all = self.requests.iter();
        all.filter(|request| matches!(request, Request::Measure { .. }))
            .count()
    }
}

#[test]
fn loading_ends_with_a_model_or_with_why_there_is_none() {
    let mut page = Page::new();
    let mut load = page.asks(Errand::Load);
    assert_eq!(load.outcome(), None);
    page.ready(cpu());
    assert_eq!(page.goes_on(&mut load), Some(Ok(())));

    let mut page = Page::new();
    let mut load = page.asks(Errand::Load);
    page.answer(refused_model());
    let Some(Err(why)) = page.goes_on(&mut load) else {
        panic!("it was refused");
    };
    assert_eq!(why, "It cannot be done.");
}

#[test]
fn a_reading_ends_with_its_report_also_after_its_engine_ended() {
    let mut page = Page::loaded();
    let id = page.give(&["a.png"]);
    let mut read_it = page.asks(Errand::Read);
    page.arrives(id, "a.png");
    assert_eq!(page.goes_on(&mut read_it), None);
    page.tell(|session| session.hear(Answer::Opened(gpu())));
    page.tell(|session| session.ended(End::Died("lost".to_owned())));
    assert_eq!(page.goes_on(&mut read_it), None);
    page.ready(cpu());
    let (id, _) = page.reading();
    page.answer(read(id, "a.png"));
    assert_eq!(page.goes_on(&mut read_it), Some(Ok(())));
    assert_eq!(page.shown().as_deref(), Some("a.png"));

    let id = page.give(&["b.png"]);
    let mut read_it = page.asks(Errand::Read);
    page.arrives(id, "b.png");
    page.answer(refused_file(page.reading().0));
    let outcome = page.goes_on(&mut read_it).expect("it was refused");
    assert!(outcome.expect_err("why").contains("It cannot be done."));
}

#[test]
fn maps_are_asked_for_once_and_again_where_their_engine_ended() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    let grad_cam = page.asks(Errand::Explain(Method::GradCam));
    assert_eq!(
        grad_cam.outcome(),
        Some(&Ok(())),
        "every reading has its maps"
    );

    let mut lime_maps = page.asks(Errand::Explain(Method::Lime));
    assert_eq!(page.goes_on(&mut lime_maps), None);
    assert_eq!(page.explained(), 1);
    let options = page.session.settings().lime.clone();
    page.answer(lime_of(id, &options, 10));
    assert_eq!(page.goes_on(&mut lime_maps), None, "there is more to come");
    page.tell(|session| session.hear(Answer::Opened(gpu())));
    page.tell(|session| session.ended(End::Died("lost".to_owned())));
    assert_eq!(page.goes_on(&mut lime_maps), None);
    page.ready(cpu());
    let (id, _) = page.reading();
    page.answer(read(id, "a.png"));
    assert_eq!(page.goes_on(&mut lime_maps), None);
    assert_eq!(page.explained(), 2);
    page.answer(lime(id, &options, true));
    assert_eq!(page.goes_on(&mut lime_maps), Some(Ok(())));
    let again = page.asks(Errand::Explain(Method::Lime));
    assert_eq!(again.outcome(), Some(&Ok(())));
    assert_eq!(page.explained(), 2, "they are there");
}

#[test]
fn a_refusal_ends_the_errand_and_the_next_one_may_succeed() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    let mut maps = page.asks(Errand::Explain(Method::Lime));
    page.answer(refused_job(id));
    let why = page.goes_on(&mut maps).expect("it was refused");
    assert_eq!(why, Err("It cannot be done.".to_owned()));
    let mut maps = page.asks(Errand::Explain(Method::Lime));
    assert_eq!(maps.outcome(), None);
    let options = page.session.settings().lime.clone();
    page.answer(lime(id, &options, true));
    assert_eq!(page.goes_on(&mut maps), Some(Ok(())));
}

#[test]
fn measuring_makes_the_map_first_and_says_of_an_untrained_finding_that_it_has_none() {
    let mut page = Page::loaded();
    let id = page.open("a.png");
    let trained = page.session.picture().expect("a picture").trained();
    let mut figures = page.asks(Errand::Measure(trained[1], Method::Lime));
    assert_eq!((page.explained(), page.measured()), (1, 0));
    let options = page.session.settings().lime.clone();
    page.answer(lime(id, &options, true));
    assert_eq!(page.goes_on(&mut figures), None);
    assert_eq!((page.explained(), page.measured()), (1, 1));
    let Some(Request::Measure { output, .. }) = page.requests.last() else {
        panic!("it is measured last");
    };
    assert_eq!(output.0, trained[1]);

    let count = page
        .session
        .picture()
        .map_or(0, |picture| picture.report.findings.len());
    let untrained = (0..count).find(|place| !trained.contains(place));
    page.answer(refused_job(id));
    let figures = page.asks(Errand::Measure(
        untrained.expect("one was not"),
        Method::GradCam,
    ));
    let Some(Err(why)) = figures.outcome() else {
        panic!("it has no map");
    };
    assert!(why.contains("not trained"), "{why}");
}

#[test]
fn without_a_radiograph_nothing_is_explained() {
    let mut page = Page::loaded();
    let maps = page.asks(Errand::Explain(Method::Lime));
    let Some(Err(why)) = maps.outcome() else {
        panic!("there is nothing to explain");
    };
    assert!(why.contains("read one first"), "{why}");
}
