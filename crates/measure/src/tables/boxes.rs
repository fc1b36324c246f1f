//! Where radiologists saw findings: boxes on images.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use sightline_core::finding::Finding;
use sightline_core::package::sha256;
use sightline_core::vocabulary;

use super::table::{Line, Table, number};
use super::{nih, paths};

/// A box on an image, in shares of its width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rectangle {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rectangle {
    pub fn contains(&self, x: f64, y: f64) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }
}

/// The boxes of a file.
#[derive(Clone, Debug, Default)]
pub struct Boxes {
    /// By image ([`paths::key`]) and finding (its place among those that were asked for).
    by_image: BTreeMap<String, BTreeMap<usize, Vec<Rectangle>>>,
    /// The hash of all of them, in their order.
    pub sha256: String,
}

/// Where the columns of a list of boxes are, and how long the side of a picture is in its numbers.
struct Columns {
    image: usize,
    class: usize,
    /// Left, top, width, height.
    sides: [usize; 4],
    side: f64,
    /// Classes are ChestX-ray14's.
    is_nih: bool,
}

impl Columns {
    fn of(table: &Table) -> Result<Self> {
        if let Some(image) = table.column("Image Index")? {
            return Self::nih(table, image);
        }
        let column = |name| table.needed(name);
        Ok(Self {
            image: column("Path")?,
            class: column("Class")?,
            sides: [column("X")?, column("Y")?, column("W")?, column("H")?],
            side: 1.0,
            is_nih: false,
        })
    }

    /// ChestX-ray14's `BBox_List_2017.csv`: pixels of pictures of 1,024. Its header says `Bbox [x,y,w,h]`, and is cut by its own
    /// commas.
    fn nih(table: &Table, image: usize) -> Result<Self> {
        let first = table.only("the boxes", |name| name.to_lowercase().starts_with("bbox"))?;
        let first = first.context("there is no column Bbox [x,y,w,h]")?;
        Ok(Self {
            image,
            class: table.needed("Finding Label")?,
            sides: [0, 1, 2, 3].map(|side| first + side),
            side: 1024.0,
            is_nih: true,
        })
    }

    /// The place of the finding that a class marks.
    fn place(&self, class: &str, findings: &[Finding]) -> Option<usize> {
        let own = vocabulary::find(findings, class);
        let nih = || nih::marked(class).filter(|_| self.is_nih);
        let marked = own.or_else(|| nih::own(findings, class).filter(|_| self.is_nih));
        let marked = marked.or_else(nih)?;
        findings.iter().position(|finding| *finding == marked)
    }

    fn rectangle(&self, line: &Line) -> Result<Rectangle> {
        let sides = self.sides.map(|column| number(line.cell(column)));
        let sides = sides.map(|side| side.map_or(f64::NAN, |side| side / self.side));
        let [left, top, width, height] = sides;
        let (right, bottom) = (left + width, top + height);
        // Shares are rounded when they are written.
        let inside = [left, top, right, bottom]
            .iter()
            .all(|at| (0.0..=1.001).contains(at));
        if !inside || width <= 0.0 || height <= 0.0 {
            match self.side {
                1.0 => bail!("X, Y, W, H must be in 0..1, and the box on the picture"),
                side => bail!("the box must be on the picture of {side} pixels"),
            }
        }
        Ok(Rectangle {
            left,
            top,
            right,
            bottom,
        })
    }
}

impl Boxes {
    /// Whether a table is a list of boxes, by its header.
    ///
    /// # Errors
    /// When it is no table.
    pub fn is_list(text: &str) -> Result<bool> {
        Ok(Columns::of(&Table::of(text)?).is_ok())
    }

    /// Reads the boxes of some findings from the text of a CSV with Path, Class, X, Y, W, H, the last four as shares of the image, or of
    /// ChestX-ray14's `BBox_List_2017.csv`; and the classes that are none of the findings.
    ///
    /// # Errors
    /// When a column is missing, or a box is none.
    pub fn parse(text: &str, findings: &[Finding]) -> Result<(Self, BTreeSet<String>)> {
        let mut boxes = Self::default();
        let mut others = BTreeSet::new();
        let mut table = Table::of(text)?;
        let columns = Columns::of(&table)?;
        while let Some(line) = table.next_line()? {
            let class = line.cell(columns.class);
            let Some(place) = columns.place(class, findings) else {
                if !class.is_empty() {
                    others.insert(class.to_owned());
                }
                continue;
            };
            let rectangle = columns.rectangle(&line);
            let rectangle =
                rectangle.map_err(|error| anyhow::anyhow!("{}: {error}", line.place()))?;
            let image = paths::key(line.cell(columns.image)).into_owned();
            let of_image = boxes.by_image.entry(image).or_default();
            of_image.entry(place).or_default().push(rectangle);
        }
        boxes.sha256 = sha256(format!("{:?}", boxes.by_image).as_bytes());
        Ok((boxes, others))
    }

    /// An image's boxes, finding by finding.
    pub fn of_image(&self, path: &str) -> impl Iterator<Item = (usize, &[Rectangle])> {
        let findings = self.by_image.get(paths::key(path).as_ref());
        let findings = findings.into_iter().flatten();
        findings.map(|(finding, rectangles)| (*finding, rectangles.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline_core::vocabulary::NIH;

    #[test]
    fn the_published_list_of_chestx_ray14_is_read() {
        let text = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n\
                    00013118_008.png,Atelectasis,225.084745762712,547.019216763771,86.7796610169491,79.1864406779661,,,\n\
                    00014716_007.png,Infiltrate,512,256,256,512,,,\n\
                    00029817_009.png,Nodule,0,0,1024,1024\n\
                    00029817_009.png,Hernia,1,2,3,4,,,\n";
        let (own, others) = Boxes::parse(text, &NIH).expect("boxes");
        let findings = |path: &str| -> Vec<&str> {
            own.of_image(path)
                .map(|(place, _)| NIH[place].name())
                .collect()
        };
        assert!(others.is_empty(), "{others:?}");
        assert_eq!(findings("00014716_007.png"), ["Infiltration"]);
        assert_eq!(findings("00029817_009.png"), ["Nodule", "Hernia"]);
        let (boxes, others) = Boxes::parse(text, &Finding::ALL).expect("boxes");
        let of = |path: &str| {
            boxes
                .of_image(path)
                .map(|(f, r)| (f, r[0]))
                .collect::<Vec<_>>()
        };
        let [(finding, rectangle)] = of("images_006/images/00013118_008.png")[..] else {
            panic!("one box");
        };
        assert_eq!(finding, Finding::Atelectasis.index());
        assert!((rectangle.left - 225.084745762712 / 1024.0).abs() < 1e-12);
        assert!((rectangle.bottom - (547.019216763771 + 79.1864406779661) / 1024.0).abs() < 1e-12);
        let [(finding, rectangle)] = of("00014716_007.png")[..] else {
            panic!("one box");
        };
        assert_eq!(finding, Finding::LungOpacity.index());
        assert_eq!((rectangle.top, rectangle.right), (0.25, 0.75));
        assert_eq!(of("00029817_009.png")[0].0, Finding::LungLesion.index());
        // It has no column in CheXpert.
        assert_eq!(others.into_iter().collect::<Vec<_>>(), ["Hernia"]);
        let beyond = text.replace("512,256,256,512", "900,256,256,512");
        let error = Boxes::parse(&beyond, &Finding::ALL)
            .expect_err("beside the picture")
            .to_string();
        assert!(
            error.contains("line 3: the box must be on the picture"),
            "{error}"
        );
    }

    #[test]
    fn boxes_belong_to_the_image_however_its_path_is_written() {
        let text = "Path;Class;X;Y;W;H\n\
                    D:\\data\\CheXpert-v1.0\\valid\\patient1\\study1\\view1_frontal.jpg;Airspace Opacity;0,25;0,5;0,25;0,5\n";
        let (boxes, _) = Boxes::parse(text, &Finding::ALL).expect("boxes");
        let path = "CheXpert-v1.0-small/valid/patient1/study1/view1_frontal.jpg";
        let found: Vec<_> = boxes.of_image(path).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, Finding::LungOpacity.index());
        assert_eq!((found[0].1[0].left, found[0].1[0].bottom), (0.25, 1.0));
    }
}
