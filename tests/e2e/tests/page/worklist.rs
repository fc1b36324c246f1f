//! Several radiographs at once: the list, its tables, folders, and two readings side by side.

use super::everyone::breaks_no_rule;
use super::*;

const SAMPLES: [&str; 3] = ["effusion.jpg", "no-finding.jpg", "cardiomegaly.jpg"];

/// Chooses files together by the button.
async fn choose_all(page: &Page, paths: &[PathBuf]) -> Result<()> {
    let mut all = Vec::new();
    for path in paths {
        all.push(path.canonicalize()?.display().to_string());
    }
    let input = page.element("file-input").await?;
    Ok(input.send_keys(all.join("\n")).await?)
}

/// The files and the states of the rows, by number.
async fn rows(page: &Page) -> Result<Vec<(String, String)>> {
    let script = "const number = row => Number(row.dataset.testid.slice('study-'.length));
        return [...document.querySelectorAll(\"[data-testid^='study-']\")]
            .sort((a, b) => number(a) - number(b))
            .map(row => [row.dataset.file, row.dataset.state]);";
    let rows = page.script(script, Vec::new()).await?;
    Ok(serde_json::from_value(rows)?)
}

async fn states(page: &Page) -> Result<Vec<String>> {
    let rows = rows(page).await?;
    Ok(rows.into_iter().map(|(_, state)| state).collect())
}

/// Waits until no row waits or is read, and says what became of each.
async fn all_done(page: &Page, count: usize) -> Result<Vec<String>> {
    let start = std::time::Instant::now();
    loop {
        let states = states(page).await?;
        let done = |state: &String| state == "read" || state == "refused";
        if states.len() == count && states.iter().all(done) {
            return Ok(states);
        }
        ensure!(start.elapsed() < SLOW, "the rows are {states:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn read_count(page: &Page) -> Result<usize> {
    let states = states(page).await?;
    Ok(states.iter().filter(|state| *state == "read").count())
}

/// So many copies of a sample in a folder, which a comment in each file makes larger by `padding` bytes or a little less.
fn copies(folder: &Path, count: usize, padding: usize) -> Result<Vec<PathBuf>> {
    let jpeg = std::fs::read(sample("effusion.jpg"))?;
    let mut bytes = jpeg[..2].to_vec();
    for _ in 0..padding / 65_537 {
        bytes.extend([0xFF, 0xFE, 0xFF, 0xFF]);
        bytes.extend([0; 65_533]);
    }
    bytes.extend(&jpeg[2..]);
    let mut paths = Vec::new();
    for number in 0..count {
        let path = folder.join(format!("copy-{number:03}.jpg"));
        std::fs::write(&path, &bytes)?;
        paths.push(path);
    }
    Ok(paths)
}

#[tokio::test]
async fn several_files_are_a_list_whose_table_has_the_native_scores() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "just some words")?;
    let mut paths: Vec<PathBuf> = SAMPLES.map(sample).to_vec();
    paths.push(notes);
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    ensure!(!page.exists("worklist").await?, "a list of nothing");
    choose_all(&page, &paths).await?;
    let states = all_done(&page, 4).await?;
    ensure!(states == ["read", "read", "read", "refused"], "{states:?}");
    let files: Vec<String> = rows(&page)
        .await?
        .into_iter()
        .map(|(file, _)| file)
        .collect();
    ensure!(
        files[..3] == SAMPLES && files[3] == "notes.txt",
        "{files:?}"
    );
    let why = page.text("study-3").await?;
    ensure!(why.contains("text file"), "{why}");
    // The first is shown, and nothing that was read in the background has taken its place.
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &sample(SAMPLES[0])).await?;
    page.screenshot("wide-worklist").await?;
    breaks_no_rule(&page, "a worklist").await?;

    let (name, csv) = page.saved_by("worklist-csv").await?;
    ensure!(name.ends_with(".csv"), "{name}");
    let csv = String::from_utf8(csv)?;
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    ensure!(lines.len() == 4, "{csv}");
    ensure!(lines[0][0] == "Path" && lines[0][15..] == ["Gate", "GateVerdict", "GateKind"]);
    for (line, file) in lines[1..].iter().zip(SAMPLES) {
        ensure!(line[0] == file, "{line:?}");
        let (_, reading) = native(&sample(file)).await?;
        for (cell, expected) in line[1..15].iter().zip(&reading.probabilities) {
            match expected {
                // Both are rounded to six decimals: they differ by one in the last at most.
                Some(expected) => {
                    let (ours, expected): (f64, f64) =
                        (cell.parse()?, format!("{expected:.6}").parse()?);
                    ensure!(
                        (ours - expected).abs() < 1.5e-6,
                        "{file}: {ours}, {expected}"
                    );
                }
                None => ensure!(cell.is_empty(), "{file}: {cell} is not trained"),
            }
        }
    }
    let (_, json) = page.saved_by("worklist-json").await?;
    let json: serde_json::Value = serde_json::from_slice(&json)?;
    let reports = json["reports"].as_array().context("reports")?;
    for (report, file) in reports.iter().zip(SAMPLES) {
        let report = Report::parse(report.to_string().as_bytes())?;
        ensure!(report.image.file == file);
    }
    ensure!(reports.len() == 3 && json["studies"] == serde_json::json!([]));

    // By key, the next and the one before.
    let body = page.driver.find(By::Tag("body")).await?;
    body.send_keys("n").await?;
    page.wait_for_words("radiograph-info", SAMPLES[1], READ)
        .await?;
    page.wait_for(&["ready"], READ).await?;
    assert_scores_are_native(&page, &sample(SAMPLES[1])).await?;
    body.send_keys("p").await?;
    page.wait_for_words("radiograph-info", SAMPLES[0], READ)
        .await?;

    // Sorted by a finding, the highest score is the first.
    choose(&page, "worklist-sort", "Cardiomegaly").await?;
    let column = lines[0].iter().position(|name| *name == "Cardiomegaly");
    let column = column.context("a column")?;
    let mut expected: Vec<(f64, &str)> = Vec::new();
    for line in &lines[1..] {
        expected.push((line[column].parse()?, line[0]));
    }
    expected.sort_by(|a, b| b.0.total_cmp(&a.0));
    let shown = "return [...document.querySelectorAll('.worklist .rows [data-file]')].map(row => row.dataset.file)";
    let shown = page.script(shown, Vec::new()).await?;
    let shown: Vec<String> = serde_json::from_value(shown)?;
    let expected: Vec<&str> = expected.into_iter().map(|(_, file)| file).collect();
    ensure!(
        shown[..3] == expected[..] && shown[3] == "notes.txt",
        "{shown:?}"
    );
    page.close().await
}

#[tokio::test]
async fn a_folder_is_walked_through_and_views_of_a_study_are_grouped() -> Result<()> {
    let root = tempfile::tempdir()?;
    let folder = root.path().join("chest");
    for study in ["patient1/study1", "patient1/study2"] {
        std::fs::create_dir_all(folder.join(study))?;
    }
    let put = |from: &str, to: &str| std::fs::copy(sample(from), folder.join(to));
    put("no-finding.jpg", "patient1/study2/view1_frontal.jpg")?;
    put("cardiomegaly.jpg", "patient1/study1/view2_frontal.jpg")?;
    put("effusion.jpg", "patient1/study1/view1_frontal.jpg")?;
    put("effusion.jpg", ".hidden.jpg")?;
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.drop_paths(&[&folder]).await?;
    let states = all_done(&page, 3).await?;
    ensure!(states == ["read", "read", "read"], "{states:?}");
    let files: Vec<String> = rows(&page)
        .await?
        .into_iter()
        .map(|(file, _)| file)
        .collect();
    let expected = [
        "chest/patient1/study1/view1_frontal.jpg",
        "chest/patient1/study1/view2_frontal.jpg",
        "chest/patient1/study2/view1_frontal.jpg",
    ];
    ensure!(files == expected, "{files:?}");
    page.wait_for_words("worklist-studies", "Study 1, 2 views", READ)
        .await?;
    let (_, json) = page.saved_by("worklist-json").await?;
    let json: serde_json::Value = serde_json::from_slice(&json)?;
    let study = &json["studies"][0];
    ensure!(
        study["files"] == serde_json::json!(expected[..2]),
        "{study}"
    );
    let (manifest, first) = native(&sample("effusion.jpg")).await?;
    let (_, second) = native(&sample("cardiomegaly.jpg")).await?;
    let pairs = first.probabilities.iter().zip(&second.probabilities);
    for (card, (first, second)) in manifest.findings.iter().zip(pairs) {
        let ours = study["maximum"][card.name.name()].as_f64();
        match first.zip(*second) {
            Some((a, b)) => {
                let ours = ours.with_context(|| card.name.to_string())?;
                ensure!((ours - a.max(b)).abs() < 1e-3, "{}: {ours}", card.name);
            }
            None => ensure!(ours.is_none(), "{} is not trained", card.name),
        }
    }
    page.screenshot("wide-worklist-studies").await?;

    // The button chooses a folder, too.
    page.element("worklist-clear").await?.click().await?;
    ensure!(!page.exists("worklist").await?, "the list is still there");
    let input = page.element("folder-input").await?;
    let path = folder.canonicalize()?;
    input
        .send_keys(path.to_str().context("a path in UTF-8")?)
        .await?;
    all_done(&page, 3).await?;
    let files: Vec<String> = rows(&page)
        .await?
        .into_iter()
        .map(|(file, _)| file)
        .collect();
    ensure!(files == expected, "{files:?}");
    page.close().await
}

#[tokio::test]
async fn reading_in_the_background_is_stopped_and_goes_on_and_gives_way_to_its_reader() -> Result<()>
{
    let folder = tempfile::tempdir()?;
    let paths = copies(folder.path(), 40, 0)?;
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    choose_all(&page, &paths).await?;
    page.wait_for(&["ready"], READ).await?;
    page.element("worklist-cancel").await?.click().await?;
    page.element("worklist-resume").await?;
    // What was on its way has arrived by now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let stopped = read_count(&page).await?;
    ensure!((1..40).contains(&stopped), "{stopped} are read");
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(read_count(&page).await? == stopped, "it was not stopped");
    // A row that waits is opened at once.
    page.element("study-39").await?.click().await?;
    page.wait_for_words("radiograph-info", "copy-039.jpg", READ)
        .await?;
    page.wait_for(&["ready"], READ).await?;
    ensure!(read_count(&page).await? == stopped + 1);
    page.element("worklist-resume").await?.click().await?;
    // While others are read the reader asks for something, and has it.
    choose(&page, "lime-samples", "50").await?;
    choose(&page, "explain-method", "lime").await?;
    page.wait_for(&["explaining"], READ).await?;
    page.wait_for(&["ready"], SLOW).await?;
    let states = all_done(&page, 40).await?;
    ensure!(states.iter().all(|state| state == "read"), "{states:?}");
    let info = page.text("radiograph-info").await?;
    ensure!(info.contains("copy-039.jpg"), "{info}");
    page.close().await
}

#[tokio::test]
async fn an_engine_that_ends_in_the_background_loses_no_row() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    for (from, to) in [
        ("effusion.jpg", "first.jpg"),
        ("no-finding.jpg", "deadly.jpg"),
        ("cardiomegaly.jpg", "third.jpg"),
    ] {
        std::fs::copy(sample(from), at(to))?;
    }
    let server = Server::start()?;
    let deadly = "const listen = self.addEventListener.bind(self);
        self.addEventListener = (name, hear) => listen(name, event => {
            const data = event.data;
            const said = data instanceof Array ? String.fromCharCode(...data[0].slice(0, 64)) : '';
            if (name === 'message' && said.includes('deadly')) setTimeout(() => { throw new Error('it broke') });
            else hear(event);
        });";
    server.answer_instead("engine.js", engine_after(deadly)?);
    let page = open(&server, "?device=cpu").await?;
    let paths = ["first.jpg", "deadly.jpg", "third.jpg"].map(at);
    choose_all(&page, &paths).await?;
    let states = all_done(&page, 3).await?;
    ensure!(states == ["read", "refused", "read"], "{states:?}");
    let why = page.text("study-1").await?;
    ensure!(why.contains("ended twice"), "{why}");
    page.wait_for(&["ready"], LOAD).await?;
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    ensure!(!page.exists("error").await?, "there is nothing to mend");
    page.close().await
}

#[tokio::test]
async fn two_models_readings_of_a_radiograph_are_side_by_side() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    page.element("compare-pin").await?.click().await?;
    ensure!(!page.exists("compare").await?, "a reading beside itself");
    let first = page.scores().await?;
    choose(&page, "model-select", "densenet121-nih").await?;
    page.wait_for(&["loading"], READ).await?;
    page.wait_for(&["ready"], LOAD).await?;
    page.element("compare").await?;
    let second = page.scores().await?;
    let mut compared = 0;
    for (index, pair) in first.iter().zip(&second).enumerate() {
        let row = page.element(&format!("compare-row-{index}")).await?;
        let ours = row.attr("data-difference").await?;
        match pair {
            (Some(a), Some(b)) => {
                let ours: f64 = ours.context("a difference")?.parse()?;
                ensure!((ours - (b - a)).abs() < 2e-6, "{index}: {ours}, {a}, {b}");
                compared += 1;
            }
            _ => ensure!(ours.is_none(), "{index}: {ours:?}"),
        }
    }
    ensure!(compared > 0, "nothing was compared");
    for canvas in ["compare-canvas-a", "compare-canvas-b"] {
        let (_, _, coloured) = page.canvas_pixels(canvas).await?;
        ensure!(coloured > 0, "{canvas} has no map");
    }
    page.screenshot("wide-compare").await?;
    breaks_no_rule(&page, "two readings side by side").await?;
    page.close().await
}

#[tokio::test]
async fn two_hundred_files_are_kept_as_handles() -> Result<()> {
    const MIB: u64 = 1 << 20;
    let folder = tempfile::tempdir()?;
    // 400 MiB together.
    copies(folder.path(), 200, 2 << 20)?;
    let server = Server::start()?;
    let page = open(&server, "?device=cpu").await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let before = page.peak_memory()?;
    page.drop_paths(&[folder.path()]).await?;
    let states = all_done(&page, 201).await?;
    ensure!(states.iter().all(|state| state == "read"), "{states:?}");
    let grown = page.peak_memory()?.saturating_sub(before);
    ensure!(grown < 250 * MIB, "it took {} MiB more", grown / MIB);
    page.close().await
}

/// Lists of copies, on a page that is cross-origin isolated.
#[tokio::test]
#[ignore = "measures, and tells nothing true or false: cargo xtask bench page"]
async fn lists_of_growing_length() -> Result<()> {
    for count in [250, 500, 1000, 2000] {
        let folder = tempfile::tempdir()?;
        copies(folder.path(), count, 0)?;
        let server = Server::start()?;
        server.isolate();
        let page = open(&server, "?device=cpu").await?;
        page.element("sample-1").await?.click().await?;
        page.wait_for(&["ready"], READ).await?;
        let before = page.peak_memory()?;
        let start = std::time::Instant::now();
        page.drop_paths(&[folder.path()]).await?;
        // Seldom asked: the answer has every row.
        let script = "return [...document.querySelectorAll('[data-state=read]')].length";
        while page.script(script, Vec::new()).await? != serde_json::json!(count + 1) {
            ensure!(start.elapsed() < PATIENT, "not all of {count} files");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let seconds = start.elapsed().as_secs_f64();
        let grown = page.peak_memory()?.saturating_sub(before) / 1_000_000;
        println!("a list of {count} files: {seconds:.0} s, {grown} MB more");
        page.close().await?;
    }
    Ok(())
}
