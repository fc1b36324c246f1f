//! The files that were given together: the first that can be read is shown, and the others are named, which are in the list.

/// Files that were dropped, pasted or chosen together, and how far they were tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    names: Vec<String>,
    /// The one that is being tried, or is shown.
    at: usize,
    /// The folders that were given and hold no file.
    folders: Vec<String>,
    /// The files that cannot be read, and why.
    refused: Vec<(String, String)>,
}

/// The most names that are listed. Of the rest only the number is given.
const MOST_NAMES: usize = 8;

impl Given {
    pub fn new(names: Vec<String>, folders: Vec<String>) -> Self {
        Self {
            names,
            at: 0,
            folders,
            refused: Vec::new(),
        }
    }

    /// The name of the file that is being tried.
    pub fn name(&self) -> &str {
        let name = self.names.get(self.at).map_or("", String::as_str);
        if name.is_empty() {
            "the pasted picture"
        } else {
            name
        }
    }

    /// Notes why a file cannot be read, and says which is tried next.
    pub fn refuse(&mut self, why: String) -> Option<usize> {
        self.refused.push((self.name().to_owned(), why));
        self.at += 1;
        (self.at < self.names.len()).then_some(self.at)
    }

    /// What is to be said once a file was read: nothing where it was the only one.
    pub fn said_of_the_rest(&self) -> Option<String> {
        let rest = self.names.get(self.at + 1..).unwrap_or_default();
        let mut said = Vec::new();
        if !self.refused.is_empty() {
            let refused = self.refused.iter();
            let refused: Vec<String> = refused
                .map(|(name, why)| format!("{name} ({})", plain(why)))
                .collect();
            said.push(format!("Not readable: {}.", listed(&refused)));
        }
        if !rest.is_empty() {
            said.push(format!("In the list: {}.", listed(rest)));
        }
        if !self.folders.is_empty() {
            said.push(said_of_folders(&self.folders));
        }
        if said.is_empty() {
            return None;
        }
        let shown = format!("One radiograph is shown at a time: {}.", self.name());
        said.insert(0, shown);
        Some(said.join(" "))
    }

    /// Why nothing is shown, once the last file was refused.
    pub fn why_none(&self) -> String {
        match self.refused.as_slice() {
            [(_, why)] => why.clone(),
            all => {
                let all: Vec<String> = all
                    .iter()
                    .map(|(name, why)| format!("{name} ({})", plain(why)))
                    .collect();
                format!("None of these files can be read: {}.", listed(&all))
            }
        }
    }
}

/// What is said of folders in which there is no file.
pub fn said_of_folders(folders: &[String]) -> String {
    let (what, hold) = match folders {
        [folder] => (format!("The folder {folder}"), "holds"),
        _ => (format!("The folders {}", listed(folders)), "hold"),
    };
    format!("{what} {hold} no file.")
}

fn plain(why: &str) -> &str {
    why.trim_end_matches('.')
}

fn listed(names: &[String]) -> String {
    if names.len() <= MOST_NAMES {
        return names.join(", ");
    }
    let first = names[..MOST_NAMES].join(", ");
    format!("{first} and {} more", names.len() - MOST_NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn of_one_file_nothing_is_said() {
        let given = Given::new(names(&["a.png"]), Vec::new());
        assert_eq!(given.said_of_the_rest(), None);
    }

    #[test]
    fn the_first_readable_file_is_shown_and_every_other_is_named() {
        let files = names(&["notes.txt", "b.png", "c.png"]);
        let mut given = Given::new(files, names(&["folder"]));
        assert_eq!(given.refuse("This is a text file.".to_owned()), Some(1));
        assert_eq!(given.name(), "b.png");
        let said = given.said_of_the_rest().expect("others are there");
        assert_eq!(
            said,
            "One radiograph is shown at a time: b.png. Not readable: notes.txt (This is a text file). In the list: c.png. \
             The folder folder holds no file."
        );
    }

    #[test]
    fn where_none_can_be_read_each_has_its_reason() {
        let mut given = Given::new(names(&["a", "b"]), Vec::new());
        assert_eq!(given.refuse("empty".to_owned()), Some(1));
        assert_eq!(given.refuse("a text file".to_owned()), None);
        let said = given.why_none();
        assert!(
            said.contains("a (empty)") && said.contains("b (a text file)"),
            "{said}"
        );
    }

    #[test]
    fn a_thousand_files_are_counted() {
        let files = (0..1000).map(|number| format!("{number}.png")).collect();
        let said = Given::new(files, Vec::new()).said_of_the_rest();
        assert!(said.is_some_and(|said| said.contains("and 991 more") && said.len() < 300));
    }
}
