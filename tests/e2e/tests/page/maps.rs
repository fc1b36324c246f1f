//! Evidence for and against, contour lines, what a map adds up to, and what it credits a painted place with.

use sightline::explain::contours::contours;
use sightline::explain::heat_map::HeatMap;
use sightline::explain::look::MapKind;
use sightline::trust::audit::credit;

use super::*;

/// How far a shown number is from the exact one, at most: it has three decimals.
const SHOWN: f64 = 1.1e-3;

async fn read(page: &Page) -> Result<Report> {
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let (_, json) = page.saved_by("export-json").await?;
    Ok(Report::parse(&json)?)
}

/// The numbers of a sentence, in their order.
fn numbers(said: &str) -> Vec<f64> {
    let words = said.split(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)));
    words
        .filter_map(|word| word.trim_end_matches('.').parse().ok())
        .collect()
}

/// A canvas's colours at places, as shares of its width and height.
async fn colours(page: &Page, testid: &str, places: &[[f64; 2]]) -> Result<Vec<[i64; 4]>> {
    let script = "const canvas = document.querySelector(`[data-testid='${arguments[0]}']`);
        const context = canvas.getContext('2d');
        return arguments[1].map(([x, y]) =>
            [...context.getImageData(Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data]);";
    let places = serde_json::json!(places);
    let found = page.script(script, vec![testid.into(), places]).await?;
    Ok(serde_json::from_value(found)?)
}

/// How many pixels of a canvas are not transparent.
async fn opaque(page: &Page, testid: &str) -> Result<i64> {
    let script = "const canvas = document.querySelector(`[data-testid='${arguments[0]}']`);
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        let opaque = 0;
        for (let i = 3; i < data.length; i += 4) if (data[i] > 0) opaque++;
        return opaque;";
    let found = page.script(script, vec![testid.into()]).await?;
    found.as_i64().context("no number")
}

/// A trained finding whose map has much evidence of both signs.
fn of_both_signs(report: &Report) -> Result<usize> {
    let both = |cells: &HeatMap| {
        let far = 0.3 * MapKind::Both.most(cells);
        cells.values.iter().any(|v| *v > far) && cells.values.iter().any(|v| *v < -far)
    };
    let mut findings = report.findings.iter();
    let found = findings.position(|finding| finding.trained && both(&finding.grad_cam.cells));
    found.context("no finding has evidence of both signs: there is nothing to see")
}

/// The middles of cells, as shares of the map's width and height.
fn middles(cells: &HeatMap) -> Vec<[f64; 2]> {
    let middle = |cell: usize, count: usize| (cell as f64 + 0.5) / count as f64;
    let all = 0..cells.values.len();
    all.map(|cell| {
        [
            middle(cell % cells.width, cells.width),
            middle(cell / cells.width, cells.height),
        ]
    })
    .collect()
}

#[tokio::test]
async fn evidence_against_is_painted_in_a_colour_of_its_own_or_drawn_as_dashed_lines() -> Result<()>
{
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let report = read(&page).await?;
    let index = of_both_signs(&report)?;
    page.element(&format!("finding-{index}"))
        .await?
        .click()
        .await?;
    let cells = &report.findings[index].grad_cam.cells;
    let middles = middles(cells);
    let most = f64::from(MapKind::Both.most(cells));

    // The map of evidence for shows nothing where the evidence is against.
    for (colour, value) in colours(&page, "overlay-canvas", &middles)
        .await?
        .iter()
        .zip(&cells.values)
    {
        let share = f64::from(*value) / f64::from(cells.max());
        ensure!(
            if share > 0.3 {
                colour[3] > 100
            } else {
                share >= 0.0 || colour[3] < 40
            },
            "{share} is painted as {colour:?}"
        );
    }
    let thumbnail = page.canvas_pixels("top-canvas").await?.1;
    let (_, positive) = page.saved_by("export-png").await?;

    choose(&page, "map-kind", "both").await?;
    page.wait_for_words("color-bar", &format!("-{most:.2}"), READ)
        .await?;
    page.wait_for_words("color-bar", &format!("+{most:.2}"), READ)
        .await?;
    for (colour, value) in colours(&page, "overlay-canvas", &middles)
        .await?
        .iter()
        .zip(&cells.values)
    {
        let share = f64::from(*value) / most;
        let [red, _, blue, alpha] = *colour;
        if share.abs() > 0.3 {
            ensure!(
                alpha > 100 && (red > blue) == (share > 0.0) && red.abs_diff(blue) > 40,
                "{share} is painted as {colour:?}"
            );
        }
    }
    page.screenshot("wide-both").await?;
    ensure!(
        page.canvas_pixels("top-canvas").await?.1 != thumbnail,
        "the small maps show evidence for alone"
    );
    // What is saved is what is shown: the sheet's map, right of the radiograph, has blue in it only now.
    let (_, both) = page.saved_by("export-png").await?;
    let blue = |png: &[u8]| -> Result<usize> {
        let sheet = image::load_from_memory(png)?.to_rgb8();
        let pixels = sheet.enumerate_pixels();
        let pixels = pixels.filter(|(x, y, _)| *x > sheet.width() / 2 && *y < sheet.width() / 2);
        Ok(pixels
            .filter(|(_, _, rgb)| rgb[2] > rgb[0].saturating_add(40) && rgb[1] > rgb[0])
            .count())
    };
    let (without, with) = (blue(&positive)?, blue(&both)?);
    // More than the bar of colours under the map has.
    ensure!(
        with > without + 10_000,
        "{without} blue pixels without, {with} with evidence against"
    );

    // As lines: those that there are natively, and no colours.
    page.element("contours").await?.click().await?;
    page.element("contour-lines").await?;
    ensure!(
        opaque(&page, "overlay-canvas").await? == 0,
        "there are colours beside the lines"
    );
    let drawn = "const paths = document.querySelectorAll('[data-testid=contour-lines] path[data-share]');
        return [...paths].map(path => [
            Number(path.dataset.share), path.hasAttribute('stroke-dasharray'), path.getAttribute('d').split('M').length - 1]);";
    for kind in MapKind::ALL {
        choose(&page, "map-kind", kind.name()).await?;
        let shown: Vec<(f32, bool, usize)> =
            serde_json::from_value(page.script(drawn, vec![]).await?)?;
        let native = contours(cells, kind);
        let native: Vec<(f32, bool, usize)> = native
            .iter()
            .map(|contour| (contour.share, contour.share < 0.0, contour.lines.len()))
            .collect();
        ensure!(shown == native, "{shown:?}, natively {native:?}");
        let against = shown.iter().any(|(share, ..)| *share < 0.0);
        ensure!(
            against == (kind == MapKind::Both),
            "{kind:?} draws {shown:?}"
        );
    }
    choose(&page, "map-kind", "both").await?;
    page.screenshot("wide-contours").await?;
    let (_, lines) = page.saved_by("export-png").await?;
    let drawn = blue(&lines)?;
    ensure!(
        drawn > without + 20 && drawn < with,
        "{drawn} blue pixels of lines, {with} of colours"
    );

    page.element("contours").await?.click().await?;
    ensure!(
        opaque(&page, "overlay-canvas").await? > 1000 && !page.exists("contour-lines").await?,
        "the colours are not back"
    );
    page.close().await
}

#[tokio::test]
async fn the_parts_of_a_map_are_said_and_add_up_to_the_logit_of_every_finding() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let report = read(&page).await?;
    for (index, finding) in report.findings.iter().enumerate() {
        if !finding.trained {
            continue;
        }
        page.element(&format!("finding-{index}"))
            .await?
            .click()
            .await?;
        let said = page.text("account").await?;
        let [supporting, opposing, bias, together, score] = numbers(&said)[..] else {
            bail!("{}: {said}", finding.name);
        };
        ensure!(
            said.starts_with("For: ") && said.contains(", against: ") && said.contains(", bias: "),
            "{said}"
        );
        let evidence = &finding.grad_cam;
        let sum = |sign: f32| -> f64 {
            let kept = evidence.cells.values.iter().filter(|v| *v * sign > 0.0);
            kept.map(|v| f64::from(*v)).sum()
        };
        let logit = f64::from(finding.logit);
        for (shown, exact) in [
            (supporting, sum(1.0)),
            (opposing, sum(-1.0)),
            (bias, f64::from(evidence.bias)),
            (together, logit),
            (supporting + opposing + bias, logit),
        ] {
            ensure!(
                (shown - exact).abs() < SHOWN,
                "{}: {shown}, not {exact}: {said}",
                finding.name
            );
        }
        let probability = finding.probability.context("no score")?;
        ensure!((score - probability).abs() < 0.006, "{said}, {probability}");
    }

    // All called findings are side by side, and at least three.
    let mut trained: Vec<_> = report.findings.iter().filter(|f| f.trained).collect();
    trained.sort_by(|a, b| {
        let of = |finding: &&sightline::report::FindingReport| finding.probability.unwrap_or(0.0);
        of(b).total_cmp(&of(a))
    });
    let ranked = trained.iter().enumerate();
    let expected: Vec<&str> = ranked
        .filter(|(rank, finding)| *rank < 3 || finding.called)
        .map(|(_, finding)| finding.name.name())
        .collect();
    let shown = "return [...document.querySelectorAll('[data-testid=top-canvas]')].map(canvas => canvas.closest('button').innerText.trim())";
    let shown: Vec<String> = serde_json::from_value(page.script(shown, vec![]).await?)?;
    ensure!(shown == expected, "{shown:?}, not {expected:?}");
    page.close().await
}

#[tokio::test]
async fn what_the_map_credits_a_painted_place_with_is_beside_what_the_logit_falls_by() -> Result<()>
{
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let report = read(&page).await?;
    ensure!(!page.exists("audit").await?, "nothing is painted yet");
    let index = of_both_signs(&report)?;
    let row = format!("finding-{index}");
    page.element(&row).await?.click().await?;
    // In the cell with the most evidence, and beside it.
    let evidence = &report.findings[index].grad_cam;
    let cells = evidence.cells.values.iter().enumerate();
    let strongest = cells.max_by(|a, b| a.1.total_cmp(b.1)).context("no cell")?;
    let [x, y] = middles(&evidence.cells)[strongest.0];
    let region = evidence.region;
    let paint = "const easel = document.querySelector('[data-testid=easel]');
        const { left, top, width, height } = easel.getBoundingClientRect();
        const at = { clientX: left + arguments[0] * width, clientY: top + arguments[1] * height };
        const down = { bubbles: true, buttons: 1, button: 0, pointerId: 1, pointerType: 'mouse', isPrimary: true };
        easel.dispatchEvent(new PointerEvent('pointerdown', { ...down, ...at }));
        easel.dispatchEvent(new PointerEvent('pointerup', { ...down, ...at, buttons: 0 }));";
    for beside in [0.0, 0.05] {
        let place = [
            region.x + x * region.width + beside,
            region.y + y * region.height,
        ];
        page.script(paint, place.map(serde_json::Value::from).into())
            .await?;
    }
    page.element("audit").await?;

    // The scores of both spots, once the page asked for those of the second.
    let start = std::time::Instant::now();
    let report = loop {
        let (_, json) = page.saved_by("export-json").await?;
        let report = Report::parse(&json)?;
        if report.erased.as_ref().is_some_and(|e| e.spots.len() == 2) {
            break report;
        }
        ensure!(start.elapsed() < READ, "the second spot is not scored");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let manifest = Manifest::parse(&std::fs::read(model()?.1.join("manifest.json"))?)?;
    let erased = report.erased.as_ref().context("nothing is erased")?;
    let other = report.findings.iter().enumerate();
    let mut other = other.filter(|(other, finding)| finding.trained && *other != index);
    let other = other.next().context("another trained finding")?.0;
    let aspect = report.image.width as f32 / report.image.height as f32;
    let side = report.preprocessing.size;
    for index in [index, other] {
        page.element(&format!("finding-{index}"))
            .await?
            .click()
            .await?;
        let finding = &report.findings[index];
        page.wait_for_words("audit", finding.name.name(), READ)
            .await?;
        let evidence = &finding.grad_cam;
        let credited = credit(
            &evidence.cells,
            side,
            evidence.region,
            aspect,
            &erased.spots,
        );
        let without = erased.probabilities[index].context("no score")?;
        let after = manifest
            .logit(Output(index), without)
            .context("the score tells no logit")?;
        let before = f64::from(finding.logit);
        for (figure, exact, places) in [
            ("credit", credited, 1.0),
            ("before", before, 1.0),
            ("after", after, 1.0),
            ("fall", before - after, 2.0),
            ("gap", credited - (before - after), 3.0),
        ] {
            let shown: f64 = page.text(&format!("audit-{figure}")).await?.parse()?;
            ensure!(
                (shown - exact).abs() < places * SHOWN,
                "{figure} of {}: {shown}, not {exact}",
                finding.name
            );
        }
    }
    let finding = &report.findings[index].grad_cam;
    let credited = credit(&finding.cells, side, finding.region, aspect, &erased.spots);
    ensure!(
        credited > 0.01,
        "the strongest cell is credited with {credited}"
    );
    page.element("audit").await?.scroll_into_view().await?;
    page.screenshot("wide-audit").await?;

    page.element("clear").await?.click().await?;
    ensure!(!page.exists("audit").await?, "the audit is still there");
    page.close().await
}
