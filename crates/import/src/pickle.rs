//! A pickle read as data: a tree of plain values, and nothing of it is ever run.
//!
//! A pickle is a program for a small stack machine, which may name any function and ask that it be called. This
//! reader keeps such a call as the name and its arguments. Whoever reads the tree decides which few names mean
//! something.

use std::borrow::Cow;
use std::collections::HashMap;

/// The place of a node in its tree.
pub type Id = u32;

/// No checkpoint of a network comes near so many values.
const MOST_NODES: usize = 4 << 20;

#[derive(Clone, Debug, PartialEq)]
pub enum Node<'a> {
    /// Also what is of no use here, such as integers of more than 64 bits.
    Nothing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
    /// A list, a tuple or a set.
    List(Vec<Id>),
    /// A dictionary, ordered or not.
    Dict(Vec<(Id, Id)>),
    /// The name of a class or a function: its module and its own name, both texts.
    Name(Id, Id),
    /// What a call or a class would make.
    Made(Made),
    /// What the file keeps outside the pickle, such as the numbers of a tensor.
    Outside(Id),
}

/// A call that is not made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// What would be called.
    pub name: Id,
    pub arguments: Id,
    /// What it would be given then.
    pub state: Option<Id>,
    pub entries: Vec<(Id, Id)>,
}

/// Why a pickle cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    #[error("it ends within a value")]
    Cut,
    #[error("byte {0} is no instruction of a pickle")]
    Unknown(usize),
    #[error("the instruction at byte {0} makes no sense there")]
    Senseless(usize),
    #[error("it has too many values")]
    TooMany,
}

/// The nodes of a pickle, and its root.
#[derive(Debug)]
pub struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    pub root: Id,
    /// The number of bytes that it takes.
    pub length: usize,
}

impl<'a> Tree<'a> {
    /// # Errors
    /// When the bytes do not begin with a whole pickle.
    pub fn read(bytes: &'a [u8]) -> Result<Self, PickleError> {
        let mut machine = Machine {
            bytes,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            copied: 0,
        };
        let root = machine.run()?;
        Ok(Self {
            root,
            length: machine.at,
            nodes: machine.nodes,
        })
    }

    /// All nodes, in the order in which they were made.
    pub fn nodes(&self) -> &[Node<'a>] {
        &self.nodes
    }

    pub fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id as usize]
    }

    pub fn text(&self, id: Id) -> Option<&str> {
        match self.node(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self, id: Id) -> Option<i64> {
        match self.node(id) {
            Node::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements of a list or a tuple; none for anything else.
    pub fn list(&self, id: Id) -> &[Id] {
        match self.node(id) {
            Node::List(items) => items,
            _ => &[],
        }
    }

    /// The module and the name of a class or a function.
    pub fn name(&self, id: Id) -> Option<(&str, &str)> {
        match self.node(id) {
            Node::Name(module, name) => Some((self.text(*module)?, self.text(*name)?)),
            _ => None,
        }
    }

    /// What a dictionary has under a text.
    pub fn get(&self, id: Id, key: &str) -> Option<Id> {
        let Node::Dict(entries) = self.node(id) else {
            return None;
        };
        let entry = entries
            .iter()
            .rev()
            .find(|(k, _)| self.text(*k) == Some(key));
        entry.map(|(_, value)| *value)
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Elements of containers that were copied from others.
    copied: usize,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, PickleError> {
        loop {
            let start = self.at;
            let instruction = self.take(1)?[0];
            if instruction == b'.' {
                return self.pop();
            }
            self.step(instruction, start)?;
        }
    }

    fn step(&mut self, instruction: u8, start: usize) -> Result<(), PickleError> {
        match instruction {
            // Marks and the stack.
            b'(' => self.marks.push(self.stack.len()),
            b'0' => match self.marks.last() {
                Some(mark) if *mark == self.stack.len() => {
                    self.marks.pop();
                }
                _ => {
                    self.pop()?;
                }
            },
            b'1' => {
                self.pop_mark()?;
            }
            b'2' => {
                let top = self.pop()?;
                self.stack.extend([top, top]);
            }
            // The protocol, and how what follows is cut up.
            0x80 => {
                self.take(1)?;
            }
            0x95 => {
                self.take(8)?;
            }
            // Values.
            b'N' => self.push(Node::Nothing)?,
            0x88 => self.push(Node::Bool(true))?,
            0x89 => self.push(Node::Bool(false))?,
            b'I' | b'L' => {
                let line = self.line()?;
                let node = match line {
                    "00" => Node::Bool(false),
                    "01" => Node::Bool(true),
                    digits => digits
                        .trim_end_matches('L')
                        .parse()
                        .map_or(Node::Nothing, Node::Int),
                };
                self.push(node)?;
            }
            b'J' => {
                let value = self.number(4)? as u32 as i32;
                self.push(Node::Int(value.into()))?;
            }
            b'K' => self.int(1)?,
            b'M' => self.int(2)?,
            0x8a => {
                let length = self.number(1)?;
                self.long(length)?;
            }
            0x8b => {
                let length = self.number(4)?;
                self.long(length)?;
            }
            b'F' => {
                let value = self.line()?.parse();
                self.push(value.map_or(Node::Nothing, Node::Float))?;
            }
            b'G' => {
                let bits = self.number(8)?.swap_bytes();
                self.push(Node::Float(f64::from_bits(bits)))?;
            }
            // Texts.
            b'S' => {
                let line = self.line()?;
                let quotes: &[char] = &['\'', '"'];
                self.push(Node::Text(line.trim_matches(quotes).into()))?;
            }
            b'V' => {
                let line = self.line()?;
                self.push(Node::Text(line.into()))?;
            }
            b'T' | b'X' => self.string(4)?,
            b'U' | 0x8c => self.string(1)?,
            0x8d => self.string(8)?,
            b'B' => self.raw(4)?,
            b'C' => self.raw(1)?,
            0x8e | 0x96 => self.raw(8)?,
            // Containers.
            b']' | b')' | 0x8f => self.push(Node::List(Vec::new()))?,
            b'l' | b't' | 0x91 => {
                let items = self.pop_mark()?;
                self.push(Node::List(items))?;
            }
            0x85..=0x87 => {
                let count = usize::from(instruction - 0x84);
                let from = self.depth(count)?;
                let items = self.stack.split_off(from);
                self.push(Node::List(items))?;
            }
            b'}' => self.push(Node::Dict(Vec::new()))?,
            b'd' => {
                let items = self.pop_mark()?;
                let entries = pairs(&items).ok_or(PickleError::Senseless(start))?;
                self.push(Node::Dict(entries))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item], start)?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(items, start)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![(key, value)], start)?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                let entries = pairs(&items).ok_or(PickleError::Senseless(start))?;
                self.set(entries, start)?;
            }
            // What a pickle asks to be looked up and called.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.name(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                self.push(Node::Name(module, name))?;
            }
            b'R' | 0x81 => {
                let (arguments, name) = (self.pop()?, self.pop()?);
                self.call(name, arguments)?;
            }
            0x92 => {
                let (_, arguments, name) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(name, arguments)?;
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let arguments = self.pop_mark()?;
                self.push(Node::List(arguments))?;
                let arguments = self.pop()?;
                self.name(module, name)?;
                let name = self.pop()?;
                self.call(name, arguments)?;
            }
            b'o' => {
                let mut items = self.pop_mark()?.into_iter();
                let name = items.next().ok_or(PickleError::Senseless(start))?;
                self.push(Node::List(items.collect()))?;
                let arguments = self.pop()?;
                self.call(name, arguments)?;
            }
            b'b' => {
                let state = self.pop()?;
                let top = self.top()?;
                // An ordered dictionary may have attributes, as a state dict its versions.
                if let Node::Made(made) = &mut self.nodes[top as usize] {
                    made.state = Some(state);
                }
            }
            // A name by a number that only the program that saved it knows.
            0x82 => self.extension(1)?,
            0x83 => self.extension(2)?,
            0x84 => self.extension(4)?,
            b'P' => {
                let line = self.line()?;
                self.push(Node::Text(line.into()))?;
                let id = self.pop()?;
                self.push(Node::Outside(id))?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Outside(id))?;
            }
            // What was made before.
            b'p' => {
                let key = self.key()?;
                self.keep(key)?;
            }
            b'q' => {
                let key = self.number(1)?;
                self.keep(key)?;
            }
            b'r' => {
                let key = self.number(4)?;
                self.keep(key)?;
            }
            0x94 => {
                let key = self.memo.len() as u64;
                self.keep(key)?;
            }
            b'g' => {
                let key = self.key()?;
                self.recall(key, start)?;
            }
            b'h' => {
                let key = self.number(1)?;
                self.recall(key, start)?;
            }
            b'j' => {
                let key = self.number(4)?;
                self.recall(key, start)?;
            }
            _ => return Err(PickleError::Unknown(start)),
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let end = self.at.checked_add(count).ok_or(PickleError::Cut)?;
        let part = self.bytes.get(self.at..end).ok_or(PickleError::Cut)?;
        self.at = end;
        Ok(part)
    }

    fn number(&mut self, bytes: usize) -> Result<u64, PickleError> {
        let part = self.take(bytes)?;
        Ok(part
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn sized(&mut self, length: u64) -> Result<&'a [u8], PickleError> {
        self.take(usize::try_from(length).map_err(|_| PickleError::Cut)?)
    }

    fn line(&mut self) -> Result<&'a str, PickleError> {
        let rest = &self.bytes[self.at..];
        let length = memchr::memchr(b'\n', rest).ok_or(PickleError::Cut)?;
        let start = self.at;
        self.at += length + 1;
        let line = rest[..length]
            .strip_suffix(b"\r")
            .unwrap_or(&rest[..length]);
        std::str::from_utf8(line).map_err(|_| PickleError::Senseless(start))
    }

    fn push(&mut self, node: Node<'a>) -> Result<(), PickleError> {
        if self.nodes.len() >= MOST_NODES {
            return Err(PickleError::TooMany);
        }
        self.stack.push(self.nodes.len() as Id);
        self.nodes.push(node);
        Ok(())
    }

    fn int(&mut self, bytes: usize) -> Result<(), PickleError> {
        let value = self.number(bytes)?;
        self.push(Node::Int(value as i64))
    }

    fn long(&mut self, length: u64) -> Result<(), PickleError> {
        let bytes = self.sized(length)?;
        let sign = bytes.last().map_or(0, |last| (*last as i8 >> 7) as u8);
        let mut wide = [sign; 8];
        let fits = bytes.len() <= wide.len();
        if fits {
            wide[..bytes.len()].copy_from_slice(bytes);
        }
        self.push(match fits {
            true => Node::Int(i64::from_le_bytes(wide)),
            false => Node::Nothing,
        })
    }

    fn string(&mut self, length: usize) -> Result<(), PickleError> {
        let length = self.number(length)?;
        let text = String::from_utf8_lossy(self.sized(length)?);
        self.push(Node::Text(text))
    }

    fn raw(&mut self, length: usize) -> Result<(), PickleError> {
        let length = self.number(length)?;
        let bytes = self.sized(length)?;
        self.push(Node::Bytes(bytes))
    }

    /// The lowest place that may be taken off the stack: what is below the last mark is another's.
    fn depth(&self, count: usize) -> Result<usize, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let from = self.stack.len().checked_sub(count);
        from.filter(|from| *from >= floor)
            .ok_or(PickleError::Senseless(self.at))
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        self.depth(1)?;
        self.stack.pop().ok_or(PickleError::Senseless(self.at))
    }

    fn top(&self) -> Result<Id, PickleError> {
        self.stack
            .last()
            .copied()
            .ok_or(PickleError::Senseless(self.at))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().ok_or(PickleError::Senseless(self.at))?;
        Ok(self.stack.split_off(mark))
    }

    fn append(&mut self, items: Vec<Id>, start: usize) -> Result<(), PickleError> {
        let top = self.top()?;
        match &mut self.nodes[top as usize] {
            Node::List(list) => list.extend(items),
            // An object that is like a list: what it holds is of no use here.
            Node::Made(_) | Node::Outside(_) => {}
            _ => return Err(PickleError::Senseless(start)),
        }
        Ok(())
    }

    fn set(&mut self, entries: Vec<(Id, Id)>, start: usize) -> Result<(), PickleError> {
        let top = self.top()?;
        match &mut self.nodes[top as usize] {
            Node::Dict(dict) => dict.extend(entries),
            Node::Made(made) => made.entries.extend(entries),
            Node::Outside(_) => {}
            _ => return Err(PickleError::Senseless(start)),
        }
        Ok(())
    }

    fn name(&mut self, module: &'a str, name: &'a str) -> Result<(), PickleError> {
        self.push(Node::Text(module.into()))?;
        self.push(Node::Text(name.into()))?;
        let (name, module) = (self.pop()?, self.pop()?);
        self.push(Node::Name(module, name))
    }

    /// A call, but for those of the plain containers, which are made.
    fn call(&mut self, name: Id, arguments: Id) -> Result<(), PickleError> {
        let text = |id: Id| match &self.nodes[id as usize] {
            Node::Text(text) => Some(&**text),
            _ => None,
        };
        let called = match &self.nodes[name as usize] {
            Node::Name(module, name) => text(*module).zip(text(*name)),
            _ => None,
        };
        let given: &[Id] = match &self.nodes[arguments as usize] {
            Node::List(given) => given,
            _ => &[],
        };
        let items = given.first().map(|first| &self.nodes[*first as usize]);
        let node = match called {
            Some(("collections", "OrderedDict" | "defaultdict" | "Counter")) => {
                let mut entries = Vec::new();
                match items {
                    Some(Node::Dict(dict)) => entries.clone_from(dict),
                    // Python 2 wrote the pairs as a list.
                    Some(Node::List(list)) => {
                        for pair in list {
                            if let Node::List(pair) = &self.nodes[*pair as usize]
                                && let [key, value] = pair[..]
                            {
                                entries.push((key, value));
                            }
                        }
                    }
                    _ => {}
                }
                Node::Dict(entries)
            }
            Some(("__builtin__" | "builtins", "set" | "frozenset" | "list" | "tuple")) => {
                Node::List(match items {
                    Some(Node::List(items)) => items.clone(),
                    _ => Vec::new(),
                })
            }
            // How protocols before 2 make an object: the class is the first argument.
            Some(("copy_reg" | "copyreg", "_reconstructor" | "__newobj__"))
                if !given.is_empty() =>
            {
                Node::Made(Made {
                    name: given[0],
                    arguments,
                    state: None,
                    entries: Vec::new(),
                })
            }
            _ => Node::Made(Made {
                name,
                arguments,
                state: None,
                entries: Vec::new(),
            }),
        };
        // A few bytes may ask for a copy of a large container, again and again.
        self.copied += match &node {
            Node::Dict(entries) => entries.len(),
            Node::List(items) => items.len(),
            _ => 0,
        };
        if self.copied > MOST_NODES {
            return Err(PickleError::TooMany);
        }
        self.push(node)
    }

    fn extension(&mut self, bytes: usize) -> Result<(), PickleError> {
        self.take(bytes)?;
        self.push(Node::Nothing)
    }

    fn key(&mut self) -> Result<u64, PickleError> {
        let start = self.at;
        self.line()?
            .parse()
            .map_err(|_| PickleError::Senseless(start))
    }

    fn keep(&mut self, key: u64) -> Result<(), PickleError> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64, start: usize) -> Result<(), PickleError> {
        let kept = self.memo.get(&key).ok_or(PickleError::Senseless(start))?;
        self.stack.push(*kept);
        Ok(())
    }
}

fn pairs(items: &[Id]) -> Option<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Tree<'_> {
        Tree::read(bytes).expect("a pickle")
    }

    #[test]
    fn protocols_of_every_age_give_the_same_tree() {
        // pickle.dumps({"a": [1, 2.5, None, True]}, protocol)
        for bytes in [
            &b"(dp0\nVa\np1\n(lp2\nI1\naF2.5\naNaI01\nas."[..],
            b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01]q\x02(K\x01G@\x04\x00\x00\x00\x00\x00\x00N\x88es.",
            b"\x80\x04\x95\x19\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94]\x94(K\x01G@\x04\x00\x00\x00\x00\x00\x00N\x88es.",
        ] {
            let tree = read(bytes);
            let items = tree.list(tree.get(tree.root, "a").expect("a key"));
            let nodes: Vec<_> = items.iter().map(|item| tree.node(*item).clone()).collect();
            let expected = [Node::Int(1), Node::Float(2.5), Node::Nothing, Node::Bool(true)];
            assert_eq!(nodes, expected);
            assert_eq!(tree.length, bytes.len());
        }
    }

    #[test]
    fn integers_have_their_sign() {
        for (bytes, value) in [
            (&b"J\xff\xff\xff\xff."[..], -1),
            (b"M\xff\xff.", 65535),
            (b"\x8a\x01\x80.", -128),
            (b"\x8a\x02\x80\x00.", 128),
            (b"\x8a\x00.", 0),
            (b"L-7L\n.", -7),
        ] {
            assert_eq!(*read(bytes).node(read(bytes).root), Node::Int(value));
        }
    }

    #[test]
    fn a_call_is_kept_as_its_name_and_arguments() {
        let tree = read(b"cos\nsystem\n(S'echo harm'\ntR.");
        let Node::Made(made) = tree.node(tree.root) else {
            panic!("{tree:?}");
        };
        assert_eq!(tree.name(made.name), Some(("os", "system")));
        assert_eq!(tree.text(tree.list(made.arguments)[0]), Some("echo harm"));
    }

    #[test]
    fn what_is_no_pickle_is_refused() {
        let unknown = |at| PickleError::Unknown(at);
        let senseless = |at| PickleError::Senseless(at);
        for (bytes, why) in [
            (&b""[..], PickleError::Cut),
            (b"K", PickleError::Cut),
            (b"X\xff\xff\xff\x7fabc.", PickleError::Cut),
            (b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", PickleError::Cut),
            (b"N\xfe.", unknown(1)),
            (b".", senseless(1)),
            (b"(.", senseless(2)),
            (b"h\x05.", senseless(0)),
            (b"t.", senseless(1)),
            (b"Na.", senseless(2)),
            (b"K\x01Na.", senseless(3)),
            (b"}(Nu.", senseless(3)),
        ] {
            assert_eq!(
                Tree::read(bytes).map(|tree| tree.root),
                Err(why),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn copies_of_copies_are_bounded() {
        // A dictionary of 256 entries, of which 2^15 ordered dictionaries are asked for.
        let mut bytes = b"ccollections\nOrderedDict\nq\x00}q\x01(".to_vec();
        for key in 0..=255 {
            bytes.extend([b'K', key, b'N']);
        }
        bytes.extend(b"u\x85q\x02");
        for _ in 0..1 << 15 {
            bytes.extend(b"h\x00h\x02R");
        }
        bytes.push(b'.');
        assert_eq!(
            Tree::read(&bytes).map(|tree| tree.root),
            Err(PickleError::TooMany)
        );
    }
}
