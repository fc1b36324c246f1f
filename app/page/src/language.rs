//! The page in another language. The code says English; this translates what is in the document, wherever it comes from.
//!
//! Views know nothing of languages: an observer sees each text that they put into the document, before it is painted, and puts in its place
//! what the message file says for it. What is not the page's own, such as a file's name, is within an element with `translate="no"`.

use std::cell::RefCell;

use js_sys::{Array, Reflect};
use leptos::prelude::*;
use sightline_session::texts::Texts;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, MutationObserver, MutationObserverInit, MutationRecord, Node, Url};

use super::address::parameter;
use super::controls::Choice;
use super::fetch;
use super::state::State;
use super::storage;

/// Where the choice is kept, in the browser's storage, and what it is called in the page's address.
const KEY: &str = "sightline-language";
const PARAMETER: &str = "lang";
/// What is not translated, nor what is in it.
const NOT: &str = "[translate=no], code, script, style";
/// Is between an English text and what took its place, where both are kept: no text has it.
const BETWEEN: &str = "\0";
/// Attributes that people read.
const ATTRIBUTES: [&str; 4] = ["title", "aria-label", "placeholder", "alt"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    English,
    German,
}

impl Language {
    const ALL: [Self; 2] = [Self::English, Self::German];

    /// As HTML calls it.
    fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// As those who speak it call it.
    fn title(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// The language of this name, or of this name with a country.
    fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|language| name.split('-').next() == Some(language.name()))
    }

    /// The one that the address asks for, or that was chosen before, or that the browser speaks.
    fn at_first() -> Self {
        let asked = parameter(PARAMETER);
        let names = [asked, storage::kept(KEY), window().navigator().language()];
        let mut named = names.into_iter().flatten();
        named
            .find_map(|name| Self::named(&name))
            .unwrap_or(Self::English)
    }

    /// Keeps the choice. An address that asks for another language would win at the next visit.
    fn keep(self) {
        storage::keep(KEY, self.name());
        let address = window().location().href().unwrap_or_default();
        let (Ok(address), Ok(history)) = (Url::new(&address), window().history()) else {
            return;
        };
        let parameters = address.search_params();
        if parameters.has(PARAMETER) {
            parameters.set(PARAMETER, self.name());
            // Where the browser refuses, the address asks on.
            let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&address.href()));
        }
    }
}

/// What translates the document.
struct Translator {
    /// None for English.
    texts: Option<Texts>,
    observer: MutationObserver,
}

thread_local! {
    static TRANSLATOR: RefCell<Option<Translator>> = const { RefCell::new(None) };
}

/// What is said for an English text, where the document is not what it is for.
pub fn said(english: &str) -> String {
    TRANSLATOR.with_borrow(|translator| {
        let texts = translator.as_ref().and_then(|known| known.texts.as_ref());
        texts.map_or(english.to_owned(), |texts| texts.said(english))
    })
}

#[component]
pub fn LanguageChoice() -> impl IntoView {
    let state = expect_context::<State>();
    let language = RwSignal::new(Language::at_first());
    let show = move |wanted: Language| {
        language.set(wanted);
        if wanted == Language::English {
            return translate(wanted, None);
        }
        spawn_local(async move {
            let texts = fetch::text(&format!("texts/{}.po", wanted.name())).await;
            let texts = texts.and_then(|file| Texts::parse(&file));
            // English may have been chosen since.
            if language.get_untracked() != wanted {
                return;
            }
            match texts {
                Ok(texts) => translate(wanted, Some(texts)),
                Err(why) => {
                    language.set(Language::English);
                    state.complain(format!(
                        "The page stays in English. The texts of the other language cannot be fetched: {why}."
                    ));
                }
            }
        });
    };
    if language.get_untracked() != Language::English {
        show(language.get_untracked());
    }
    let choose = move |chosen: Language| {
        chosen.keep();
        show(chosen);
    };
    let named = |one: Language| (one, one.name().to_owned(), one.title().to_owned());
    view! {
        <Choice title="Language" testid="language" options=Language::ALL.map(named).into() chosen=language choose/>
    }
}

/// Translates the whole document, and from now on what comes into it.
fn translate(language: Language, texts: Option<Texts>) {
    let Some(root) = document().document_element() else {
        return;
    };
    TRANSLATOR.with_borrow_mut(|translator| {
        if translator.is_none() {
            *translator = observer().map(|observer| Translator {
                texts: None,
                observer,
            });
        }
        let Some(translator) = translator else {
            return;
        };
        translator.observer.disconnect();
        translator.texts = texts;
        translator.walk(&root);
        // A known attribute takes any name.
        let _ = root.set_attribute("lang", language.name());
        if translator.texts.is_some() {
            translator.observe(&root);
        }
    });
}

/// What hears of each change of the document: at once, before the browser paints it.
fn observer() -> Option<MutationObserver> {
    let hear = Closure::<dyn FnMut(Array)>::new(|records: Array| {
        TRANSLATOR.with_borrow(|translator| {
            if let Some(translator) = translator {
                translator.hear(&records);
            }
        });
    });
    let observer = MutationObserver::new(hear.as_ref().unchecked_ref()).ok();
    hear.forget();
    observer
}

impl Translator {
    fn observe(&self, root: &Node) {
        let what = MutationObserverInit::new();
        what.set_subtree(true);
        what.set_child_list(true);
        what.set_character_data(true);
        what.set_attributes(true);
        let names: Array = ATTRIBUTES.iter().map(|name| JsValue::from(*name)).collect();
        what.set_attribute_filter(&names);
        // Fails only for options that contradict each other.
        let _ = self.observer.observe_with_options(root, &what);
    }

    fn hear(&self, records: &Array) {
        for record in records.iter() {
            let record: MutationRecord = record.unchecked_into();
            let Some(target) = record.target() else {
                continue;
            };
            let attribute: Option<String> = record.attribute_name();
            match attribute {
                Some(name) => {
                    if !is_foreign(&target) {
                        self.attribute(target.unchecked_ref(), &name);
                    }
                }
                None => {
                    let added = record.added_nodes();
                    let added = (0..added.length()).filter_map(|place| added.get(place));
                    let changed = record.type_() == "characterData";
                    for node in added.chain(changed.then_some(target)) {
                        if !is_foreign(&node) {
                            self.walk(&node);
                        }
                    }
                }
            }
        }
        // What was done here is no news.
        self.observer.take_records();
    }

    /// Translates a text, or all that is within an element.
    fn walk(&self, node: &Node) {
        match node.node_type() {
            Node::TEXT_NODE => {
                let shown = node.node_value().unwrap_or_default();
                if let Some(said) = self.replaced(node, KEY, &shown) {
                    node.set_node_value(Some(&said));
                }
            }
            Node::ELEMENT_NODE => {
                let element: &Element = node.unchecked_ref();
                if element.matches(NOT).unwrap_or(false) {
                    return;
                }
                for name in ATTRIBUTES {
                    self.attribute(element, name);
                }
                let mut child = node.first_child();
                while let Some(node) = child {
                    self.walk(&node);
                    child = node.next_sibling();
                }
            }
            _ => {}
        }
    }

    fn attribute(&self, element: &Element, name: &str) {
        if let Some(shown) = element.get_attribute(name) {
            let key = [KEY, name].concat();
            if let Some(said) = self.replaced(element, &key, &shown) {
                // The attribute is there already.
                let _ = element.set_attribute(name, &said);
            }
        }
    }

    /// What takes the place of a text that is shown, if anything does. It is kept with its English at the document's own object: what is
    /// found there later is either that, or a new English text.
    fn replaced(&self, at: &Node, key: &str, shown: &str) -> Option<String> {
        let key = JsValue::from(key);
        let kept = Reflect::get(at, &key)
            .ok()
            .and_then(|kept| kept.as_string());
        let kept = kept.as_deref().and_then(|kept| kept.split_once(BETWEEN));
        let english = match kept {
            Some((english, said)) if said == shown => english,
            _ => shown,
        };
        let said = match &self.texts {
            Some(texts) => texts.said(english),
            None => english.to_owned(),
        };
        if said == shown {
            return None;
        }
        let kept = [english, BETWEEN, &said].concat();
        // Fails only for an object that takes no properties.
        let _ = Reflect::set(at, &key, &JsValue::from(kept));
        Some(said)
    }
}

/// Whether a node is within something that is not translated.
fn is_foreign(node: &Node) -> bool {
    let element: Option<Element> = match node.dyn_ref::<Element>() {
        Some(element) => Some(element.clone()),
        None => node.parent_element(),
    };
    element.is_some_and(|element| element.closest(NOT).ok().flatten().is_some())
}
