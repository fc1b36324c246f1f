//! What the files of several explained images are called.

use std::collections::{BTreeMap, BTreeSet};

/// Paths without the folders that all of them are in.
pub fn without_shared_folders(paths: &[String]) -> Vec<String> {
    let parts: Vec<Vec<&str>> = paths.iter().map(|path| parts(path)).collect();
    let same = |depth: &usize| {
        // Of each path the file's own name is left.
        let folder = |path: &Vec<_>| path.get(*depth).filter(|_| depth + 1 < path.len()).copied();
        let mut folders = parts.iter().map(folder);
        let first = folders.next().flatten();
        first.is_some() && folders.all(|folder| folder == first)
    };
    let shared = (0..).take_while(same).count();
    let rest = |path: &Vec<&str>| path[shared.min(path.len())..].join("/");
    parts.iter().map(rest).collect()
}

fn parts(path: &str) -> Vec<&str> {
    let parts = path.split(['/', '\\']);
    parts.filter(|part| !part.is_empty()).collect()
}

/// A name for each image, without an ending, no two images' alike (nor but for upper and lower case, which some disks do not tell
/// apart): its path with its folders, as `patient00001_study1_view1_frontal`.
pub fn names(paths: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut names: BTreeMap<&String, String> = BTreeMap::new();
    for path in paths {
        if names.contains_key(path) {
            continue;
        }
        let name = parts(path).join("_").replace(':', "");
        let stem = name
            .rsplit_once('.')
            .map_or(name.as_str(), |(stem, _)| stem);
        let mut candidates = [stem.to_owned(), name.replace('.', "_")]
            .into_iter()
            .chain((2..).map(|number| format!("{stem}-{number}")))
            .filter(|name| !name.is_empty());
        let free = candidates.find(|name| taken.insert(name.to_lowercase()));
        names.insert(path, free.expect("numbers do not end"));
    }
    paths.iter().map(|path| names[path].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    fn named(paths: &[&str]) -> Vec<String> {
        names(&without_shared_folders(&owned(paths)))
    }

    #[test]
    fn images_of_one_name_in_several_folders_keep_what_tells_them_apart() {
        assert_eq!(
            named(&[
                "data/train/patient00001/study1/view1_frontal.jpg",
                "data/train/patient00002/study1/view1_frontal.jpg",
            ]),
            [
                "patient00001_study1_view1_frontal",
                "patient00002_study1_view1_frontal"
            ]
        );
        assert_eq!(named(&["a.jpg", "b.jpg"]), ["a", "b"]);
        assert_eq!(named(&["x/a.jpg"]), ["a"]);
        assert_eq!(named(&["C:\\x\\a.jpg", "C:\\y\\a.jpg"]), ["x_a", "y_a"]);
        assert!(named(&[]).is_empty());
    }

    #[test]
    fn an_image_that_comes_twice_has_one_name() {
        assert_eq!(
            named(&["x/a.jpg", "y/a.jpg", "x/a.jpg"]),
            ["x_a", "y_a", "x_a"]
        );
    }

    #[test]
    fn no_two_images_have_one_name() {
        for paths in [
            ["a.jpg", "a.png", "a.dcm"],
            ["a/b_c.jpg", "a_b/c.jpg", "d/e.jpg"],
            ["a.jpg", "A.jpg", "a.JPG"],
            ["a-2.jpg", "a.jpg", "A.jpg"],
            ["", "x//y.jpg", "."],
        ] {
            let names = names(&owned(&paths));
            let folded: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
            assert_eq!(folded.len(), 3, "{names:?}");
            assert!(
                names
                    .iter()
                    .all(|name| !name.contains(['/', '\\']) && !name.is_empty())
            );
        }
    }
}
