//! Looking at the radiograph: zoom, pan, window, turned, inverted, and lines that are drawn on it.

use super::*;

/// The side of a large detector's picture, in pixels.
pub const SIDE: u16 = 3000;

/// The value of a pixel of [`large`]: neighbours differ, and all of 14 bits are used.
fn value(x: u32, y: u32) -> u16 {
    ((x * 7 + y * 13 + (x ^ y) * 3) % 16384) as u16
}

/// A radiograph of a large detector: a DICOM file.
pub fn large() -> Vec<u8> {
    let side = u32::from(SIDE);
    let samples = (0..side * side).map(|place| value(place % side, place / side));
    dicom::dicom_of(SIDE, 14, &samples.collect::<Vec<_>>())
}

/// Sends a pointer over the middle pane by shares of its size: pressed at the first place, moved to the others, released.
async fn drag(page: &Page, testid: &str, buttons: u8, places: &[[f64; 2]]) -> Result<()> {
    let script = r#"
        const [testid, buttons, places] = arguments;
        const on = document.querySelector(`[data-testid='${testid}']`);
        const { left, top, width, height } = on.closest('.stage').getBoundingClientRect();
        const button = buttons === 2 ? 2 : buttons === 4 ? 1 : 0;
        const send = (kind, [x, y], held) => on.dispatchEvent(new PointerEvent(kind, {
            bubbles: true, cancelable: true, pointerId: 1, pointerType: 'mouse', button, buttons: held,
            clientX: left + x * width, clientY: top + y * height,
        }));
        send('pointerdown', places[0], buttons);
        for (const place of places.slice(1)) send('pointermove', place, buttons);
        send('pointerup', places[places.length - 1], 0);
    "#;
    page.script(
        script,
        vec![testid.into(), buttons.into(), serde_json::json!(places)],
    )
    .await?;
    Ok(())
}

async fn press(page: &Page, key: &str) -> Result<()> {
    let script = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: arguments[0], bubbles: true, cancelable: true }))";
    page.script(script, vec![key.into()]).await?;
    Ok(())
}

/// Waits until an element says something else than before.
async fn wait_for_another(page: &Page, testid: &str, before: &str) -> Result<String> {
    let start = std::time::Instant::now();
    loop {
        let now = page.text(testid).await?;
        if now != before {
            return Ok(now);
        }
        ensure!(start.elapsed() < READ, "{testid} still says {before:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The greys in the middle of the canvas that shows the samples, and its size.
pub async fn detail(page: &Page, side: u32) -> Result<(u32, u32, Vec<u8>)> {
    let script = r#"
        const canvas = document.querySelector('.stage .detail');
        const side = arguments[0];
        const { width, height } = canvas;
        const data = canvas.getContext('2d')
            .getImageData((width - side) >> 1, (height - side) >> 1, side, side).data;
        return [width, height, Array.from(data).filter((_, at) => at % 4 === 0)];
    "#;
    let answer = page.script(script, vec![side.into()]).await?;
    Ok(serde_json::from_value(answer)?)
}

#[tokio::test]
async fn at_full_size_a_large_radiograph_shows_its_own_pixels_through_the_window() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("large.dcm");
    std::fs::write(&file, large())?;
    page.choose(&file).await?;
    page.wait_for(&["ready"], READ).await?;
    if page.exists("gate-show-scores").await? {
        page.element("gate-show-scores").await?.click().await?;
    }
    let scores = page.scores().await?;
    ensure!(page.text("window-level").await? == "W 16383 L 8192");

    let fitting = page.text("zoom").await?;
    page.element("full-size").await?.click().await?;
    ensure!(wait_for_another(&page, "zoom", &fitting).await? == "100%");
    // The samples come a little later.
    let start = std::time::Instant::now();
    let (width, height, greys) = loop {
        let (width, height, greys) = detail(&page, 16).await?;
        if greys.iter().any(|grey| *grey > 0) {
            break (width, height, greys);
        }
        ensure!(start.elapsed() < READ, "no samples are shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    // The middle of the picture is in the middle of the stage.
    let first = |length: u32| {
        let corner = f64::from(SIDE) / 2.0 - f64::from(length) / 2.0;
        (corner + f64::from((length - 16) / 2) + 0.5) as u32
    };
    let shown = |x: u32, y: u32, low: f64, wide: f64| {
        let share = (f64::from(value(first(width) + x, first(height) + y)) - low) / wide;
        (255.0 * share.clamp(0.0, 1.0)).round() as u8
    };
    let differ = |greys: &[u8], low: f64, wide: f64| {
        let places = (0..256).filter(|place| {
            greys[*place as usize].abs_diff(shown(place % 16, place / 16, low, wide)) > 1
        });
        places.count()
    };
    ensure!(
        differ(&greys, 0.0, 16383.0) == 0,
        "other pixels than the file's"
    );

    // Through another window, from the samples: a drag to the left and up makes it narrow and bright.
    page.script(
        "const tool = document.querySelector('[data-testid=tool]'); tool.value = 'window';
         tool.dispatchEvent(new Event('change', { bubbles: true }));",
        Vec::new(),
    )
    .await?;
    let before = page.text("window-level").await?;
    drag(&page, "easel", 1, &[[0.9, 0.5], [0.5, 0.45], [0.1, 0.4]]).await?;
    let said = wait_for_another(&page, "window-level", &before).await?;
    let numbers: Vec<f64> = said
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [wide, middle] = numbers[..] else {
        bail!("{said}");
    };
    ensure!(wide < 8000.0 && middle < 8000.0, "{said}");
    let (_, _, windowed) = detail(&page, 16).await?;
    let low = middle - wide / 2.0;
    // What is said is rounded.
    ensure!(
        differ(&windowed, low, wide) == 0,
        "other pixels than through {said}"
    );
    page.screenshot("window").await?;

    let inverted =
        "return document.querySelector('[data-testid=invert]').getAttribute('aria-pressed')";
    page.element("invert").await?.click().await?;
    ensure!(page.script(inverted, Vec::new()).await? == "true");
    let (_, _, exchanged) = detail(&page, 16).await?;
    let mut both = windowed.iter().zip(&exchanged);
    ensure!(both.all(|(a, b)| a.abs_diff(255 - b) <= 1));

    page.element("fit").await?.click().await?;
    ensure!(page.text("zoom").await? == fitting);
    press(&page, " ").await?;
    ensure!(page.text("window-level").await? == "W 16383 L 8192");
    ensure!(
        page.scores().await? == scores,
        "the scores depend on the view"
    );
    page.close().await
}

#[tokio::test]
async fn keys_wheel_and_drags_do_what_radiology_viewers_share() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.choose(&www().join("../tests/cases/dicom/two-windows.dcm"))
        .await?;
    page.wait_for(&["ready"], READ).await?;
    if page.exists("gate-show-scores").await? {
        page.element("gate-show-scores").await?.click().await?;
    }
    let first = page.text("window-level").await?;
    ensure!(first == "W 2500 L 1800", "{first}");
    // The file's second window.
    press(&page, "2").await?;
    let second = wait_for_another(&page, "window-level", &first).await?;
    press(&page, "1").await?;
    ensure!(wait_for_another(&page, "window-level", &second).await? == first);

    let sheets = "return Array.from(document.querySelectorAll('.stage.full .plane'), plane => plane.style.transform)";
    let at_first = page.script(sheets, Vec::new()).await?;
    let wheel = "const on = document.querySelector('[data-testid=easel]');
        const { left, top, width, height } = on.closest('.stage').getBoundingClientRect();
        on.dispatchEvent(new WheelEvent('wheel', { deltaY: -400, bubbles: true, cancelable: true,
            clientX: left + width / 4, clientY: top + height / 4 }));";
    page.script(wheel, Vec::new()).await?;
    let zoomed = page.script(sheets, Vec::new()).await?;
    ensure!(zoomed != at_first, "the wheel does nothing");
    let all = zoomed.as_array().context("sheets")?;
    ensure!(
        all.len() == 4 && all.iter().all(|sheet| *sheet == all[0]),
        "the panes are not linked: {zoomed}"
    );
    drag(&page, "easel", 4, &[[0.5, 0.5], [0.4, 0.4]]).await?;
    ensure!(
        page.script(sheets, Vec::new()).await? != zoomed,
        "a middle drag does not move"
    );
    let before = page.text("zoom").await?;
    drag(&page, "easel", 2, &[[0.5, 0.5], [0.5, 0.3]]).await?;
    wait_for_another(&page, "zoom", &before).await?;
    press(&page, "=").await?;
    ensure!(page.script(sheets, Vec::new()).await? == at_first);
    press(&page, "r").await?;
    ensure!(
        page.script(sheets, Vec::new())
            .await?
            .to_string()
            .contains("rotate(90deg)")
    );
    press(&page, "l").await?;
    ensure!(page.script(sheets, Vec::new()).await? == at_first);

    let hidden = "return getComputedStyle(document.querySelector('[data-testid=overlay-canvas]')).visibility";
    press(&page, "b").await?;
    ensure!(page.script(hidden, Vec::new()).await? == "hidden");
    press(&page, "b").await?;
    ensure!(page.script(hidden, Vec::new()).await? == "visible");
    let dialog = "return document.querySelector('dialog.keys').open";
    press(&page, "?").await?;
    ensure!(page.script(dialog, Vec::new()).await? == true);
    page.screenshot("keys").await?;
    page.close().await
}

#[tokio::test]
async fn a_place_that_is_erased_lies_under_the_pointer_however_the_picture_is_turned() -> Result<()>
{
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.choose(&sample("effusion.jpg")).await?;
    page.wait_for(&["ready"], READ).await?;
    press(&page, "r").await?;
    page.script(
        "const on = document.querySelector('[data-testid=easel]');
         const { left, top, width, height } = on.closest('.stage').getBoundingClientRect();
         on.dispatchEvent(new WheelEvent('wheel', { deltaY: -300, bubbles: true, cancelable: true,
            clientX: left + width / 2, clientY: top + height / 2 }));",
        Vec::new(),
    )
    .await?;
    drag(&page, "easel", 1, &[[0.6, 0.7]]).await?;
    let off = "const circle = document.querySelector('[data-testid=easel] circle').getBoundingClientRect();
        const { left, top, width, height } = document.querySelector('.stage').getBoundingClientRect();
        return [(circle.left + circle.width / 2 - left) / width - 0.6, (circle.top + circle.height / 2 - top) / height - 0.7]";
    let off: [f64; 2] = serde_json::from_value(page.script(off, Vec::new()).await?)?;
    ensure!(
        off.iter().all(|off| off.abs() < 0.01),
        "{off:?} beside the pointer"
    );
    page.wait_for(&["ready"], READ).await?;
    page.close().await
}

#[tokio::test]
async fn lengths_and_the_cardiothoracic_ratio_are_measured_taken_back_and_reported() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.choose(&www().join("../tests/cases/dicom/two-windows.dcm"))
        .await?;
    page.wait_for(&["ready"], READ).await?;
    if page.exists("gate-show-scores").await? {
        page.element("gate-show-scores").await?.click().await?;
    }
    let choose = |tool: &'static str| {
        let script =
            "const tool = document.querySelector('[data-testid=tool]'); tool.value = arguments[0];
            tool.dispatchEvent(new Event('change', { bubbles: true }));";
        page.script(script, vec![tool.into()])
    };
    for (tool, from, to) in [
        ("length", [0.1, 0.1], [0.1, 0.6]),
        ("heart", [0.3, 0.6], [0.6, 0.65]),
        ("chest", [0.1, 0.6], [0.85, 0.6]),
    ] {
        choose(tool).await?;
        drag(&page, "drawing", 1, &[from, to]).await?;
    }
    let said = page.text("measured").await?;
    // 40 rows of 0.143 mm, half of them.
    ensure!(
        said.contains("length 2.") && said.contains("ratio 0.40"),
        "{said}"
    );
    page.screenshot("measured").await?;
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    let drawn = report.drawn.context("nothing is reported")?;
    ensure!(drawn.lines.len() == 3);
    // Half of 40 rows, 0.143 mm apart, to a pixel of the screen.
    let length = drawn.lines[0].millimetres.context("millimetres")?;
    ensure!((length - 2.86).abs() < 0.05, "{length}");
    ensure!((drawn.cardiothoracic_ratio.context("a ratio")? - 0.4).abs() < 0.01);

    page.element("undo-drawing").await?.click().await?;
    let said = page.text("measured").await?;
    ensure!(!said.contains("ratio") && said.contains("heart"), "{said}");
    page.element("undo-drawing").await?.click().await?;
    page.element("undo-drawing").await?.click().await?;
    ensure!(!page.exists("measured").await?);
    let (_, json) = page.saved_by("export-json").await?;
    let report: Report = serde_json::from_slice(&json)?;
    ensure!(report.drawn.is_none());
    page.close().await
}
