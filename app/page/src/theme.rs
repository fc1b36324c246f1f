//! Light or dark: as the reader's system is, or as the reader chose.

use leptos::prelude::*;

use super::controls::Choice;
use super::storage;

/// Where the choice is kept, in the browser's storage.
const KEY: &str = "sightline-theme";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// As style sheets call it.
    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::System => "as the system",
            other => other.name(),
        }
    }

    /// The one that was chosen in this browser before; the system's where none was, or nothing may be kept.
    fn kept() -> Self {
        let name = storage::kept(KEY);
        let mut all = Self::ALL.into_iter();
        all.find(|theme| name.as_deref() == Some(theme.name()))
            .unwrap_or(Self::System)
    }

    /// Tells the style sheets, and which of the two colours the browser gives its own bars.
    fn apply(self) {
        let Some(root) = document().document_element() else {
            return;
        };
        // A known attribute takes any name.
        let _ = root.set_attribute("data-theme", self.name());
        for scheme in [Self::Light, Self::Dark] {
            let name = scheme.name();
            let media = match self {
                Self::System => format!("(prefers-color-scheme: {name})"),
                chosen if chosen == scheme => "all".to_owned(),
                _ => "not all".to_owned(),
            };
            let colour = document().query_selector(&format!("meta[data-scheme={name}]"));
            if let Ok(Some(colour)) = colour {
                let _ = colour.set_attribute("media", &media);
            }
        }
    }
}

#[component]
pub fn ThemeChoice() -> impl IntoView {
    let theme = RwSignal::new(Theme::kept());
    theme.get_untracked().apply();
    let choose = move |chosen: Theme| {
        storage::keep(KEY, chosen.name());
        chosen.apply();
        theme.set(chosen);
    };
    let named = |theme: Theme| (theme, theme.name().to_owned(), theme.title().to_owned());
    view! {
        <Choice title="Theme" testid="theme" options=Theme::ALL.map(named).into() chosen=theme choose/>
    }
}
