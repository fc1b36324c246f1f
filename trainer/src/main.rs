//! See the library: the command line is there, so that tests and fuzz targets reach what is below it.

fn main() -> anyhow::Result<()> {
    sightline_trainer::main()
}
