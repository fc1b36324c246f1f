//! Images decoded shortly before they are needed, so that memory does not grow with their number.

use std::sync::mpsc::sync_channel;

use anyhow::Result;
use rayon::prelude::*;
use sightline::radiograph::Radiograph;

use super::{Dataset, Notes, Row};
use crate::storage::Fetching;

/// Reads the images of a dataset in its order, `at_once` of them in parallel, each through `prepare`; `each` takes those that
/// could be read while the next ones are decoded. At most twice `at_once` are held, and of files in an object store twice as many: those that are decoded
/// and the next ones, which are fetched meanwhile. Gives what there is to say of them.
///
/// # Errors
/// When `each` fails; no more is read then.
pub fn stream<T: Send>(
    data: &Dataset,
    at_once: usize,
    prepare: impl Fn(Radiograph) -> T + Sync,
    mut each: impl FnMut(&[&Row], Vec<T>) -> Result<()>,
) -> Result<Notes> {
    let mut notes = Notes::default();
    // Whoever sends waits until it is taken.
    let (send, receive) = sync_channel(0);
    let prepare = &prepare;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let begin = |rows: &[Row]| -> Vec<Fetching> {
                rows.iter().map(|row| data.file(row).begin()).collect()
            };
            let mut chunks = data.rows.chunks(at_once).peekable();
            let mut next = chunks.peek().map(|rows| begin(rows)).unwrap_or_default();
            while let Some(rows) = chunks.next() {
                let begun = next;
                next = chunks.peek().map(|rows| begin(rows)).unwrap_or_default();
                let decoded = rows.par_iter().zip(begun).map(|(row, file)| {
                    let read = data.decoded(file).map(|mut read| {
                        let notices = std::mem::take(&mut read.notices);
                        (prepare(read), notices)
                    });
                    (row, read)
                });
                let decoded: Vec<_> = decoded.collect();
                if send.send(decoded).is_err() {
                    break;
                }
            }
        });
        // Dropped where `each` fails, which ends the thread.
        for decoded in receive {
            let (mut rows, mut pictures) = (Vec::new(), Vec::new());
            for (row, picture) in decoded {
                match picture {
                    Ok((picture, notices)) => {
                        notes.notice(&row.path, &notices);
                        rows.push(row);
                        pictures.push(picture);
                    }
                    Err(error) => notes.leave_out(&error),
                }
            }
            if !rows.is_empty() {
                each(&rows, pictures)?;
            }
        }
        Ok(notes)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::storage::Location;

    /// Small pictures, each of its own width, and broken ones among them.
    fn dataset(root: &Path, count: usize, broken: &[usize]) -> Dataset {
        let row = |number: usize| {
            let path = format!("{number}.png");
            let file = root.join(&path);
            if broken.contains(&number) {
                std::fs::write(file, "no picture").expect("written");
            } else {
                // Two levels: a picture of one would have nothing in it.
                let picture = image::GrayImage::from_fn(40 + number as u32, 40, |x, _| {
                    image::Luma([if x < 20 { 10 } else { 200 }])
                });
                picture.save(file).expect("written");
            }
            Row {
                number,
                path,
                ..Row::default()
            }
        };
        Dataset::new(Location::from(root), (0..count).map(row).collect())
    }

    #[test]
    fn images_come_in_order_and_what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = dataset(folder.path(), 11, &[2, 4, 5, 6, 7]);
        let mut seen = Vec::new();
        let notes = stream(
            &data,
            2,
            |read| read.image.width,
            |rows, widths| {
                let numbers = rows.iter().map(|row| row.number);
                seen.extend(numbers.zip(widths));
                Ok(())
            },
        );
        let notes = notes.expect("read");
        assert_eq!(
            seen,
            [0, 1, 3, 8, 9, 10].map(|number| (number, 40 + number))
        );
        assert!(notes.say(&data).is_ok());
        assert!(notes.left_out.len() == 5 && notes.left_out[1].contains("4.png"));

        let none = dataset(folder.path(), 3, &[0, 1, 2]);
        let notes = stream(&none, 2, |_| (), |_, _| panic!("nothing can be read"));
        let said = notes.expect("read").say(&none);
        let error = said.expect_err("none is left");
        assert!(
            error.to_string().contains("none of the 3 images"),
            "{error:#}"
        );
    }

    #[test]
    fn no_more_images_are_held_than_are_worked_on_and_wait() {
        static HELD: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        /// A picture that counts itself.
        struct Held;
        impl Held {
            fn new() -> Self {
                let held = HELD.fetch_add(1, Ordering::SeqCst) + 1;
                MOST.fetch_max(held, Ordering::SeqCst);
                Held
            }
        }
        impl Drop for Held {
            fn drop(&mut self) {
                HELD.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let data = dataset(folder.path(), 60, &[]);
        let mut taken = 0;
        let notes = stream(
            &data,
            3,
            |_| Held::new(),
            |rows, _pictures| {
                taken += rows.len();
                Ok(())
            },
        );
        notes.expect("read").say(&data).expect("all were read");
        assert_eq!((taken, HELD.load(Ordering::SeqCst)), (60, 0));
        let most = MOST.load(Ordering::SeqCst);
        assert!((3..=6).contains(&most), "{most} pictures were held at once");
    }

    #[test]
    fn a_failure_ends_the_reading() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = dataset(folder.path(), 40, &[]);
        let read = AtomicUsize::new(0);
        let failed = stream(
            &data,
            2,
            |_| read.fetch_add(1, Ordering::SeqCst),
            |_, _| anyhow::bail!("the disk is full"),
        );
        let error = failed.err().expect("a failure").to_string();
        assert_eq!(error, "the disk is full");
        assert!(read.into_inner() < 10, "it went on reading");
    }
}
