//! The part of Python's pickle format (protocol 2) that `torch.save` uses, read into plain values.
//!
//! A pickle is a program for a small stack machine, and Python's own machine calls whatever the program names. This one
//! calls nothing: the few names `torch.save` writes stand for constructors of plain values, any other is refused.
//! Containers live in one list and refer to each other by index, so that neither depth nor cycles nor repetition can
//! exhaust the stack or the memory: everything taken is at most proportional to the bytes read.
//!
//! Own code: pytorch-reader, which reads checkpoints without PyTorch, has only pre-releases yet.

use std::collections::HashMap;
use std::str;

/// A value; containers and texts by index into [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// One of [`GLOBALS`].
    Global(&'static str),
    /// Fields of what lies outside the pickle: (`"storage"`, type, key, device, count).
    Outside(usize),
    Tuple(usize),
    List(usize),
    Dict(usize),
    /// Arguments of `torch._utils._rebuild_tensor_v2`: (storage, offset, size, stride, …).
    Tensor(usize),
}

/// What may be named in a checkpoint.
const GLOBALS: [&str; 14] = [
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "torch Size",
    "torch DoubleStorage",
    "torch FloatStorage",
    "torch HalfStorage",
    "torch BFloat16Storage",
    "torch LongStorage",
    "torch IntStorage",
    "torch ShortStorage",
    "torch CharStorage",
    "torch ByteStorage",
    "torch BoolStorage",
];

/// A value read, and the containers it consists of.
#[derive(Debug)]
pub struct Pickle<'a> {
    pub root: Value<'a>,
    sequences: Vec<Vec<Value<'a>>>,
    dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    /// Sequences of the fields of what lies outside.
    outside: Vec<usize>,
}

impl<'a> Pickle<'a> {
    /// Reads a pickle.
    ///
    /// # Errors
    /// What is wrong with it, or which instruction or name is refused.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        Self::read_first(bytes).map(|(pickle, _)| pickle)
    }

    /// Reads the pickle at the start of `bytes`; and what comes after it.
    ///
    /// # Errors
    /// As [`Pickle::read`].
    pub fn read_first(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), String> {
        let mut machine = Machine {
            rest: bytes,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            made: Self { root: Value::None, sequences: Vec::new(), dicts: Vec::new(), outside: Vec::new() },
        };
        while machine.step()? {}
        machine.made.root = machine.pop()?;
        Ok((machine.made, machine.rest))
    }

    /// The elements of a list or a tuple, or the fields of a value made from one.
    pub fn elements(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match value {
            Value::Tuple(i) | Value::List(i) | Value::Outside(i) | Value::Tensor(i) => {
                self.sequences.get(i).map(|s| &**s)
            }
            _ => None,
        }
    }

    /// The entries of a dictionary.
    pub fn entries(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        match value {
            Value::Dict(i) => self.dicts.get(i).map(|d| &**d),
            _ => None,
        }
    }

    /// The fields of everything that lies outside the pickle.
    pub fn outside(&self) -> impl Iterator<Item = &[Value<'a>]> {
        self.outside.iter().filter_map(|fields| self.sequences.get(*fields).map(|s| &**s))
    }

    fn sequence(&mut self, elements: Vec<Value<'a>>) -> usize {
        self.sequences.push(elements);
        self.sequences.len() - 1
    }
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value<'a>>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    made: Pickle<'a>,
}

impl<'a> Machine<'a> {
    /// Does one instruction; whether there are more.
    fn step(&mut self) -> Result<bool, String> {
        let [code] = self.take()?;
        match code {
            0x80 => self.protocol()?,
            b'.' => return Ok(false),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'K' | b'M' | b'J' | 0x8a => self.integer(code)?,
            b'G' => {
                let number = f64::from_be_bytes(self.take()?);
                self.stack.push(Value::Float(number));
            }
            b'X' => {
                let length = u32::from_le_bytes(self.take()?);
                self.text(length as usize)?;
            }
            // A text of Python 2.
            b'U' => {
                let [length] = self.take()?;
                self.text(length.into())?;
            }
            b'c' => self.global()?,
            b'q' | b'r' | b'h' | b'j' => self.memo(code)?,
            b')' => self.tuple(Vec::new()),
            b't' => {
                let elements = self.since_mark()?;
                self.tuple(elements);
            }
            0x85..=0x87 => {
                let elements = self.top(usize::from(code - 0x84))?;
                self.tuple(elements);
            }
            b']' => {
                let list = self.made.sequence(Vec::new());
                self.stack.push(Value::List(list));
            }
            b'}' => self.dict(),
            b'a' => {
                let element = self.top(1)?;
                self.append(&element)?;
            }
            b'e' => {
                let elements = self.since_mark()?;
                self.append(&elements)?;
            }
            b's' => {
                let pair = self.top(2)?;
                self.set(&pair)?;
            }
            b'u' => {
                let pairs = self.since_mark()?;
                self.set(&pairs)?;
            }
            b'Q' => match self.pop()? {
                Value::Tuple(fields) => {
                    self.made.outside.push(fields);
                    self.stack.push(Value::Outside(fields));
                }
                _ => return Err("the pickle refers to something outside that is no storage".into()),
            },
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            _ => {
                return Err(format!(
                    "the pickle has the instruction {code:#04x}, which torch.save does not write; refused"
                ));
            }
        }
        Ok(true)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or("the pickle ends too early")?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or("the pickle ends too early")?;
        self.rest = rest;
        Ok(bytes)
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let end = self.rest.iter().position(|b| *b == b'\n').ok_or("the pickle ends too early")?;
        let line = self.slice(end + 1)?;
        str::from_utf8(&line[..end]).map_err(|_| "the pickle has a name that is no text".into())
    }

    /// The last value since the last mark.
    fn pop(&mut self) -> Result<Value<'a>, String> {
        let [value] = self.top(1)?[..] else { return Err("the pickle takes from an empty stack".into()) };
        Ok(value)
    }

    fn top(&mut self, count: usize) -> Result<Vec<Value<'a>>, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => Ok(self.stack.split_off(start)),
            _ => Err("the pickle takes from an empty stack".into()),
        }
    }

    fn since_mark(&mut self) -> Result<Vec<Value<'a>>, String> {
        let mark = self.marks.pop().ok_or("the pickle takes from a mark that is not there")?;
        Ok(self.stack.split_off(mark))
    }

    fn protocol(&mut self) -> Result<(), String> {
        match self.take()? {
            [2] => Ok(()),
            [other] => Err(format!("the pickle is of protocol {other}; torch.save writes 2")),
        }
    }

    fn integer(&mut self, code: u8) -> Result<(), String> {
        let number = match code {
            b'K' => i64::from(u8::from_le_bytes(self.take()?)),
            b'M' => i64::from(u16::from_le_bytes(self.take()?)),
            b'J' => i64::from(i32::from_le_bytes(self.take()?)),
            _ => {
                let [length] = self.take()?;
                let bytes = self.slice(length.into())?;
                if bytes.len() > 8 {
                    return Err("the pickle has an integer of more than 64 bits".into());
                }
                let sign = if bytes.last().is_some_and(|b| *b >= 0x80) { 0xff } else { 0 };
                let mut whole = [sign; 8];
                whole[..bytes.len()].copy_from_slice(bytes);
                i64::from_le_bytes(whole)
            }
        };
        self.stack.push(Value::Int(number));
        Ok(())
    }

    fn text(&mut self, length: usize) -> Result<(), String> {
        let text = str::from_utf8(self.slice(length)?).map_err(|_| "the pickle has a text that is not UTF-8")?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn global(&mut self) -> Result<(), String> {
        let (module, name) = (self.line()?, self.line()?);
        let known = GLOBALS.iter().find(|global| global.split_once(' ') == Some((module, name)));
        let shown = |s: &str| s.chars().take(80).collect::<String>().escape_debug().to_string();
        let known = known.ok_or_else(|| {
            let (module, name) = (shown(module), shown(name));
            format!(
                "the pickle asks for {module}.{name}; a checkpoint is data, and only tensors and plain values are read"
            )
        })?;
        self.stack.push(Value::Global(known));
        Ok(())
    }

    fn memo(&mut self, code: u8) -> Result<(), String> {
        let key = match code {
            b'q' | b'h' => u32::from(u8::from_le_bytes(self.take()?)),
            _ => u32::from_le_bytes(self.take()?),
        };
        if matches!(code, b'q' | b'r') {
            let value = *self.stack.last().ok_or("the pickle takes from an empty stack")?;
            self.memo.insert(key, value);
        } else {
            let value = *self.memo.get(&key).ok_or("the pickle repeats a value that it never had")?;
            self.stack.push(value);
        }
        Ok(())
    }

    fn tuple(&mut self, elements: Vec<Value<'a>>) {
        let tuple = self.made.sequence(elements);
        self.stack.push(Value::Tuple(tuple));
    }

    fn dict(&mut self) {
        self.made.dicts.push(Vec::new());
        self.stack.push(Value::Dict(self.made.dicts.len() - 1));
    }

    /// The dictionary of a list of pairs, as Python 2 made it.
    fn dict_of(&mut self, pairs: usize) -> Result<(), String> {
        self.dict();
        let pairs: Vec<Value<'a>> = self.made.sequences[pairs]
            .iter()
            .flat_map(|pair| self.made.elements(*pair).unwrap_or_default().iter().take(2).copied())
            .collect();
        self.set(&pairs)
    }

    fn append(&mut self, elements: &[Value<'a>]) -> Result<(), String> {
        match self.stack.last() {
            Some(Value::List(list)) => self.made.sequences[*list].extend_from_slice(elements),
            _ => return Err("the pickle appends to something that is no list".into()),
        }
        Ok(())
    }

    fn set(&mut self, pairs: &[Value<'a>]) -> Result<(), String> {
        let (pairs, []) = pairs.as_chunks() else { return Err("the pickle has a key without a value".into()) };
        match self.stack.last() {
            Some(Value::Dict(dict)) => self.made.dicts[*dict].extend(pairs.iter().map(|[key, value]| (*key, *value))),
            _ => return Err("the pickle sets a key of something that is no dictionary".into()),
        }
        Ok(())
    }

    /// Applies a known constructor to its arguments.
    fn reduce(&mut self) -> Result<(), String> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Value::Tuple(fields) = arguments else { return Err("the pickle calls without arguments".into()) };
        let first = self.made.sequences[fields].first().copied();
        match (function, first) {
            (Value::Global("collections OrderedDict"), None) => self.dict(),
            (Value::Global("collections OrderedDict"), Some(Value::List(pairs))) => self.dict_of(pairs)?,
            (Value::Global("torch Size"), Some(size @ (Value::Tuple(_) | Value::List(_)))) => self.stack.push(size),
            (Value::Global("torch._utils _rebuild_tensor_v2"), Some(_)) => self.stack.push(Value::Tensor(fields)),
            (Value::Global("torch._utils _rebuild_parameter"), Some(tensor @ Value::Tensor(_))) => {
                self.stack.push(tensor)
            }
            (Value::Global(name), _) => {
                return Err(format!("the pickle calls {name} with arguments that do not fit it"));
            }
            _ => return Err("the pickle calls something that is no constructor; refused".into()),
        }
        Ok(())
    }

    /// `torch.save` gives state only to the dictionary of a module (versions of its layers); nothing here needs it.
    fn build(&mut self) -> Result<(), String> {
        let (state, target) = (self.pop()?, self.pop()?);
        match (target, state) {
            (Value::Dict(_), Value::Dict(_)) => self.stack.push(target),
            _ => return Err("the pickle gives state to something that is no dictionary; refused".into()),
        }
        Ok(())
    }
}
