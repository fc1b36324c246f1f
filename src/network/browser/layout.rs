//! How a convolution's weights lie in a graphics card's memory: as its kernels read them, so that none is laid out anew at each reading.

use std::array::from_fn;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};

/// Channels next to each other: those that an output reads, or, where that is one, all outputs. The first convolution of a network that reads one channel
/// would want the former, and is laid out at each reading.
const INPUTS_LAST: [isize; 4] = [0, 2, 3, 1];
const OUTPUTS_LAST: [isize; 4] = [2, 3, 1, 0];

/// A network, or a part of it, on a graphics card, which it comes to from the CPU. Its weights keep their shapes, and lie in another order.
pub fn moved<M: Module>(network: M, device: &Device) -> M {
    network.map(&mut Moved { device }).fork(device)
}

struct Moved<'a> {
    device: &'a Device,
}

impl ModuleMapper for Moved<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D != 4 {
            return param;
        }
        param.map(|weight| {
            let shape = weight.dims();
            let order = if shape[1] == 1 {
                OUTPUTS_LAST
            } else {
                INPUTS_LAST
            };
            let values: usize = shape.iter().product();
            let there: [usize; D] = from_fn(|axis| shape[order[axis] as usize]);
            // The values are put in order here, where that needs no shader; a tensor that is only permuted would lose its order on the way.
            let weight = weight.permute(from_fn::<isize, D, _>(|axis| order[axis]));
            let weight = weight
                .reshape([values])
                .reshape(there)
                .to_device(self.device);
            weight.permute(from_fn::<isize, D, _>(|axis| {
                let place = order.iter().position(|from| *from == axis as isize);
                place.expect("each axis is somewhere") as isize
            }))
        })
    }
}
