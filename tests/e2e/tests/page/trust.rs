//! What the page says of how far to trust a finding and its map.

use super::*;

#[tokio::test]
async fn that_grad_cam_was_taught_with_boxes_is_said_beside_how_often_it_hits() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let said = page.text("trust-panel").await?;
    ensure!(
        said.contains("Grad-CAM point at boxes that radiologists drew"),
        "{said}"
    );
    page.close().await?;

    // Of a package that does not say so, nothing is claimed.
    let (name, folder) = model()?;
    let manifest = std::fs::read_to_string(folder.join("manifest.json"))?;
    let older = manifest.replacen(",\n    \"taught_with_boxes\": true", "", 1);
    ensure!(
        older != manifest,
        "the shipped package does not say that it was taught"
    );
    let server = Server::start()?;
    server.answer_instead(&format!("models/{name}/manifest.json"), older.into_bytes());
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let said = page.text("trust-panel").await?;
    ensure!(!said.contains("boxes that radiologists drew"), "{said}");
    page.close().await
}
