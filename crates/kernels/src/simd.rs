//! Vectors of [`LANES`] floats, and the choice among the instruction sets at hand.

use std::cell::Cell;

/// Floats in a vector, and channels in a group of a [`Map`](crate::Map): 4 in WebAssembly, 8 elsewhere.
pub const LANES: usize = if cfg!(target_arch = "wasm32") { 4 } else { 8 };

/// A vector of [`LANES`] floats.
///
/// Its functions may be called only where the instruction set is there: inside of [`Task::run`], which [`dispatch`] calls.
pub trait Vector: Copy {
    /// Two vectors side by side, as the machine adds products to them best.
    type Pair: Sums<Self, 2>;
    /// Pairs to which products are added at a time: as many as stay in registers.
    const ROWS: usize;

    /// # Safety
    /// [`LANES`] floats can be read.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// [`LANES`] floats can be written.
    unsafe fn store(self, to: *mut f32);
    /// # Safety
    /// One float can be read.
    unsafe fn load_splat(from: *const f32) -> Self;
    fn splat(value: f32) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// The larger; `self` where either is not a number.
    fn max(self, other: Self) -> Self;
    /// The smaller; `self` where either is not a number.
    fn min(self, other: Self) -> Self;
    /// `self * factor + summand`, rounded once where the machine can.
    fn mul_add(self, factor: Self, summand: Self) -> Self;
    /// To the nearest whole number.
    fn round(self) -> Self;
    /// `2^self` of whole numbers from -126 to 127.
    fn exp2(self) -> Self;

    /// `summand - self * factor`.
    #[inline(always)]
    fn neg_mul_add(self, factor: f32, summand: Self) -> Self {
        self.mul_add(Self::splat(-factor), summand)
    }

    /// `e^self`, to a relative error of 2e-7; beyond +-87 what it is there.
    #[inline(always)]
    fn exp(self) -> Self {
        // Cody and Waite's reduction, and the polynomial of Cephes' `expf`.
        let x = self.min(Self::splat(87.0)).max(Self::splat(-87.0));
        let n = x.mul(Self::splat(std::f32::consts::LOG2_E)).round();
        let r = n.neg_mul_add(0.693_359_4, x);
        let r = n.neg_mul_add(-2.121_944_4e-4, r);
        let mut p = Self::splat(1.987_569_1e-4);
        for coefficient in [
            1.398_2e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            1.666_666_5e-1,
            5e-1,
        ] {
            p = p.mul_add(r, Self::splat(coefficient));
        }
        let y = p.mul_add(r.mul(r), r).add(Self::splat(1.0));
        y.mul(n.exp2())
    }

    /// `1 / (1 + e^-self)`.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let one = Self::splat(1.0);
        one.div(one.add(Self::splat(0.0).sub(self).exp()))
    }
}

/// `N` vectors side by side, to which products are added.
pub trait Sums<V, const N: usize>: Copy {
    fn splat(value: f32) -> Self;
    /// # Safety
    /// `N` vectors can be read.
    unsafe fn load(from: *const f32) -> Self;
    /// The sums, and a float, everywhere the same, times `factors`.
    ///
    /// # Safety
    /// One float can be read.
    unsafe fn add_product(self, from: *const f32, factors: Self) -> Self;
    /// Not below `low`, not above `high`; what is no number stays.
    fn within(self, low: Self, high: Self) -> Self;
    fn vectors(self) -> [V; N];
}

impl<V: Vector, const N: usize> Sums<V, N> for [V; N] {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        [V::splat(value); N]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        std::array::from_fn(|index| unsafe { V::load(from.add(index * LANES)) })
    }
    #[inline(always)]
    unsafe fn add_product(mut self, from: *const f32, factors: Self) -> Self {
        // SAFETY: the caller's promise.
        let value = unsafe { V::load_splat(from) };
        for (sum, factor) in self.iter_mut().zip(factors) {
            *sum = value.mul_add(factor, *sum);
        }
        self
    }
    #[inline(always)]
    fn within(self, low: Self, high: Self) -> Self {
        std::array::from_fn(|index| self[index].max(low[index]).min(high[index]))
    }
    #[inline(always)]
    fn vectors(self) -> [V; N] {
        self
    }
}

/// Work that is compiled for each instruction set.
pub trait Task {
    fn run<V: Vector>(self);
}

/// The instruction sets that tasks are compiled for. WebAssembly has its own alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// What every machine of the kind has.
    Plain,
    /// AVX2 and FMA.
    Avx2,
    /// AVX2, FMA, and AVX-512's foundation for vectors of any length.
    Avx512,
}

impl Set {
    /// The sets that the machine has, the best one last.
    pub fn at_hand() -> &'static [Self] {
        const ALL: [Set; 3] = [Set::Plain, Set::Avx2, Set::Avx512];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                return &ALL;
            }
            return &ALL[..2];
        }
        &ALL[..1]
    }

    #[cfg(target_arch = "x86_64")]
    fn best() -> Self {
        let at_hand = Self::at_hand();
        CHOSEN.get().unwrap_or(at_hand[at_hand.len() - 1])
    }

    /// Does some work with this set on this thread, so that tests can see them all.
    ///
    /// # Panics
    /// When the machine does not have it.
    pub fn during<T>(self, work: impl FnOnce() -> T) -> T {
        assert!(Self::at_hand().contains(&self), "no {self:?} here");
        let before = CHOSEN.replace(Some(self));
        let done = work();
        CHOSEN.set(before);
        done
    }
}

thread_local! {
    static CHOSEN: Cell<Option<Set>> = const { Cell::new(None) };
}

/// Runs a task with the best instruction set that the machine has.
#[inline]
pub fn dispatch(task: impl Task) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn with_avx2(task: impl Task) {
            task.run::<avx::Avx2>();
        }
        #[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
        fn with_avx512(task: impl Task) {
            task.run::<avx::Avx512>();
        }
        match Set::best() {
            Set::Plain => task.run::<Portable>(),
            // SAFETY: the machine has the set.
            Set::Avx2 => unsafe { with_avx2(task) },
            // SAFETY: the machine has the set.
            Set::Avx512 => unsafe { with_avx512(task) },
        }
    }
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    task.run::<wasm::Wasm>();
    #[cfg(not(any(
        target_arch = "x86_64",
        all(target_arch = "wasm32", target_feature = "simd128")
    )))]
    task.run::<Portable>();
}

/// [`Vector::ROWS`] of the instruction set that tasks are run with.
pub fn rows() -> usize {
    struct Rows<'a>(&'a mut usize);
    impl Task for Rows<'_> {
        #[inline(always)]
        fn run<V: Vector>(self) {
            *self.0 = V::ROWS;
        }
    }
    let mut rows = 0;
    dispatch(Rows(&mut rows));
    rows
}

/// An array; the compiler makes vectors of it as it can.
#[derive(Clone, Copy)]
pub struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn with(self, other: Self, of: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| of(self.0[lane], other.0[lane])))
    }
}

impl Vector for Portable {
    type Pair = [Self; 2];
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise; an array of floats needs a float's alignment.
        Self(unsafe { *from.cast() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { *to.cast() = self.0 }
    }
    #[inline(always)]
    unsafe fn load_splat(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self::splat(unsafe { *from })
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.with(other, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.with(other, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.with(other, |a, b| if a < b { b } else { a })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.with(other, |a, b| if b < a { b } else { a })
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        // Not `f32::mul_add`, which is a call where there is no such instruction.
        self.mul(factor).add(summand)
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(self.0.map(f32::round_ties_even))
    }
    #[inline(always)]
    fn exp2(self) -> Self {
        Self(
            self.0
                .map(|n| f32::from_bits(((n as i32 + 127) << 23) as u32)),
        )
    }
}

#[cfg(target_arch = "x86_64")]
mod avx {
    use std::arch::x86_64::*;

    use super::{LANES, Sums, Vector};

    /// A vector of AVX2 with fused multiplication and addition, with a pair of a kind.
    macro_rules! vector {
        ($(#[$about:meta])* $name:ident, $pair:ty, $rows:literal) => {
            $(#[$about])*
            #[derive(Clone, Copy)]
            pub struct $name(__m256);

            // SAFETY of every block below: `dispatch` has seen AVX2 before any of these is called; pointers are the caller's promise.
            #[allow(clippy::undocumented_unsafe_blocks)]
            impl Vector for $name {
                type Pair = $pair;
                const ROWS: usize = $rows;

                #[inline(always)]
                unsafe fn load(from: *const f32) -> Self {
                    Self(unsafe { _mm256_loadu_ps(from) })
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32) {
                    unsafe { _mm256_storeu_ps(to, self.0) }
                }
                #[inline(always)]
                unsafe fn load_splat(from: *const f32) -> Self {
                    Self(unsafe { _mm256_broadcast_ss(&*from) })
                }
                #[inline(always)]
                fn splat(value: f32) -> Self {
                    Self(unsafe { _mm256_set1_ps(value) })
                }
                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    Self(unsafe { _mm256_add_ps(self.0, other.0) })
                }
                #[inline(always)]
                fn sub(self, other: Self) -> Self {
                    Self(unsafe { _mm256_sub_ps(self.0, other.0) })
                }
                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    Self(unsafe { _mm256_mul_ps(self.0, other.0) })
                }
                #[inline(always)]
                fn div(self, other: Self) -> Self {
                    Self(unsafe { _mm256_div_ps(self.0, other.0) })
                }
                // The instructions give their second operand where either is not a number.
                #[inline(always)]
                fn max(self, other: Self) -> Self {
                    Self(unsafe { _mm256_max_ps(other.0, self.0) })
                }
                #[inline(always)]
                fn min(self, other: Self) -> Self {
                    Self(unsafe { _mm256_min_ps(other.0, self.0) })
                }
                #[inline(always)]
                fn mul_add(self, factor: Self, summand: Self) -> Self {
                    Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, summand.0) })
                }
                #[inline(always)]
                fn round(self) -> Self {
                    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
                    Self(unsafe { _mm256_round_ps::<NEAREST>(self.0) })
                }
                #[inline(always)]
                fn exp2(self) -> Self {
                    Self(unsafe {
                        let n = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
                        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(n))
                    })
                }
            }
        };
    }

    vector!(
        /// Needs AVX2 and FMA. Twelve sums, two vectors of weights and an input are fifteen of sixteen registers.
        Avx2,
        [Self; 2],
        6
    );
    vector!(
        /// Needs AVX-512, too: a pair is one register, of 32.
        Avx512,
        Both,
        14
    );

    /// Two groups in one register.
    #[derive(Clone, Copy)]
    pub struct Both(__m512);

    // SAFETY of every block below: `dispatch` has seen AVX-512 before any of these is called; pointers are the caller's promise.
    #[allow(clippy::undocumented_unsafe_blocks)]
    impl Sums<Avx512, 2> for Both {
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(value) })
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            const { assert!(LANES == 8) };
            Self(unsafe { _mm512_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn add_product(self, from: *const f32, factors: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(_mm512_set1_ps(*from), factors.0, self.0) })
        }
        // As the vectors': the instructions give their second operand where either is not a number.
        #[inline(always)]
        fn within(self, low: Self, high: Self) -> Self {
            Self(unsafe { _mm512_min_ps(high.0, _mm512_max_ps(low.0, self.0)) })
        }
        #[inline(always)]
        fn vectors(self) -> [Avx512; 2] {
            let halves = unsafe {
                let upper = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0));
                [_mm512_castps512_ps256(self.0), _mm256_castpd_ps(upper)]
            };
            halves.map(Avx512)
        }
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use std::arch::wasm32::*;

    use super::Vector;

    /// Needs simd128; multiplies and adds at once if compiled with relaxed-simd.
    #[derive(Clone, Copy)]
    pub struct Wasm(v128);

    impl Vector for Wasm {
        type Pair = [Self; 2];
        // LLVM's WebAssembly adds to the sums group by group, with the inputs of all pixels at hand: eight sums, four inputs, a vector of weights and a
        // product are fourteen of fifteen registers.
        const ROWS: usize = 4;

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { v128_load(from.cast()) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { v128_store(to.cast(), self.0) }
        }
        #[inline(always)]
        unsafe fn load_splat(from: *const f32) -> Self {
            // SAFETY: the caller's promise.
            Self(unsafe { v128_load32_splat(from.cast()) })
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(f32x4_splat(value))
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            Self(f32x4_add(self.0, other.0))
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            Self(f32x4_sub(self.0, other.0))
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            Self(f32x4_mul(self.0, other.0))
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            Self(f32x4_div(self.0, other.0))
        }
        // One instruction of x86 each, where `f32x4_max` and `f32x4_min` are many.
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(f32x4_pmax(self.0, other.0))
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            Self(f32x4_pmin(self.0, other.0))
        }
        #[inline(always)]
        fn mul_add(self, factor: Self, summand: Self) -> Self {
            #[cfg(target_feature = "relaxed-simd")]
            return Self(f32x4_relaxed_madd(self.0, factor.0, summand.0));
            #[cfg(not(target_feature = "relaxed-simd"))]
            self.mul(factor).add(summand)
        }
        #[inline(always)]
        fn round(self) -> Self {
            Self(f32x4_nearest(self.0))
        }
        #[inline(always)]
        fn exp2(self) -> Self {
            let n = i32x4_add(i32x4_trunc_sat_f32x4(self.0), i32x4_splat(127));
            Self(i32x4_shl(n, 23))
        }
    }
}
