//! What the page and its engine say to each other, and what the page does next. No browser, no tensors: every behaviour of the page
//! has a native test.
//!
//! | module | what it is for |
//! |---|---|
//! | [`messages`] | everything page and engine say to each other |
//! | [`helpers`] | what an engine and its helpers say to each other |
//! | [`session`] | the page as a state machine: what happened goes in, what is to be done comes out |
//! | [`errand`] | what a program asks of a session, and what came of it |
//! | [`compare`] | two readings side by side |
//! | [`given`] | the files that were given together, and which of them is shown |
//! | [`picture`] | a radiograph that was read: its scores in order, its maps |
//! | [`presentation`] | how it is looked at: zoom, pan, window, turned, inverted |
//! | [`teaching`] | what a person read before the model's scores were in view |
//! | [`texts`] | the page's texts in another language |
//! | [`validation`] | tables that were given to measure the model with, and what was measured |
//! | [`worklist`] | the list of the radiographs that were given, and its tables |

pub mod compare;
pub mod errand;
pub mod given;
pub mod helpers;
pub mod messages;
pub mod picture;
pub mod presentation;
pub mod session;
mod table;
pub mod teaching;
pub mod texts;
pub mod validation;
pub mod worklist;
