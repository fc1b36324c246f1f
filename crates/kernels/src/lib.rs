//! Forward passes of convolutional networks as fast as vectors of floats allow, natively and in WebAssembly. No tensor library.
//! A pass is computed by one thread, or by a team of threads that are started elsewhere.
//!
//! | module | what it is for |
//! |---|---|
//! | [`networks`] | whole networks: named weights in, feature maps out |
//! | [`weights`] | weights by name; batch normalisation folded into convolutions |
//! | [`pointwise`], [`winograd`], [`direct`], [`depthwise`] | convolutions: 1x1; 3x3 of stride 1; any; channel by channel |
//! | [`crew`], [`team`], [`ahead`] | the threads that compute a picture, or several |
//! | [`pool`], [`linear`], [`norm`], [`activation`] | what is between them |
//! | [`map`] | feature maps as they lie in memory |
//! | [`product`], [`simd`], [`buffer`] | the matrix product, vectors, aligned memory |
//!
//! **How maps lie.** Channels are in groups of [`LANES`](simd::LANES), the floats of a vector: `[channels / LANES, height, width, LANES]`. So every kernel has
//! whole vectors at any width, whatever its window and stride; a product reads its inputs as they lie, a pixel's groups one plane apart; and the
//! first channels of a map are the beginning of it, so that DenseNet's layers write behind each other and nothing is concatenated. Pictures in and
//! feature maps out are `[batch, channels, height, width]`.
//!
//! ```
//! use sightline_kernels::{Memory, Network};
//!
//! // Weights by torchvision's names, as a state dict has them.
//! let parameters = Network::parameters("mnasnet", "1_0", 1)?;
//! let values: Vec<_> = parameters.iter().map(|(_, shape)| vec![0.5; shape.iter().product()]).collect();
//! let find = |name: &str| {
//!     let index = parameters.iter().position(|(known, _)| known == name)?;
//!     Some((parameters[index].1.clone(), values[index].clone()))
//! };
//! let network = Network::new("mnasnet", "1_0", 1, &find)?;
//! // Kept from one call to the next: what a pass works in.
//! let mut memory = Memory::default();
//! let two_pictures = vec![0.0; 2 * 32 * 32];
//! let maps = network.feature_maps(&two_pictures, [32, 32], &mut memory);
//! assert_eq!(maps.shape, [2, 1280, 1, 1]);
//! # Ok::<(), sightline_kernels::WeightsError>(())
//! ```
//!
//! **Speed.** With 128-bit vectors the products take seven tenths of DenseNet-121's time and go as fast as the machine multiplies and adds; what is saved
//! is work: Winograd's 3x3, the mean before a transition's convolution instead of after it, and passes over memory.
//!
//! **Exactness.** All sums are of 32-bit floats. Winograd's transforms lose two to three bits; `tests/` holds every network to
//! a relative error of 1e-4 against 64-bit loops.

pub mod activation;
pub mod ahead;
pub mod buffer;
pub mod crew;
pub mod depthwise;
pub mod direct;
pub mod linear;
pub mod map;
pub mod memory;
pub mod networks;
pub mod norm;
pub mod pointwise;
pub mod pool;
pub mod product;
pub mod shape;
pub mod simd;
pub mod team;
pub mod weights;
pub mod winograd;

pub use activation::Activation;
pub use map::Map;
pub use memory::Memory;
pub use networks::{FeatureMaps, Network};
pub use team::Team;
pub use weights::WeightsError;
