//! Pictures that the model is not for.

use sightline::gate::{Kind, Verdict};

use super::*;

/// Another picture of a sample's pixels, as PNG.
pub fn made_of(
    sample_name: &str,
    change: impl Fn(image::GrayImage) -> image::GrayImage,
) -> Result<Vec<u8>> {
    let picture = image::open(sample(sample_name))?.into_luma8();
    let mut png = std::io::Cursor::new(Vec::new());
    change(picture).write_to(&mut png, image::ImageFormat::Png)?;
    Ok(png.into_inner())
}

async fn verdict(page: &Page) -> Result<(String, Option<String>)> {
    let gate = page.element("gate").await?;
    let verdict = gate.attr("data-verdict").await?.context("a verdict")?;
    Ok((verdict, gate.attr("data-kind").await?))
}

#[tokio::test]
async fn a_picture_that_the_model_is_not_for_has_scores_only_when_they_are_asked_for() -> Result<()>
{
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.choose(&sample("effusion.jpg")).await?;
    page.wait_for(&["ready"], READ).await?;
    ensure!(verdict(&page).await? == ("pass".to_owned(), None));
    ensure!(!page.exists("gate-show-scores").await?);

    let turned = made_of("effusion.jpg", |picture| {
        image::imageops::rotate180(&picture)
    })?;
    page.give("drop", "turned.png", &turned).await?;
    page.wait_for(&["ready"], READ).await?;
    let stopped = ("stop".to_owned(), Some(Kind::Turned.name().to_owned()));
    ensure!(
        verdict(&page).await? == stopped,
        "{:?}",
        verdict(&page).await?
    );
    for hidden in [
        "finding-0",
        "overlay-canvas",
        "trust-panel",
        "export-json",
        "opacity",
    ] {
        ensure!(!page.exists(hidden).await?, "{hidden} is there");
    }
    page.screenshot("gate-stop").await?;
    page.element("gate-show-scores").await?.click().await?;
    page.element("finding-0").await?;
    page.element("overlay-canvas").await?;
    ensure!(!page.exists("gate-show-scores").await?);
    // What it said stays beside the scores, and in the report.
    ensure!(verdict(&page).await? == stopped);
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let gate = report.gate.context("the gate in the report")?;
    ensure!(gate.verdict == Verdict::Stop && gate.kind == Some(Kind::Turned));

    // Another picture is asked of anew.
    let inverted = made_of("effusion.jpg", |mut picture| {
        image::imageops::invert(&mut picture);
        picture
    })?;
    page.give("drop", "inverted.png", &inverted).await?;
    page.wait_for(&["ready"], READ).await?;
    ensure!(verdict(&page).await?.1.as_deref() == Some("inverted"));
    ensure!(!page.exists("finding-0").await?);
    page.close().await
}
