//! The reading as files: JSON to go on with, PNG to show. And on paper.

use leptos::prelude::*;
use sightline_core::explain::look::MapKind;
use sightline_core::json::{Layout, text};
use sightline_session::picture::ReadPicture;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, HtmlCanvasElement};

use super::canvas::{context, paint_picture};
use super::color_bar;
use super::contours;
use super::download::{save, save_text};
use super::language::said;
use super::print::PrintButton;
use super::state::State;

#[component]
pub fn ExportButtons() -> impl IntoView {
    let state = expect_context::<State>();
    let complain = move |result: Result<(), JsValue>| {
        if result.is_err() {
            state.complain("The browser refused to save the file.");
        }
    };
    let json = move |_| {
        if let Some(picture) = state.picture.get_untracked() {
            complain(save_json(&picture));
        }
    };
    let png = move |_| {
        if let Some(picture) = state.picture.get_untracked() {
            complain(untrack(|| save_png(&picture, state)));
        }
    };
    view! {
        <div class="export">
            <button type="button" data-testid="export-json" on:click=json>"Save the report (JSON)"</button>
            <button type="button" data-testid="export-png" disabled=move || state.shown_map().is_none() on:click=png>"Save the picture (PNG)"</button>
            <PrintButton/>
        </div>
    }
}

fn save_json(picture: &ReadPicture) -> Result<(), JsValue> {
    let text = text(&picture.report, Layout::Lines).map_err(|e| e.to_string())?;
    save_text(&text, "application/json", &file_name(picture, "json"))
}

/// `<the picture's name>-sightline.<extension>`.
fn file_name(picture: &ReadPicture, extension: &str) -> String {
    let file = &picture.report.image.file;
    let stem = file
        .rsplit_once('.')
        .map_or(file.as_str(), |(stem, _)| stem);
    let stem = if stem.is_empty() { "radiograph" } else { stem };
    format!("{stem}-sightline.{extension}")
}

const MARGIN: f64 = 24.0;
const LINE: f64 = 26.0;

/// Radiograph and map side by side, with a colour bar and what a viewer must know.
fn save_png(picture: &ReadPicture, state: State) -> Result<(), JsValue> {
    let Some(finding) = state.selected_finding() else {
        return Ok(());
    };
    let look = state.look();
    let (Some(cells), Some(region)) = (state.shown_map(), picture.region()) else {
        return Ok(());
    };
    let method = state.method.get();
    let branch = state
        .branch
        .get()
        .and_then(|index| finding.grad_cam.branches.get(index));
    let of = branch.map_or(String::new(), |b| format!(" of {}", b.network));
    let side = || -> Result<HtmlCanvasElement, JsValue> {
        Ok(document().create_element("canvas")?.unchecked_into())
    };
    let (original, map, sheet) = (side()?, side()?, side()?);
    paint_picture(&original, &picture.preview, false);
    let (width, height) = (f64::from(original.width()), f64::from(original.height()));
    let lines = state.contours.get();
    contours::paint_shown(state, &map, &picture.preview, &cells, region)?;

    let report = &picture.report;
    let score = finding
        .probability
        .map_or("not trained".to_owned(), |p| format!("score {p:.2}"));
    let most = look.kind.most(&cells);
    let shown = match (lines, look.kind) {
        (true, kind) => format!("lines at {}", color_bar::said(kind, most)),
        (false, MapKind::Positive) => format!("{} from 0 to +{most:.2}", look.colormap.name()),
        (false, MapKind::Both) => {
            format!("from -{most:.2} (blue, against) to +{most:.2} (orange, for)")
        }
    };
    let texts = [
        format!("{}: {score}", finding.name),
        format!("{method}{of}: {shown}, {}", method.unit()),
        format!(
            "{} (weights {})",
            report.model.title,
            &report.model.weights_sha256[..12]
        ),
        format!("{}; {}", report.image.file, report.adapter),
        report.notice.clone(),
    ];
    let text_top = MARGIN + height + 2.0 * LINE;
    let sheet_width = (2.0 * width + 3.0 * MARGIN).max(760.0);
    sheet.set_width(sheet_width as u32);
    sheet.set_height((text_top + texts.len() as f64 * LINE + MARGIN) as u32);
    let context = context(&sheet).ok_or("no canvas")?;
    context.set_fill_style_str("#0d1117");
    context.fill_rect(
        0.0,
        0.0,
        f64::from(sheet.width()),
        f64::from(sheet.height()),
    );
    context.draw_image_with_html_canvas_element(&original, MARGIN, MARGIN)?;
    let map_left = 2.0 * MARGIN + width;
    context.draw_image_with_html_canvas_element(&map, map_left, MARGIN)?;
    if !lines {
        for x in 0..width as usize {
            let colour = color_bar::colour(look, x as f32 / width as f32);
            context.set_fill_style_str(&colour);
            context.fill_rect(map_left + x as f64, MARGIN + height + 8.0, 1.0, 12.0);
        }
    }
    context.set_fill_style_str("#e6edf3");
    context.set_font("17px system-ui, sans-serif");
    for (index, line) in texts.iter().enumerate() {
        context.fill_text(&said(line), MARGIN, text_top + index as f64 * LINE)?;
    }
    let name = file_name(picture, "png");
    let done = Closure::once_into_js(move |blob: Option<Blob>| {
        if let Some(blob) = blob {
            let _ = save(&blob, &name);
        }
    });
    sheet.to_blob(done.unchecked_ref())
}
