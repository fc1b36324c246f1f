//! The page's engine beside ONNX Runtime Web and TensorFlow.js: in the same Chromium, with the same networks, weights and pictures, in turns.
//!
//! `xtask/bench/onnx_of_package.py` makes the peers' networks of our packages, `xtask/bench/web/drive.mjs` measures.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::run::{Step, output};
use crate::tools::{self, Tools};

const ONNX_RUNTIME: &str = "1.30.0";
const TENSORFLOW: &str = "4.22.0";
const ONNX: &str = "1.23.2";

pub const PACKAGES: [(&str, &str); 2] = [
    ("efficientnet-lite0-nih", "EfficientNet-Lite0"),
    ("densenet121-nih", "DenseNet-121"),
];
/// A large network at its own size, which is not shipped: with random weights, on one core.
const RANDOM: (&str, &str) = ("efficientnet-b5-random", "EfficientNet-B5, 456 pixels");
const RANDOM_SIZE: &str = "456";
/// Where it is computed: what a case says, its cores, and how the table calls it.
const PLACES: [(&str, u64, &str); 5] = [
    ("cpu", 1, "one core"),
    ("cpu", 2, "two cores"),
    ("cpu", 8, "eight cores"),
    ("webgpu", 2, "WebGPU (SwiftShader)"),
    ("card", 8, "WebGPU (graphics card)"),
];
const CONTENDERS: [(&str, &str); 3] = [
    ("sightline", "Sightline"),
    ("onnxruntime", "ONNX Runtime Web"),
    ("tensorflow", "TensorFlow.js"),
];
const BATCHES: [&str; 2] = ["1", "8"];
/// Times that all are measured, at least: fewer are shown, and not written down.
const ROUNDS: u64 = 7;
/// How far a logit may be from PyTorch's.
const TOLERANCE: f64 = 1e-3;
/// How far a logit of ours may be from PyTorch's on a graphics card, where the engine may compute in float16.
const TOLERANCE_OF_CARD: f64 = 0.05;
/// Milliseconds that one request may take: a software adapter is slow.
const LIMIT: u64 = 1_800_000;

const BEGIN: &str = "<!-- cargo xtask bench web -->\n";
const END: &str = "<!-- end of cargo xtask bench web -->\n";

/// Measures, and writes `docs/measured-web.json` and the tables in `docs/measured.md`.
///
/// `SIGHTLINE_DIST` names a page that is built already, `SIGHTLINE_ROUNDS` another number of rounds, and `SIGHTLINE_CASES` words that a
/// case must have (`densenet121 cpu 1`): the others stay in the documents as they were. With fewer rounds all do. Cases that need more cores
/// or a graphics card are skipped where there are none. `SIGHTLINE_MEASURED` names what `drive.mjs` measured on another machine.
///
/// # Errors
/// When something cannot be had or started, or a logit is not PyTorch's.
pub fn run(root: &Path) -> Result<()> {
    if let Some(file) = std::env::var_os("SIGHTLINE_MEASURED") {
        let measured = std::fs::read_to_string(&file).context("SIGHTLINE_MEASURED")?;
        return keep(root, &serde_json::from_str(&measured)?);
    }
    let rounds = match std::env::var("SIGHTLINE_ROUNDS") {
        Ok(rounds) => rounds.parse().context("SIGHTLINE_ROUNDS is no number")?,
        Err(_) => ROUNDS,
    };
    let wanted = std::env::var("SIGHTLINE_CASES").unwrap_or_default();
    let cases = cases(&wanted, rounds);
    if cases.is_empty() {
        bail!("no case has the words {wanted:?} of SIGHTLINE_CASES");
    }
    let (path, dist) = page(root)?;
    let browser = tools::browser(&path)?;
    let tensorflow = ["core", "backend-wasm", "backend-webgpu"];
    let tensorflow = tensorflow.map(|part| format!("@tensorflow/tfjs-{part}"));
    let packages = tensorflow.iter().map(|name| (name.as_str(), TENSORFLOW));
    for (name, version) in packages.chain([("onnxruntime-web", ONNX_RUNTIME)]) {
        tools::npm_package(root, name, version, "compare with another runtime")?;
    }
    let place = root.join("target/tools/bench-web");
    export(root, &place)?;
    let mut added = serde_json::Map::new();
    if cases.iter().any(|case| case["package"] == RANDOM.0) {
        let package = random(root, &place)?;
        export_one(root, &package, &place.join(RANDOM.0))?;
        added.insert(RANDOM.0.to_owned(), json!(package));
    }
    let commit = output("git", &["describe", "--always", "--dirty"], &path);
    let out = place.join("web.json");
    let config = json!({
        "dist": dist,
        "npm": root.join("target/tools/node_modules"),
        "bench": root.join("xtask/bench/web"),
        "data": place,
        "packages": added,
        "chromedriver": browser.driver,
        "out": out,
        "limit_ms": LIMIT,
        "contenders": CONTENDERS.map(|(name, _)| name),
        "batches": BATCHES,
        "versions": { "sightline": commit, "onnxruntime": ONNX_RUNTIME, "tensorflow": TENSORFLOW },
        "cases": cases,
    });
    let file = place.join("config.json");
    std::fs::write(&file, config.to_string())?;
    let drive = root.join("xtask/bench/web/drive.mjs");
    let arguments = [drive.to_string_lossy(), file.to_string_lossy()];
    Step::new("node", &arguments.each_ref().map(AsRef::as_ref))
        .path(&path)
        .run("measure in headless Chromium, in turns")?;

    let measured = std::fs::read_to_string(&out)?;
    keep(root, &serde_json::from_str(&measured)?)
}

/// Shows what was measured, and writes it into the documents if it was measured often enough.
///
/// # Errors
/// When a logit is not PyTorch's, or a document cannot be written.
fn keep(root: &Path, measured: &Value) -> Result<()> {
    let measured = merged(&json!({}), measured);
    println!("\n{}", tables(&measured)?);
    let wrong = wrong(&measured);
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    if !is_enough(&measured) {
        println!("The documents stay as they are: not all was measured {ROUNDS} times");
        return Ok(());
    }
    let kept = root.join("docs/measured-web.json");
    let known = std::fs::read_to_string(&kept).ok();
    let known = known.map_or(Ok(json!({})), |known| serde_json::from_str(&known))?;
    let all = merged(&known, &measured);
    std::fs::write(&kept, format!("{all:#}\n"))?;
    write(root, &tables(&all)?, [BEGIN, END])
}

/// The PATH, and the folder of the page: `SIGHTLINE_DIST`, or a fresh one.
fn page(root: &Path) -> Result<(OsString, PathBuf)> {
    if let Some(dist) = std::env::var_os("SIGHTLINE_DIST").map(PathBuf::from) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let dist = dist
            .canonicalize()
            .context("SIGHTLINE_DIST names no folder")?;
        return Ok((path, dist));
    }
    let tools = Tools::for_page(root)?;
    tools.trunk("build").run("build the page")?;
    Ok((tools.path, root.join("dist")))
}

/// Exports the peers' networks, into a folder for each package.
///
/// # Errors
/// When PyTorch cannot be had, or refuses the weights.
pub fn export(root: &Path, place: &Path) -> Result<()> {
    for (package, _) in PACKAGES {
        export_one(
            root,
            &root.join("www/models").join(package),
            &place.join(package),
        )?;
    }
    Ok(())
}

fn export_one(root: &Path, package: &Path, out: &Path) -> Result<()> {
    let python = tools::peers_python(root, &[("onnx", ONNX)])?;
    let (script, samples) = (
        root.join("xtask/bench/onnx_of_package.py"),
        root.join("www/samples"),
    );
    let paths = [&python, &script, package, &samples, out];
    let [python, arguments @ ..] = &paths.map(|path| path.to_string_lossy());
    Step::new(python, &arguments.each_ref().map(AsRef::as_ref))
        .run("export the network for the peers")
}

/// The package with random weights; made once.
fn random(root: &Path, place: &Path) -> Result<PathBuf> {
    let package = place.join("packages").join(RANDOM.0);
    if package.join("manifest.json").exists() {
        return Ok(package);
    }
    let python = tools::peers_python(root, &[])?;
    let (script, samples) = (
        root.join("xtask/bench/random_b5.py"),
        root.join("www/samples"),
    );
    let weights = place.join("random.pth");
    let trainer = root.join("target/release/sightline-trainer");
    let paths = [&python, &script, &samples, &weights, &trainer, &package];
    let [python, script, samples, weights, trainer, out] =
        &paths.map(|path| path.to_string_lossy());
    let arguments = [script, samples, RANDOM_SIZE, weights].map(AsRef::as_ref);
    Step::new(python, &arguments).run("make a network with random weights")?;
    Step::new("cargo", &["build", "--release"]).run("build the trainer, which imports it")?;
    let options = "--from torchvision --architecture efficientnet_b5 --findings chexpert --size";
    let arguments = ["import", weights, "--out", out].into_iter();
    let arguments = arguments.chain(options.split(' ')).chain([RANDOM_SIZE]);
    Step::new(trainer, &arguments.collect::<Vec<_>>()).run("import it")?;
    Ok(package)
}

/// What is measured: every network everywhere, where its name has the words.
fn cases(words: &str, rounds: u64) -> Vec<Value> {
    let mut cases = Vec::new();
    for (package, _) in PACKAGES.into_iter().chain([RANDOM]) {
        for (backend, cores, _) in PLACES {
            if package == RANDOM.0 && (backend, cores) != ("cpu", 1) {
                continue;
            }
            let names = [package, backend, &cores.to_string()];
            let has = |word: &str| names.contains(&word) || package.split('-').any(|p| p == word);
            if words.split_whitespace().all(has) {
                cases.push(
                    json!({ "package": package, "backend": backend, "cores": cores, "rounds": rounds }),
                );
            }
        }
    }
    cases
}

/// Whether every case was measured often enough to be written down.
fn is_enough(measured: &Value) -> bool {
    let mut cases = measured["cases"].as_array().into_iter().flatten();
    cases.all(|case| case["rounds"].as_u64() >= Some(ROUNDS))
}

/// The cases that are known, with the new ones in place of those. Each says by itself what was measured with, and where.
fn merged(known: &Value, new: &Value) -> Value {
    let found = |measured: &Value, wanted: &Value| {
        let keys = ["package", "backend", "cores"];
        let mut all = measured["cases"].as_array().into_iter().flatten();
        let case = all.find(|case| keys.iter().all(|key| case[key] == wanted[key]));
        case.cloned().map(|mut case| {
            if case["about"].is_null() {
                case["about"] = measured["about"].clone();
            }
            case
        })
    };
    let cases = cases("", ROUNDS);
    let cases = cases
        .iter()
        .filter_map(|case| found(new, case).or_else(|| found(known, case)));
    json!({ "cases": cases.collect::<Vec<_>>() })
}

/// The median of a list of numbers; `None` where there is none.
fn median(values: &Value) -> Option<f64> {
    let values = values.as_array()?.iter();
    let mut values = values.map(Value::as_f64).collect::<Option<Vec<f64>>>()?;
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn shown(number: Option<f64>) -> String {
    match number {
        Some(number) if number < 10.0 => format!("{number:.1}"),
        Some(number) => format!("{number:.0}"),
        None => "fails".to_owned(),
    }
}

/// Network and place of a case, as the tables call them.
fn titles(case: &Value) -> Result<(&'static str, &'static str)> {
    let mut packages = PACKAGES.iter().chain([&RANDOM]);
    let mut places = PLACES
        .iter()
        .filter(|(backend, cores, _)| case["backend"] == *backend && case["cores"] == *cores);
    let package = packages.find(|(name, _)| case["package"] == *name);
    Ok((
        package.context("a package")?.1,
        places.next().context("a place")?.2,
    ))
}

/// The tables in Markdown.
fn tables(measured: &Value) -> Result<String> {
    let all_cases = cases("", ROUNDS);
    let cases = measured["cases"].as_array().context("cases")?;
    let mut table =
        String::from("Milliseconds for a batch of pictures.\n\n| network | where | batch |");
    for (_, title) in CONTENDERS {
        table += &format!(" {title} |");
    }
    table += " ratio to ONNX Runtime Web |\n|---|---|---:|---:|---:|---:|---:|\n";
    for case in cases {
        let (network, place) = titles(case)?;
        for batch in BATCHES {
            let of = |who: &str| median(&case["results"][who]["batches"][batch]);
            table += &format!("| {network} | {place} | {batch} |");
            for (who, _) in CONTENDERS {
                table += &format!(" {} |", shown(of(who)));
            }
            table += &match (of("sightline"), of("onnxruntime")) {
                (Some(ours), Some(theirs)) => format!(" {:.2} |\n", ours / theirs),
                _ => " |\n".to_owned(),
            };
        }
    }
    table += "\n*Load*: milliseconds until the network can be asked. *First*: milliseconds of the first picture then. *Peak*: MB that the page's \
              process held at most. *Program*: MB gzipped, beside the weights.\n\n\
              | network | where | runtime | load | first | peak, one picture | peak, 8 | program | logits off by |\n\
              |---|---|---|---:|---:|---:|---:|---:|---:|\n";
    for case in cases {
        let (network, place) = titles(case)?;
        for (who, title) in CONTENDERS {
            let result = &case["results"][who];
            let program = result["programs"]["all_gzipped"].as_f64();
            let program = program.map_or(String::new(), |bytes| format!("{:.2}", bytes / 1e6));
            let difference = result["difference"].as_f64();
            let difference = difference.map_or(String::new(), |most| format!("{most:.0e}"));
            table += &format!(
                "| {network} | {place} | {title} | {} | {} | {} | {} | {program} | {difference} |\n",
                shown(median(&result["load"])),
                shown(median(&result["first"])),
                shown(result["peak_one_reading"].as_f64()),
                shown(result["peak"].as_f64()),
            );
        }
    }
    table.push('\n');
    for case in cases {
        let (network, place) = titles(case)?;
        let about = &case["about"];
        let version = |who: &str| about["versions"][who].as_str().unwrap_or("?");
        let card = case["card"].as_str();
        let browsers = CONTENDERS.map(|(who, _)| case["results"][who]["chromium"].as_str());
        table += &format!(
            "- {network}, {place}: Sightline {}, ONNX Runtime Web {}, TensorFlow.js {}, Chromium {}, {}{} of {} cores, {} rounds.\n",
            version("sightline"),
            version("onnxruntime"),
            version("tensorflow"),
            browsers.iter().flatten().max().unwrap_or(&"?"),
            card.map_or(String::new(), |card| format!("{card}, ")),
            about["cpu"].as_str().unwrap_or("a CPU"),
            about["cpus"],
            case["rounds"],
        );
    }
    for case in all_cases {
        let (network, place) = titles(&case)?;
        if !cases
            .iter()
            .any(|known| titles(known).is_ok_and(|known| known == (network, place)))
        {
            table += &format!("- {network}, {place}: not measured.\n");
        }
    }
    Ok(table)
}

/// What must not be: no figures of ours, or logits that are not PyTorch's.
fn wrong(measured: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in measured["cases"].as_array().into_iter().flatten() {
        for (who, title) in CONTENDERS {
            let result = &case["results"][who];
            let name = format!(
                "{title} ({}, {}, {} cores)",
                case["package"], case["backend"], case["cores"]
            );
            if let Some(why) = result["failed"].as_str() {
                println!("{name} failed: {why}");
                if who == "sightline" {
                    wrong.push(format!("{name} failed"));
                }
                continue;
            }
            let tolerance = match case["backend"].as_str() {
                Some("card") if who == "sightline" => TOLERANCE_OF_CARD,
                _ => TOLERANCE,
            };
            match result["difference"].as_f64() {
                Some(difference) if difference <= tolerance => {}
                difference => {
                    wrong.push(format!("{name}: logits are off by {difference:?}"));
                }
            }
        }
    }
    wrong
}

/// Writes tables into `docs/measured.md`, in place of those between the two marks.
///
/// # Errors
/// When the document lacks one of them, or cannot be written.
pub fn write(root: &Path, text: &str, marks: [&str; 2]) -> Result<()> {
    let document = root.join("docs/measured.md");
    let with = between(&std::fs::read_to_string(&document)?, text, marks)?;
    std::fs::write(&document, with)?;
    println!("docs/measured.md has it");
    Ok(())
}

/// The document with other text between the two marks.
///
/// # Errors
/// When the document lacks one of them.
fn between(document: &str, text: &str, [begin, end]: [&str; 2]) -> Result<String> {
    let parts = document.split_once(begin);
    let (before, rest) = parts.with_context(|| format!("no {begin:?} in the document"))?;
    let parts = rest.split_once(end);
    let (_, after) = parts.with_context(|| format!("no {end:?} in the document"))?;
    Ok(format!("{before}{begin}\n{text}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_last_one_and_of_nothing_else() {
        let document = format!("# Before\n{BEGIN}old\n{END}after\n");
        let new = between(&document, "new", [BEGIN, END]).expect("both marks are there");
        assert_eq!(new, format!("# Before\n{BEGIN}\nnew\n{END}after\n"));
        assert_eq!(between(&new, "new", [BEGIN, END]).expect("as before"), new);
        assert!(between("no marks", "new", [BEGIN, END]).is_err());
    }

    #[test]
    fn logits_that_are_not_pytorchs_are_an_error_and_a_peer_that_fails_is_none() {
        let case = |ours: Value, peer: Value| {
            json!({ "cases": [{ "package": "densenet121-nih", "backend": "cpu", "cores": 1, "results": {
                "sightline": ours, "onnxruntime": peer, "tensorflow": { "difference": 0.0 },
            } }] })
        };
        let (good, bad) = (json!({ "difference": 1e-6 }), json!({ "difference": 2e-3 }));
        let silent = json!({ "difference": null });
        assert_eq!(wrong(&case(good.clone(), silent)).len(), 1);
        let failed = json!({ "difference": 0.0, "failed": "no adapter" });
        assert!(wrong(&case(good.clone(), good.clone())).is_empty());
        assert!(wrong(&case(good.clone(), failed.clone())).is_empty());
        assert_eq!(wrong(&case(good.clone(), bad.clone())).len(), 1);
        assert_eq!(wrong(&case(bad, good.clone())).len(), 1);
        assert_eq!(wrong(&case(failed, good)).len(), 1);
    }

    #[test]
    fn a_case_takes_the_place_of_its_last_one_and_others_stay() {
        let of = |cores: u64, commit: &str| {
            let case = json!({ "package": "densenet121-nih", "backend": "cpu", "cores": cores, "rounds": 7 });
            json!({ "about": { "versions": { "sightline": commit } }, "cases": [case] })
        };
        let both = merged(&of(1, "first"), &of(2, "second"));
        let again = merged(&both, &of(2, "third"));
        let commits = again["cases"].as_array().expect("cases").iter();
        let commits: Vec<_> = commits
            .map(|case| &case["about"]["versions"]["sightline"])
            .collect();
        assert_eq!(commits, ["first", "third"]);
        let tables = tables(&again).expect("tables");
        assert!(
            tables.contains("DenseNet-121, two cores: Sightline third"),
            "{tables}"
        );
        assert!(
            tables.contains("DenseNet-121, WebGPU (SwiftShader): not measured"),
            "{tables}"
        );
    }

    #[test]
    fn what_was_measured_too_few_times_is_not_written_down() {
        let cases = |rounds: Value| json!({ "cases": [{ "rounds": 7 }, { "rounds": rounds }] });
        assert!(is_enough(&cases(json!(ROUNDS))));
        assert!(!is_enough(&cases(json!(ROUNDS - 1))));
        assert!(!is_enough(&cases(Value::Null)));
    }

    #[test]
    fn words_choose_cases() {
        assert_eq!(cases("", 7).len(), PACKAGES.len() * PLACES.len() + 1);
        assert_eq!(cases("webgpu", 7).len(), PACKAGES.len());
        assert_eq!(cases("card", 7).len(), PACKAGES.len());
        let one =
            json!({ "package": "densenet121-nih", "backend": "cpu", "cores": 1, "rounds": 2 });
        assert_eq!(cases("densenet121 cpu 1", 2), [one]);
        assert!(cases("vgg", 7).is_empty());
    }

    #[test]
    fn the_ratio_is_of_medians() {
        let times = |times: [f64; 3]| json!({ "batches": { "1": times } });
        let measured = json!({ "about": {}, "cases": [{ "package": "densenet121-nih", "backend": "cpu", "cores": 2, "results": {
            "sightline": times([900.0, 100.0, 300.0]), "onnxruntime": times([200.0, 10.0, 250.0]),
        } }] });
        let tables = tables(&measured).expect("a table");
        assert!(
            tables.contains("| DenseNet-121 | two cores | 1 | 300 | 200 | fails | 1.50 |"),
            "{tables}"
        );
    }
}
