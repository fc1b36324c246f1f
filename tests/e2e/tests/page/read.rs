//! A picture that was read: scores, maps, and what can be saved.

use super::*;

#[tokio::test]
async fn a_sample_is_read_explained_and_nothing_leaves_the_origin() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    ensure!(
        page.text("adapter").await?.starts_with("CPU, "),
        "{}",
        page.text("adapter").await?
    );
    page.screenshot("wide-idle").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    ensure!(!page.exists("error").await?, "an error is shown");
    page.screenshot("wide-ready").await?;

    // Hovering and arrow keys change the map at once.
    let (width, first, coloured) = page.canvas_pixels("overlay-canvas").await?;
    ensure!(
        width > 200 && coloured > 1000,
        "the overlay has {coloured} coloured pixels"
    );
    let list = page.driver.find(By::Css(".findings")).await?;
    list.send_keys(Key::Down).await?;
    let (_, second, _) = page.canvas_pixels("overlay-canvas").await?;
    ensure!(first != second, "the arrow key did not change the map");
    list.send_keys(Key::Up).await?;
    ensure!(
        page.canvas_pixels("overlay-canvas").await?.1 == first,
        "the way back gives another map"
    );
    let other = page
        .driver
        .find(By::Css(".findings li:nth-child(3)"))
        .await?;
    page.driver
        .action_chain()
        .move_to_element_center(&other)
        .perform()
        .await?;
    let (_, third, _) = page.canvas_pixels("overlay-canvas").await?;
    ensure!(third != first, "hovering did not change the map");

    // Colours and opacity.
    let set = r#"
        const input = document.querySelector(`[data-testid='${arguments[0]}']`);
        input.value = arguments[1];
        for (const kind of ['input', 'change']) input.dispatchEvent(new Event(kind, { bubbles: true }));
    "#;
    page.script(set, vec!["colormap".into(), "viridis".into()])
        .await?;
    ensure!(
        page.canvas_pixels("overlay-canvas").await?.1 != third,
        "the colours did not change"
    );
    page.script(set, vec!["opacity".into(), "0".into()]).await?;
    let (_, _, coloured) = page.canvas_pixels("overlay-canvas").await?;
    ensure!(coloured == 0, "{coloured} pixels are coloured at opacity 0");

    ensure!(
        page.text("trust-panel").await?.contains("AUC"),
        "{}",
        page.text("trust-panel").await?
    );
    ensure!(server.total() > 5, "the server was not asked");
    ensure!(
        server.foreign().is_empty(),
        "requests left the origin: {:?}",
        server.foreign()
    );
    page.close().await
}

/// Needs the radiographs of `../shared/data`; `SIGHTLINE_WITHOUT_DATA`, which `cargo xtask test` sets where they are not there, leaves it out.
#[tokio::test]
async fn radiographs_of_other_hospitals_are_read_as_natively() -> Result<()> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if std::env::var_os("SIGHTLINE_WITHOUT_DATA").is_some() {
        return Ok(());
    }
    ensure!(
        data.is_dir(),
        "{} is not there; SIGHTLINE_WITHOUT_DATA=1 leaves this test out",
        data.display()
    );
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    for set in ["nih", "covid", "wingspan", "hannover", "kermany"] {
        let csv = std::fs::read_to_string(data.join(format!("{set}.csv")))?;
        let row = csv.lines().nth(7).context("rows")?;
        let file = data.join(row.split(',').next().context("a path")?);
        page.choose(&file).await?;
        page.wait_for(&["reading", "ready"], READ).await?;
        page.wait_for(&["ready"], READ).await?;
        assert_scores_are_native(&page, &file)
            .await
            .with_context(|| file.display().to_string())?;
    }
    page.close().await
}

#[tokio::test]
async fn the_report_and_the_picture_can_be_saved() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let (name, json) = page.saved_by("export-json").await?;
    ensure!(name == "effusion-sightline.json", "{name}");
    let report: Report = serde_json::from_slice(&json)?;
    let (manifest, expected) = native(&sample("effusion.jpg")).await?;
    ensure!(report.model.weights_sha256 == manifest.weights.sha256);
    ensure!(report.findings.len() == 14);
    for (finding, logit) in report.findings.iter().zip(&expected.logits) {
        ensure!(
            (finding.logit - logit).abs() < 5e-3,
            "{}: {} {logit}",
            finding.name,
            finding.logit
        );
        let cells: f32 = finding.grad_cam.cells.values.iter().sum();
        let sum = cells + finding.grad_cam.bias;
        ensure!(
            (sum - finding.logit).abs() < 1e-3,
            "{}: {sum} is not the logit",
            finding.name
        );
    }
    let (name, png) = page.saved_by("export-png").await?;
    ensure!(name == "effusion-sightline.png", "{name}");
    let picture = image::load_from_memory(&png)?;
    ensure!(
        picture.width() >= 760 && picture.height() > 320,
        "{} x {}",
        picture.width(),
        picture.height()
    );
    // The radiograph on the left is grey, and on the right colours of the map lie on it.
    let side = page.canvas_pixels("original-canvas").await?.0 as u32;
    let (picture, margin) = (picture.into_rgb8(), 24);
    let pixels = |left: u32| {
        let picture = &picture;
        (0..side)
            .flat_map(move |x| (0..300).map(move |y| picture.get_pixel(left + x, margin + y).0))
    };
    let is_grey = |[r, g, b]: &[u8; 3]| r == g && g == b;
    ensure!(
        pixels(margin).all(|pixel| is_grey(&pixel)),
        "colours on the left"
    );
    let levels: std::collections::BTreeSet<u8> = pixels(margin).map(|pixel| pixel[0]).collect();
    ensure!(levels.len() > 100, "{} grey levels", levels.len());
    let coloured = pixels(2 * margin + side)
        .filter(|pixel| !is_grey(pixel))
        .count();
    ensure!(coloured > 1000, "{coloured} pixels of the map");
    page.close().await
}

#[tokio::test]
async fn on_a_phone_nothing_is_wider_than_the_screen() -> Result<()> {
    let server = Server::start()?;
    let options = Options {
        width: 500,
        height: 900,
        ..Options::default()
    };
    let page = Page::open(&server, "?device=cpu", options).await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.screenshot("phone-idle").await?;
    page.element("sample-0").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    page.screenshot("phone-ready").await?;
    let script = "return [document.documentElement.scrollWidth, window.innerWidth]";
    let widths = page.script(script, vec![]).await?;
    ensure!(
        widths[0].as_i64() <= widths[1].as_i64(),
        "the page is wider than the screen: {widths}"
    );
    page.close().await
}

#[tokio::test]
async fn the_opacity_slider_paints_nothing_and_the_page_reads_no_file() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    // What is painted, and whatever would bring a file's bytes into the page.
    let count = r#"
        window.painted = 0;
        window.bytesRead = 0;
        const put = CanvasRenderingContext2D.prototype.putImageData;
        CanvasRenderingContext2D.prototype.putImageData = function (data, ...rest) {
            window.painted += 1;
            window.largest = Math.max(window.largest || 0, data.width);
            return put.call(this, data, ...rest);
        };
        for (const [of, name] of [[Blob.prototype, 'arrayBuffer'], [Blob.prototype, 'text'], [FileReader.prototype, 'readAsArrayBuffer']]) {
            const read = of[name];
            of[name] = function (...all) { window.bytesRead += 1; return read.apply(this, all); };
        }
    "#;
    page.script(count, vec![]).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let number = async |name: &str| -> Result<i64> {
        let value = page
            .script(&format!("return window.{name}"), vec![])
            .await?;
        value.as_i64().context("a number")
    };
    ensure!(
        number("bytesRead").await? == 0,
        "the page reads the file itself"
    );
    let painted = number("painted").await?;
    ensure!(
        painted >= 5,
        "{painted} pictures are painted: there is little to see"
    );
    let slide = r#"
        const slider = document.querySelector("[data-testid='opacity']");
        for (let percent = 5; percent <= 100; percent += 5) {
            slider.value = String(percent);
            slider.dispatchEvent(new Event('input', { bubbles: true }));
        }
    "#;
    page.script(slide, vec![]).await?;
    let shown = "return getComputedStyle(document.querySelector(\"[data-testid='overlay-canvas']\")).opacity";
    let opacity = page.script(shown, vec![]).await?;
    ensure!(opacity.as_str() == Some("1"), "{opacity}");
    let after = number("painted").await?;
    ensure!(
        after == painted,
        "the slider painted {} pictures",
        after - painted
    );
    // Another finding paints its map, and no radiograph again.
    page.script("window.largest = 0", vec![]).await?;
    let list = page.driver.find(By::Css(".findings")).await?;
    list.send_keys(Key::Down).await?;
    ensure!(
        number("painted").await? > after,
        "another finding paints nothing"
    );
    page.close().await
}
