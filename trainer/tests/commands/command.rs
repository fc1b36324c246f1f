//! Running the trainer as its users do.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

pub type Argument<'a> = &'a dyn AsRef<OsStr>;

pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The trainer with arguments, not started yet; of the environment's own arrays and jobs it knows nothing.
pub fn command(arguments: &[Argument]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sightline-trainer"));
    command.args(arguments.iter().map(|argument| argument.as_ref()));
    command
        .env_remove("SLURM_ARRAY_TASK_ID")
        .env_remove("JOB_COMPLETION_INDEX");
    command
}

/// The arguments of a training.
pub fn training<'a>(
    recipe: Argument<'a>,
    data: Argument<'a>,
    out: Argument<'a>,
    more: &[Argument<'a>],
) -> Vec<Argument<'a>> {
    let known: [Argument; 7] = [
        &"train",
        &"--config",
        recipe,
        &"--data",
        data,
        &"--out",
        out,
    ];
    [&known, more].concat()
}

/// The arguments of a training's plan.
pub fn dry_run<'a>(recipe: Argument<'a>, data: Argument<'a>) -> [Argument<'a>; 6] {
    [&"train", &"--config", recipe, &"--data", data, &"--dry-run"]
}

/// A shipped recipe of a small network, without weights to start from and without a teacher, in batches of two.
pub fn shipped_recipe() -> Value {
    let place = workspace().join("trainer/configs/efficientnet-lite0-nih-labels.json");
    let text = std::fs::read_to_string(place).expect("a recipe");
    let mut recipe: Value = serde_json::from_str(&text).expect("JSON");
    recipe["start"] = Value::Null;
    recipe["teacher"] = Value::Null;
    recipe["batch"] = 2.into();
    recipe
}

pub fn run(arguments: &[Argument]) -> Output {
    run_with(arguments, &[])
}

pub fn run_with(arguments: &[Argument], environment: &[(&str, &str)]) -> Output {
    let mut command = command(arguments);
    command.envs(environment.iter().copied());
    let output = command.output().expect("the trainer starts");
    if output.status.success() {
        fits_the_schemas(arguments);
    }
    output
}

/// Every report and every manifest that a test has written fits its JSON Schema.
fn fits_the_schemas(arguments: &[Argument]) {
    let command = arguments[0].as_ref();
    let option = |name: &str| {
        let mut pairs = arguments.windows(2);
        let pair = pairs.find(|pair| pair[0].as_ref() == name)?;
        Some(PathBuf::from(pair[1].as_ref()))
    };
    if command == "explain" {
        fits("report", option("--json"));
    }
    let package = option("--out").or_else(|| option("--model"));
    fits(
        "manifest",
        package.map(|folder| folder.join("manifest.json")),
    );
}

/// Checks a file by a schema, if there is one: what tests write to pipes and object stores is not looked at.
fn fits(schema: &str, file: Option<PathBuf>) {
    let Some(file) = file.filter(|file| file.is_file()) else {
        return;
    };
    let json = |path: &Path| -> Value {
        serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
    };
    let schema = json(&workspace().join(format!("docs/schemas/{schema}.schema.json")));
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let value = json(&file);
    let wrong: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{}: {wrong:?}", file.display());
}

pub fn succeed(arguments: &[Argument]) -> String {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

pub fn refuse(arguments: &[Argument], because: &str) {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(because), "{said}");
}

/// A process that ends with the test, whatever comes of it.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is so.
pub fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(120), "no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
