//! Licences and sources of everything that is built in, by `cargo deny`: its checks that need no network. `deny.toml` has the rules.

use std::path::Path;

use anyhow::Result;

use crate::run::Step;
use crate::tools;

const DENY: &str = "0.20.2";

/// # Errors
/// When something has another licence or comes from elsewhere, or the tool cannot be had.
pub fn check(_root: &Path) -> Result<()> {
    tools::cargo_deny(DENY)?;
    let arguments = ["deny", "--offline", "check", "bans", "licenses", "sources"];
    Step::new("cargo", &arguments).run("see whose licences are built in")
}
