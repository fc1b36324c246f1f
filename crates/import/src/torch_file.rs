//! What `torch.save` wrote, of every age: zips (since 1.6), one pickle behind another with the numbers behind them
//! (0.1.10 to 1.5), and tars (before). State dicts at any depth, and whole modules, which are read as the plain
//! tree that they are: no class is looked up, and nothing is run.

use std::collections::{HashMap, HashSet};

use crate::pickle::{Id, Made, Node, PickleError, Tree};
use crate::tensors::{Number, Storage, Stored, Tensors};
use crate::zip::{self, Entry, ZipError};

/// Values within values, deeper than any checkpoint has them.
const DEEPEST: usize = 64;
/// A few shared values may be found by very many ways, and their names be very long.
const MOST_VISITS: usize = 1 << 20;
const CHARACTERS_PER_VISIT: usize = 32;
const LONGEST_TEXT: usize = 200;
const LONGEST_NAME: usize = 1000;
const MOST_TEXTS: usize = 200;

/// Why it cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TorchError {
    #[error("the file is damaged, or cut off: {0}")]
    Pickle(#[from] PickleError),
    #[error("the file is damaged, or cut off: {0}")]
    Zip(#[from] ZipError),
    #[error("the file is damaged, or cut off: it lacks the numbers of {0}")]
    Numbers(String),
    #[error("the file is damaged: the checksum of {0} is wrong")]
    Checksum(String),
    #[error("the file is damaged, or made to do harm: its values are nested without end")]
    Nested,
    #[error("{0}")]
    Other(&'static str),
}

/// The number that every file of 0.1.10 to 1.5 begins with, at the end of a pickle of its own.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

pub fn is_legacy(bytes: &[u8]) -> bool {
    const BEFORE: usize = 11;
    let start = &bytes[..bytes.len().min(BEFORE + MAGIC.len())];
    memchr::memmem::find(start, MAGIC).is_some()
}

/// A storage as the pickle names it.
type Storages<'a> = HashMap<String, Storage<'a>>;

/// Where the values that a pickle keeps outside of it are.
#[derive(Default)]
struct Outside<'a> {
    storages: Storages<'a>,
    /// Parts of storages by their key, as the first element and the number of them.
    parts: HashMap<String, (String, usize, usize)>,
    /// Whole tensors, in tars.
    tensors: HashMap<String, Stored<'a>>,
    /// The zip's storages, whose numbers' kind the pickle says.
    raw: HashMap<&'a str, &'a [u8]>,
    big_endian: bool,
}

/// The tensors in a zip that PyTorch wrote.
///
/// # Errors
/// When it is damaged, or holds no `data.pkl`.
pub fn read_zip(bytes: &[u8]) -> Result<Tensors<'_>, TorchError> {
    let entries = zip::entries(bytes)?;
    let data = entries.iter().find_map(|entry| {
        let folder = entry.name.strip_suffix("data.pkl")?;
        Some((folder, *entry))
    });
    let (folder, pickle) = data.ok_or(TorchError::Other("there is no data.pkl in it"))?;
    check_sums(&entries)?;
    let mut outside = Outside::default();
    for entry in &entries {
        let Some(name) = entry.name.strip_prefix(folder) else {
            continue;
        };
        if name == "byteorder" {
            outside.big_endian = entry.bytes.starts_with(b"big");
        }
        if let Some(key) = name.strip_prefix("data/") {
            outside.raw.insert(key, entry.bytes);
        }
    }
    tensors(&Tree::read(pickle.bytes)?, &outside)
}

/// PyTorch may be told to leave checksums out; then none is right.
fn check_sums(entries: &[Entry<'_>]) -> Result<(), TorchError> {
    let (right, wrong): (Vec<&Entry<'_>>, Vec<&Entry<'_>>) =
        entries.iter().partition(|entry| entry.has_its_checksum());
    match wrong.first() {
        Some(entry) if right.iter().any(|entry| !entry.bytes.is_empty()) => {
            Err(TorchError::Checksum(entry.name.to_owned()))
        }
        _ => Ok(()),
    }
}

/// The tensors in a file of PyTorch 0.1.10 to 1.5.
///
/// # Errors
/// When it is damaged or cut off.
pub fn read_legacy(bytes: &[u8]) -> Result<Tensors<'_>, TorchError> {
    let mut at = 0;
    let mut next = || {
        let tree = Tree::read(bytes.get(at..).unwrap_or_default())?;
        at += tree.length;
        Ok::<_, PickleError>((tree, at))
    };
    let (_magic, _) = next()?;
    let (_protocol, _) = next()?;
    let (system, _) = next()?;
    let (tree, _) = next()?;
    let (keys, mut at) = next()?;
    let little = system.get(system.root, "little_endian");
    let big_endian = little.is_some_and(|id| *system.node(id) == Node::Bool(false));
    let mut outside = Outside {
        big_endian,
        ..Outside::default()
    };
    let named = named_storages(&tree, &mut outside);
    for key in keys.list(keys.root) {
        let key = keys
            .text(*key)
            .ok_or(TorchError::Other("its storages have no names"))?;
        let lacking = || TorchError::Numbers(format!("storage {key}"));
        let count = count_at(bytes, at, big_endian).ok_or_else(lacking)?;
        let (number, width) = named.get(key).copied().ok_or_else(lacking)?;
        let length = count.checked_mul(width).ok_or_else(lacking)?;
        at += 8;
        let end = at.checked_add(length).ok_or_else(lacking)?;
        let numbers = bytes.get(at..end).ok_or_else(lacking)?;
        at = end;
        if let Some(number) = number {
            let storage = Storage {
                bytes: numbers,
                number,
                big_endian,
            };
            outside.storages.insert(key.to_owned(), storage);
        }
    }
    tensors(&tree, &outside)
}

/// The kind of numbers of each storage that a pickle names, and how many bytes one takes.
fn named_storages(
    tree: &Tree<'_>,
    outside: &mut Outside<'_>,
) -> HashMap<String, (Option<Number>, usize)> {
    let mut named = HashMap::new();
    for node in tree.nodes() {
        let Node::Outside(id) = node else {
            continue;
        };
        let [tag, class, key, _location, _count, ref more @ ..] = *tree.list(*id) else {
            continue;
        };
        if tree.text(tag) != Some("storage") {
            continue;
        }
        let Some((key, (_, class))) = tree.text(key).zip(tree.name(class)) else {
            continue;
        };
        named.insert(key.to_owned(), kind(class));
        // A part of a storage, as PyTorch saved views before 0.4.
        let Some(view) = more.first() else {
            continue;
        };
        if let [part, first, count] = tree.list(*view)
            && let (Some(part), Some(first), Some(count)) =
                (tree.text(*part), size(tree, *first), size(tree, *count))
        {
            let view = (key.to_owned(), first, count);
            outside.parts.insert(part.to_owned(), view);
        }
    }
    named
}

/// The kind of floating-point numbers in a storage's class, and how many bytes one number takes.
fn kind(class: &str) -> (Option<Number>, usize) {
    let number = match class.trim_end_matches("Storage").trim_end_matches("Tensor") {
        "Double" | "float64" | "double" => Number::F64,
        "Float" | "float32" | "float" => Number::F32,
        "Half" | "float16" | "half" => Number::F16,
        "BFloat16" | "bfloat16" => Number::Bf16,
        "Long" | "ComplexFloat" => return (None, 8),
        "Int" | "QInt32" => return (None, 4),
        "Short" => return (None, 2),
        "ComplexDouble" => return (None, 16),
        _ => return (None, 1),
    };
    (Some(number), number.bytes())
}

fn count_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<usize> {
    let raw: [u8; 8] = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    let count = match big_endian {
        true => u64::from_be_bytes(raw),
        false => u64::from_le_bytes(raw),
    };
    usize::try_from(count).ok()
}

fn size(tree: &Tree<'_>, id: Id) -> Option<usize> {
    usize::try_from(tree.int(id)?).ok()
}

/// The parts of a tar, by name. Whether there are more than are whole shows in the last, which is cut.
fn tar_parts(bytes: &[u8]) -> HashMap<String, &[u8]> {
    const BLOCK: usize = 512;
    let mut parts = HashMap::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..).and_then(|rest| rest.get(..BLOCK)) {
        let text = |field: &[u8]| {
            let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(text).trim().to_owned()
        };
        let name = text(&header[..100]);
        if name.is_empty() {
            break;
        }
        let Ok(length) = usize::from_str_radix(&text(&header[124..136]), 8) else {
            break;
        };
        let start = at + BLOCK;
        let end = start.saturating_add(length);
        let part = bytes.get(start..end.min(bytes.len())).unwrap_or_default();
        parts.insert(name.trim_start_matches("./").to_owned(), part);
        let Some(next) = end.checked_next_multiple_of(BLOCK) else {
            break;
        };
        at = next;
    }
    parts
}

/// Whether it is a tar that PyTorch wrote, before 0.1.10; also one of which the end is missing.
pub fn is_torch_tar(bytes: &[u8]) -> bool {
    is_tar(bytes) && {
        let parts = tar_parts(bytes);
        let has = |name| parts.contains_key(name);
        has("pickle") && (has("sys_info") || has("tensors") || has("storages"))
    }
}

pub fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// The tensors in a tar that PyTorch wrote, before 0.1.10.
///
/// # Errors
/// When it is damaged or cut off.
pub fn read_tar(bytes: &[u8]) -> Result<Tensors<'_>, TorchError> {
    let parts = tar_parts(bytes);
    let part = |name: &'static str| {
        parts
            .get(name)
            .copied()
            .ok_or_else(|| TorchError::Numbers(name.to_owned()))
    };
    let mut outside = Outside::default();
    read_tar_storages(part("storages")?, &mut outside)?;
    read_tar_tensors(part("tensors")?, &mut outside)?;
    tensors(&Tree::read(part("pickle")?)?, &outside)
}

/// A pickle at a place, and what comes after it.
fn pickle_at<'a>(bytes: &'a [u8], at: &mut usize) -> Result<Tree<'a>, PickleError> {
    let tree = Tree::read(bytes.get(*at..).unwrap_or_default())?;
    *at += tree.length;
    Ok(tree)
}

/// A key of a tar: a number or a text.
fn key_of(tree: &Tree<'_>, id: Id) -> Option<String> {
    match tree.node(id) {
        Node::Int(value) => Some(value.to_string()),
        Node::Text(text) => Some(text.clone().into_owned()),
        _ => None,
    }
}

fn read_tar_storages<'a>(bytes: &'a [u8], outside: &mut Outside<'a>) -> Result<(), TorchError> {
    let lacking = || TorchError::Numbers("a storage".to_owned());
    let mut at = 0;
    let number_of = pickle_at(bytes, &mut at)?;
    for _ in 0..number_of.int(number_of.root).unwrap_or(0) {
        let tree = pickle_at(bytes, &mut at)?;
        let [key, _location, class] = *tree.list(tree.root) else {
            return Err(lacking());
        };
        let key = key_of(&tree, key).ok_or_else(lacking)?;
        let (_, class) = tree.name(class).ok_or_else(lacking)?;
        let (number, width) = kind(class);
        let count = count_at(bytes, at, false).ok_or_else(lacking)?;
        let length = count.checked_mul(width).ok_or_else(lacking)?;
        let end = (at + 8).checked_add(length).ok_or_else(lacking)?;
        let numbers = bytes.get(at + 8..end).ok_or_else(lacking)?;
        at = end;
        if let Some(number) = number {
            let storage = Storage {
                bytes: numbers,
                number,
                big_endian: false,
            };
            outside.storages.insert(key, storage);
        }
    }
    let views = pickle_at(bytes, &mut at)?;
    for view in views.list(views.root) {
        let [part, whole, first, count] = *views.list(*view) else {
            continue;
        };
        let (Some(part), Some(whole)) = (key_of(&views, part), key_of(&views, whole)) else {
            continue;
        };
        if let Some((first, count)) = size(&views, first).zip(size(&views, count)) {
            outside.parts.insert(part, (whole, first, count));
        }
    }
    Ok(())
}

fn read_tar_tensors<'a>(bytes: &'a [u8], outside: &mut Outside<'a>) -> Result<(), TorchError> {
    const MOST_DIMENSIONS: usize = 16;
    let lacking = || TorchError::Numbers("a tensor".to_owned());
    let mut at = 0;
    let number_of = pickle_at(bytes, &mut at)?;
    for _ in 0..number_of.int(number_of.root).unwrap_or(0) {
        let tree = pickle_at(bytes, &mut at)?;
        let [key, storage, ..] = *tree.list(tree.root) else {
            return Err(lacking());
        };
        let (key, storage) = key_of(&tree, key)
            .zip(key_of(&tree, storage))
            .ok_or_else(lacking)?;
        // 32 bits, and as many that mean nothing.
        let raw = bytes.get(at..).and_then(<[u8]>::first_chunk);
        let dimensions = u32::from_le_bytes(*raw.ok_or_else(lacking)?) as usize;
        if dimensions > MOST_DIMENSIONS {
            return Err(lacking());
        }
        at += 8;
        let mut numbers = Vec::new();
        for _ in 0..2 * dimensions + 1 {
            numbers.push(count_at(bytes, at, false).ok_or_else(lacking)?);
            at += 8;
        }
        let (shape, rest) = numbers.split_at(dimensions);
        let (strides, offset) = rest.split_at(dimensions);
        if let Some(storage) = outside.storage(&storage) {
            let tensor = Stored::new(storage, offset[0], shape.to_vec(), strides.to_vec());
            outside.tensors.insert(key, tensor.ok_or_else(lacking)?);
        }
    }
    Ok(())
}

impl<'a> Outside<'a> {
    fn storage(&self, key: &str) -> Option<Storage<'a>> {
        let Some((whole, first, count)) = self.parts.get(key) else {
            return self.storages.get(key).copied();
        };
        let whole = self.storages.get(whole)?;
        let width = whole.number.bytes();
        let (start, end) = (first.checked_mul(width)?, first.checked_add(*count)?);
        let bytes = whole.bytes.get(start..end.checked_mul(width)?)?;
        Some(Storage { bytes, ..*whole })
    }
}

/// Everything in a plain pickle that holds its tensors itself (`pickle.dump` of a state dict).
///
/// # Errors
/// When it is no pickle, or damaged.
pub fn read_pickle(bytes: &[u8]) -> Result<Tensors<'_>, TorchError> {
    tensors(&Tree::read(bytes)?, &Outside::default())
}

fn tensors<'a>(tree: &Tree<'a>, outside: &Outside<'a>) -> Result<Tensors<'a>, TorchError> {
    let mut walk = Walk {
        tree,
        outside,
        found: Tensors::default(),
        visits: 0,
        on_the_way: HashSet::new(),
    };
    walk.visit(tree.root, "", 0)?;
    Ok(walk.found)
}

/// The way through a tree, which names what it finds.
struct Walk<'t, 'a> {
    tree: &'t Tree<'a>,
    outside: &'t Outside<'a>,
    found: Tensors<'a>,
    visits: usize,
    /// A value may contain itself.
    on_the_way: HashSet<Id>,
}

fn joined(path: &str, name: &str) -> String {
    match path.is_empty() {
        true => name.to_owned(),
        false => format!("{path}.{name}"),
    }
}

/// What a tensor's call says of it.
enum Tensor<'a> {
    Floats(Stored<'a>),
    /// Counters and the like.
    Others,
}

impl<'a> Walk<'_, 'a> {
    fn visit(&mut self, id: Id, path: &str, depth: usize) -> Result<(), TorchError> {
        self.visits += 1 + path.len() / CHARACTERS_PER_VISIT;
        if self.visits > MOST_VISITS || depth > DEEPEST {
            return Err(TorchError::Nested);
        }
        if let Some(tensor) = self.tensor(id, path, 0)? {
            if let Tensor::Floats(tensor) = tensor {
                self.found.insert(path.to_owned(), tensor);
            }
            return Ok(());
        }
        if !self.on_the_way.insert(id) {
            return Ok(());
        }
        let tree = self.tree;
        match tree.node(id) {
            Node::Dict(entries) => self.entries(entries, path, depth)?,
            Node::List(items) => {
                let are_texts = self.note_texts(items, path);
                for (index, item) in items.iter().enumerate().filter(|_| !are_texts) {
                    self.visit(*item, &joined(path, &index.to_string()), depth + 1)?;
                }
            }
            Node::Text(_) => {
                self.note_texts(&[id], path);
            }
            Node::Made(made) => self.made(made, path, depth)?,
            _ => {}
        }
        self.on_the_way.remove(&id);
        Ok(())
    }

    fn entries(
        &mut self,
        entries: &[(Id, Id)],
        path: &str,
        depth: usize,
    ) -> Result<(), TorchError> {
        for (key, value) in entries {
            let name = match self.tree.node(*key) {
                Node::Text(name) if name.len() <= LONGEST_NAME => name.clone().into_owned(),
                Node::Int(number) => number.to_string(),
                _ => continue,
            };
            self.visit(*value, &joined(path, &name), depth + 1)?;
        }
        Ok(())
    }

    /// An object: a module has its tensors and modules in dictionaries of its state, which a state dict leaves out of
    /// the names.
    fn made(&mut self, made: &Made, path: &str, depth: usize) -> Result<(), TorchError> {
        const PARTS: [&str; 3] = ["_parameters", "_buffers", "_modules"];
        let tree = self.tree;
        self.entries(&made.entries, path, depth)?;
        let Some(mut state) = made.state else {
            return Ok(());
        };
        // Of an object with slots the dictionary is the first of two.
        if let [first, _] = *tree.list(state) {
            state = first;
        }
        let is_module = PARTS.iter().any(|part| tree.get(state, part).is_some());
        if !is_module {
            self.array_of_texts(state, path);
            if let Node::Dict(entries) = tree.node(state) {
                self.entries(entries, path, depth)?;
            }
            return Ok(());
        }
        if let Some((module, class)) = self.class(made.name) {
            self.found.classes.insert(format!("{module}.{class}"));
        }
        for part in PARTS {
            if let Some(part) = tree.get(state, part) {
                self.visit(part, path, depth + 1)?;
            }
        }
        let Node::Dict(entries) = tree.node(state) else {
            return Ok(());
        };
        for (key, value) in entries {
            let name = tree.text(*key).unwrap_or("_");
            if !name.starts_with('_') {
                self.visit(*value, &joined(path, name), depth + 1)?;
            }
        }
        Ok(())
    }

    /// A class's module and name: files of 0.1.10 to 1.5 have its source beside it.
    fn class(&self, id: Id) -> Option<(&str, &str)> {
        let tree = self.tree;
        match tree.node(id) {
            Node::Outside(inner) => {
                let inner = *tree.list(*inner).get(1).or(tree.list(*inner).first())?;
                tree.name(inner)
            }
            _ => tree.name(id),
        }
    }

    /// A numpy array of texts: names of outputs.
    fn array_of_texts(&mut self, state: Id, path: &str) {
        if let [_version, _shape, _kind, _order, items] = *self.tree.list(state) {
            let items = self.tree.list(items);
            self.note_texts(items, path);
        }
    }

    /// Whether all of them are texts, which are noted if they are short and few.
    fn note_texts(&mut self, items: &[Id], path: &str) -> bool {
        let texts: Option<Vec<&str>> = items.iter().map(|item| self.tree.text(*item)).collect();
        let Some(texts) = texts.filter(|texts| !texts.is_empty()) else {
            return false;
        };
        let short = texts.iter().all(|text| text.len() <= LONGEST_TEXT);
        if short && texts.len() <= LONGEST_TEXT && self.found.texts.len() < MOST_TEXTS {
            let texts = texts.into_iter().map(str::to_owned).collect();
            self.found.texts.insert(path.to_owned(), texts);
        }
        true
    }

    /// The tensor that a call would make, or `None` for any other value.
    fn tensor(&self, id: Id, path: &str, depth: usize) -> Result<Option<Tensor<'a>>, TorchError> {
        let tree = self.tree;
        if depth > DEEPEST {
            return Err(TorchError::Nested);
        }
        let made = match tree.node(id) {
            Node::Outside(key) => {
                let tensor = key_of(tree, *key).and_then(|key| self.outside.tensors.get(&key));
                return Ok(tensor.cloned().map(Tensor::Floats));
            }
            Node::Made(made) => made,
            _ => return Ok(None),
        };
        let Some((module, name)) = tree.name(made.name) else {
            return Ok(None);
        };
        let given = tree.list(made.arguments);
        match (module, name, given) {
            (
                "torch._utils",
                "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3",
                [storage, offset, shape, strides, more @ ..],
            ) => {
                let said = match name {
                    "_rebuild_tensor_v3" => more.get(2).and_then(|kind| tree.name(*kind)),
                    _ => None,
                };
                let storage = self.storage(*storage, said.map(|(_, name)| name), path)?;
                let Some(storage) = storage else {
                    return Ok(Some(Tensor::Others));
                };
                let sizes = |id: Id| -> Option<Vec<usize>> {
                    let sizes = tree.list(id).iter();
                    sizes.map(|id| size(tree, *id)).collect()
                };
                let tensor = size(tree, *offset).and_then(|offset| {
                    Stored::new(storage, offset, sizes(*shape)?, sizes(*strides)?)
                });
                let tensor = tensor.ok_or_else(|| TorchError::Numbers(path.to_owned()))?;
                Ok(Some(Tensor::Floats(tensor)))
            }
            (
                "torch._utils",
                "_rebuild_parameter" | "_rebuild_parameter_with_state",
                [data, ..],
            )
            | (
                "torch.nn.parameter" | "torch.autograd.variable",
                "Parameter" | "Variable" | "Buffer",
                [data, ..],
            ) => self.tensor(*data, path, depth + 1),
            ("torch._tensor", "_rebuild_from_type_v2", [_call, _class, arguments, ..]) => {
                match *tree.list(*arguments) {
                    [data, ..] => self.tensor(data, path, depth + 1),
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    /// The numbers that a tensor is made of; `None` where they are no floating-point numbers.
    fn storage(
        &self,
        id: Id,
        said: Option<&str>,
        path: &str,
    ) -> Result<Option<Storage<'a>>, TorchError> {
        let tree = self.tree;
        let lacking = || TorchError::Numbers(path.to_owned());
        let Node::Outside(id) = tree.node(id) else {
            return Err(lacking());
        };
        let [_tag, class, key, ref rest @ ..] = *tree.list(*id) else {
            return Err(lacking());
        };
        let (key, (_, class)) = tree.text(key).zip(tree.name(class)).ok_or_else(lacking)?;
        let (Some(number), _) = kind(said.unwrap_or(class)) else {
            return Ok(None);
        };
        if let Some(bytes) = self.outside.raw.get(key) {
            return Ok(Some(Storage {
                bytes,
                number,
                big_endian: self.outside.big_endian,
            }));
        }
        let part = rest.get(2).map(|view| tree.list(*view));
        let part = part.and_then(|view| tree.text(*view.first()?));
        let storage = self.outside.storage(part.unwrap_or(key));
        storage.map(Some).ok_or_else(lacking)
    }
}
