//! Model cards as HTML. It is done here and not in the page, whose program would be a quarter larger for it.

use pulldown_cmark::{Event, Options, Parser, Tag, html};

/// A card as HTML. A package may come from anywhere: HTML in it is shown as it is written, its pictures lie in its folder, and its
/// links lead to pages, nowhere else.
pub fn rendered(card: &str, folder: &str) -> String {
    let events = Parser::new_ext(card, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Image {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Image {
            link_type,
            dest_url: format!("{folder}/{}", dest_url.replace([':', '/', '\\'], "")).into(),
            title,
            id,
        }),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url: if dest_url.starts_with("https://") {
                dest_url
            } else {
                "".into()
            },
            title,
            id,
        }),
        other => other,
    });
    let mut page = String::new();
    html::push_html(&mut page, events);
    // The page's policy allows no style within the text. Quotes that a card writes are escaped, so these are attributes.
    for side in ["left", "center", "right"] {
        let style = format!(" style=\"text-align: {side}\"");
        page = page.replace(&style, &format!(" class=\"{side}\""));
    }
    page
}
