//! The kernels' program whose threads share one memory (`app/threads`): with it, a picture is computed on several cores, or on one.
//!
//! Browsers share memory among threads only where the page is cross-origin isolated, by two headers of its server or of the service worker. Elsewhere the
//! program has one thread. Where it does not start, the kernels in the engine's own program compute.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use js_sys::{Array, Float32Array, Function, Int32Array, Object, Reflect, Uint8Array, Uint32Array};
use js_sys::{Atomics, WebAssembly};
use sightline::network::{Begun, FeatureMaps, Packed, Unpacked, Unread};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Worker;

use crate::{device, weights};
use sightline_wire::{note, script_address, text};

/// The program, on the page's server: as every browser runs it, and with relaxed SIMD, which multiplies and adds at once.
const FILES: [&str; 2] = ["threads.wasm", "threads-relaxed.wasm"];
/// A program of one function, which does nothing but `f32x4.relaxed_madd`: browsers without it refuse it.
const RELAXED: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x05\x01\x60\0\x01\x7b\
    \x03\x02\x01\0\
    \x0a\x13\x01\x11\0\x41\0\xfd\x11\x41\0\xfd\x11\x41\0\xfd\x11\xfd\x85\x02\x0b";
/// What a thread runs.
const THREAD: &str = include_str!("thread.js");
/// The program's memory at first, and at most, in pages of 64 KiB: as it is built (`xtask/src/threads.rs`).
const PAGES: [u32; 2] = [64, 16_384];
/// Threads at most: a layer has no work for more.
pub const MOST: usize = 8;
/// Bytes of a thread's stack: as the linker gives the first one.
const STACK: u32 = 1 << 20;

thread_local! {
    static STARTED: OnceCell<Rc<Threads>> = const { OnceCell::new() };
}

/// The program, started.
struct Threads {
    exports: JsValue,
    memory: WebAssembly::Memory,
    /// What passes are computed in.
    passes: u32,
    /// With this one.
    count: usize,
    /// Where pictures are put, and for how many bytes there is room.
    room: Cell<[u32; 2]>,
    _workers: Vec<Worker>,
    /// The tensors of the backbone that is being packed.
    tensors: Tensors,
    _wait: Closure<dyn FnMut()>,
    _wake: Closure<dyn FnMut(u32)>,
    _values: Closure<Values>,
}

type Tensors = Rc<RefCell<Rc<HashMap<String, Unread>>>>;
/// Where a tensor's name begins, how long it is, and where its values are to be. Tells whether they are there.
type Values = dyn FnMut(u32, u32, u32) -> bool;

/// Starts the program with as many threads as there are cores, or `most`, or one where they cannot share memory. Where several do not start, the page
/// is told why; one is as many as compute without.
pub async fn start(most: usize) {
    if STARTED.with(|started| started.get().is_some()) {
        return;
    }
    let isolated = Reflect::get(&js_sys::global(), &"crossOriginIsolated".into());
    let isolated = isolated.is_ok_and(|isolated| isolated.is_truthy());
    let count = match isolated {
        true => device::cores().clamp(1, most),
        false => 1,
    };
    let file = file();
    match Threads::start(file, count).await {
        // Another model's start may have been faster.
        Ok(threads) => STARTED.with(|started| drop(started.set(Rc::new(threads)))),
        Err(why) if isolated => note(&format!(
            "A picture is computed on one core: {file} does not start ({why})."
        )),
        Err(_) => {}
    }
}

/// Packs a backbone for the program, if it was started; or else for the engine's own kernels.
pub fn pack(backbone: &Unpacked) -> Option<Box<dyn Packed>> {
    let Some(threads) = STARTED.with(|started| started.get().cloned()) else {
        return backbone.here();
    };
    match threads.network(backbone) {
        Ok(0) => None,
        Ok(network) => Some(Box::new(Shared { network })),
        // There is no room for it: the memory of this program may have some.
        Err(_) => backbone.here(),
    }
}

/// How many threads compute: 1 without the program.
pub fn count() -> usize {
    STARTED.with(|started| started.get().map_or(1, |threads| threads.count))
}

/// The threads, of whoever has something that they made.
fn started() -> Rc<Threads> {
    let threads = STARTED.with(|started| started.get().cloned());
    threads.expect("they have packed something")
}

/// A backbone in the threads' memory.
struct Shared {
    network: u32,
}

impl Packed for Shared {
    fn feature_maps(&self, pictures: &[f32], sides: [usize; 2]) -> FeatureMaps {
        let maps = started().pass(self.network, pictures, sides);
        maps.unwrap_or_else(|error| died(&error))
    }

    fn begin(&self, pictures: &[f32], sides: [usize; 2]) -> Option<Box<dyn Begun>> {
        let threads = started();
        let begun = threads.begin(self.network, pictures, sides);
        let begun = begun.unwrap_or_else(|error| died(&error));
        (begun != 0).then(|| Box::new(UnderWay { begun, threads }) as Box<dyn Begun>)
    }
}

/// Pictures that the threads have begun with.
struct UnderWay {
    begun: u32,
    threads: Rc<Threads>,
}

impl UnderWay {
    fn asked(&self, name: &str) -> bool {
        let said = self.threads.call(name, &[self.begun]);
        said.unwrap_or_else(|error| died(&error)) != 0
    }
}

impl Begun for UnderWay {
    fn is_over(&self) -> bool {
        self.asked("is_over")
    }

    fn help(&self) -> bool {
        self.asked("one_more")
    }

    fn finish(mut self: Box<Self>) -> FeatureMaps {
        let begun = std::mem::take(&mut self.begun);
        let maps = self.threads.finish(begun);
        maps.unwrap_or_else(|error| died(&error))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.begun != 0 {
            // What fails here fails at the next pass, too.
            let _ = self.threads.call("leave", &[self.begun]);
        }
    }
}

/// The program may be in any state: so is this engine, which ends.
fn died(error: &JsValue) -> ! {
    panic!("{}: {}", file(), text(error))
}

impl Drop for Shared {
    fn drop(&mut self) {
        // What fails here fails at the next pass, too.
        let _ = started().call("forget", &[self.network]);
    }
}

impl Threads {
    async fn start(file: &str, count: usize) -> Result<Self, String> {
        let program = program(file).await?;
        Self::with(count, &program).map_err(|error| text(&error))
    }

    fn with(count: usize, program: &WebAssembly::Module) -> Result<Self, JsValue> {
        let about = Object::new();
        let [initial, maximum] = PAGES;
        Reflect::set(&about, &"initial".into(), &initial.into())?;
        Reflect::set(&about, &"maximum".into(), &maximum.into())?;
        Reflect::set(&about, &"shared".into(), &true.into())?;
        let memory = WebAssembly::Memory::new(&about)?;
        // This thread has the work: it never waits for any.
        let wait: Closure<dyn FnMut()> = Closure::new(|| {});
        let wake: Closure<dyn FnMut(u32)> = {
            let memory = memory.clone();
            Closure::new(move |word: u32| {
                // It fails for what is no word, which this is.
                let _ = Atomics::notify(&Int32Array::new(&memory.buffer()), word / 4);
            })
        };
        let tensors = Tensors::default();
        let values: Closure<Values> = {
            let (memory, tensors) = (memory.clone(), tensors.clone());
            Closure::new(move |name: u32, length: u32, to: u32| {
                let buffer = memory.buffer();
                // Not borrowed: where there is no memory for the values, this does not return.
                let tensors = Rc::clone(&tensors.borrow());
                let name = Uint8Array::new_with_byte_offset_and_length(&buffer, name, length);
                let name = String::from_utf8(name.to_vec()).ok();
                let tensor = name.and_then(|name| tensors.get(&name));
                let values = tensor.and_then(Unread::values);
                if let Some(values) = &values {
                    let count = values.len() as u32;
                    Float32Array::new_with_byte_offset_and_length(&buffer, to, count)
                        .copy_from(values);
                }
                values.is_some()
            })
        };
        let env = Object::new();
        Reflect::set(&env, &"memory".into(), &memory)?;
        Reflect::set(&env, &"wait".into(), wait.as_ref())?;
        Reflect::set(&env, &"wake".into(), wake.as_ref())?;
        Reflect::set(&env, &"values".into(), values.as_ref())?;
        let imports = Object::new();
        Reflect::set(&imports, &"env".into(), &env)?;
        let instance = WebAssembly::Instance::new(program, &imports)?;
        let mut threads = Self {
            exports: instance.exports().into(),
            memory,
            passes: 0,
            count,
            room: Cell::default(),
            _workers: Vec::new(),
            tensors,
            _wait: wait,
            _wake: wake,
            _values: values,
        };
        let team = threads.call("team", &[count as u32])?;
        threads.passes = threads.call("passes", &[team])?;
        let script = script_address(THREAD)?;
        for thread in 1..count as u32 {
            let worker = Worker::new(&script)?;
            let start = Object::new();
            let stack = threads.take(STACK)? + STACK;
            Reflect::set(&start, &"program".into(), program)?;
            Reflect::set(&start, &"memory".into(), &threads.memory)?;
            Reflect::set(&start, &"stack".into(), &stack.into())?;
            Reflect::set(&start, &"team".into(), &team.into())?;
            Reflect::set(&start, &"thread".into(), &thread.into())?;
            worker.post_message(&start)?;
            threads._workers.push(worker);
        }
        Ok(threads)
    }

    /// Calls an export with numbers.
    fn call(&self, name: &str, numbers: &[u32]) -> Result<u32, JsValue> {
        let export: Function = Reflect::get(&self.exports, &name.into())?.dyn_into()?;
        let numbers: Array = numbers
            .iter()
            .map(|number| JsValue::from(*number))
            .collect();
        let found = export.apply(&JsValue::NULL, &numbers)?;
        Ok(found.as_f64().unwrap_or_default() as i64 as u32)
    }

    fn take(&self, bytes: u32) -> Result<u32, JsValue> {
        match self.call("take", &[bytes])? {
            0 => Err(format!("its memory has no room for {bytes} bytes").into()),
            at => Ok(at),
        }
    }

    fn floats(&self, at: u32, count: usize) -> Float32Array {
        Float32Array::new_with_byte_offset_and_length(&self.memory.buffer(), at, count as u32)
    }

    /// Packs a backbone; 0 if there are no kernels for it.
    fn network(&self, backbone: &Unpacked) -> Result<u32, JsValue> {
        let mut text = format!(
            "{} {} {}",
            backbone.family, backbone.variant, backbone.in_channels
        );
        for (name, tensor) in &*backbone.tensors {
            text += &format!("\n{name}");
            for side in &tensor.shape {
                text += &format!(" {side}");
            }
        }
        let letters = text.len() as u32;
        let at = self.take(letters)?;
        Uint8Array::new_with_byte_offset_and_length(&self.memory.buffer(), at, letters)
            .copy_from(text.as_bytes());
        self.tensors.replace(backbone.tensors.clone());
        let network = self.call("network", &[at, letters]);
        self.tensors.take();
        self.call("give_back", &[at, letters])?;
        network
    }

    fn pass(
        &self,
        network: u32,
        pictures: &[f32],
        sides: [usize; 2],
    ) -> Result<FeatureMaps, JsValue> {
        let about = self.of_pictures("pass", network, pictures, sides)?;
        Ok(self.maps(about))
    }

    /// Begins with pictures; 0 where there is too much to do already.
    fn begin(&self, network: u32, pictures: &[f32], sides: [usize; 2]) -> Result<u32, JsValue> {
        self.of_pictures("begin", network, pictures, sides)
    }

    fn finish(&self, begun: u32) -> Result<FeatureMaps, JsValue> {
        let about = self.call("finish", &[self.passes, begun])?;
        Ok(self.maps(about))
    }

    /// Calls an export with a network and pictures.
    fn of_pictures(
        &self,
        name: &str,
        network: u32,
        pictures: &[f32],
        sides: [usize; 2],
    ) -> Result<u32, JsValue> {
        let bytes = 4 * pictures.len() as u32;
        let [mut at, room] = self.room.get();
        if room < bytes {
            if room > 0 {
                self.call("give_back", &[at, room])?;
            }
            at = self.take(bytes)?;
            self.room.set([at, bytes]);
        }
        self.floats(at, pictures.len()).copy_from(pictures);
        let [height, width] = sides.map(|side| side as u32);
        let count = pictures.len() as u32;
        self.call(name, &[network, self.passes, at, count, height, width])
    }

    /// Feature maps, copied.
    fn maps(&self, about: u32) -> FeatureMaps {
        let about = Uint32Array::new_with_byte_offset_and_length(&self.memory.buffer(), about, 5);
        let [shape @ .., values] =
            std::array::from_fn::<_, 5, _>(|index| about.get_index(index as u32));
        let shape = shape.map(|side| side as usize);
        FeatureMaps {
            values: self.floats(values, shape.iter().product()).to_vec(),
            shape,
        }
    }
}

/// The file of the program that is the fastest here.
fn file() -> &'static str {
    let relaxed = WebAssembly::validate(&Uint8Array::from(RELAXED));
    FILES[usize::from(relaxed == Ok(true))]
}

/// The program, compiled.
async fn program(file: &str) -> Result<WebAssembly::Module, String> {
    let response = weights::fetch(file).await?;
    let bytes = response.array_buffer().map_err(|error| text(&error))?;
    let bytes = JsFuture::from(bytes).await.map_err(|error| text(&error))?;
    let module = JsFuture::from(WebAssembly::compile(&bytes)).await;
    module
        .map(JsCast::unchecked_into)
        .map_err(|error| text(&error))
}
