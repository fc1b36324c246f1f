//! Tensors where they lie in a file, by name: none is decoded before it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use half::f16;

/// A tensor's shape and its values in row-major order.
pub type Values = (Vec<usize>, Vec<f32>);

/// No tensor of a network that is read here has more values.
const MOST_VALUES: usize = 1 << 28;

/// How a floating-point number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    F64,
    F32,
    F16,
    Bf16,
}

impl Number {
    pub fn bytes(self) -> usize {
        match self {
            Number::F64 => 8,
            Number::F32 => 4,
            Number::F16 | Number::Bf16 => 2,
        }
    }
}

/// The bytes of numbers, several tensors of which may share parts.
#[derive(Clone, Copy, Debug)]
pub struct Storage<'a> {
    pub bytes: &'a [u8],
    pub number: Number,
    pub big_endian: bool,
}

impl Storage<'_> {
    fn count(&self) -> usize {
        self.bytes.len() / self.number.bytes()
    }

    fn at(&self, index: usize) -> f32 {
        let width = self.number.bytes();
        let mut raw = [0; 8];
        let bytes = &self.bytes[index * width..(index + 1) * width];
        raw[..width].copy_from_slice(bytes);
        if self.big_endian {
            raw[..width].reverse();
        }
        let [a, b, c, d, ..] = raw;
        match self.number {
            Number::F64 => f64::from_le_bytes(raw) as f32,
            Number::F32 => f32::from_le_bytes([a, b, c, d]),
            Number::F16 => f16::from_le_bytes([a, b]).to_f32(),
            Number::Bf16 => f32::from_bits(u32::from(u16::from_le_bytes([a, b])) << 16),
        }
    }
}

/// A view of a storage, as PyTorch has it: the first element, and how far apart neighbours of each dimension are.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    storage: Storage<'a>,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl<'a> Stored<'a> {
    /// `None` where a part of it lies outside the storage.
    pub fn new(
        storage: Storage<'a>,
        offset: usize,
        shape: Vec<usize>,
        strides: Vec<usize>,
    ) -> Option<Self> {
        if shape.len() != strides.len() {
            return None;
        }
        if !shape.contains(&0) {
            let mut last = offset;
            for (size, stride) in shape.iter().zip(&strides) {
                last = last.checked_add((size - 1).checked_mul(*stride)?)?;
            }
            if last >= storage.count() {
                return None;
            }
        }
        Some(Self {
            storage,
            offset,
            shape,
            strides,
        })
    }

    /// Row after row, from the storage's start.
    pub fn contiguous(storage: Storage<'a>, shape: Vec<usize>) -> Option<Self> {
        let mut strides = vec![1; shape.len()];
        for index in (1..shape.len()).rev() {
            strides[index - 1] = shape[index].checked_mul(strides[index])?;
        }
        Self::new(storage, 0, shape, strides)
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// With its dimensions the other way round.
    #[must_use]
    pub fn transposed(mut self) -> Self {
        self.shape.reverse();
        self.strides.reverse();
        self
    }

    /// The values in row-major order; `None` for more than a network has.
    pub fn values(&self) -> Option<Vec<f32>> {
        let count = self
            .shape
            .iter()
            .try_fold(1_usize, |count, size| count.checked_mul(*size));
        let count = count.filter(|count| *count <= MOST_VALUES)?;
        let mut values = Vec::with_capacity(count);
        let mut place = vec![0; self.shape.len()];
        let (row, step) = match (self.shape.last(), self.strides.last()) {
            (Some(size), Some(stride)) => (*size, *stride),
            _ => (1, 0),
        };
        let outer = self.shape.len().saturating_sub(1);
        while values.len() < count {
            let places = place.iter().zip(&self.strides).take(outer);
            let start = self.offset + places.map(|(at, stride)| at * stride).sum::<usize>();
            values.extend((0..row).map(|index| self.storage.at(start + index * step)));
            for dimension in (0..outer).rev() {
                place[dimension] += 1;
                if place[dimension] < self.shape[dimension] {
                    break;
                }
                place[dimension] = 0;
            }
        }
        Some(values)
    }
}

/// The text in which files that Sightline exported have the manifest of their package.
pub const MANIFEST: &str = "manifest";

/// The floating-point tensors of a file by the name under which it has them, and what else it says of itself.
#[derive(Clone, Debug, Default)]
pub struct Tensors<'a> {
    stored: BTreeMap<String, Stored<'a>>,
    /// Texts and lists of texts, by their path.
    pub texts: BTreeMap<String, Vec<String>>,
    /// The classes of the whole objects in the file, as `torchxrayvision.models.DenseNet`.
    pub classes: BTreeSet<String>,
}

impl<'a> Tensors<'a> {
    pub fn insert(&mut self, name: String, tensor: Stored<'a>) {
        self.stored.insert(name, tensor);
    }

    /// With those of another part of the same file.
    pub fn extend(&mut self, other: Tensors<'a>) {
        self.stored.extend(other.stored);
        self.texts.extend(other.texts);
        self.classes.extend(other.classes);
    }

    pub fn len(&self) -> usize {
        self.stored.len()
    }

    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.stored.keys()
    }

    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.stored.get(name).map(Stored::shape)
    }

    /// Takes a tensor out, decoded.
    pub fn take(&mut self, name: &str) -> Option<Values> {
        let tensor = self.stored.remove(name)?;
        let values = tensor.values()?;
        Some((tensor.shape, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(bytes: &[u8], number: Number) -> Storage<'_> {
        Storage {
            bytes,
            number,
            big_endian: false,
        }
    }

    #[test]
    fn every_kind_of_number_is_read() {
        let value = 1.5_f32;
        let double = f64::from(value).to_le_bytes();
        let half = f16::from_f32(value).to_le_bytes();
        let brain = ((value.to_bits() >> 16) as u16).to_le_bytes();
        for (bytes, number) in [
            (&double[..], Number::F64),
            (&value.to_le_bytes(), Number::F32),
            (&half, Number::F16),
            (&brain, Number::Bf16),
        ] {
            assert_eq!(storage(bytes, number).at(0), value, "{number:?}");
            let mut reversed = bytes.to_vec();
            reversed.reverse();
            let mut big = storage(&reversed, number);
            big.big_endian = true;
            assert_eq!(big.at(0), value, "{number:?}");
        }
    }

    #[test]
    fn a_view_follows_its_strides_and_stays_in_its_storage() {
        let bytes: Vec<u8> = (0_u8..12)
            .flat_map(|v| f32::from(v).to_le_bytes())
            .collect();
        let whole = storage(&bytes, Number::F32);
        let turned = Stored::new(whole, 1, vec![2, 3], vec![1, 4]).expect("inside");
        assert_eq!(turned.values(), Some(vec![1.0, 5.0, 9.0, 2.0, 6.0, 10.0]));
        let repeated = Stored::new(whole, 11, vec![2, 2], vec![0, 0]).expect("inside");
        assert_eq!(repeated.values(), Some(vec![11.0; 4]));
        let one = Stored::new(whole, 3, vec![], vec![]).expect("inside");
        assert_eq!(one.values(), Some(vec![3.0]));
        let none = Stored::new(whole, 99, vec![0, 3], vec![3, 1]).expect("empty");
        assert_eq!(none.values(), Some(vec![]));
        assert!(Stored::new(whole, 12, vec![], vec![]).is_none());
        assert!(Stored::new(whole, 0, vec![2, 7], vec![6, 1]).is_none());
        assert!(Stored::new(whole, 0, vec![usize::MAX, 3], vec![usize::MAX, 1]).is_none());
        // Few bytes that claim to be very many values.
        let bomb = Stored::new(whole, 0, vec![1 << 20, 1 << 20], vec![0, 0]).expect("inside");
        assert_eq!(bomb.values(), None);
    }
}
