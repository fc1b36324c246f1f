//! Running other programs.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A program to run, said aloud before it starts.
pub struct Step {
    command: Command,
    program: String,
}

impl Step {
    pub fn new(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments);
        Self {
            command,
            program: program.to_owned(),
        }
    }

    pub fn path(mut self, path: &OsString) -> Self {
        self.command.env("PATH", path);
        self
    }

    pub fn env(mut self, key: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs it; `purpose` completes "to ...".
    ///
    /// # Errors
    /// When it cannot start or fails.
    pub fn run(mut self, purpose: &str) -> Result<()> {
        self.announce(purpose);
        let status = self.command.status().with_context(|| self.cannot_start())?;
        if !status.success() {
            bail!("{} failed ({status}); it was to {purpose}", self.program);
        }
        Ok(())
    }

    /// Runs it, shows its standard output and gives its lines back, with whether it succeeded.
    pub fn run_and_read(mut self, purpose: &str) -> Result<(Vec<String>, bool)> {
        self.announce(purpose);
        self.command.stdout(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| self.cannot_start())?;
        let stdout = child.stdout.take().context("standard output was piped")?;
        let mut lines = Vec::new();
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            lines.push(line);
        }
        Ok((lines, child.wait()?.success()))
    }

    fn announce(&self, purpose: &str) {
        let arguments: Vec<_> = self
            .command
            .get_args()
            .map(|a| a.to_string_lossy())
            .collect();
        println!(
            "\n> {} {}\n  to {purpose}",
            self.program,
            arguments.join(" ")
        );
    }

    fn cannot_start(&self) -> String {
        format!("{} cannot be started; is it installed?", self.program)
    }
}

/// What a program prints on standard output; `None` if it cannot be started or fails.
pub fn output(program: &str, arguments: &[&str], path: &OsString) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
