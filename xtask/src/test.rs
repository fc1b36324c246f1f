//! Every test, and one summary.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::Step;
use crate::tools::{self, Tools};

/// What a test command said of itself.
#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Native tests, the engine in headless Chromium, and the built page in headless Chromium.
pub fn all(root: &Path) -> Result<()> {
    let tools = Tools::for_page(root)?;
    let browser = tools::browser(&tools.path)?;
    let mut total = Counts::default();
    let without_data = !root.join("../shared/data").is_dir();
    if without_data {
        println!("the tests on the radiographs of ../shared/data are left out: they are not there");
    }
    let mut broken = Vec::new();
    let mut suite = |name: &str, step: Step, purpose: &str| -> Result<()> {
        let step = match without_data {
            true => step.env("SIGHTLINE_WITHOUT_DATA", "1"),
            false => step,
        };
        let (lines, success) = step.path(&tools.path).run_and_read(purpose)?;
        let counts = count(&lines);
        if !success || counts.passed == 0 {
            broken.push(name.to_owned());
        }
        total.passed += counts.passed;
        total.failed += counts.failed;
        total.ignored += counts.ignored;
        Ok(())
    };
    let mut native = vec!["test", "--release", "--no-fail-fast"];
    match tools::imagenet_weights(root) {
        Ok(()) => native.extend(["--", "--include-ignored"]),
        Err(error) => println!("the tests with ImageNet weights are skipped: {error:#}"),
    }
    let onnx = tools::onnx_python(root);
    let onnx = match &onnx {
        Ok(python) => ("SIGHTLINE_ONNX_PYTHON", python.as_os_str()),
        Err(error) => {
            println!("the tests with ONNX Runtime are left out: {error:#}");
            ("SIGHTLINE_WITHOUT_ONNX", "1".as_ref())
        }
    };
    suite(
        "native",
        Step::new("cargo", &native).env(onnx.0, onnx.1),
        "test the engine, the trainer and xtask natively",
    )?;
    suite(
        "wasm",
        Step::new(
            "cargo",
            &[
                "test",
                "--release",
                "--target",
                "wasm32-unknown-unknown",
                // With the page's package, so that dependencies are built once, with the same features.
                "-p",
                "sightline",
                "-p",
                "sightline-engine",
                "--features",
                "sightline-engine/webgpu",
                "--test",
                "browser",
            ],
        )
        .env("CHROMEDRIVER", &browser.driver)
        .env("WASM_BINDGEN_TEST_TIMEOUT", "900"),
        "test the engine in headless Chromium, on the CPU and on WebGPU",
    )?;
    // As the page has them where a browser can multiply and add at once. A folder of its own: other flags would build everything anew.
    suite(
        "wasm, relaxed SIMD",
        Step::new(
            "cargo",
            &[
                "test",
                "--release",
                "--target=wasm32-unknown-unknown",
                "--package=sightline-kernels",
                "--test=forward",
            ],
        )
        .env("RUSTFLAGS", "-Ctarget-feature=+simd128,+relaxed-simd")
        .env("CARGO_TARGET_DIR", root.join("target/relaxed"))
        .env("CHROMEDRIVER", &browser.driver)
        .env("WASM_BINDGEN_TEST_TIMEOUT", "900"),
        "test the kernels in headless Chromium with relaxed SIMD",
    )?;
    tools.trunk("build").run("build the page")?;
    crate::house::sizes::check(root)?;
    let nginx = tools::nginx(root, &tools.path);
    let served = match &nginx {
        Some(program) => ("SIGHTLINE_NGINX", program.as_os_str()),
        None => {
            println!(
                "the test behind nginx is left out: there is none, and no apt-get that has it"
            );
            ("SIGHTLINE_WITHOUT_NGINX", "1".as_ref())
        }
    };
    let module = tools::nginx_brotli(root);
    let brotli = match &module {
        Some(module) => ("SIGHTLINE_NGINX_BROTLI", module.as_os_str()),
        None => {
            println!("the test of Brotli behind nginx is left out: its module is not there");
            ("SIGHTLINE_WITHOUT_BROTLI", "1".as_ref())
        }
    };
    let axe = tools::axe(root);
    let checked = match &axe {
        Ok(script) => ("SIGHTLINE_AXE", script.as_os_str()),
        Err(error) => {
            println!("the tests with axe-core are left out: {error:#}");
            ("SIGHTLINE_WITHOUT_AXE", "1".as_ref())
        }
    };
    let package = match tools::npm_tools(root) {
        // What cannot be packed is an error, and no reason to leave its tests out.
        Ok(tools_of_npm) => Ok((crate::npm::package(root, &tools)?, tools_of_npm)),
        Err(error) => Err(error),
    };
    let (packed, packed_with) = match &package {
        Ok((package, tools)) => (
            ("SIGHTLINE_NPM", package.as_os_str()),
            ("SIGHTLINE_NPM_TOOLS", tools.as_os_str()),
        ),
        Err(error) => {
            println!("the tests of the npm package are left out: {error:#}");
            let without = ("SIGHTLINE_WITHOUT_NPM", "1".as_ref());
            (without, without)
        }
    };
    enough_storage(&std::env::temp_dir())?;
    suite(
        "end to end",
        Step::new(
            "cargo",
            &[
                "test",
                "--release",
                "--features",
                "sightline-e2e/browser",
                "--test",
                "page",
                "--no-fail-fast",
                "--",
                "--test-threads=1",
            ],
        )
        .env("CHROMEDRIVER", &browser.driver)
        .env("SIGHTLINE_DIST", root.join("dist"))
        .env(served.0, served.1)
        .env(brotli.0, brotli.1)
        .env(checked.0, checked.1)
        .env(packed.0, packed.1)
        .env(packed_with.0, packed_with.1),
        "test the built page in headless Chromium",
    )?;
    println!(
        "\n{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.ignored
    );
    if !broken.is_empty() {
        bail!("these suites failed: {}", broken.join(", "));
    }
    Ok(())
}

/// Refuses a folder in which a browser would store nothing: with less than 2 GB free, Chromium gives pages no storage, and tests of what
/// is kept would fail for no fault of the page.
fn enough_storage(folder: &Path) -> Result<()> {
    let output = Command::new("df").arg("-Pk").arg(folder).output()?;
    let table = String::from_utf8_lossy(&output.stdout);
    let free = free_kilobytes(&table).context("df's answer is not understood")?;
    if free < 4_000_000 {
        bail!(
            "{} has {} MB free; the tests in the browser need 4,000",
            folder.display(),
            free / 1000
        );
    }
    Ok(())
}

/// The fourth column of `df -Pk`'s second line: kilobytes that are free.
fn free_kilobytes(table: &str) -> Option<u64> {
    table
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()
}

/// Adds up the lines `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
fn count(lines: &[String]) -> Counts {
    let mut counts = Counts::default();
    for line in lines.iter().filter(|line| line.starts_with("test result:")) {
        let number = |what: &str| -> u64 {
            let words: Vec<&str> = line
                .split([' ', ';', '.'])
                .filter(|w| !w.is_empty())
                .collect();
            let at = words.iter().position(|word| *word == what);
            at.and_then(|at| words[at - 1].parse().ok()).unwrap_or(0)
        };
        counts.passed += number("passed");
        counts.failed += number("failed");
        counts.ignored += number("ignored");
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_read() {
        let table = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                     /dev/vda 263174212 88752116 6546096 94% /\n";
        assert_eq!(free_kilobytes(table), Some(6_546_096));
        assert_eq!(
            free_kilobytes("df: /nowhere: No such file or directory"),
            None
        );
    }

    #[test]
    fn results_of_all_test_binaries_are_added_up() {
        let lines = [
            "running 3 tests",
            "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 5 passed; 1 failed; 0 ignored; 0 measured",
        ];
        let counts = count(&lines.map(str::to_owned));
        assert_eq!((counts.passed, counts.failed, counts.ignored), (7, 1, 1));
    }
}
