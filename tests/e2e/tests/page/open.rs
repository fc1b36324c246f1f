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

#[tokio::test]
async fn the_picture_given_last_is_shown_however_late_an_earlier_one_arrives() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    server.delay("samples/effusion.jpg", Duration::from_secs(3));
    let asked = server.count("samples/effusion.jpg");
    page.element("sample-1").await?.click().await?;
    page.element("sample-2").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    ensure!(
        server.count("samples/effusion.jpg") > asked,
        "the late sample was never asked for"
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &sample("no-finding.jpg")).await?;
    page.close().await
}

#[tokio::test]
async fn several_files_and_a_folder_show_the_first_that_can_be_read_and_name_the_others()
-> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("notes.txt"), "just some words")?;
    std::fs::copy(sample("effusion.jpg"), at("first.jpg"))?;
    std::fs::copy(sample("no-finding.jpg"), at("second.jpg"))?;
    std::fs::create_dir(at("patients"))?;
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let all = ["notes.txt", "first.jpg", "second.jpg", "patients"].map(at);
    page.drop_paths(&all.each_ref().map(PathBuf::as_path))
        .await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    let said = page.text("notices").await?;
    for name in ["first.jpg", "notes.txt", "second.jpg", "patients"] {
        ensure!(said.contains(name), "nothing is said of {name}: {said}");
    }
    page.screenshot("wide-several").await?;

    // An empty folder alone leaves what is open.
    page.drop_paths(&[&at("patients")]).await?;
    page.wait_for_error("The folder patients holds no file", READ)
        .await?;
    ensure!(page.state().await? == "ready", "{}", page.state().await?);
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;

    // The button takes several too.
    let input = page.element("file-input").await?;
    let paths = [at("second.jpg"), at("first.jpg")].map(|path| path.display().to_string());
    input.send_keys(paths.join("\n")).await?;
    page.wait_for(&["reading", "ready"], READ).await?;
    page.wait_for(&["ready"], READ).await?;
    page.wait_for_words("notices", "In the list: first.jpg", READ)
        .await?;
    assert_scores_are_native(&page, &sample("no-finding.jpg")).await?;
    page.close().await
}

#[tokio::test]
async fn where_a_file_does_not_tell_its_depth_both_readings_are_offered_and_the_choice_recorded()
-> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    let file = www().join("../tests/cases/03-png-12-of-16-bits/u12_in_16.png");
    page.choose(&file).await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &file).await?;
    let said = page.text("notices").await?;
    ensure!(
        said.contains("12 bits of each pixel are used, judging by the pixels"),
        "{said}"
    );
    page.screenshot("wide-depth").await?;

    let choose = "const select = document.querySelector('[data-testid=depth]');
        select.value = arguments[0]; select.dispatchEvent(new Event('change'));";
    for (bits, told_by, notice) in [
        (
            16,
            DepthSource::Choice,
            "16 bits of each pixel are used, as chosen",
        ),
        (
            12,
            DepthSource::Pixels,
            "12 bits of each pixel are used, judging",
        ),
    ] {
        page.script(choose, vec![bits.to_string().into()]).await?;
        page.wait_for_words("notices", notice, READ).await?;
        page.wait_for(&["ready"], READ).await?;
        let (_, json) = page.saved_by("export-json").await?;
        let report: Report = serde_json::from_slice(&json)?;
        let depth = report.image.depth.context("a depth")?;
        ensure!((depth.bits, depth.told_by) == (bits, told_by), "{depth:?}");
    }
    assert_scores_are_native(&page, &file).await?;
    page.close().await
}

#[tokio::test]
async fn html_addresses_and_text_are_told_what_can_be_done_and_leave_the_picture() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let address = "https://elsewhere.example/chest.png";
    let html = format!("<img src=\"{address}\">");
    let given: [(&[(&str, &str)], &str); 5] = [
        (
            &[("text/uri-list", address), ("text/html", &html)],
            "This is a web address",
        ),
        (&[("text/plain", address)], "This is a web address"),
        (&[("text/html", &html)], "a piece of a web page"),
        (&[("text/plain", "cardiomegaly?")], "This is text"),
        (&[], "no picture and no file"),
    ];
    for how in ["drop", "paste"] {
        for (data, said) in given {
            page.give_data(how, data).await?;
            page.wait_for_error(said, READ)
                .await
                .with_context(|| format!("{how} of {data:?}"))?;
            ensure!(page.state().await? == "ready", "{how} of {data:?}");
            page.element("dismiss").await?.click().await?;
            ensure!(!page.exists("error").await?, "{how} of {data:?} stays");
        }
    }
    page.give_data("drop", &[]).await?;
    page.wait_for_error("no picture and no file", READ).await?;
    page.screenshot("wide-not-a-file").await?;
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    ensure!(server.foreign().is_empty(), "{:?}", server.foreign());
    // One of the page's own samples, dragged from its button, is read.
    let own = format!("http://{}/samples/no-finding.jpg", server.address);
    page.give_data("drop", &[("text/uri-list", &own)]).await?;
    page.wait_for(&["reading", "ready"], READ).await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &sample("no-finding.jpg")).await?;
    ensure!(!page.exists("error").await?, "the complaint is still shown");
    page.close().await
}

#[tokio::test]
async fn a_file_refused_while_the_model_loads_stays_refused_and_loads_nothing_again() -> Result<()>
{
    let server = Server::start()?;
    let (name, _) = model()?;
    let weights = format!("models/{name}/weights.bpk");
    server.delay(&weights, Duration::from_secs(4));
    let page = Page::open(&server, "?device=cpu", Options::default()).await?;
    page.element("progress").await?;
    let large = "const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(101 << 20)], 'large.png'));
        document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: transfer }));";
    page.script(large, vec![]).await?;
    page.wait_for_error("large.png", READ).await?;
    ensure!(page.state().await? == "loading", "{}", page.state().await?);
    page.wait_for(&["error"], LOAD).await?;
    page.wait_for_error("large.png", READ).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    ensure!(!page.exists("error").await?, "the old error is still shown");
    let loads = (server.count(&weights), server.count("engine.js"));
    ensure!(
        loads == (1, 1),
        "weights and engines were fetched {loads:?} times"
    );
    page.close().await
}
