//! `cargo xtask serve | test | build | compress | npm | bench | house | weights`: installs what is missing, then does it. A second run has nothing to
//! install and starts within seconds.

mod bench;
mod bench_growth;
mod bench_predict;
mod bench_web;
mod bench_wgpu;
mod build_table;
mod compress;
mod house;
mod measuring;
mod npm;
mod run;
mod shrink;
mod test;
mod threads;
mod tools;

use std::path::PathBuf;

use anyhow::{Context, Result};

use tools::Tools;

const HELP: &str = "\
cargo xtask serve    install what is missing, then serve the page at http://127.0.0.1:8080
cargo xtask test     install what is missing, then run every test: native, wasm in Chromium, end to end
cargo xtask build    install what is missing, then build dist/ for a web server
cargo xtask compress put each file of a built dist/ beside itself as Brotli and gzip, for servers that send those
cargo xtask npm      install what is missing, build dist/, and make of it the npm package: target/npm/sightline-VERSION.tgz
cargo xtask bench    install what is missing, then measure all of these, or the one named: train and data against PyTorch,
                     predict against ONNX Runtime,
                     lime (how many samples it needs), page (LIME in Chromium), web (the page's engine against ONNX Runtime Web
                     and TensorFlow.js), wgpu (training by wgpu against the CPU), growth (with pictures, their size,
                     samples, cores), size (what a visitor loads)
cargo xtask house    check the structure of the code: circles, comments, dependencies, spelling, licences
cargo xtask weights  fetch the ImageNet weights that the EfficientNet-Lite recipes start from
";

fn main() -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()?;
    std::env::set_current_dir(&root).context("the workspace is gone")?;
    match std::env::args().nth(1).as_deref() {
        Some("serve") => Tools::for_page(&root)?
            .trunk("serve")
            .run("serve the page at http://127.0.0.1:8080"),
        Some("build") => Tools::for_page(&root)?.trunk("build").run("build dist/"),
        Some("npm") => {
            let tools = Tools::for_page(&root)?;
            tools.trunk("build").run("build dist/")?;
            let package = npm::package(&root, &tools)?;
            println!("\n{}", package.display());
            Ok(())
        }
        Some("compress") => compress::run(&root.join("dist")),
        Some("shrink") => shrink::staged(&root),
        Some("test") => test::all(&root),
        Some("bench") => bench::run(&root, std::env::args().nth(2).as_deref()),
        Some("house") => house::check(&root),
        Some("weights") => tools::imagenet_weights(&root),
        _ => {
            print!("{HELP}");
            Ok(())
        }
    }
}
