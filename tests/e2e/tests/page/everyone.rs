//! The page for everyone: without a mouse, with a finger, on a phone, with large letters, in light and dark.

use std::collections::BTreeMap;

use serde_json::json;

use super::gate::made_of;
use super::*;

/// A phone of today, one of the narrower ones.
const PHONE: (u32, u32) = (360, 740);

/// `SIGHTLINE_WITHOUT_AXE`, which `cargo xtask test` sets where axe-core cannot be had, leaves its tests out.
fn without_axe() -> bool {
    std::env::var_os("SIGHTLINE_WITHOUT_AXE").is_some()
}

/// Has axe-core look at the page in both themes, where there is axe-core.
pub async fn breaks_no_rule(page: &Page, what: &str) -> Result<()> {
    if without_axe() {
        return Ok(());
    }
    for theme in ["light", "dark"] {
        choose(page, "theme", theme).await?;
        let broken = page.violations().await?;
        ensure!(broken.is_empty(), "{what}, {theme}:\n{}", broken.join("\n"));
    }
    Ok(())
}

#[tokio::test]
async fn no_rule_of_axe_is_broken_in_any_state_of_either_theme() -> Result<()> {
    if without_axe() {
        return Ok(());
    }
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    breaks_no_rule(&page, "idle").await?;
    // The rules are asked: a field without a name breaks one.
    let add = "document.querySelector('main').append(Object.assign(document.createElement('input'), { id: 'nameless' }))";
    page.script(add, Vec::new()).await?;
    let broken = page.violations().await?;
    ensure!(
        broken.iter().any(|rule| rule.contains("#nameless")),
        "{broken:?}"
    );
    page.script("document.querySelector('#nameless').remove()", Vec::new())
        .await?;

    page.give("drop", "a.jpg", b"no picture").await?;
    page.wait_for(&["error"], READ).await?;
    breaks_no_rule(&page, "error").await?;

    let turned = made_of("effusion.jpg", |picture| {
        image::imageops::rotate180(&picture)
    })?;
    page.give("drop", "turned.png", &turned).await?;
    page.wait_for(&["ready"], READ).await?;
    page.element("gate-show-scores").await?;
    breaks_no_rule(&page, "stopped by the gate").await?;

    page.element("sample-1").await?.click().await?;
    page.wait_for(&["reading", "ready"], READ).await?;
    page.wait_for(&["ready"], READ).await?;
    page.element("finding-0").await?;
    breaks_no_rule(&page, "ready").await?;

    choose(&page, "lime-samples", "200").await?;
    choose(&page, "explain-method", "lime").await?;
    page.wait_for(&["explaining"], READ).await?;
    breaks_no_rule(&page, "explaining").await?;
    page.wait_for(&["ready"], SLOW).await?;
    breaks_no_rule(&page, "explained").await?;

    choose(&page, "explain-method", "grad-cam").await?;
    page.element("measure").await?.click().await?;
    page.wait_for(&["explaining"], READ).await?;
    page.wait_for(&["ready"], SLOW).await?;
    page.element("verdict").await?;
    breaks_no_rule(&page, "measured").await?;
    page.close().await
}

#[tokio::test]
async fn on_a_phone_no_rule_is_broken_targets_are_44_pixels_and_the_page_is_short() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.become_phone(PHONE.0, PHONE.1).await?;
    // A phone is one from the start.
    page.driver.refresh().await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    page.screenshot("phone-360").await?;
    let coarse = "return matchMedia('(pointer: coarse)').matches";
    ensure!(
        page.script(coarse, Vec::new()).await? == true,
        "this browser has no finger"
    );
    let small = r#"
        const targets = document.querySelectorAll('button, select, summary, .button, .findings li');
        const height = target => target.getBoundingClientRect().height;
        const shown = [...targets].filter(target => height(target) > 0);
        const small = shown.filter(target => height(target) < 44);
        return [shown.length, small.map(target => `${target.textContent.slice(0, 40)}: ${height(target)}`)];
    "#;
    let found = page.script(small, Vec::new()).await?;
    ensure!(found[0].as_u64() > Some(20), "{found}");
    ensure!(found[1] == json!([]), "lower than 44 pixels: {found}");

    let top = async |testid: &str| -> Result<f64> {
        let top = "return document.querySelector(`[data-testid='${arguments[0]}']`).getBoundingClientRect().top";
        let top = page.script(top, vec![json!(testid)]).await?;
        top.as_f64().context("a place")
    };
    let order = [
        "original-canvas",
        "gate",
        "finding-0",
        "explain-method",
        "trust-panel",
    ];
    for [above, below] in order.array_windows() {
        ensure!(
            top(above).await? < top(below).await?,
            "{above} is not above {below}"
        );
    }
    let size =
        "return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]";
    let size = page.script(size, Vec::new()).await?;
    ensure!(size[0].as_u64() <= Some(PHONE.0.into()), "{size}");
    let most = 6 * u64::from(PHONE.1);
    ensure!(size[1].as_u64() <= Some(most), "{size}, {most} at most");
    breaks_no_rule(&page, "a phone").await?;
    page.close().await
}

#[tokio::test]
async fn letters_of_twice_the_size_are_not_cut() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    for width in [1280, PHONE.0] {
        page.become_phone(width, 900).await?;
        // What is wider than its box is cut, or lies over what is beside it. The browser's own controls scroll what they show.
        let cut = r#"
            document.documentElement.style.fontSize = '200%';
            const own = ['CANVAS', 'SELECT', 'INPUT', 'OPTION'];
            const boxes = [...document.querySelectorAll('body *')].filter(box =>
                box.offsetParent && !own.includes(box.tagName) && !box.closest('svg, .skip') && getComputedStyle(box).display !== 'inline');
            const cut = boxes.filter(box => box.scrollWidth > box.clientWidth + 1);
            return [boxes.length, cut.map(box => `${box.tagName}.${box.className} ${box.textContent.slice(0, 40)}`)];
        "#;
        let found = page.script(cut, Vec::new()).await?;
        ensure!(found[0].as_u64() > Some(50), "{found}");
        ensure!(found[1] == json!([]), "cut at {width} pixels: {found}");
    }
    page.close().await
}

/// What has the focus: its `data-testid`, or else its class; with whether it can be seen that it has.
async fn focused(page: &Page) -> Result<(String, bool)> {
    let script = r#"
        const at = document.activeElement;
        const seen = at.type === 'file' ? at.closest('label') : at;
        return [at.dataset.testid || at.getAttribute('class') || at.tagName, getComputedStyle(seen).outlineStyle !== 'none'];
    "#;
    let answer = page.script(script, Vec::new()).await?;
    let name = answer[0].as_str().context("a name")?.to_owned();
    Ok((name, answer[1] == true))
}

async fn press(page: &Page, key: Key) -> Result<()> {
    Ok(page.driver.action_chain().send_keys(key).perform().await?)
}

/// Presses Tab until this has the focus. Everything on the way shows that it has it.
async fn tab_to(page: &Page, wanted: &str) -> Result<()> {
    let mut passed = Vec::new();
    for _ in 0..60 {
        press(page, Key::Tab).await?;
        let (name, seen) = focused(page).await?;
        ensure!(
            seen || name == "BODY",
            "{name} does not show that it has the focus"
        );
        if name == wanted {
            return Ok(());
        }
        passed.push(name);
    }
    bail!("Tab does not reach {wanted}; it passes {passed:?}")
}

#[tokio::test]
async fn a_radiograph_is_read_chosen_from_erased_and_explained_without_a_mouse() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    // The first thing leads past what is above the radiograph.
    press(&page, Key::Tab).await?;
    ensure!(
        focused(&page).await?.0 == "skip",
        "{:?}",
        focused(&page).await?
    );
    press(&page, Key::Enter).await?;
    let inside = "return document.activeElement.tagName";
    ensure!(page.script(inside, Vec::new()).await? == "MAIN");
    tab_to(&page, "sample-1").await?;
    press(&page, Key::Enter).await?;
    page.wait_for(&["ready"], READ).await?;

    tab_to(&page, "easel").await?;
    press(&page, Key::Left).await?;
    press(&page, Key::Enter).await?;
    page.driver
        .query(By::Css(".erased"))
        .wait(READ, Duration::from_millis(50))
        .first()
        .await
        .context("Enter erases nothing")?;

    tab_to(&page, "findings").await?;
    let chosen = async || -> Result<String> {
        let chosen = "return document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).dataset.testid + \
             document.querySelector('.findings [aria-selected=true]').dataset.testid";
        let chosen = page.script(chosen, Vec::new()).await?;
        Ok(chosen.as_str().context("a finding")?.to_owned())
    };
    let before = chosen().await?;
    press(&page, Key::Down).await?;
    let after = chosen().await?;
    ensure!(before != after, "the arrow key chooses no other finding");
    let (read_aloud, shown) = after.split_at(after.len() / 2);
    ensure!(
        read_aloud == shown,
        "{read_aloud} is read aloud, and {shown} is shown"
    );

    for control in [
        "explain-method",
        "opacity",
        "export-json",
        "print-report",
        "measure",
        "theme",
    ] {
        tab_to(&page, control).await?;
    }
    page.close().await
}

/// The theme that is in force: what the root says, and the colours of the page and of the browser's own bars.
async fn theme(page: &Page) -> Result<(String, String, String)> {
    let script = r#"
        const bars = [...document.querySelectorAll('meta[name=theme-color]')].filter(meta => matchMedia(meta.media).matches);
        return [document.documentElement.dataset.theme, getComputedStyle(document.documentElement).backgroundColor,
            bars.map(meta => meta.content).join()];
    "#;
    let answer = page.script(script, Vec::new()).await?;
    let text = |at: usize| answer[at].as_str().map(str::to_owned).context("a theme");
    Ok((text(0)?, text(1)?, text(2)?))
}

#[tokio::test]
async fn the_theme_is_the_systems_or_the_one_chosen_and_is_remembered_where_that_is_allowed()
-> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let is = async |name: &str, light: bool| -> Result<()> {
        let colours = match light {
            true => ["rgb(246, 248, 250)", "#f6f8fa"],
            false => ["rgb(13, 17, 23)", "#0d1117"],
        };
        let [ground, bars] = colours.map(str::to_owned);
        let found = theme(&page).await?;
        ensure!(
            found == (name.to_owned(), ground, bars),
            "{found:?}, not {name}"
        );
        let value = "return document.querySelector(\"[data-testid='theme']\").value";
        ensure!(page.script(value, Vec::new()).await? == name);
        Ok(())
    };
    let system = async |scheme: &str| {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let media = json!({ "features": features });
        page.tools("Emulation.setEmulatedMedia", media).await
    };
    system("light").await?;
    is("system", true).await?;
    system("dark").await?;
    is("system", false).await?;
    choose(&page, "theme", "light").await?;
    is("light", true).await?;
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    is("light", true).await?;
    choose(&page, "theme", "dark").await?;
    system("light").await?;
    is("dark", false).await?;
    choose(&page, "theme", "system").await?;
    is("system", true).await?;

    // The radiograph's panel is dark in both.
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let panel = "return getComputedStyle(document.querySelector('.pair figure')).backgroundColor";
    ensure!(page.script(panel, Vec::new()).await? == "rgb(21, 27, 35)");

    // A browser that keeps nothing.
    let forbid = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })";
    page.reload_with(forbid).await?;
    page.wait_for(&["idle"], LOAD).await?;
    choose(&page, "theme", "dark").await?;
    is("dark", false).await?;
    page.close().await
}

/// The colours of `themes.css`: of each name the light one and the dark one.
fn colours() -> Result<BTreeMap<String, [[f64; 3]; 2]>> {
    let text = std::fs::read_to_string(www().join("styles/themes.css"))?;
    let colour = |hex: &str| -> Result<[f64; 3]> {
        let number = u32::from_str_radix(hex.trim().trim_start_matches('#'), 16)?;
        Ok([16, 8, 0].map(|bits| f64::from(number >> bits & 255) / 255.0))
    };
    let mut colours = BTreeMap::new();
    for line in text.lines() {
        let Some((name, both)) = line.trim().split_once(": light-dark(") else {
            continue;
        };
        let both = both.split(')').next().unwrap_or_default();
        let (light, dark) = both.split_once(',').context("two colours")?;
        colours.insert(name.to_owned(), [colour(light)?, colour(dark)?]);
    }
    Ok(colours)
}

/// The contrast of two colours (WCAG 2.2).
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let luminance = |colour: [f64; 3]| {
        let linear = colour.map(|share| match share <= 0.04045 {
            true => share / 12.92,
            false => ((share + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn letters_and_lines_that_mean_something_stand_out_in_both_themes() -> Result<()> {
    let white_on_black = contrast([1.0; 3], [0.0; 3]);
    ensure!((white_on_black - 21.0).abs() < 1e-9, "{white_on_black}");
    let colours = colours()?;
    let of = |name: &str| colours.get(name).with_context(|| format!("no {name}"));
    // Letters, the gate's lines and the rings of focus; and what they lie on.
    let mut pairs = Vec::new();
    for letters in ["--text", "--soft", "--accent", "--good", "--bad"] {
        for behind in ["--ground", "--panel", "--raised", "--over"] {
            pairs.push((letters, behind, 4.5));
        }
    }
    pairs.push(("--text", "--problem", 4.5));
    // A score's bar, called or not, and its mark.
    pairs.push(("--accent", "--bar", 3.0));
    pairs.push(("--text", "--bar", 4.5));
    pairs.push(("--fill", "--bar", 3.0));
    for (one, other, least) in pairs {
        for (theme, index) in [("light", 0), ("dark", 1)] {
            let found = contrast(of(one)?[index], of(other)?[index]);
            ensure!(
                found >= least,
                "{one} on {other}, {theme}: {found:.2}, less than {least}"
            );
        }
    }
    Ok(())
}
