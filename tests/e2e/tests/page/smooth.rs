//! How smoothly a large radiograph is dragged.

use super::*;

/// How many frames a drag takes.
const FRAMES: u32 = 120;

/// Chooses what the left button does.
async fn choose_tool(page: &Page, tool: &str) -> Result<()> {
    let script =
        "const tool = document.querySelector('[data-testid=tool]'); tool.value = arguments[0];
        tool.dispatchEvent(new Event('change', { bubbles: true }));";
    page.script(script, vec![tool.into()]).await?;
    Ok(())
}

/// Drags in circles, a step with each frame, and gives the median of frames a second and what 5% of the frames stay below.
async fn frames_of_drag(page: &Page, buttons: u8) -> Result<(f64, f64)> {
    let script = r#"
        const [buttons, frames, done] = arguments;
        const on = document.querySelector("[data-testid='easel']");
        const { left, top, width, height } = on.closest('.stage').getBoundingClientRect();
        const send = (kind, turn, held) => on.dispatchEvent(new PointerEvent(kind, {
            bubbles: true, cancelable: true, pointerId: 1, pointerType: 'mouse', button: buttons === 4 ? 1 : 0, buttons: held,
            clientX: left + width * (0.5 + 0.3 * Math.sin(turn)),
            clientY: top + height * (0.5 + 0.3 * Math.cos(turn)),
        }));
        const times = [];
        let last, turn = 0;
        const frame = now => {
            if (last !== undefined) times.push(now - last);
            last = now;
            if (times.length === frames) {
                send('pointerup', turn, 0);
                done(times);
                return;
            }
            turn += 0.1;
            send('pointermove', turn, buttons);
            requestAnimationFrame(frame);
        };
        send('pointerdown', turn, buttons);
        requestAnimationFrame(frame);
    "#;
    let looks = "return [document.querySelector('.stage.full .plane').style.transform,
        document.querySelector('[data-testid=window-level]').textContent]";
    let before = page.script(looks, Vec::new()).await?;
    let arguments = vec![buttons.into(), FRAMES.into()];
    let times = page.driver.execute_async(script, arguments).await?;
    ensure!(
        page.script(looks, Vec::new()).await? != before,
        "the drag did nothing"
    );
    let mut times: Vec<f64> = serde_json::from_value(times.json().clone())?;
    times.sort_by(f64::total_cmp);
    let speed = |share: f64| 1000.0 / times[(share * times.len() as f64) as usize];
    Ok((speed(0.5), speed(0.95)))
}

#[tokio::test]
#[ignore = "measures, and tells nothing true or false: cargo xtask bench page"]
async fn dragging_a_large_radiograph() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("large.dcm");
    std::fs::write(&file, look::large())?;
    page.choose(&file).await?;
    page.wait_for(&["ready"], READ).await?;
    if page.exists("gate-show-scores").await? {
        page.element("gate-show-scores").await?.click().await?;
    }
    page.element("full-size").await?.click().await?;
    let start = std::time::Instant::now();
    while look::detail(&page, 16)
        .await?
        .2
        .iter()
        .all(|grey| *grey == 0)
    {
        ensure!(start.elapsed() < READ, "no samples are shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // As idle as it becomes.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut figures = vec![("pan at 100%", frames_of_drag(&page, 4).await?)];
    choose_tool(&page, "window").await?;
    figures.push(("window at 100%", frames_of_drag(&page, 1).await?));
    page.element("fit").await?.click().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    figures.push(("window at fit", frames_of_drag(&page, 1).await?));
    let size = page
        .script(
            "const stage = document.querySelector('.stage.full'); return `${stage.clientWidth} x ${stage.clientHeight}`",
            Vec::new(),
        )
        .await?;
    println!(
        "Dragging {0} x {0} pixels of 14 bits, two panes of {1} each; frames a second:",
        look::SIDE,
        size.as_str().unwrap_or("?")
    );
    for (drag, (median, slow)) in figures {
        println!("{drag}: median {median:.0}, 5th percentile {slow:.0}");
    }
    page.close().await
}
