//! `cargo xtask house`: whether the code lies as ARCHITECTURE.md says that it lies.

mod circles;
mod folders;
mod licences;
pub mod sizes;
mod sources;
mod spelling;
mod words;

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::run::output;
use sources::{sources, without_tests};

/// Lines of a file of the trainer's commands, at most: a command reads options, calls what is below, and prints.
const COMMAND_LINES: usize = 120;
/// Lines of the README, at most.
const README_LINES: usize = 60;
/// Words that only a method's own file, and the table of methods, may say outside of tests.
const METHODS: [&str; 2] = ["hirescam", "occlusion"];

/// Everything that is quick; then licences and spelling, whose tools are installed where they are missing.
///
/// # Errors
/// When something does not hold: everything that does not is named.
pub fn check(root: &Path) -> Result<()> {
    let mut wrong = Vec::new();
    wrong.extend(circles::found(root)?);
    wrong.extend(words::found(root)?);
    wrong.extend(folders::found(root)?);
    wrong.extend(long_commands(root)?);
    wrong.extend(dependencies(root)?);
    wrong.extend(scattered_methods(root)?);
    let readme = std::fs::read_to_string(root.join("README.md"))?;
    if readme.lines().count() > README_LINES {
        wrong.push(format!("README.md has more than {README_LINES} lines"));
    }
    if !wrong.is_empty() {
        bail!("the house is not in order:\n  {}", wrong.join("\n  "));
    }
    println!(
        "no module or folder uses another in a circle; commands are short; the page knows no network and the wire no JSON; methods are in \
         their own files; comments stand alone; ARCHITECTURE.md knows every folder"
    );
    spelling::check(root)?;
    licences::check(root)
}

fn long_commands(root: &Path) -> Result<Vec<String>> {
    let files = sources(root, "trainer/src/commands")?.into_iter();
    let lengths = files.map(|(name, text)| (name, without_tests(&text).lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > COMMAND_LINES);
    Ok(long
        .map(|(name, lines)| {
            format!("{name} has {lines} lines, and a command {COMMAND_LINES} at most")
        })
        .collect())
}

/// What must not be among a package's dependencies, however far below.
fn dependencies(root: &Path) -> Result<Vec<String>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut wrong = Vec::new();
    for (package, banned) in [
        ("sightline-page", "burn"),
        ("sightline-embed", "burn"),
        ("sightline-core", "burn"),
        ("sightline-session", "burn"),
        ("sightline-wire", "burn"),
    ] {
        let arguments = [
            "tree",
            "--quiet",
            "--offline",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--target",
            "all",
            "-p",
            package,
        ];
        let tree = output("cargo", &arguments, &path)
            .with_context(|| format!("cargo tree does not know {package}"))?;
        if tree.lines().any(|line| line.starts_with(banned)) {
            wrong.push(format!("{package} depends on {banned}"));
        }
    }
    // Its own dependency: reports are JSON where they are saved, and never on the wire.
    for package in ["crates/session", "app/wire"] {
        let manifest = std::fs::read_to_string(root.join(package).join("Cargo.toml"))?;
        if manifest.contains("serde_json") {
            wrong.push(format!(
                "{package} depends on serde_json: the wire has no JSON"
            ));
        }
    }
    Ok(wrong)
}

fn scattered_methods(root: &Path) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for folder in ["app", "crates/session/src", "src", "trainer/src"] {
        for (name, text) in sources(root, folder)? {
            let text = without_tests(&text).to_lowercase();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let named = METHODS
                .iter()
                .find(|method| code.clone().any(|line| line.contains(*method)));
            if let Some(method) = named {
                wrong.push(format!(
                    "{name} names {method}: what a method is stands in its own file"
                ));
            }
        }
    }
    Ok(wrong)
}
