//! WebGPU and CPU.

use super::*;

#[tokio::test]
async fn without_webgpu_the_cpu_reads_and_asking_for_webgpu_says_what_to_do() -> Result<()> {
    let server = Server::start()?;
    let page = open(&server, "").await?;
    ensure!(
        page.text("adapter").await?.starts_with("CPU, "),
        "{}",
        page.text("adapter").await?
    );
    page.close().await?;
    let page = Page::open(&server, "?device=webgpu", Options::default()).await?;
    page.wait_for(&["error"], LOAD).await?;
    ensure!(
        page.text("error").await?.contains("not offer WebGPU"),
        "{}",
        page.text("error").await?
    );
    let larger = server.count(GPU_ENGINE);
    ensure!(larger == 0, "the larger engine came {larger} times");
    page.close().await
}

/// Without network, it may not be kept; here it comes half-way.
#[tokio::test]
async fn an_engine_for_webgpu_that_does_not_come_is_said() -> Result<()> {
    let server = Server::start()?;
    server.cut(GPU_ENGINE, true);
    let page = open_with_webgpu(&server, "?device=webgpu").await?;
    page.wait_for(&["error"], LOAD).await?;
    let why = "WebGPU did not start: the engine's program for it cannot be fetched";
    page.wait_for_error(why, READ).await?;
    page.driver
        .goto(format!("http://{}/?device=cpu", server.address))
        .await?;
    page.wait_for(&["idle"], LOAD).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    page.close().await
}

#[tokio::test]
async fn a_software_adapter_is_used_only_when_asked_for_and_said_to_be_one() -> Result<()> {
    let server = Server::start()?;
    let page = open_with_webgpu(&server, "").await?;
    page.wait_for(&["idle"], LOAD).await?;
    ensure!(
        page.text("adapter").await?.starts_with("CPU, "),
        "{}",
        page.text("adapter").await?
    );
    page.close().await?;

    let page = open_with_webgpu(&server, "?device=webgpu").await?;
    page.wait_for(&["idle"], SLOW).await?;
    let adapter = page.text("adapter").await?;
    ensure!(
        adapter.starts_with("WebGPU: ") && adapter.contains("software"),
        "{adapter}"
    );
    let of_cpu = server.count("engine.js");
    ensure!(of_cpu == 0, "the engine for the CPU came {of_cpu} times");
    // A reading that is cancelled leaves the page ready for the next.
    page.element("sample-0").await?.click().await?;
    page.wait_for(&["reading"], READ).await?;
    page.element("cancel").await?.click().await?;
    page.wait_for(&["idle"], READ).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], SLOW).await?;
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    page.close().await
}

/// What the report says of the times by which the device was chosen.
async fn device_times(page: &Page) -> Result<[f64; 2]> {
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], READ).await?;
    let (_, report) = page.saved_by("export-json").await?;
    let report: serde_json::Value = serde_json::from_slice(&report)?;
    let times = &report["timings"]["devices"];
    let time = |device: &str| times[device].as_f64().context("no time in the report");
    Ok([time("webgpu")?, time("cpu")?])
}

/// SwiftShader stands for a graphics card that is slower than the CPU.
#[tokio::test]
async fn an_adapter_that_reads_slower_than_the_cpu_is_measured_once_and_not_used() -> Result<()> {
    let server = Server::start()?;
    let page = open_with_webgpu(&server, "?device=measured").await?;
    page.wait_for(&["idle"], SLOW).await?;
    let adapter = page.text("adapter").await?;
    ensure!(adapter.starts_with("CPU, "), "{adapter}");
    let shown = page.driver.find(By::Css(".adapter")).await?.text().await?;
    ensure!(shown.contains("slower here"), "{shown}");
    let [webgpu, cpu] = device_times(&page).await?;
    ensure!(
        webgpu > cpu && cpu > 0.0,
        "WebGPU {webgpu} ms, CPU {cpu} ms"
    );
    assert_scores_are_native(&page, &sample("effusion.jpg")).await?;
    // It is remembered: the same times to the last digit.
    page.driver.refresh().await?;
    page.wait_for(&["idle"], LOAD).await?;
    let again = device_times(&page).await?;
    ensure!(again == [webgpu, cpu], "measured again: {again:?}");
    page.close().await
}

/// A GPU without room for eight pictures, which are tried after four: a second engine scores four at a time, and explains as the CPU does.
#[tokio::test]
async fn a_gpu_that_runs_out_of_memory_scores_fewer_pictures_at_once() -> Result<()> {
    let server = Server::start()?;
    // As Chromium has it: creating a buffer never fails, but the device hears of it soon after. The largest buffer that the
    // default model needs for a picture has 4.8 MB.
    let small_gpu = "
        fetch(new URL('/an-engine-starts', self.home)).catch(() => {});
        const createBuffer = GPUDevice.prototype.createBuffer;
        GPUDevice.prototype.createBuffer = function (descriptor) {
            if (descriptor.size > 24e6) {
                const error = new GPUOutOfMemoryError('no room for a buffer of ' + descriptor.size + ' bytes');
                setTimeout(() => this.dispatchEvent(new GPUUncapturedErrorEvent('uncapturederror', { error })));
            }
            return createBuffer.call(this, descriptor);
        };
    ";
    server.answer_instead(GPU_ENGINE, program_after(small_gpu, GPU_ENGINE)?);
    let page = open_with_webgpu(&server, "?device=webgpu").await?;
    page.wait_for(&["idle"], SLOW).await?;
    page.element("sample-1").await?.click().await?;
    page.wait_for(&["ready"], SLOW).await?;
    choose(&page, "explain-method", "lime").await?;
    let start = std::time::Instant::now();
    loop {
        let said = page.text("status").await?;
        if said.contains("LIME") && said.contains("could not score 8") {
            ensure!(said.contains("4 at a time"), "{said}");
            break;
        }
        ensure!(start.elapsed() < SLOW, "{said}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let ours = stopped_early(&page).await?;
    let adapter = page.text("adapter").await?;
    ensure!(adapter.starts_with("WebGPU: "), "{adapter}");
    let starts = server.count("an-engine-starts");
    ensure!(starts == 2, "{starts} engines");

    let reader = reader(&model()?.1)?;
    let radiograph = Radiograph::decode(&std::fs::read(sample("effusion.jpg"))?)?;
    let native = explained(&reader, &radiograph, &ours).await?;
    assert_coefficients_are(&ours, &native)?;
    page.close().await
}
