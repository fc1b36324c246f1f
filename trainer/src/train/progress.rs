//! What a training says while it runs: a dashboard in a terminal, else a line a minute.

use std::time::{Duration, Instant};

use super::dashboard::{Dashboard, Point, View};
use crate::history::Epoch;

/// Between two plain lines.
const INTERVAL: Duration = Duration::from_secs(60);
/// What the latest batch counts in the time that a batch takes.
const LATEST: f64 = 0.1;
/// The dashboard's last line while batches go through.
const USUAL: &str = "Ctrl-C saves and stops";

pub struct Progress {
    dashboard: Option<Dashboard>,
    view: View,
    /// Seconds for a batch; 0 before the first.
    batch_seconds: f64,
    said: Instant,
}

/// A batch that is done.
pub struct Done {
    pub pictures: usize,
    pub time: Duration,
    /// The epoch so far: batches done, and their mean loss.
    pub batches: usize,
    pub loss: f64,
    pub learning_rate: f64,
}

impl Progress {
    pub fn open(title: String, device: String, epochs: usize, history: &[Epoch]) -> Self {
        let view = View {
            title,
            device,
            epochs,
            history: history.iter().map(point).collect(),
            note: USUAL,
            ..View::default()
        };
        Self {
            dashboard: Dashboard::open(),
            view,
            batch_seconds: 0.0,
            said: Instant::now(),
        }
    }

    pub fn is_dashboard(&self) -> bool {
        self.dashboard.is_some()
    }

    /// An epoch (from 1) begins, or goes on after so many of its batches.
    pub fn begin(&mut self, epoch: usize, batch: usize, batches: usize) {
        (self.view.epoch, self.view.batch, self.view.batches) = (epoch, batch, batches);
        self.note(USUAL);
    }

    pub fn batch(&mut self, done: &Done) {
        let seconds = done.time.as_secs_f64();
        self.batch_seconds = match self.batch_seconds {
            0.0 => seconds,
            mean => mean + LATEST * (seconds - mean),
        };
        let view = &mut self.view;
        view.batch = done.batches;
        view.loss = done.loss;
        view.learning_rate = done.learning_rate;
        view.images_per_second = done.pictures as f64 / self.batch_seconds.max(1e-9);
        view.seconds_left = self.batch_seconds * (view.batches - view.batch) as f64;
        let epochs = view.epochs.saturating_sub(view.epoch);
        view.run_seconds_left =
            view.seconds_left + self.batch_seconds * (view.batches * epochs) as f64;
        self.show();
        if self.dashboard.is_none() && self.said.elapsed() > INTERVAL {
            let view = &self.view;
            println!(
                "epoch {}: {}/{}, loss {:.4}, {:.1} images/s",
                view.epoch, view.batch, view.batches, view.loss, view.images_per_second
            );
            self.said = Instant::now();
        }
    }

    /// An epoch is done.
    pub fn epoch(&mut self, epoch: &Epoch) {
        self.view.history.push(point(epoch));
        self.say(&format!(
            "epoch {}: loss {:.4}, validation AUC {:.4}, {:.0} s",
            epoch.epoch, epoch.train_loss, epoch.valid_auc, epoch.seconds
        ));
    }

    /// What is under way, where there is a dashboard.
    pub fn note(&mut self, note: &'static str) {
        self.view.note = note;
        self.show();
    }

    /// A line that stays.
    fn say(&mut self, line: &str) {
        match &mut self.dashboard {
            Some(dashboard) => dashboard.say(line),
            None => println!("{line}"),
        }
    }

    fn show(&mut self) {
        if let Some(dashboard) = &mut self.dashboard
            && !dashboard.show(&self.view)
        {
            // The terminal is gone.
            self.dashboard = None;
        }
    }
}

fn point(epoch: &Epoch) -> Point {
    Point {
        train_loss: epoch.train_loss,
        valid_auc: epoch.valid_auc,
    }
}
