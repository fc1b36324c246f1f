//! A reader who reads first: nothing of the model is in the document before the reading is committed. And the case library.

use serde_json::Value;

use super::*;

/// Everything that shows what a model says.
const OF_THE_MODEL: [&str; 10] = [
    "overlay-canvas",
    "top-canvas",
    "trust-panel",
    "export-json",
    "export-png",
    "opacity",
    "easel",
    "boxes",
    "boxes-on-map",
    "reading-comparison",
];

/// The library's cases, without the samples.
fn cases() -> Result<Vec<Value>> {
    let index = std::fs::read(www().join("cases/index.json"))?;
    let index: Value = serde_json::from_slice(&index)?;
    let cases = index["cases"].as_array().context("cases")?.iter();
    let is_sample = |case: &&Value| case["file"].as_str().is_none_or(|file| file.contains('/'));
    Ok(cases.filter(|case| !is_sample(case)).cloned().collect())
}

fn file(case: &Value) -> Result<&str> {
    case["file"].as_str().context("a file")
}

async fn document(page: &Page) -> Result<String> {
    let html = page.script("return document.documentElement.outerHTML", vec![]);
    html.await?
        .as_str()
        .map(str::to_owned)
        .context("a document")
}

/// Every number that stands alone in a text or an attribute of the document, also as a percentage.
async fn numbers(page: &Page) -> Result<Vec<f64>> {
    let script = r#"
        const found = [];
        const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
        for (let node = walker.currentNode; node; node = walker.nextNode()) {
            if (node.nodeType === Node.TEXT_NODE) found.push(node.data);
            else for (const attribute of node.attributes) found.push(...attribute.value.split(/[\s:;]+/));
        }
        return found.map(text => text.trim()).filter(text => /^-?\d*\.\d+%?$/.test(text));
    "#;
    let texts = page.script(script, vec![]).await?;
    let texts = texts.as_array().context("texts")?.iter();
    let number = |text: &Value| {
        let text = text.as_str()?;
        match text.strip_suffix('%') {
            Some(percent) => Some(percent.parse::<f64>().ok()? / 100.0),
            None => text.parse().ok(),
        }
    };
    Ok(texts.filter_map(number).collect())
}

async fn assert_nothing_of_the_model_is_there(page: &Page, expected: &Reading) -> Result<()> {
    for index in 0..14 {
        let row = format!("finding-{index}");
        ensure!(!page.exists(&row).await?, "{row} is there");
    }
    for hidden in OF_THE_MODEL {
        ensure!(!page.exists(hidden).await?, "{hidden} is there");
    }
    let numbers = numbers(page).await?;
    for score in expected.probabilities.iter().flatten() {
        // As it is shown: with two decimals.
        let near = numbers
            .iter()
            .find(|number| (*number - score).abs() < 0.006);
        ensure!(near.is_none(), "{near:?} is there, and a score is {score}");
    }
    Ok(())
}

/// The rows of the session's table, by the header's names.
async fn readings(page: &Page) -> Result<Vec<std::collections::HashMap<String, String>>> {
    let (name, bytes) = page.saved_by("reading-csv").await?;
    ensure!(name == "sightline-readings.csv", "{name}");
    let text = String::from_utf8(bytes)?;
    let mut lines = text.lines().map(|line| line.split(','));
    let header: Vec<&str> = lines.next().context("a header")?.collect();
    let row = |cells: std::str::Split<'_, char>| {
        let cells = header.iter().zip(cells);
        cells
            .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
            .collect()
    };
    Ok(lines.map(row).collect())
}

#[tokio::test]
async fn the_models_scores_are_in_the_document_only_after_the_reader_has_committed() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    ensure!(!page.exists("commit-reading").await?);
    page.element("reader-mode").await?.click().await?;
    page.element("sample-1").await?.click().await?;
    page.element("commit-reading").await?;
    page.wait_for(&["ready"], READ).await?;
    let (_, expected) = native(&sample("effusion.jpg")).await?;
    assert_nothing_of_the_model_is_there(&page, &expected).await?;
    // Nor what is known of the sample.
    let before = document(&page).await?;
    ensure!(!before.contains("Effusion, atelectasis"));
    page.screenshot("reading-first").await?;

    // By mouse, and by keyboard: from "not read" on to 0.
    page.element("reader-10-3").await?.click().await?;
    let radio = page.element("reader-2-none").await?;
    radio.send_keys(Key::Right).await?;
    assert_nothing_of_the_model_is_there(&page, &expected).await?;
    page.element("commit-reading").await?.click().await?;

    assert_scores_are(&page, &expected).await?;
    page.element("overlay-canvas").await?;
    page.element("trust-panel").await?;
    let shown = numbers(&page).await?;
    for score in expected.probabilities.iter().flatten() {
        let near = shown.iter().any(|number| (number - score).abs() < 0.006);
        ensure!(near, "{score} is shown nowhere");
    }
    for index in 0..14 {
        let row = page.element(&format!("finding-{index}")).await?;
        if let Some(score) = row.attr("data-score").await? {
            ensure!(!before.contains(&score[..6]), "{score} was there");
        }
    }
    let said = page.text("compare-10").await?;
    ensure!(
        said.contains("probably present") && said.ends_with("present"),
        "{said}"
    );
    let said = page.text("compare-2").await?;
    ensure!(
        said.contains("definitely absent") && said.ends_with("absent"),
        "{said}"
    );
    ensure!(page.text("compare-9").await?.contains("not read"));
    ensure!(!page.exists("commit-reading").await?);
    page.screenshot("reading-committed").await?;

    // A file of the reader's own has a number in the table, and no name.
    page.choose(&sample("no-finding.jpg")).await?;
    page.element("commit-reading").await?;
    let (_, own) = native(&sample("no-finding.jpg")).await?;
    ensure!(!page.exists("finding-0").await? && !page.exists("reading-comparison").await?);
    page.element("commit-reading").await?.click().await?;
    assert_scores_are(&page, &own).await?;

    let rows = readings(&page).await?;
    let paths: Vec<&str> = rows.iter().map(|row| row["Path"].as_str()).collect();
    ensure!(paths == ["effusion.jpg", "own-1"], "{paths:?}");
    for (index, finding) in sightline::finding::Finding::ALL.into_iter().enumerate() {
        let reader = match index {
            10 => "0.75",
            2 => "0",
            _ => "",
        };
        ensure!(rows[0][finding.name()] == reader, "{finding}");
        let model = &rows[0][&format!("{finding} (model)")];
        match expected.probabilities[index] {
            Some(score) => ensure!((model.parse::<f64>()? - score).abs() < 1e-3, "{finding}"),
            None => ensure!(model.is_empty(), "{finding}: {model}"),
        }
    }
    ensure!(rows[0]["Seconds"].parse::<f64>()? > 0.0);
    ensure!(
        server.foreign().is_empty(),
        "requests left the origin: {:?}",
        server.foreign()
    );
    page.close().await
}

#[tokio::test]
async fn a_case_is_fetched_when_it_is_chosen_and_its_boxes_are_drawn_after_the_reading()
-> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let cases = cases()?;
    page.element(&format!("case-{}", cases.len() - 1)).await?;
    ensure!(!page.exists(&format!("case-{}", cases.len())).await?);
    let fetched = || -> Result<usize> {
        let counts = cases
            .iter()
            .map(|case| Ok(server.count(&format!("cases/{}", file(case)?))));
        counts.sum()
    };
    ensure!(server.count("cases/index.json") == 1);
    ensure!(fetched()? == 0, "a case is fetched before it is chosen");

    // Without the mode: scores at once, and no box.
    page.element("case-0").await?.click().await?;
    page.element("finding-0").await?;
    ensure!(fetched()? == 1 && server.count(&format!("cases/{}", file(&cases[0])?)) == 1);
    assert_scores_are_native(&page, &www().join("cases").join(file(&cases[0])?)).await?;
    ensure!(!page.exists("boxes").await? && !page.exists("reading-csv").await?);
    // Its scores were in view: it can be read, and is not recorded.
    page.element("reader-mode").await?.click().await?;
    page.element("commit-reading").await?;
    ensure!(!page.exists("finding-0").await?);
    page.element("commit-reading").await?.click().await?;
    page.wait_for_words("reading-recorded", "Not recorded", READ)
        .await?;

    let boxes = |case: &Value| case["boxes"].as_array().map_or(0, Vec::len);
    let with_boxes = (1..cases.len()).find(|index| boxes(&cases[*index]) > 0);
    let index = with_boxes.context("a case with boxes")?;
    page.element(&format!("case-{index}"))
        .await?
        .click()
        .await?;
    page.element("commit-reading").await?;
    ensure!(fetched()? == 2, "{} cases are fetched", fetched()?);
    ensure!(!page.exists("boxes").await?, "boxes before the reading");
    page.element("commit-reading").await?.click().await?;
    page.element("boxes").await?;
    let script = r#"
        const boxes = document.querySelector("[data-testid='boxes']");
        const stage = boxes.parentElement.getBoundingClientRect();
        return [...boxes.querySelectorAll('rect')].map((rect, index) => {
            const place = rect.getBoundingClientRect();
            return [
                (place.left - stage.left) / stage.width, (place.top - stage.top) / stage.height,
                boxes.querySelectorAll('text')[index].textContent,
            ];
        });
    "#;
    let drawn = page.script(script, vec![]).await?;
    let drawn = drawn.as_array().context("boxes")?;
    let expected = cases[index]["boxes"].as_array().context("boxes")?;
    ensure!(drawn.len() == expected.len(), "{} boxes", drawn.len());
    for (drawn, expected) in drawn.iter().zip(expected) {
        for (at, name) in ["x", "y"].into_iter().enumerate() {
            let (ours, theirs) = (drawn[at].as_f64(), expected[name].as_f64());
            let apart = (ours.context("a place")? - theirs.context("a place")?).abs();
            ensure!(apart < 0.02, "{name} of {drawn} and {expected}");
        }
        ensure!(drawn[2] == expected["finding"], "{drawn} {expected}");
    }
    page.screenshot("reading-boxes").await?;
    let rows = readings(&page).await?;
    ensure!(rows.len() == 1 && rows[0]["Path"] == file(&cases[index])?);
    page.close().await
}

#[tokio::test]
async fn a_reading_that_is_broken_off_shows_the_scores_and_is_not_recorded() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("reader-mode").await?.click().await?;
    page.element("sample-1").await?.click().await?;
    page.element("commit-reading").await?;
    ensure!(!page.exists("finding-0").await?);
    page.element("reader-mode").await?.click().await?;
    page.element("finding-0").await?;
    ensure!(!page.exists("commit-reading").await? && !page.exists("reading-csv").await?);
    page.close().await
}
