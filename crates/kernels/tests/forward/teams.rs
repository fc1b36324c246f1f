//! Passes and jobs of several threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sightline_kernels::ahead::{Ahead, Begun};
use sightline_kernels::team::{Sleep, Team};
use sightline_kernels::{Memory, Network};

use crate::reference::Random;

const SLEEP: Sleep = Sleep {
    wait: |_, _| thread::yield_now(),
    wake: |_| {},
};

/// Does something with a team whose helpers are threads.
fn with_team<T>(threads: usize, work: impl FnOnce(&Arc<Team>) -> T) -> T {
    let team = Arc::new(Team::new(threads, SLEEP));
    thread::scope(|scope| {
        for helper in 1..threads {
            let team = &team;
            // A helper that panics says so to the team.
            scope.spawn(move || catch_unwind(AssertUnwindSafe(|| team.help(helper))));
        }
        let done = work(&team);
        team.end();
        done
    })
}

/// Random weights by name, around 1 for normalisations.
fn network([family, variant]: [&str; 2], channels: usize) -> Network {
    let mut random = Random::new(3);
    let parameters = Network::parameters(family, variant, channels).expect("it is known");
    let all: Vec<_> = parameters
        .into_iter()
        .map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let scale = (6.0 / (count / shape[0]) as f32).sqrt();
            let values = random.values(count).into_iter().map(|x| match shape.len() {
                1 => 1.0 + 0.1 * x,
                _ => scale * x,
            });
            (name, (shape.clone(), values.collect::<Vec<_>>()))
        })
        .collect();
    let find = |wanted: &str| {
        let (_, (shape, values)) = all.iter().find(|(name, _)| name == wanted)?;
        Some((shape.clone(), values.clone()))
    };
    Network::new(family, variant, channels, &find).expect("all parameters are there")
}

#[test]
fn a_team_computes_what_one_thread_does() {
    let networks = [
        ["densenet", "121"],
        ["efficientnet", "lite0"],
        ["efficientnet", "b0"],
        ["mnasnet", "1_0"],
        ["vgg", "19_bn"],
    ];
    for name in networks {
        let network = Arc::new(network(name, 1));
        let size = [96, 75];
        let pictures = Random::new(4).values(2 * size[0] * size[1]);
        let alone = network.feature_maps(&pictures, size, &mut Memory::default());
        assert!(alone.values.iter().any(|x| *x > 0.0));
        for threads in [1, 2, 5] {
            with_team(threads, |team| {
                let mut memory = Memory::of(team.clone());
                for _ in 0..2 {
                    let maps = network.feature_maps(&pictures, size, &mut memory);
                    assert!(maps == alone, "{name:?}, {threads} threads");
                }
                let ahead = Ahead::of(team.clone());
                let begin = || {
                    let begun = ahead.begin(network.clone(), pictures.clone(), size);
                    begun.expect("there is nothing else to do")
                };
                let all: Vec<Begun> = (0..3).map(|_| begin()).collect();
                drop(begin());
                // Between, a picture of all threads together.
                assert!(network.feature_maps(&pictures, size, &mut memory) == alone);
                while !all[0].is_over() && all[1].help() {}
                for begun in all {
                    assert!(
                        begun.finish() == alone,
                        "{name:?}, ahead of {threads} threads"
                    );
                }
            });
        }
    }
}

#[test]
fn every_thread_of_a_team_comes() {
    with_team(4, |team| {
        for _ in 0..100 {
            let came = [const { AtomicUsize::new(0) }; 4];
            team.run(&|thread| {
                came[thread].fetch_add(1, SeqCst);
                while came.iter().any(|came| came.load(SeqCst) == 0) {
                    thread::yield_now();
                }
            });
            assert_eq!(came.map(AtomicUsize::into_inner), [1; 4]);
        }
    });
}

#[test]
fn helpers_that_do_not_come_are_not_waited_for() {
    // Nobody helps.
    let team = Team::new(3, SLEEP);
    let done = AtomicUsize::new(0);
    team.run(&|thread| {
        done.fetch_add(1 + thread, SeqCst);
    });
    assert_eq!(done.into_inner(), 1);
}

#[test]
fn of_open_jobs_the_first_is_done_first_and_no_more_are_taken_than_there_is_room_for() {
    let team = Arc::new(Team::new(2, SLEEP));
    let order = Arc::new(Mutex::new(Vec::new()));
    let open = |number: usize| {
        let order = order.clone();
        let job = move |thread| order.lock().expect("no panic").push((number, thread));
        team.open(Box::new(job))
    };
    // Nobody helps yet.
    let opened: Vec<_> = (0..16).map(|number| open(number).expect("room")).collect();
    assert!(open(16).is_none());
    // Nor is there room for this, which is done all the same.
    team.run(&|thread| assert_eq!(thread, 0));
    thread::scope(|scope| {
        scope.spawn(|| team.help(1));
        while order.lock().expect("no panic").len() < opened.len() {
            thread::yield_now();
        }
        team.end();
    });
    let expected: Vec<_> = (0..16).map(|number| (number, 1)).collect();
    assert_eq!(*order.lock().expect("no panic"), expected);
    for opened in opened {
        opened.finish();
    }
    assert_eq!(order.lock().expect("no panic").len(), 32);
    assert!(open(17).is_some());
}

#[test]
fn a_job_is_over_when_run_returns() {
    with_team(3, |team| {
        for _ in 0..20 {
            let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
            team.run(&|thread| {
                begun.fetch_add(1, SeqCst);
                if thread != 0 {
                    thread::sleep(Duration::from_millis(2));
                }
                ended.fetch_add(1, SeqCst);
            });
            assert_eq!(begun.into_inner(), ended.into_inner());
        }
    });
}

#[test]
fn a_helper_that_fails_is_told_of() {
    let failed = with_team(2, |team| {
        catch_unwind(AssertUnwindSafe(|| {
            let came = AtomicUsize::new(0);
            team.run(&|thread| {
                came.fetch_add(1, SeqCst);
                while came.load(SeqCst) < 2 {
                    thread::yield_now();
                }
                assert_eq!(thread, 0, "only the first thread is well");
            });
        }))
    });
    let said = failed.expect_err("a job of which a part is missing is not done");
    assert_eq!(said.downcast_ref(), Some(&"a helper failed"));
}
