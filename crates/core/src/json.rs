//! JSON in lines or on one line, by one formatter: serde compiles all that is written anew for each, some 20 kB for a report.

use std::io::{Result, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// How values are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// On one line, without blanks.
    Compact,
    /// A line for each value.
    Lines,
}

/// A value as JSON.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn text(value: &impl Serialize, layout: Layout) -> serde_json::Result<String> {
    let mut text = Vec::new();
    let laid_out = LaidOut(match layout {
        Layout::Compact => None,
        Layout::Lines => Some(PrettyFormatter::new()),
    });
    value.serialize(&mut Serializer::with_formatter(&mut text, laid_out))?;
    // Only UTF-8 is written.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Lays values out as it is told while the program runs. Nothing of it is inlined: it is called everywhere.
struct LaidOut(Option<PrettyFormatter<'static>>);

impl Formatter for LaidOut {
    #[inline(never)]
    fn begin_array<W: Write + ?Sized>(&mut self, to: &mut W) -> Result<()> {
        match &mut self.0 {
            Some(lines) => lines.begin_array(to),
            None => to.write_all(b"["),
        }
    }

    #[inline(never)]
    fn end_array<W: Write + ?Sized>(&mut self, to: &mut W) -> Result<()> {
        match &mut self.0 {
            Some(lines) => lines.end_array(to),
            None => to.write_all(b"]"),
        }
    }

    #[inline(never)]
    fn begin_array_value<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> Result<()> {
        match &mut self.0 {
            Some(lines) => lines.begin_array_value(to, first),
            None if first => Ok(()),
            None => to.write_all(b","),
        }
    }

    #[inline(never)]
    fn end_array_value<W: Write + ?Sized>(&mut self, to: &mut W) -> Result<()> {
        match &mut self.0 {
            Some(lines) => lines.end_array_value(to),
            None => Ok(()),
        }
    }

    #[inline(never)]
    fn begin_object<W: Write + ?Sized>(&mut self, to: &mut W) -> Result<()> {
        match &mut self.0 {
            Some(lines) => lines.begin_object(to),
            None => to.write_all(b"{"),
        }
    }

    #[inline(never)]
    fn end_object<W: Write + ?Sized>(&mut self, to: &mut W) -> Result<()> {
        match &mut self.0 {
            Some(lines) => lines.end_object(to),
            None => to.write_all(b"}"),
        }
    }

    #[inline(never)]
    fn begin_object_key<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> Result<()> {
        match &mut self.0 {
            Some(lines) => lines.begin_object_key(to, first),
            None if first => Ok(()),
            None => to.write_all(b","),
        }
    }

    #[inline(never)]
    fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> Result<()> {
        match &mut self.0 {
            Some(lines) => lines.begin_object_value(to),
            None => to.write_all(b":"),
        }
    }

    #[inline(never)]
    fn end_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> Result<()> {
        match &mut self.0 {
            Some(lines) => lines.end_object_value(to),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_those_of_serde_json() {
        let value = serde_json::json!({ "a": [1, -2.5, [], {}], "b": { "c\n\"": null, "d": [{ "e": true }] } });
        let compact = text(&value, Layout::Compact).expect("JSON");
        assert_eq!(compact, serde_json::to_string(&value).expect("JSON"));
        let lines = text(&value, Layout::Lines).expect("JSON");
        assert_eq!(lines, serde_json::to_string_pretty(&value).expect("JSON"));
    }
}
