//! The model measured on pictures and tables that are given to the page.

use sightline::finding::Finding;
use sightline_measure::validation::{Given, Picture, Validation, validate};

use super::everyone::breaks_no_rule;
use super::models::unpacked;
use super::*;

fn cases() -> PathBuf {
    www().join("cases")
}

/// The first rows of the case library's labels as a table, and the files that they name.
fn labels(rows: usize) -> Result<(String, Vec<PathBuf>)> {
    let text = std::fs::read_to_string(cases().join("labels.csv"))?;
    let lines: Vec<&str> = text.lines().take(1 + rows).collect();
    let files = lines[1..].iter().map(|line| {
        let name = line.split(',').next().unwrap_or_default();
        cases().join(name)
    });
    Ok((lines.join("\n") + "\n", files.collect()))
}

/// Boxes on two of those images, of which one is around nearly nothing.
fn boxes(files: &[PathBuf]) -> String {
    let name = |place: usize| {
        let name = files[place].file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    format!(
        "Path,Class,X,Y,W,H\n{},Pleural Effusion,0,0,1,1\n{},Pleural Effusion,0,0,0.01,0.01\n",
        name(0),
        name(1)
    )
}

/// Chooses files together in the zone.
async fn choose_here(page: &Page, paths: &[PathBuf]) -> Result<()> {
    let mut all = Vec::new();
    for path in paths {
        all.push(path.canonicalize()?.display().to_string());
    }
    let zone = page.element("validate-drop").await?;
    let input = zone.find(By::Css("input[type=file]")).await?;
    Ok(input.send_keys(all.join("\n")).await?)
}

/// The figure in a cell of the table with all its digits; `None` where the cell has none.
async fn figure(page: &Page, finding: Finding, figure: &str) -> Result<Option<f64>> {
    let script = "return document.querySelector(`[data-testid='validation-table'] tr[data-finding='${arguments[0]}'] \
         td[data-figure='${arguments[1]}']`)?.dataset.value ?? null";
    let arguments = vec![serde_json::json!(finding.name()), serde_json::json!(figure)];
    let value = page.script(script, arguments).await?;
    Ok(value.as_str().map(str::parse).transpose()?)
}

/// What the crate that `evaluate` uses says of the scores and maps that the page has.
async fn natively(page: &Page, tables: Vec<Given>) -> Result<Validation> {
    let (_, json) = page.saved_by("worklist-json").await?;
    let json: serde_json::Value = serde_json::from_slice(&json)?;
    let mut pictures = Vec::new();
    for report in json["reports"].as_array().context("reports")? {
        let report = Report::parse(report.to_string().as_bytes())?;
        let findings = report.findings.iter();
        pictures.push(Picture {
            file: report.image.file.clone(),
            probabilities: findings.clone().map(|f| f.probability).collect(),
            maps: findings.map(|f| f.grad_cam.cells.clone()).collect(),
            region: report.findings[0].grad_cam.region,
        });
    }
    let manifest = Manifest::parse(&std::fs::read(model()?.1.join("manifest.json"))?)?;
    validate(&manifest, tables, &pictures)
}

#[tokio::test]
async fn a_table_and_pictures_give_the_figures_of_evaluate_and_localize() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (text, files) = labels(6)?;
    let marked = boxes(&files);
    let mut paths = files.clone();
    for (name, text) in [("labels.csv", &text), ("boxes.csv", &marked)] {
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        paths.push(path);
    }
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    ensure!(
        !page.exists("validation-table").await?,
        "figures of nothing"
    );
    breaks_no_rule(&page, "nothing to measure").await?;
    choose_here(&page, &paths).await?;
    page.wait_for_words("validation-status", "of 6 read", READ)
        .await?;
    page.wait_for_words("validation-status", "Measured with labels.csv", SLOW)
        .await?;
    page.wait_for_words("validation-table", "6 pictures of 6 patients", READ)
        .await?;
    // Tables are no rows of the list.
    let (text, marked) = (text.into_bytes(), marked.into_bytes());
    let tables = [("labels.csv", text), ("boxes.csv", marked)].map(|(name, bytes)| Given {
        name: name.to_owned(),
        bytes,
    });
    let native = natively(&page, tables.into()).await?;
    let mut compared = 0;
    for one in &native.report.parts[0].findings {
        let name = one.name;
        for (cell, expected) in [
            ("auc", one.auc.map(|auc| auc.value)),
            ("average-precision", one.average_precision.map(|p| p.value)),
            ("brier", one.brier),
            ("calibration-error", one.calibration_error),
            ("sensitivity", one.sensitivity),
            ("specificity", one.specificity),
        ] {
            let ours = figure(&page, name, cell).await?;
            match (ours, expected) {
                (Some(ours), Some(expected)) => {
                    compared += 1;
                    ensure!(
                        (ours - expected).abs() < 1e-9,
                        "{name} {cell}: {ours}, {expected}"
                    );
                }
                (ours, expected) => ensure!(ours == expected, "{name} {cell}: {ours:?}"),
            }
        }
    }
    ensure!(compared > 10, "{compared} figures");
    let judged = native.pointing.context("boxes")?;
    let hits = figure(&page, Finding::PleuralEffusion, "box-hits").await?;
    ensure!(
        hits == Some(judged.findings[0].pointing_hit.value),
        "{hits:?}"
    );
    ensure!(hits == Some(0.5), "{hits:?}");
    page.screenshot("wide-validation").await?;
    breaks_no_rule(&page, "the figures").await
}

#[tokio::test]
async fn tables_that_name_none_of_the_pictures_are_refused_with_what_to_do() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.choose(&sample("effusion.jpg")).await?;
    page.wait_for(&["ready"], READ).await?;
    // Dropped anywhere on the page.
    page.give("drop", "labels.csv", b"Path,Edema\na.png,1\nb.png,0\n")
        .await?;
    let why = "No row of labels.csv names a picture that was given";
    page.wait_for_words("validation-status", why, READ).await?;
    ensure!(
        !page.exists("validation-table").await?,
        "figures of nothing"
    );
    // The reading stays.
    ensure!(page.state().await? == "ready");
    let (text, files) = labels(2)?;
    let two = text + "effusion.jpg,Frontal,0,,1,1,0,1,0,0,1,1,1,0,,,nih-1,test\n";
    page.give("drop", "labels.csv", two.as_bytes()).await?;
    page.wait_for_words("validation-status", "an AUC needs both", READ)
        .await?;
    choose_here(&page, &files).await?;
    page.wait_for_words("validation-table", "3 pictures of 3 patients", SLOW)
        .await?;
    Ok(())
}

#[tokio::test]
async fn figures_of_a_model_that_was_dropped_are_written_into_its_package() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let weights = unpacked(folder.path(), "whole_with_labels.pt")?;
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.drop_paths(&[&weights]).await?;
    page.element("model-findings").await?;
    page.element("model-accept").await?.click().await?;
    page.element("model-delete").await?;
    page.wait_for(&["idle"], LOAD).await?;
    let (text, mut paths) = labels(4)?;
    let table = folder.path().join("labels.csv");
    std::fs::write(&table, text)?;
    paths.push(table);
    choose_here(&page, &paths).await?;
    page.wait_for_words("validation-table", "4 pictures", SLOW)
        .await?;
    let (_, archive) = page.saved_by("model-save").await?;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive))?;
    archive.extract(folder.path())?;
    let package = folder.path().join("whole_with_labels".replace('_', "-"));
    let manifest = Manifest::parse(&std::fs::read(package.join("manifest.json"))?)?;
    ensure!(manifest.evaluation.is_some(), "the manifest has no figures");
    let limits = manifest.limits.join(" ");
    ensure!(!limits.contains("nothing was measured"), "{limits}");
    let shown = figure(&page, Finding::PleuralEffusion, "auc").await?;
    let card = manifest.findings.iter();
    let mut card = card.filter(|card| card.name == Finding::PleuralEffusion);
    let card = card.next().context("the finding")?;
    ensure!(card.positives + card.negatives == 4);
    let written = card.auc;
    ensure!(shown == written, "{shown:?} is shown, {written:?} written");
    let figures = std::fs::read(package.join("evaluation.json"))?;
    ensure!(serde_json::from_slice::<serde_json::Value>(&figures)?.is_object());
    // At the next visit the model is known.
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.element("model-select").await?;
    choose(&page, "model-select", "whole-with-labels").await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], SLOW).await?;
    // Where there is nothing to say there is no list.
    if page.exists("notices").await? {
        let notices = page.text("notices").await?;
        ensure!(!notices.contains("Nothing is known"), "{notices}");
    }
    page.close().await
}
