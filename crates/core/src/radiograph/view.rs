//! What a file's name tells of the view.

/// Whether a file's name says that the view is lateral (`view2_lateral.jpg`) or frontal (`view1_frontal.jpg`, `pa.png`); `None` where it
/// says neither.
pub fn is_lateral(file: &str) -> Option<bool> {
    let lower = file.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    words.find_map(
        |word| match word.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "lateral" | "lat" => Some(true),
            "frontal" | "ap" | "pa" => Some(false),
            _ => None,
        },
    )
}
