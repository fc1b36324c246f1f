//! Weights that are dropped into the page: looked over, opened, kept, saved, deleted, refused.

use sightline::finding::Finding;
use sightline::vocabulary::{NIH, TORCHXRAYVISION};

use super::models::{import, unpacked};
use super::*;

/// The models that can be chosen.
async fn models(page: &Page) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let select = page.element("model-select").await?;
    for option in select.find_all(By::Css("option")).await? {
        names.push(option.text().await?);
    }
    Ok(names)
}

async fn findings(page: &Page) -> Result<Vec<String>> {
    let text = page.value("model-findings").await?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Waits until as many models can be chosen.
async fn wait_for_models(page: &Page, count: usize) -> Result<Vec<String>> {
    let start = std::time::Instant::now();
    loop {
        let names = models(page).await?;
        if names.len() == count {
            return Ok(names);
        }
        ensure!(start.elapsed() < LOAD, "{names:?} are not {count}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn weights_dropped_beside_a_radiograph_are_opened_kept_saved_and_deleted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let weights = unpacked(folder.path(), "torchxrayvision.pt")?;
    let package = folder.path().join("native");
    import(&weights, &package, &[])?;
    let (_, expected) = native_with(&package, &sample("effusion.jpg")).await?;

    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let shipped = models(&page).await?.len();
    page.drop_paths(&[&sample("effusion.jpg"), &weights])
        .await?;
    let names = TORCHXRAYVISION.map(Finding::name);
    ensure!(
        findings(&page).await? == names,
        "{:?}",
        findings(&page).await?
    );
    // The radiograph is read meanwhile, with the model that there is.
    page.wait_for(&["ready"], READ).await?;
    page.screenshot("model-review").await?;
    let violations = page.violations().await?;
    ensure!(violations.is_empty(), "{violations:#?}");
    page.element("model-accept").await?.click().await?;
    let listed = wait_for_models(&page, shipped + 1).await?;
    page.wait_for(&["ready"], SLOW).await?;
    ensure!(!page.exists("model-review").await?);
    ensure!(page.scores().await?.len() == names.len());
    assert_scores_are(&page, &expected).await?;
    page.wait_for_words("notices", "Nothing is known of this model", READ)
        .await?;

    // Every method explains it.
    choose(&page, "explain-method", "occlusion").await?;
    page.wait_for(&["ready"], SLOW).await?;
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    ensure!(report.explanations.occlusion.is_some(), "no map");

    // Its package, as the command line reads it.
    let (name, archive) = page.saved_by("model-save").await?;
    ensure!(name == "torchxrayvision.zip", "{name}");
    let saved = folder.path().join("saved");
    zip::ZipArchive::new(std::io::Cursor::new(archive))?.extract(&saved)?;
    let saved = saved.join("torchxrayvision");
    let bytes = |folder: &Path| std::fs::read(folder.join("weights.bpk"));
    ensure!(
        bytes(&saved)? == bytes(&package)?,
        "other weights than import's"
    );
    let (_, again) = native_with(&saved, &sample("effusion.jpg")).await?;
    ensure!(again.probabilities == expected.probabilities);
    ensure!(saved.join("card.md").exists());

    // It is there at the next visit, and nothing of it went anywhere.
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    ensure!(wait_for_models(&page, shipped + 1).await? == listed);
    let own = listed.last().context("the new one")?.clone();
    choose(&page, "model-select", &own).await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], SLOW).await?;
    assert_scores_are(&page, &expected).await?;
    let paths = server.paths();
    ensure!(
        !paths.iter().any(|path| path.contains("torchxrayvision")),
        "{paths:?}"
    );
    ensure!(server.foreign().is_empty(), "{:?}", server.foreign());

    page.element("model-delete").await?.click().await?;
    wait_for_models(&page, shipped).await?;
    page.wait_for(&["ready"], SLOW).await?;
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    ensure!(!page.exists("model-delete").await?);
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    ensure!(models(&page).await?.len() == shipped);
    page.close().await
}

#[tokio::test]
async fn what_the_outputs_are_is_asked_where_a_file_does_not_say() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let weights = unpacked(folder.path(), "densenet121_2017.pth.tar")?;
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let input = page.element("model-drop").await?;
    input.send_keys(weights.to_str().context("a path")?).await?;
    // Taken for CheXNet's. As torchvision's, nobody knows the outputs.
    let nih = NIH.map(Finding::name);
    ensure!(
        findings(&page).await? == nih,
        "{:?}",
        findings(&page).await?
    );
    let choose_field = async |name: &str, value: &str| {
        let css = format!("[data-testid='model-review'] [name='{name}'] [value='{value}']");
        page.driver.find(By::Css(css)).await?.click().await
    };
    choose_field("source", "torchvision").await?;
    page.wait_for_words("model-review", "does not say what its outputs", LOAD)
        .await?;
    ensure!(findings(&page).await?.is_empty());
    page.element("model-accept").await?.click().await?;
    page.wait_for_error("14 outputs", LOAD).await?;
    choose_field("order", "chexpert").await?;
    let start = std::time::Instant::now();
    while findings(&page).await?.len() != 14 {
        ensure!(start.elapsed() < LOAD, "no findings are proposed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // One of them is left out.
    let field = page.element("model-findings").await?;
    let mut names = findings(&page).await?;
    "-".clone_into(&mut names[13]);
    field.clear().await?;
    field.send_keys(names.join("\n")).await?;
    page.element("model-accept").await?.click().await?;
    wait_for_models(&page, models(&page).await?.len()).await?;
    page.element("model-delete").await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], SLOW).await?;
    let package = folder.path().join("native");
    let said = format!("--findings={}", names.join(","));
    import(&weights, &package, &["--from", "torchvision", &said])?;
    let (_, expected) = native_with(&package, &sample("effusion.jpg")).await?;
    assert_scores_are(&page, &expected).await?;
    page.close().await
}

#[tokio::test]
async fn what_is_no_weights_is_called_by_name_and_the_reading_stays() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let html = b"<!DOCTYPE html><html><body>Sign in</body></html>";
    for (name, bytes, said) in [
        ("model.pth", &html[..], "HTML"),
        ("empty.pt", b"", "empty"),
        (
            "lfs.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "LFS",
        ),
    ] {
        page.give("drop", name, bytes).await?;
        page.wait_for_words("error", name, LOAD).await?;
        let error = page.text("error").await?;
        ensure!(error.contains(said), "{name}: {error}");
        ensure!(!page.exists("model-review").await?);
        ensure!(page.state().await? == "ready");
    }
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    page.close().await
}
