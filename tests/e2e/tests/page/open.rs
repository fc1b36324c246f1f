//! Giving the page a picture.

use super::*;

/// A PNG of 76 bytes whose header promises 100 megapixels.
const HUGE_PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x27\x10\0\0\x27\x10\x08\0\0\0\0\x9f\x25\x3d\xfb\
\0\0\0\x0cIDAT\x78\x9c\x63\x60\xa0\x3d\0\0\0\x64\0\x01\x86\x64\x3c\x35\0\0\0\0IEND\xae\x42\x60\x82";

#[tokio::test]
async fn a_file_is_read_by_button_by_drop_and_by_paste() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "").await?;
    let file = sample("cardiomegaly.jpg");
    page.choose(&file).await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &file).await?;

    for (how, name) in [("drop", "effusion.jpg"), ("paste", "no-finding.jpg")] {
        let file = sample(name);
        // Without an extension: the format is told from the bytes.
        page.give(how, "radiograph", &std::fs::read(&file)?).await?;
        let read = async {
            loop {
                if page.state().await? == "ready"
                    && assert_scores_are_native(&page, &file).await.is_ok()
                {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(READ, read)
            .await
            .with_context(|| format!("{how} did not read {name}"))??;
    }
    page.close().await
}

#[tokio::test]
async fn files_that_cannot_be_read_say_why_and_the_next_one_is_read() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let jpeg = std::fs::read(sample("effusion.jpg"))?;
    let mut dicom = vec![0; 128];
    dicom.extend_from_slice(b"DICM and more");
    let cases: [(&str, &[u8], &str); 5] = [
        ("notes.jpg", b"just some words", "text file"),
        ("cut.jpg", &jpeg[..jpeg.len() / 2], "cut short"),
        ("huge.png", HUGE_PNG, "10000 x 10000"),
        ("scan.dcm", &dicom, "DICOM"),
        ("empty.png", b"", "empty"),
    ];
    for (name, bytes, reason) in cases {
        page.give("drop", name, bytes).await?;
        let told = async {
            loop {
                if page.exists("error").await? && page.text("error").await?.contains(reason) {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(READ, told)
            .await
            .with_context(|| format!("{name}: no word of {reason:?}"))??;
        ensure!(
            page.state().await? == "error",
            "{name}: the page is {}",
            page.state().await?
        );
    }
    page.screenshot("wide-error").await?;
    page.give("drop", "good.jpg", &jpeg).await?;
    page.wait_for(&["ready"], READ).await?;
    ensure!(!page.exists("error").await?, "the old error is still shown");
    page.close().await
}
