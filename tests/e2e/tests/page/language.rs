//! The page in German: all of it, in every state; chosen, kept, without network; and English again.

use std::collections::BTreeSet;

use serde_json::json;

use super::everyone::breaks_no_rule;
use super::*;

/// A phone of today, one of the narrower ones.
const PHONE: (u32, u32) = (360, 740);
/// English words that German has not, in small letters.
const ENGLISH: [&str; 22] = [
    "and", "are", "at", "be", "by", "cannot", "for", "from", "has", "is", "it", "its", "not", "of",
    "or", "that", "the", "this", "to", "which", "with", "without",
];
/// What is English in every language: the command that repeats a reading.
const ALLOWED: [&str; 1] = ["sightline-trainer explain"];

/// Waits until the page speaks a language.
async fn speaks(page: &Page, language: &str) -> Result<()> {
    let start = std::time::Instant::now();
    loop {
        let spoken = "return document.documentElement.lang";
        if page.script(spoken, Vec::new()).await? == json!(language) {
            return Ok(());
        }
        ensure!(start.elapsed() < READ, "the page does not speak {language}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All that people read of the document, seen or spoken: texts and the attributes that are texts. What is not the page's own is left out,
/// and what is within `but`.
async fn texts(page: &Page, but: &str) -> Result<Vec<String>> {
    let script = r#"
        const foreign = node => node.closest(`[translate=no], code, script, style, noscript, ${arguments[0]}`);
        const found = [];
        for (const element of document.querySelectorAll('*')) {
            if (foreign(element)) continue;
            for (const name of ['title', 'aria-label', 'placeholder', 'alt']) found.push(element.getAttribute(name));
            for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) found.push(node.data);
        }
        return found.map(text => text?.trim()).filter(text => text);
    "#;
    let found = page.script(script, vec![json!(but)]).await?;
    Ok(serde_json::from_value(found)?)
}

/// Each text with an English word in it.
fn english(texts: &[String]) -> BTreeSet<String> {
    let is_english = |text: &&String| {
        let mut words = text.split(|c: char| !c.is_alphabetic());
        words.any(|word| ENGLISH.contains(&word)) && !ALLOWED.iter().any(|one| text.contains(one))
    };
    texts.iter().filter(is_english).cloned().collect()
}

async fn is_german(page: &Page, state: &str) -> Result<()> {
    let texts = texts(page, ".no-such-class").await?;
    ensure!(texts.len() > 60, "{state}: {texts:?}");
    let left = english(&texts);
    ensure!(left.is_empty(), "{state} says in English: {left:#?}");
    Ok(())
}

#[tokio::test]
async fn every_state_of_the_page_is_german_and_english_comes_back() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    speaks(&page, "en").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    // What is asked for and kept goes on by itself.
    let but = "[data-testid='privacy-panel']";
    let (before, scores) = (texts(&page, but).await?, page.scores().await?);
    // The check can fail: English is found.
    ensure!(english(&before).len() > 20, "{before:?}");

    choose(&page, "language", "de").await?;
    speaks(&page, "de").await?;
    is_german(&page, "read").await?;
    let said = page.text("finding-2").await?;
    ensure!(said.contains("Kardiomegalie"), "{said}");
    ensure!(page.scores().await? == scores, "other scores");
    page.screenshot("german").await?;
    // Nothing was made anew: the reading is there, and is the one that was.
    ensure!(page.state().await? == "ready");

    choose(&page, "language", "en").await?;
    speaks(&page, "en").await?;
    let after = texts(&page, but).await?;
    ensure!(before == after, "{before:?}\n{after:?}");
    page.close().await
}

#[tokio::test]
async fn what_comes_later_is_german_too() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu&lang=de").await?;
    speaks(&page, "de").await?;
    is_german(&page, "idle").await?;
    breaks_no_rule(&page, "German, idle").await?;

    page.give("drop", "a.txt", b"hello, this is some text of no matter")
        .await?;
    page.wait_for(&["error"], READ).await?;
    page.wait_for_error("Das ist eine Textdatei", READ).await?;
    is_german(&page, "refused").await?;
    page.give_data("paste", &[("text/plain", "hello")]).await?;
    page.wait_for_error("Das ist Text, kein Bild.", READ)
        .await?;

    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    is_german(&page, "read").await?;
    breaks_no_rule(&page, "German, read").await?;
    page.element("measure").await?.click().await?;
    page.wait_for(&["explaining"], READ).await?;
    is_german(&page, "measuring").await?;
    page.wait_for(&["ready"], SLOW).await?;
    page.element("verdict").await?;
    is_german(&page, "measured").await?;
    choose(&page, "lime-samples", "200").await?;
    choose(&page, "explain-method", "lime").await?;
    page.wait_for(&["explaining"], READ).await?;
    page.wait_for(&["ready"], SLOW).await?;
    is_german(&page, "explained").await?;

    // The sheet is in the document, and so among the texts; on paper it is German, too.
    let media = |media: &str| json!({ "media": media });
    page.tools("Emulation.setEmulatedMedia", media("print"))
        .await?;
    let sheet = page.text("print-sheet").await?;
    let left = "const sheet = document.querySelector('.sheet');
        return sheet.getBoundingClientRect().bottom - sheet.lastElementChild.getBoundingClientRect().bottom";
    let left = page.script(left, Vec::new()).await?;
    let wide = "return [...document.querySelectorAll('.sheet .beside > *')].filter(part => part.scrollWidth > part.clientWidth + 1).length";
    let wide = page.script(wide, Vec::new()).await?;
    page.tools("Emulation.setEmulatedMedia", media("")).await?;
    ensure!(sheet.contains("Kein Medizinprodukt"), "{sheet}");
    ensure!(
        left.as_f64() > Some(0.0),
        "{left} pixels are left on the sheet"
    );
    ensure!(
        wide == json!(0),
        "{wide} parts of the sheet lie over others"
    );

    page.element("reader-mode").await?.click().await?;
    page.element("sample-2").await?.click().await?;
    page.element("commit-reading").await?;
    is_german(&page, "reading first").await?;
    page.wait_for(&["ready"], READ).await?;
    page.element("reader-10-3").await?.click().await?;
    page.element("commit-reading").await?.click().await?;
    page.element("reading-comparison").await?;
    is_german(&page, "compared with the reader").await?;
    page.element("reader-mode").await?.click().await?;

    let paths = ["effusion.jpg", "no-finding.jpg"].map(sample);
    let text = file_of_text()?;
    let all = [paths[0].as_path(), paths[1].as_path(), text.as_path()];
    page.drop_paths(&all).await?;
    page.element("worklist").await?;
    page.wait_for(&["ready"], READ).await?;
    page.wait_for_words("worklist", "Nicht lesbar", READ)
        .await?;
    is_german(&page, "list").await?;
    breaks_no_rule(&page, "German, list").await?;
    std::fs::remove_file(text)?;
    page.close().await
}

#[tokio::test]
async fn what_weights_and_tables_are_refused_for_is_said_in_german() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu&lang=de").await?;
    speaks(&page, "de").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let weights: [(&str, &[u8], &str); 3] = [
        (
            "page.pth",
            b"<!DOCTYPE html><html><body>Sign in</body></html>",
            "page.pth: die Datei ist eine HTML-Seite, keine Gewichte",
        ),
        (
            "lfs.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "ein Git-LFS-Zeiger, der nur sagt, wo die Gewichte liegen. Holen Sie die Gewichte",
        ),
        ("empty.pt", b"", "die Datei ist leer (0 Bytes)"),
    ];
    for (name, bytes, said) in weights {
        page.give("drop", name, bytes).await?;
        page.wait_for_error(said, LOAD).await?;
        is_german(&page, name).await?;
    }
    let tables: [(&[u8], &str); 3] = [
        (
            b"PAR1",
            "das ist keine Tabelle als Text, sondern eine Parquet-Datei",
        ),
        (
            b"Path,Edema\na.png,maybe\n",
            "\"maybe\" ist keine Angabe; Angaben sind 1 oder True",
        ),
        (
            b"Path,Edema\na.png,1\nb.png,0\n",
            "Keine Zeile von labels.csv nennt ein Bild",
        ),
    ];
    for (bytes, said) in tables {
        page.give("drop", "labels.csv", bytes).await?;
        page.wait_for_words("validation-status", said, READ).await?;
        is_german(&page, said).await?;
    }
    page.close().await
}

/// A file that is no picture.
fn file_of_text() -> Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("sightline-language-{}.txt", std::process::id()));
    std::fs::write(&path, "no picture")?;
    Ok(path)
}

#[tokio::test]
async fn german_is_kept_and_is_there_without_network() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("offline-ready").await?;
    choose(&page, "language", "de").await?;
    speaks(&page, "de").await?;
    let stored = "return document.querySelector(\"[data-testid='language']\").value";
    page.driver.refresh().await?;
    speaks(&page, "de").await?;
    ensure!(page.script(stored, Vec::new()).await? == json!("de"));
    page.wait_for(&["idle"], LOAD).await?;

    server.stop();
    page.driver.refresh().await?;
    speaks(&page, "de").await?;
    page.wait_for(&["idle"], LOAD).await?;
    is_german(&page, "without network").await?;

    // What the address says wins, and what is chosen then wins over the address.
    let address = format!("http://{}/?device=cpu&lang=en", server.address);
    page.driver.goto(address).await?;
    page.wait_for(&["idle"], LOAD).await?;
    speaks(&page, "en").await?;
    choose(&page, "language", "de").await?;
    speaks(&page, "de").await?;
    page.driver.refresh().await?;
    speaks(&page, "de").await?;
    page.close().await
}

#[tokio::test]
async fn without_its_texts_the_page_stays_english_and_says_so() -> Result<()> {
    let server = Server::start()?;
    server.answer_instead("texts/de.po", b"not a message file".to_vec());
    let page = open(&server, "?device=cpu").await?;
    choose(&page, "language", "de").await?;
    page.wait_for_error("stays in English", READ).await?;
    speaks(&page, "en").await?;
    let shown = "return document.querySelector(\"[data-testid='language']\").value";
    ensure!(page.script(shown, Vec::new()).await? == json!("en"));
    page.close().await
}

#[tokio::test]
async fn german_fits_on_a_phone() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu&lang=de").await?;
    page.become_phone(PHONE.0, PHONE.1).await?;
    page.driver.refresh().await?;
    speaks(&page, "de").await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let open = "document.querySelectorAll('details').forEach(fold => fold.open = true)";
    page.script(open, Vec::new()).await?;
    let width = page
        .script("return document.documentElement.scrollWidth", Vec::new())
        .await?;
    page.screenshot("german-phone").await?;
    ensure!(
        width.as_u64() <= Some(PHONE.0.into()),
        "{width} pixels wide"
    );
    breaks_no_rule(&page, "German, a phone").await?;
    page.close().await
}
