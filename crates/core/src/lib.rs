//! What a radiograph, a model's manifest, a map and a report are, and everything of explanations that needs no tensors. No neural network,
//! no browser, no files: it is built in seconds and tested natively.
//!
//! | module | what it is for |
//! |---|---|
//! | [`finding`] | the name of what an output stands for |
//! | [`vocabulary`] | lists of findings, and which scores count as called |
//! | [`radiograph`] | bytes of a picture file to a grey picture, and what a network is given of it |
//! | [`architecture`] | the names of networks |
//! | [`package`] | a model's manifest |
//! | [`reading`] | what a model says of a radiograph |
//! | [`gate`] | whether a picture is one that a model knows |
//! | [`explain`] | maps: which parts of a radiograph a score came from |
//! | [`trust`] | whether a map can be trusted |
//! | [`report`] | the replayable record of a reading |
//! | [`library`] | the page's case library |
//! | [`embedding`] | what a page that shows Sightline in a frame and Sightline say to each other |
//! | [`view`] | a radiograph as one model sees it |
//! | [`asked`] | work that asks for scores of pictures, and how it is driven |
//! | [`heat_map`], [`output`], [`statistics`], [`mod@order`], [`json`] | a map, one of a network's outputs, numbers, orders and JSON that many use |

pub mod architecture;
pub mod asked;
pub mod batch_size;
pub mod embedding;
pub mod explain;
pub mod finding;
pub mod gate;
pub mod heat_map;
pub mod json;
pub mod library;
pub mod order;
pub mod output;
pub mod package;
pub mod pictures;
pub mod radiograph;
pub mod reading;
pub mod report;
pub mod statistics;
pub mod trust;
pub mod view;
pub mod vocabulary;
