//! How time and memory of the command line grow: with pictures, their size, LIME's samples, cores, and the rows of parts that are merged.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench_web;
use crate::run::Step;

const MODEL: &str = "www/models/efficientnet-lite0-nih";
const PICTURE: &str = "www/samples/effusion.jpg";
const PICTURES: [usize; 4] = [100, 200, 400, 800];
/// Pixels on a side, and how many pictures of it are read.
const SIDES: [usize; 4] = [512, 1024, 2048, 4096];
const OF_A_SIDE: usize = 24;
const SAMPLES: [usize; 3] = [50, 100, 200];
/// Milliseconds until an object store answers, and how many of its pictures are read.
const WAITS: [u32; 2] = [0, 30];
const STORED: usize = 400;
const ROWS: [usize; 3] = [10_000, 100_000, 500_000];
/// A large archive, and machines to share it.
const STUDIES: f64 = 1e6;
const MACHINES: f64 = 100.0;
const BEGIN: &str = "<!-- cargo xtask bench growth -->\n";
const END: &str = "<!-- end of cargo xtask bench growth -->\n";

/// What a run of a program took.
struct Took {
    seconds: f64,
    megabytes: f64,
}

/// Measures, and writes the tables into `docs/measured.md`.
///
/// # Errors
/// When the trainer cannot be built, or a command fails.
pub fn run(root: &Path) -> Result<()> {
    Step::new("cargo", &["build", "--release"]).run("build the trainer")?;
    let bench = Bench {
        trainer: root.join("target/release/sightline-trainer"),
        model: root.join(MODEL),
        place: root.join("target/tools/bench-growth"),
    };
    if bench.place.exists() {
        std::fs::remove_dir_all(&bench.place)?;
    }
    std::fs::create_dir_all(&bench.place)?;
    let picture = root.join(PICTURE);
    let tables = [
        bench.pictures(&picture)?,
        bench.stored(root, &picture)?,
        bench.sides()?,
        bench.samples(&picture)?,
    ];
    let tables = tables.join("\n");
    println!("\n{tables}");
    std::fs::remove_dir_all(&bench.place)?;
    bench_web::write(root, &tables, [BEGIN, END])
}

struct Bench {
    trainer: PathBuf,
    model: PathBuf,
    place: PathBuf,
}

impl Bench {
    /// By the number of pictures and of cores, and what follows for many machines.
    fn pictures(&self, picture: &Path) -> Result<String> {
        let mut table = String::from(
            "`predict`, copies of one JPEG of 320 x 320 pixels:\n\n| pictures | cores | seconds | pictures a second | MB |\n|---:|---:|---:|---:|---:|\n",
        );
        let cores = std::thread::available_parallelism()?.get();
        let mut all = Vec::new();
        for count in PICTURES {
            all.push((
                count,
                cores,
                self.predict(&self.copies(picture, count)?, cores)?,
            ));
        }
        let most = PICTURES[PICTURES.len() - 1];
        all.push((most, 1, self.predict(&self.copies(picture, most)?, 1)?));
        for (count, cores, took) in &all {
            let each = *count as f64 / took.seconds;
            table += &format!(
                "| {count} | {cores} | {:.1} | {each:.0} | {:.0} |\n",
                took.seconds, took.megabytes
            );
        }
        let (first, last) = (&all[0].2, &all[PICTURES.len() - 1].2);
        let each = (last.seconds - first.seconds) / (most - PICTURES[0]) as f64;
        table += "\n`merge`, two parts of `predict --shard`:\n\n| rows | seconds | MB |\n|---:|---:|---:|\n";
        let mut merges = Vec::new();
        for rows in ROWS {
            let took = self.merge(rows)?;
            table += &format!("| {rows} | {:.2} | {:.0} |\n", took.seconds, took.megabytes);
            merges.push(took.seconds);
        }
        let row = (merges[ROWS.len() - 1] - merges[0]) / (ROWS[ROWS.len() - 1] - ROWS[0]) as f64;
        table += &format!(
            "\nOn paper, for {STUDIES:.0} studies of one such picture: a picture more takes {:.1} ms on {cores} cores, so one such machine \
             takes {:.1} hours, and {MACHINES:.0} with a part each (`--shard`, from Slurm or Kubernetes) {:.0} seconds. A row more takes \
             `merge` {:.1} µs: {:.0} seconds for all. Memory of `predict` does not grow with the pictures; `merge` holds its rows.\n",
            1e3 * each,
            STUDIES * each / 3600.0,
            STUDIES * each / MACHINES,
            1e6 * row,
            STUDIES * row,
        );
        Ok(table)
    }

    /// From a folder, and from an object store whose answers take a while.
    fn stored(&self, root: &Path, picture: &Path) -> Result<String> {
        let mut table = format!(
            "`predict`, {STORED} of these pictures (an S3 store on loopback; its answers take as long as it says):\n\n\
             | from | seconds | MB |\n|---|---:|---:|\n"
        );
        let folder = self.copies(picture, STORED)?;
        let list = self.place.join("stored.csv");
        let rows: String = (0..STORED)
            .map(|number| format!("{number}.jpg\n"))
            .collect();
        std::fs::write(&list, format!("Path\n{rows}"))?;
        let command = |root: &str| {
            let mut command = self.command("predict");
            command.arg("--csv").arg(&list).args(["--root", root]);
            command
                .arg("--out")
                .arg(self.place.join("stored-scores.csv"));
            command
        };
        let mut row = |from: &str, took: &Took| {
            table += &format!("| {from} | {:.1} | {:.0} |\n", took.seconds, took.megabytes);
        };
        row("a folder", &measured(command(&folder.to_string_lossy()))?);
        for wait in WAITS {
            let store = Store::start(root, &folder, wait)?;
            let mut command = command("s3://bench");
            command
                .env("AWS_ENDPOINT", format!("http://127.0.0.1:{}", store.port))
                .env("AWS_ALLOW_HTTP", "true")
                .env("AWS_SKIP_SIGNATURE", "true")
                .env("AWS_REGION", "here");
            row(&format!("an object store, {wait} ms"), &measured(command)?);
        }
        Ok(table)
    }

    /// By the size of the pictures.
    fn sides(&self) -> Result<String> {
        let mut table = format!(
            "`predict`, {OF_A_SIDE} uncompressed pictures (BMP, 8 bits):\n\n| pixels | seconds | MB |\n|---:|---:|---:|\n"
        );
        for side in SIDES {
            let folder = self.place.join(format!("side-{side}"));
            std::fs::create_dir_all(&folder)?;
            let bytes = bitmap(side);
            for number in 0..OF_A_SIDE {
                std::fs::write(folder.join(format!("{number}.bmp")), &bytes)?;
            }
            let took = self.predict(&folder, std::thread::available_parallelism()?.get())?;
            std::fs::remove_dir_all(&folder)?;
            table += &format!(
                "| {side} x {side} | {:.1} | {:.0} |\n",
                took.seconds, took.megabytes
            );
        }
        Ok(table)
    }

    /// By LIME's samples.
    fn samples(&self, picture: &Path) -> Result<String> {
        let mut table = String::from(
            "`explain --method lime`, one picture:\n\n| samples | seconds | MB |\n|---:|---:|---:|\n",
        );
        for samples in SAMPLES {
            let (json, map) = (self.place.join("lime.json"), self.place.join("lime.png"));
            let mut command = self.command("explain");
            command.args(["--method", "lime", "--samples", &samples.to_string()]);
            command
                .arg("--json")
                .arg(&json)
                .arg("--out")
                .arg(map)
                .arg(picture);
            let took = measured(command)?;
            let report: Value = serde_json::from_slice(&std::fs::read(&json)?)?;
            let taken = report["lime"]["samples"].as_u64().context("samples")?;
            table += &format!(
                "| {taken} | {:.1} | {:.0} |\n",
                took.seconds, took.megabytes
            );
        }
        Ok(table)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.trainer);
        command.arg(name).arg("--model").arg(&self.model);
        command
    }

    fn predict(&self, folder: &Path, cores: usize) -> Result<Took> {
        let mut command = self.command("predict");
        command.arg("--root").arg(folder);
        command.arg("--out").arg(self.place.join("scores.csv"));
        command.env("RAYON_NUM_THREADS", cores.to_string());
        measured(command)
    }

    /// A folder with a picture many times.
    fn copies(&self, picture: &Path, count: usize) -> Result<PathBuf> {
        let folder = self.place.join(format!("copies-{count}"));
        std::fs::create_dir_all(&folder)?;
        for number in 0..count {
            std::fs::copy(picture, folder.join(format!("{number}.jpg")))?;
        }
        Ok(folder)
    }

    /// The parts are the scores of [`Self::pictures`], under other names.
    fn merge(&self, rows: usize) -> Result<Took> {
        let scores = std::fs::read_to_string(self.place.join("scores.csv"))?;
        let mut lines = scores.lines();
        let header = lines.next().context("a header")?;
        let (_, row) = lines
            .next()
            .and_then(|row| row.split_once(','))
            .context("a row")?;
        // As `predict --shard` writes them: the last column has the row's number in the whole.
        let parts = [0, 1].map(|part| {
            let numbers = (0..rows / 2).map(|number| 2 * number + part);
            let rows = numbers.map(|number| format!("{number}.jpg,{row},{number}\n"));
            format!(
                "{header},Row {part}/2 of bench\n{}",
                rows.collect::<String>()
            )
        });
        let mut command = Command::new(&self.trainer);
        command
            .arg("merge")
            .arg("--out")
            .arg(self.place.join("all.csv"));
        for (number, part) in parts.iter().enumerate() {
            let file = self.place.join(format!("part-{number}.csv"));
            std::fs::write(&file, part)?;
            command.arg(file);
        }
        measured(command)
    }
}

/// An object store that ends when this is dropped.
struct Store {
    child: Child,
    port: u16,
}

impl Store {
    /// Serves a folder's files, each after so many milliseconds.
    fn start(root: &Path, folder: &Path, wait: u32) -> Result<Self> {
        let mut child = Command::new("python3")
            .arg(root.join("xtask/bench/store.py"))
            .arg(folder)
            .arg(wait.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .context("python3 does not start")?;
        let stdout = child.stdout.take();
        let mut store = Self { child, port: 0 };
        let mut line = String::new();
        BufReader::new(stdout.context("standard output was piped")?).read_line(&mut line)?;
        store.port = line.trim().parse().context("the store says no port")?;
        Ok(store)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What has ended by itself is over, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command, and asks the system for its memory meanwhile.
fn measured(mut command: Command) -> Result<Took> {
    println!("> {command:?}");
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut kilobytes = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let most = most.and_then(|most| most.split_whitespace().next()?.parse().ok());
        kilobytes = most.unwrap_or(0).max(kilobytes);
        std::thread::sleep(Duration::from_millis(5));
    };
    if !ended.success() {
        bail!("{command:?} failed");
    }
    Ok(Took {
        seconds: start.elapsed().as_secs_f64(),
        megabytes: f64::from(kilobytes) / 1e3,
    })
}

/// A grey picture with some detail, as an uncompressed bitmap of 256 greys. `side`: pixels, a multiple of 4.
fn bitmap(side: usize) -> Vec<u8> {
    const HEADER: u32 = 14 + 40;
    const PALETTE: u32 = 256 * 4;
    let pixels = (side * side) as u32;
    let mut bytes = b"BM".to_vec();
    for number in [HEADER + PALETTE + pixels, 0, HEADER + PALETTE, 40] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend((side as u32).to_le_bytes());
    bytes.extend((side as u32).to_le_bytes());
    for number in [1_u16, 8] {
        bytes.extend(number.to_le_bytes());
    }
    for number in [0_u32, pixels, 0, 0, 256, 0] {
        bytes.extend(number.to_le_bytes());
    }
    for grey in 0..=255_u8 {
        bytes.extend([grey, grey, grey, 0]);
    }
    for place in 0..side * side {
        let (x, y) = (place % side, place / side);
        let broad = (x + y) * 200 / (2 * side);
        bytes.push((broad + (x * 7 + y * 13) % 31) as u8);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitmap_is_as_long_as_it_says() {
        let bytes = bitmap(8);
        let length = u32::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]);
        assert_eq!(bytes.len(), length as usize);
        assert_eq!(bytes.len(), 54 + 1024 + 64);
    }
}
