//! DICOM files.

use super::*;

#[tokio::test]
async fn a_dicom_file_is_read_shown_and_exported_without_the_person() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let cases = www().join("../tests/cases");
    let folder = cases.join("08-other-kinds-named-jpg-png");
    page.choose(&folder.join("no_preamble_explicit.dcm"))
        .await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &folder.join("no_preamble_explicit.dcm")).await?;
    let said = page.text("radiograph-info").await?;
    ensure!(
        said.contains("320 x 320") && said.contains("12 of 16 bits") && said.contains("DICOM"),
        "{said}"
    );
    page.screenshot("dicom").await?;

    page.choose(&cases.join("dicom/two-windows.dcm")).await?;
    page.wait_for(&["ready"], READ).await?;
    page.wait_for_words("radiograph-info", "two-windows.dcm", READ)
        .await?;
    let said = page.text("radiograph-info").await?;
    for words in [
        "DX CHEST PA",
        "0.143 mm",
        "window center 1800, width 2500 (NORMAL)",
        "Explicit VR Little Endian",
    ] {
        ensure!(said.contains(words), "{said}");
    }
    if page.exists("gate-show-scores").await? {
        page.element("gate-show-scores").await?.click().await?;
    }
    for button in ["export-json", "export-png"] {
        let (name, bytes) = page.saved_by(button).await?;
        for secret in ["Secret", "SECRET", "19010203", "19991231"] {
            let has = bytes
                .windows(secret.len())
                .any(|found| found == secret.as_bytes());
            ensure!(!has && !name.contains(secret), "{button} tells {secret}");
        }
    }
    let html = page
        .script("return document.documentElement.outerHTML", Vec::new())
        .await?;
    ensure!(!html.to_string().contains("Secret"));

    let cut = std::fs::read(cases.join("dicom/jpeg-ls.dcm"))?;
    page.give("drop", "cut.dcm", &cut[..cut.len() / 2]).await?;
    page.wait_for_error("cut short", READ).await?;
    page.close().await
}

/// A file without preamble (Explicit VR Little Endian) of 16-bit samples, of which so many bits are stored.
pub fn dicom_of(side: u16, bits: u16, samples: &[u16]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut element = |group: u16, element: u16, kind: &[u8; 2], value: &[u8]| {
        file.extend(group.to_le_bytes());
        file.extend(element.to_le_bytes());
        file.extend(kind);
        if kind == b"OW" {
            file.extend([0, 0]);
            file.extend((value.len() as u32).to_le_bytes());
        } else {
            file.extend((value.len() as u16).to_le_bytes());
        }
        file.extend(value);
    };
    element(0x0008, 0x0060, b"CS", b"DX");
    element(0x0028, 0x0002, b"US", &1u16.to_le_bytes());
    element(0x0028, 0x0004, b"CS", b"MONOCHROME2 ");
    for (place, number) in [
        (0x10, side),
        (0x11, side),
        (0x100, 16),
        (0x101, bits),
        (0x102, bits - 1),
        (0x103, 0),
    ] {
        element(0x0028, place, b"US", &number.to_le_bytes());
    }
    let samples: Vec<u8> = samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    element(0x7FE0, 0x0010, b"OW", &samples);
    file
}

/// As a large detector gives it: 3,000 x 3,000 samples of 14 bits in 16, some 18 MB.
#[tokio::test]
async fn the_picture_of_a_large_detector_is_read() -> Result<()> {
    const SIDE: u16 = 3000;
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.choose(&sample("effusion.jpg")).await?;
    page.wait_for(&["ready"], READ).await?;
    let before = page.peak_memory()?;
    let picture = image::open(sample("effusion.jpg"))?.into_luma16();
    let large = image::imageops::resize(
        &picture,
        SIDE.into(),
        SIDE.into(),
        image::imageops::FilterType::Triangle,
    );
    let samples: Vec<u16> = large.into_raw().iter().map(|sample| sample >> 2).collect();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("large.dcm");
    std::fs::write(&file, dicom_of(SIDE, 14, &samples))?;
    let start = std::time::Instant::now();
    page.choose(&file).await?;
    page.wait_for_words("radiograph-info", "large.dcm", READ)
        .await?;
    page.wait_for(&["ready"], READ).await?;
    let took = start.elapsed();
    assert_scores_are_native(&page, &file).await?;
    let said = page.text("radiograph-info").await?;
    ensure!(
        said.contains("3000 x 3000") && said.contains("14 of 16 bits"),
        "{said}"
    );
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let peak = page.peak_memory()?;
    println!(
        "3,000 x 3,000 of 16 bits: {:.2} s from choosing to scores (decoding {:.0} ms, reading {:.0} ms), {} MB at most, {} MB before",
        took.as_secs_f64(),
        report.timings.decode,
        report.timings.read,
        peak / 1_000_000,
        before / 1_000_000
    );
    ensure!(peak < 1_500_000_000, "{peak} bytes");
    page.close().await
}
