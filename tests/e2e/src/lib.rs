//! The built page in headless Chromium: a server, a browser, and words for what a person does.
//!
//! The server is the browser's proxy as well, for loopback addresses too. So every request of the page, of its
//! workers and of anything they might start passes through it, and one to another place is seen.

mod browser;
mod schemas;
mod server;

pub use browser::{Options, Page, Webgpu};
pub use server::{Server, dist};
