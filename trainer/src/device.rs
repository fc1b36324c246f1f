//! What to compute on.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;

/// A device, or several of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceName {
    /// The CPU.
    Flex,
    /// NVIDIA cards by their numbers; needs a build with `--features cuda`.
    Cuda(Vec<usize>),
    /// Any graphics card; needs a build with `--features wgpu`.
    Wgpu,
}

impl FromStr for DeviceName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':').unwrap_or((text, "0")) {
            ("flex" | "cpu", "0") => Ok(DeviceName::Flex),
            ("wgpu", "0") => Ok(DeviceName::Wgpu),
            ("cuda", cards) => {
                let cards = cards.split(',').map(|card| card.trim().parse());
                let cards: Vec<usize> = cards
                    .collect::<Result<_, _>>()
                    .context("cards are numbers: cuda:0,1")?;
                Ok(DeviceName::Cuda(cards))
            }
            _ => bail!("{text:?} is no device; there are flex, cuda, cuda:N, cuda:N,M and wgpu"),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceName::Flex => f.write_str("CPU"),
            DeviceName::Cuda(cards) => {
                let cards: Vec<_> = cards.iter().map(usize::to_string).collect();
                write!(f, "CUDA {}", cards.join(", "))
            }
            DeviceName::Wgpu => f.write_str("GPU"),
        }
    }
}

impl DeviceName {
    /// All the devices that it names.
    pub fn devices(&self) -> Result<Vec<Device>> {
        match self {
            DeviceName::Flex => Ok(vec![Device::flex()]),
            #[cfg(feature = "cuda")]
            DeviceName::Cuda(cards) => Ok(cards.iter().map(|card| Device::cuda(*card)).collect()),
            #[cfg(not(feature = "cuda"))]
            DeviceName::Cuda(_) => bail!("this build has no CUDA; build it with --features cuda"),
            #[cfg(feature = "wgpu")]
            DeviceName::Wgpu => Ok(vec![Device::wgpu(Default::default())]),
            #[cfg(not(feature = "wgpu"))]
            DeviceName::Wgpu => bail!("this build has no wgpu; build it with --features wgpu"),
        }
    }

    /// The one device that it names.
    pub fn device(&self) -> Result<Device> {
        let mut devices = self.devices()?;
        match devices.len() {
            1 => Ok(devices.remove(0)),
            _ => bail!("this command computes on one device; name one, as cuda:0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_with_their_numbers() {
        let name = |text: &str| text.parse::<DeviceName>().ok();
        assert_eq!(name("flex"), Some(DeviceName::Flex));
        assert_eq!(name("cuda"), Some(DeviceName::Cuda(vec![0])));
        assert_eq!(name("cuda:2"), Some(DeviceName::Cuda(vec![2])));
        assert_eq!(name("cuda:0,1"), Some(DeviceName::Cuda(vec![0, 1])));
        assert_eq!(name("cuda:x"), None);
        assert_eq!(name("tpu"), None);
    }
}
