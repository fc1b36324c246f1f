//! How many zeros are around a convolution's input.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;

/// Zeros before and after, vertically and horizontally.
pub fn padding(conv: &Conv2d, input: [usize; 2]) -> [(usize, usize); 2] {
    match conv.padding {
        PaddingConfig2d::Valid => [(0, 0); 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
        PaddingConfig2d::Same => [0, 1].map(|axis| {
            let reach = conv.dilation[axis] * (conv.kernel_size[axis] - 1) + 1;
            let last = (input[axis].div_ceil(conv.stride[axis]) - 1) * conv.stride[axis];
            let total = (last + reach).saturating_sub(input[axis]);
            (total / 2, total - total / 2)
        }),
    }
}
