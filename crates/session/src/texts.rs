//! The page in another language: what a message file says for English texts.
//!
//! Message files are gettext's (`.po`). Their English has a hole, `{}`, for each part that differs from time to time; what fills a hole is
//! translated in its turn. Texts of several sentences are translated sentence by sentence, so a message file has sentences.

/// Stands for a part that differs.
const HOLE: &str = "{}";

/// The texts of a language. Cheap to look up in, not to make.
#[derive(Debug)]
pub struct Texts(Vec<Text>);

/// An English text and what it is called in the other language.
#[derive(Debug)]
pub struct Text {
    /// What is between the holes: one more than there are holes.
    pub english: Vec<String>,
    pub translated: Vec<String>,
    /// How many letters are between the holes of the English.
    letters: usize,
}

impl Texts {
    /// Reads a message file: `msgid`, `msgstr`, lines that go on in quotes, and comments. Its header, an empty `msgid`, is left out.
    ///
    /// # Errors
    /// When a line is none of these, or the two sides of a text do not have the same holes; the line is named.
    pub fn parse(file: &str) -> Result<Self, String> {
        let mut texts = Vec::new();
        let mut sides: [Option<String>; 2] = [None, None];
        let mut side = 0;
        for (number, line) in (1..).zip(file.lines().chain(["msgid \"\""])) {
            let wrong = || format!("line {number} is no line of a message file");
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let quoted = match (line.strip_prefix("msgid "), line.strip_prefix("msgstr ")) {
                (Some(rest), _) => {
                    add(&mut texts, &mut sides).ok_or_else(wrong)?;
                    side = 0;
                    sides[0] = Some(String::new());
                    rest
                }
                (_, Some(rest)) => {
                    side = 1;
                    sides[1] = Some(String::new());
                    rest
                }
                _ => line,
            };
            let said = sides[side].as_mut().ok_or_else(wrong)?;
            said.push_str(&unquoted(quoted).ok_or_else(wrong)?);
        }
        Ok(Self(texts))
    }

    /// What the message file has, in its order.
    pub fn all(&self) -> &[Text] {
        &self.0
    }

    /// What is said for a text; the text itself where nothing is known for it. Spaces about it stay.
    pub fn said(&self, english: &str) -> String {
        sentences(english)
            .into_iter()
            .map(|sentence| {
                let inner = sentence.trim();
                let from = sentence.len() - sentence.trim_start().len();
                let (before, after) = (&sentence[..from], &sentence[from + inner.len()..]);
                let inner = self.known(inner).unwrap_or_else(|| inner.to_owned());
                [before, &inner, after].concat()
            })
            .collect()
    }

    /// A sentence's translation. It is also known with a full stop more, as it is quoted in brackets, or less, where it ends another.
    fn known(&self, sentence: &str) -> Option<String> {
        if !sentence.contains(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let with_stop = [sentence, "."].concat();
        let less = sentence.strip_suffix('.').and_then(|less| self.found(less));
        let ways = [less, self.found(&with_stop), self.found(sentence)];
        // Of texts that have as much in common with it, the sentence as it is. What fills its holes is looked up for this one alone: looked up
        // for all three, a list of twenty would take 3 to the power of 20 steps.
        let ways = ways.into_iter().enumerate();
        let found = ways.filter_map(|(way, found)| Some((way, found?)));
        let (way, best) = found.max_by_key(|(_, found)| found.text.letters)?;
        let said = self.filled(&best);
        Some(match way {
            0 => said + ".",
            1 => said.strip_suffix('.').unwrap_or(&said).to_owned(),
            _ => said,
        })
    }

    /// The text that has most letters in common with the sentence; of equals the one whose first hole ends first, as in
    /// `a.pth: this (or that), and that`.
    fn found<'a>(&'a self, sentence: &'a str) -> Option<Found<'a>> {
        let mut best: Option<Found<'a>> = None;
        for text in &self.0 {
            if best
                .as_ref()
                .is_some_and(|best| text.letters < best.text.letters)
            {
                continue;
            }
            let Some(holes) = fill(&text.english, sentence) else {
                continue;
            };
            let found = Found { text, holes };
            let first = |found: &Found<'_>| found.holes.first().map_or(0, |hole| hole.len());
            let is_better =
                |best: &Found<'_>| text.letters > best.text.letters || first(&found) < first(best);
            if best.as_ref().is_none_or(is_better) {
                best = Some(found);
            }
        }
        best
    }

    fn filled(&self, found: &Found<'_>) -> String {
        let mut said = String::new();
        for (place, part) in found.text.translated.iter().enumerate() {
            said.push_str(part);
            if let Some(filling) = found.holes.get(place) {
                said.push_str(&self.said(filling));
            }
        }
        said
    }
}

/// A text that a sentence is.
struct Found<'a> {
    text: &'a Text,
    /// What stands in the holes.
    holes: Vec<&'a str>,
}

/// Adds the text whose two sides were read, if there is one.
fn add(texts: &mut Vec<Text>, sides: &mut [Option<String>; 2]) -> Option<()> {
    let [english, translated] = sides.each_mut().map(Option::take);
    let Some(english) = english.filter(|english| !english.is_empty()) else {
        return Some(());
    };
    let parts = |text: String| text.split(HOLE).map(str::to_owned).collect::<Vec<String>>();
    let (english, translated) = (parts(english), parts(translated?));
    // A hole alone, or with a full stop, would be filled with itself.
    let literal: usize = english.iter().map(String::len).sum();
    let sound = english.len() == translated.len() && literal > 1;
    sound.then(|| {
        texts.push(Text {
            letters: english.iter().map(|part| letters(part)).sum(),
            english,
            translated,
        });
    })
}

/// What is in quotes.
fn unquoted(text: &str) -> Option<String> {
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut said = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        said.push(match letter {
            '\\' => match letters.next()? {
                'n' => '\n',
                other => other,
            },
            '"' => return None,
            other => other,
        });
    }
    Some(said)
}

/// What stands in the holes of a sentence, if it is this one.
fn fill<'a>(parts: &[String], sentence: &'a str) -> Option<Vec<&'a str>> {
    let (first, rest) = parts.split_first()?;
    let mut left = sentence.strip_prefix(first.as_str())?;
    let Some((last, between)) = rest.split_last() else {
        return left.is_empty().then(Vec::new);
    };
    // Most texts are told apart by how they end.
    left.strip_suffix(last.as_str())?;
    let mut filled = Vec::new();
    for part in between {
        let at = outside(left, |rest| rest.starts_with(part.as_str()));
        let at = at.or_else(|| left.find(part.as_str()))?;
        filled.push(&left[..at]);
        left = &left[at + part.len()..];
    }
    filled.push(left.strip_suffix(last.as_str())?);
    // What is in brackets is in one hole, with both of them or with neither.
    let fits = !is_balanced(sentence) || filled.iter().all(|filling| is_balanced(filling));
    fits.then_some(filled)
}

fn letters(text: &str) -> usize {
    text.chars().filter(char::is_ascii_alphabetic).count()
}

/// Whether each bracket has its other half.
fn is_balanced(text: &str) -> bool {
    let mut depth = 0_i32;
    let never_below = text.chars().all(|letter| {
        depth += step(letter);
        depth >= 0
    });
    never_below && depth == 0
}

/// How much deeper in brackets what follows a letter is.
fn step(letter: char) -> i32 {
    match letter {
        '(' => 1,
        ')' => -1,
        _ => 0,
    }
}

/// The first place outside of all brackets from which on something is so.
fn outside(text: &str, is_so: impl Fn(&str) -> bool) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, letter) in text.char_indices() {
        if depth == 0 && is_so(&text[at..]) {
            return Some(at);
        }
        depth += step(letter);
    }
    None
}

/// The sentences of a text, with the spaces between them. What is in brackets ends none.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut left = text;
    let ends = |rest: &str| {
        let mut letters = rest.chars();
        let stop = matches!(letters.next(), Some('.' | '?'));
        let space = letters.next() == Some(' ');
        let next = letters.next();
        stop && space && next.is_some_and(|c| c.is_uppercase() || c.is_numeric() || c == '“')
    };
    while let Some(at) = outside(left, ends) {
        let (sentence, rest) = left.split_at(at + 1);
        sentences.push(sentence);
        left = rest;
    }
    sentences.push(left);
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
# A header, as gettext has it.
msgid ""
msgstr "Language: de\n"

#: a.rs
msgid "This is {}; it is not read."
msgstr "Das ist {}; es wird nicht gelesen."

msgid "a text file"
msgstr "eine Textdatei"

msgid "Choose "
"another \"one\"."
msgstr "Wählen Sie "
"eine „andere“."

msgid "{}, {}"
msgstr "{}, {}"

msgid "{} ({})"
msgstr "{} ({})"

msgid "{}: {}"
msgstr "{}: {}"

msgid "cut, or damaged"
msgstr "abgeschnitten oder beschädigt"

msgid "Not readable: {}"
msgstr "Nicht lesbar: {}"

msgid "Not readable: {} files"
msgstr "Nicht lesbar: {} Dateien"
"#;

    fn texts() -> Texts {
        Texts::parse(FILE).expect("a message file")
    }

    #[test]
    fn a_text_is_translated_with_what_is_in_its_holes() {
        let texts = texts();
        let cases = [
            ("a text file", "eine Textdatei"),
            (" a text file ", " eine Textdatei "),
            (
                "This is a text file; it is not read. Choose another \"one\".",
                "Das ist eine Textdatei; es wird nicht gelesen. Wählen Sie eine „andere“.",
            ),
            (
                "This is 7; it is not read.",
                "Das ist 7; es wird nicht gelesen.",
            ),
            (
                "Not readable: a text file.",
                "Nicht lesbar: eine Textdatei.",
            ),
            // What comes first parts first.
            (
                "a.txt: cut, or damaged",
                "a.txt: abgeschnitten oder beschädigt",
            ),
            ("7, b: a text file", "7, b: eine Textdatei"),
            // The longer of two that fit.
            ("Not readable: 3 files", "Nicht lesbar: 3 Dateien"),
            // What is in brackets is a text of its own, without its full stop.
            (
                "Not readable: a.txt (This is a text file; it is not read. Choose another \"one\"), b (a text file)",
                "Nicht lesbar: a.txt (Das ist eine Textdatei; es wird nicht gelesen. Wählen Sie eine „andere“), b (eine Textdatei)",
            ),
        ];
        for (english, expected) in cases {
            assert_eq!(texts.said(english), expected);
        }
    }

    #[test]
    fn a_long_list_takes_no_more_steps_than_it_has_parts() {
        // Each part used to be looked up three times for each part before it: forty would not end.
        let english = ["a text file"; 40].join(", ");
        let expected = ["eine Textdatei"; 40].join(", ");
        assert_eq!(texts().said(&english), expected);
    }

    #[test]
    fn what_is_not_known_stays() {
        let texts = texts();
        for text in [
            "",
            " ",
            "+1.25",
            "Some words",
            "a text file or two",
            "(",
            "a.b) c",
        ] {
            assert_eq!(texts.said(text), text);
        }
    }

    #[test]
    fn what_is_no_message_file_is_refused_with_its_line() {
        let cases = [
            ("hello", "line 1"),
            ("\"a\"", "line 1"),
            ("msgid \"a\"\nmsgstr \"b", "line 2"),
            ("msgid \"a\"\nmsgid \"b\"\n", "line 2"),
            ("msgid \"of {}\"\nmsgstr \"von\"\n", "line 3"),
            ("msgid \"{}.\"\nmsgstr \"{}.\"\n", "line 3"),
        ];
        for (file, line) in cases {
            let why = Texts::parse(file).expect_err(file);
            assert!(why.contains(line), "{file:?}: {why}");
        }
    }
}
