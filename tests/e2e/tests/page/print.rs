//! The reading on one page of paper.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::*;

/// Has the browser print, and gives the file back.
async fn printed(page: &Page) -> Result<Vec<u8>> {
    let options = json!({ "preferCSSPageSize": true });
    let answer = page.tools("Page.printToPDF", options).await?;
    Ok(BASE64.decode(answer["data"].as_str().context("a file")?)?)
}

/// How many pages a PDF has. Chromium writes the objects of pages without compression.
fn pages(pdf: &[u8]) -> usize {
    let text = String::from_utf8_lossy(pdf);
    let pages = text.split("/Type /Page").skip(1);
    pages.filter(|rest| !rest.starts_with('s')).count()
}

/// What is seen of the sheet on paper.
async fn on_paper(page: &Page) -> Result<String> {
    let media = |media: &str| json!({ "media": media });
    page.tools("Emulation.setEmulatedMedia", media("print"))
        .await?;
    let text = page.text("print-sheet").await?;
    let shown = "return ['header', 'main', 'footer'].filter(part => document.querySelector(part).getClientRects().length)";
    let shown = page.script(shown, Vec::new()).await?;
    ensure!(shown == json!([]), "the screen is printed too: {shown}");
    page.tools("Emulation.setEmulatedMedia", media("")).await?;
    Ok(text)
}

#[tokio::test]
async fn the_report_is_printed_on_one_page_and_names_nobody_who_was_not_typed() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.give(
        "drop",
        "Jane-Doe.jpg",
        &std::fs::read(sample("effusion.jpg"))?,
    )
    .await?;
    page.wait_for(&["ready"], READ).await?;
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let (manifest, _) = native(&sample("effusion.jpg")).await?;
    ensure!(
        !page.element("print-sheet").await?.is_displayed().await?,
        "the sheet is on the screen"
    );

    let text = on_paper(&page).await?;
    for finding in &report.findings {
        let name = finding.name.name();
        let line = text.lines().find(|line| line.starts_with(name));
        let line = line.with_context(|| format!("no {name} on paper: {text}"))?;
        let score = match finding.probability {
            Some(score) => format!("{score:.2}"),
            None => "not trained".to_owned(),
        };
        ensure!(line.contains(&score), "{line}, and not {score}");
    }
    let card = &manifest.findings[2];
    let (auc, [low, high]) = card.auc.zip(card.auc_ci95).context("an AUC")?;
    for said in [
        format!("{auc:.2} ({low:.2} to {high:.2})"),
        manifest.weights.sha256.clone(),
        report.image.sha256.clone(),
        report.adapter.clone(),
        format!(
            "sightline-trainer explain --model www/models/{} --replay report.json IMAGE",
            manifest.name
        ),
        manifest.limits[0].clone(),
        "Not a medical device".to_owned(),
        "was not measured on this picture".to_owned(),
    ] {
        ensure!(text.contains(&said), "no {said:?} on paper: {text}");
    }
    ensure!(
        !text.contains("Jane") && !text.contains("Reference"),
        "{text}"
    );
    ensure!(pages(&printed(&page).await?) == 1, "more than one page");
    // Painted for 300 dots an inch, when the browser prints.
    let sides = "return [...document.querySelectorAll('.sheet figure canvas:first-child')].map(c => Math.max(c.width, c.height))";
    let sides = page.script(sides, Vec::new()).await?;
    ensure!(sides == json!([1004, 1004]), "{sides}");

    // What is typed is printed, of this radiograph alone.
    let reference = page.element("print-reference").await?;
    reference.send_keys("Case 17").await?;
    let text = on_paper(&page).await?;
    ensure!(text.contains("Reference: Case 17"), "{text}");
    page.script("window.print = () => { window.asked = true; }", Vec::new())
        .await?;
    page.element("print-report").await?.click().await?;
    ensure!(
        page.script("return window.asked", Vec::new()).await? == true,
        "the button does not print"
    );
    page.element("sample-0").await?.click().await?;
    page.wait_for_words("radiograph-info", "cardiomegaly.jpg", READ)
        .await?;
    page.wait_for(&["ready"], READ).await?;
    let text = on_paper(&page).await?;
    ensure!(
        !text.contains("Case 17"),
        "another radiograph has the reference"
    );
    page.close().await
}

#[tokio::test]
async fn all_that_can_be_measured_fits_the_page() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    page.element("measure").await?.click().await?;
    page.wait_for(&["explaining"], READ).await?;
    page.wait_for(&["ready"], SLOW).await?;
    let text = on_paper(&page).await?;
    ensure!(
        text.contains("Area under the deletion curve") && text.contains("p = "),
        "{text}"
    );
    ensure!(pages(&printed(&page).await?) == 1, "more than one page");
    // Nothing is cut off at the end of the page, and other models' limits may be two lines longer.
    page.tools("Emulation.setEmulatedMedia", json!({ "media": "print" }))
        .await?;
    let below = "const sheet = document.querySelector('.sheet');
        return sheet.getBoundingClientRect().bottom - sheet.lastElementChild.getBoundingClientRect().bottom";
    let left = page.script(below, Vec::new()).await?;
    ensure!(left.as_f64() > Some(20.0), "{left} pixels are left");
    page.close().await
}
