//! What a terminal shows while a training runs: how far it is, and how loss and AUC went.
//!
//! It is drawn on stderr below what was printed before, without the alternate screen and without raw mode: Ctrl-C stays
//! a signal, and printed lines stay in the scrollback. The cursor stands visible in an empty row at the end, so that the
//! shell is usable whatever way the process ends.

use std::io::{self, BufWriter, IsTerminal, Stderr};
use std::time::{Duration, Instant};

use ratatui::backend::{Backend, ClearType, CrosstermBackend};
use ratatui::buffer::CellDiffOption;
use ratatui::layout::{Constraint, Layout, Rect, Size};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

/// Rows, with the cursor's.
const HEIGHT: u16 = 14;
const INTERVAL: Duration = Duration::from_millis(250);
/// The columns that one chart needs.
const CHART: u16 = 30;

/// What the dashboard shows.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub title: String,
    pub device: String,
    /// From 1.
    pub epoch: usize,
    pub epochs: usize,
    /// Batches of the epoch that are done.
    pub batch: usize,
    pub batches: usize,
    pub images_per_second: f64,
    /// The seconds that are left of the epoch.
    pub seconds_left: f64,
    /// The seconds that are left of all epochs.
    pub run_seconds_left: f64,
    /// The mean over the epoch so far.
    pub loss: f64,
    pub learning_rate: f64,
    /// The epochs that are done.
    pub history: Vec<Point>,
    /// The last line: what Ctrl-C does, or what is under way.
    pub note: &'static str,
}

/// One epoch.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub train_loss: f64,
    pub valid_auc: f64,
}

type Screen = Terminal<CrosstermBackend<BufWriter<Stderr>>>;

pub struct Dashboard {
    screen: Screen,
    size: Size,
    view: View,
    drawn: Instant,
}

impl Dashboard {
    /// `None` where there is no terminal, or it does not answer: plain lines are printed then.
    pub fn open() -> Option<Self> {
        // Crossterm asks on stdout where the cursor is; a file would keep the question.
        let terminals = io::stdout().is_terminal() && io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
        if !terminals || dumb || !in_foreground() {
            return None;
        }
        let screen = screen_at_cursor().ok()?;
        // Ratatui never ends on a screen without rows.
        let size = screen.size().ok().filter(|size| size.area() > 0)?;
        Some(Self {
            screen,
            size,
            view: View::default(),
            drawn: Instant::now(),
        })
    }

    /// Draws anew, at most four times a second unless an epoch ends or the note is another. False if the terminal no
    /// longer answers.
    pub fn show(&mut self, view: &View) -> bool {
        let urgent = view.batch == view.batches || view.note != self.view.note;
        self.view = view.clone();
        let early = !urgent && self.drawn.elapsed() < INTERVAL;
        early || self.redraw().is_ok()
    }

    /// Prints a line that stays, above.
    pub fn say(&mut self, line: &str) {
        if !in_foreground() || self.insert(line).and_then(|()| self.redraw()).is_err() {
            eprintln!("{line}");
        }
    }

    fn insert(&mut self, line: &str) -> io::Result<()> {
        self.fit()?;
        let width = self.screen.get_frame().area().width.max(1);
        let letters: Vec<char> = line.chars().collect();
        let rows: Vec<String> = letters
            .chunks(width.into())
            .map(String::from_iter)
            .collect();
        self.screen.insert_before(rows.len() as u16, |buffer| {
            for (row, y) in rows.iter().zip(0..) {
                buffer.set_string(0, y, row, Style::new());
            }
        })
    }

    fn redraw(&mut self) -> io::Result<()> {
        self.drawn = Instant::now();
        // Before the first view there is nothing to show; in the background the rows belong to the shell.
        if self.view.epochs == 0 || !in_foreground() {
            return Ok(());
        }
        self.fit()?;
        self.screen.draw(|frame| {
            draw(frame, &self.view);
            // What others printed and what was typed is painted over now and then.
            if frame.count().is_multiple_of(8) {
                for cell in &mut frame.buffer_mut().content {
                    cell.set_diff_option(CellDiffOption::AlwaysUpdate);
                }
            }
        })?;
        Ok(())
    }

    /// After the terminal's size changed, begins anew where the cursor is now. Ratatui would do so too, but clears the
    /// whole screen when it is narrower, with the lines that are to stay.
    fn fit(&mut self) -> io::Result<()> {
        let size = self.screen.size()?;
        if size == self.size {
            return Ok(());
        }
        if size.area() == 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let above = self.screen.get_frame().area().height.saturating_sub(1);
        let row = self.screen.get_cursor_position()?.y;
        let backend = self.screen.backend_mut();
        backend.set_cursor_position((0, row.saturating_sub(above)))?;
        backend.clear_region(ClearType::AfterCursor)?;
        self.screen = screen_at_cursor()?;
        self.size = size;
        Ok(())
    }
}

impl Drop for Dashboard {
    /// Draws once more, so that the last figures stay; the cursor is below, where a panic's message may be already.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = self.redraw();
        }
    }
}

fn screen_at_cursor() -> io::Result<Screen> {
    let viewport = Viewport::Inline(HEIGHT);
    let backend = CrosstermBackend::new(BufWriter::new(io::stderr()));
    Terminal::with_options(backend, TerminalOptions { viewport })
}

/// Whether the terminal is this process's to draw on. One in the background that asks where the cursor is gets stopped.
#[cfg(unix)]
fn in_foreground() -> bool {
    // SAFETY: two numbers are asked of the kernel.
    unsafe { libc::tcgetpgrp(libc::STDERR_FILENO) == libc::getpgrp() }
}

#[cfg(not(unix))]
fn in_foreground() -> bool {
    true
}

/// Draws what fits: the gauge, then the figures, title and note, and charts where there is room for them.
fn draw(frame: &mut Frame, view: &View) {
    let mut area = frame.area();
    frame.set_cursor_position((area.x, area.bottom().saturating_sub(1)));
    area.height -= u16::from(area.height > 1);
    let line_from = |rows: u16| Constraint::Length(u16::from(area.height >= rows));
    let lines = [
        line_from(3),
        line_from(2),
        line_from(1),
        Constraint::Fill(1),
        line_from(4),
    ];
    let [title, figures, gauge, charts, note] = Layout::vertical(lines).areas(area);

    let device = format!(" on {}", view.device);
    let line = Line::from_iter([view.title.as_str().bold(), device.dim()]);
    frame.render_widget(line, title);

    let (epoch, epochs) = (view.epoch, view.epochs);
    let (loss, rate) = (figure(view.loss), figure(view.learning_rate));
    let mut text = format!("epoch {epoch}/{epochs}   loss {loss}   learning rate {rate}");
    let aucs = curve(&view.history, |point| point.valid_auc);
    let better = |best: (f64, f64), next: (f64, f64)| if next.1 > best.1 { next } else { best };
    if let Some((epoch, auc)) = aucs.iter().copied().reduce(better) {
        text += &format!("   best AUC {auc:.4}, epoch {epoch}");
    }
    frame.render_widget(Line::from(text), figures);

    let (batch, batches) = (view.batch, view.batches);
    let speed = match view.images_per_second {
        speed if speed.is_finite() => format!("{speed:.1}"),
        _ => "?".to_owned(),
    };
    let (left, run) = (clock(view.seconds_left), clock(view.run_seconds_left));
    let done = (batch as f64 / batches.max(1) as f64).min(1.0);
    let label = format!("batch {batch}/{batches}, {speed} images/s, {left} left, of the run {run}");
    let bar = Gauge::default().ratio(done).label(label).use_unicode(true);
    frame.render_widget(bar.gauge_style((Color::Cyan, Color::Black)), gauge);

    let mut losses = curve(&view.history, |point| point.train_loss);
    if batch > 0 && view.loss.is_finite() {
        // The epoch under way is the curve's end.
        losses.push((epoch.saturating_sub(1) as f64 + done, view.loss));
    }
    let curves = [
        ("training loss", Color::Yellow, losses),
        ("validation AUC", Color::Green, aucs),
    ];
    let most = if charts.height < 4 { 0 } else { 2 };
    let curves = &curves[2 - usize::from(most.min(charts.width / CHART))..];
    let columns = Layout::horizontal(curves.iter().map(|_| Constraint::Fill(1))).spacing(2);
    let last = epoch.max(view.history.len()).max(1);
    for ((name, color, points), column) in curves.iter().zip(&*columns.split(charts)) {
        chart(frame, *column, (name, *color), last, points);
    }
    frame.render_widget(Line::from(view.note).dim(), note);
}

/// The numbers among the values, each with its epoch.
fn curve(history: &[Point], value: fn(&Point) -> f64) -> Vec<(f64, f64)> {
    let values = history.iter().map(value).enumerate();
    let points = values.map(|(index, value)| ((index + 1) as f64, value));
    points.filter(|(_, value)| value.is_finite()).collect()
}

fn chart(
    frame: &mut Frame,
    area: Rect,
    (name, color): (&str, Color),
    epochs: usize,
    points: &[(f64, f64)],
) {
    let Some((_, now)) = points.last() else {
        let title = format!("{name}: after the first epoch");
        return frame.render_widget(title.fg(color), area);
    };
    let title = format!("{name} {}", figure(*now)).fg(color);
    let values = points.iter().map(|(_, value)| *value);
    let mut low = values.clone().fold(f64::MAX, f64::min);
    let mut high = values.fold(f64::MIN, f64::max);
    if low == high {
        // A level line is drawn in the middle.
        (low, high) = (low - 0.01, high + 0.01);
    }
    let line = Dataset::default().style(color).marker(Marker::Braille);
    let line = line.graph_type(GraphType::Line).data(points);
    let axis = Axis::default().style(Modifier::DIM);
    let x = axis.clone().bounds([0.0, epochs as f64]);
    let x = x.labels(["0".to_owned(), format!("epoch {epochs}")]);
    let y = axis.bounds([low, high]).labels([figure(low), figure(high)]);
    let chart = Chart::new(vec![line]).block(Block::new().title(title));
    frame.render_widget(chart.x_axis(x).y_axis(y), area);
}

fn figure(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "?".to_owned(),
        size if size == 0.0 || (1e-3..1e4).contains(&size) => format!("{value:.4}"),
        _ => format!("{value:.1e}"),
    }
}

/// Hours, minutes and seconds.
fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "?".to_owned();
    }
    let all = seconds.round() as u64;
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    format!("{hours}:{minutes:02}:{seconds:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::backend::TestBackend;

    fn view(values: &[f64]) -> View {
        let point = |value: &f64| Point {
            train_loss: 1.0 - value,
            valid_auc: *value,
        };
        View {
            title: "nih-densenet121".to_owned(),
            device: "flex".to_owned(),
            epoch: values.len() + 1,
            epochs: 20,
            batch: 30,
            batches: 120,
            images_per_second: values.last().map_or(f64::NAN, |_| 312.53),
            seconds_left: 245.0,
            run_seconds_left: 3723.0,
            loss: values.last().map_or(f64::NAN, |value| 1.0 - value),
            learning_rate: 3e-4,
            history: values.iter().map(point).collect(),
            note: "Ctrl-C saves and stops",
        }
    }

    fn drawn(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, view)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn everything_is_there_where_there_is_room() {
        let text = drawn(&view(&[0.7, 0.8123, 0.75]), 100, 14);
        for part in [
            "nih-densenet121 on flex",
            "epoch 4/20   loss 0.2500   learning rate 3.0e-4   best AUC 0.8123, epoch 2",
            "batch 30/120, 312.5 images/s, 0:04:05 left, of the run 1:02:03",
            "training loss 0.2500",
            "validation AUC 0.7500",
            "Ctrl-C saves and stops",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn nothing_is_too_small_or_too_strange() {
        let strange = [f64::NAN, f64::INFINITY, -1e300, f64::MAX, f64::MIN, 0.0];
        for view in [
            View::default(),
            view(&[]),
            view(&[0.5]),
            view(&[f64::NAN]),
            view(&strange),
        ] {
            for (width, height) in [(1, 1), (20, 3), (40, 8), (60, 10), (100, 14), (200, 50)] {
                drawn(&view, width, height);
            }
        }
        assert!(drawn(&view(&[]), 20, 3).contains("epoch 1/20"));
        assert!(!drawn(&view(&[]), 200, 50).contains("NaN"));
        assert!(drawn(&view(&[0.5]), 40, 10).contains("validation AUC"));
        assert_eq!(clock(f64::NAN) + &figure(f64::INFINITY), "??");
        assert_eq!(clock(-1.0), "0:00:00");
    }
}
