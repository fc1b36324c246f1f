//! `convert`: radiographs as PNG, without what their files say of a person.

use anyhow::{Context, Result, bail};
use sightline::radiograph::{Options as Decoding, Radiograph};

use super::explain::names;
use crate::storage::Location;

#[derive(clap::Args)]
pub struct Options {
    /// The files, or folders with files, of any format that is read.
    #[arg(required = true)]
    inputs: Vec<Location>,
    /// The folder to write PNG files to, called as the files are.
    #[arg(long)]
    out: Location,
    /// Bits of a pixel: 8, as models see it, or 16, without the loss.
    #[arg(long, default_value = "8", value_parser = clap::builder::PossibleValuesParser::new(["8", "16"]))]
    bits: String,
    /// Read 16-bit pictures as pictures of N bits (white is 2^N - 1), in place of a window.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(8..=16))]
    depth: Option<u8>,
}

/// Writes the picture of each file as PNG: pixels alone, as the file asks to be shown. A name that is burned into a picture stays in it.
///
/// # Errors
/// When a folder cannot be read or written, or no file could be converted. A file that cannot be read is named and left out.
pub fn run(options: &Options) -> Result<()> {
    let mut files: Vec<(String, Location)> = Vec::new();
    for input in &options.inputs {
        match input {
            Location::Local(path) if path.is_dir() => {
                let below = input.files()?.into_iter();
                files.extend(below.map(|path| (path.clone(), input.join(&path))));
            }
            file => files.push((file.name(), file.clone())),
        }
    }
    options.out.create()?;
    let paths: Vec<String> = files.iter().map(|(path, _)| path.clone()).collect();
    let names = names::names(&paths);
    let mut left_out = 0;
    for (name, (_, file)) in names.iter().zip(&files) {
        let out = options.out.join(&format!("{name}.png"));
        if let Err(error) = convert(options, file, &out) {
            left_out += 1;
            eprintln!("left out: {error:#}");
        }
    }
    let written = files.len() - left_out;
    if written == 0 {
        bail!("none of the {} files could be converted", files.len());
    }
    println!("{written} pictures written, {left_out} files left out");
    Ok(())
}

fn convert(options: &Options, file: &Location, out: &Location) -> Result<()> {
    let decoding = Decoding {
        depth: options.depth,
        ..Decoding::default()
    };
    let radiograph = Radiograph::decode_with(&file.read()?, decoding);
    let radiograph = radiograph.with_context(|| file.to_string())?;
    for notice in &radiograph.notices {
        eprintln!("{}: {notice}", file.name());
    }
    out.write(&png(&radiograph, options.bits == "16")?)
}

fn png(radiograph: &Radiograph, sixteen: bool) -> Result<Vec<u8>> {
    let image = &radiograph.image;
    let mut info = png::Info::with_size(image.width as u32, image.height as u32);
    info.color_type = png::ColorType::Grayscale;
    let pixels = if sixteen {
        info.bit_depth = png::BitDepth::Sixteen;
        // All of them are used, also where the picture is a dark one.
        info.sbit = Some(vec![16].into());
        let grey = |value| radiograph.levels.grey_16(value);
        let pixels = radiograph.stored().map(grey);
        pixels.iter().flat_map(|grey| grey.to_be_bytes()).collect()
    } else {
        info.bit_depth = png::BitDepth::Eight;
        image.pixels.clone()
    };
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::with_info(&mut bytes, info)?.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(bytes)
}
