//! Which window a convolution or a pooling has.

/// Zeros around the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As many on every side.
    Each(usize),
    /// TensorFlow's: as many outputs as there are strides in the input; where the zeros are odd in number, one more after than before.
    Same,
}

/// A window that goes over the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width.
    pub kernel: usize,
    pub stride: usize,
    pub padding: Padding,
}

impl Window {
    /// The outputs along an axis, and the zeros before the input.
    ///
    /// # Panics
    /// When the input with its zeros is smaller than the window.
    pub fn along(&self, input: usize) -> (usize, usize) {
        match self.padding {
            Padding::Each(side) => {
                let room = (input + 2 * side).checked_sub(self.kernel);
                let room = room.expect("an input is no smaller than the window");
                (room / self.stride + 1, side)
            }
            Padding::Same => {
                let outputs = input.div_ceil(self.stride);
                let total = ((outputs - 1) * self.stride + self.kernel).saturating_sub(input);
                (outputs, total / 2)
            }
        }
    }

    /// The inputs along an axis, with all zeros, that `outputs` reach.
    pub fn reach(&self, outputs: usize) -> usize {
        (outputs - 1) * self.stride + self.kernel
    }
}
