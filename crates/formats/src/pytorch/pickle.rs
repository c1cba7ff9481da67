//! A machine for pickles that knows no functions: Python's `Lib/pickletools.py` says what the codes do.
//!
//! Values lie in one list and name each other by their places in it, so a pickle that refers to itself, or a thousand times to the
//! same list, costs no more than its length; nothing here calls itself.

use std::collections::BTreeMap;

use super::{Error, GLOBALS, Result};

/// The place of a value in the list of all.
pub(super) type Id = u32;

/// The most values, so that an [`Id`] can name them.
const MOST: usize = 1 << 28;

/// What the classes of modules are named after: PyTorch's own, those of a program, those of TorchScript.
const MODULES: [&str; 3] = ["torch.nn.", "__main__.", "__torch__."];

/// The most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 8;

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Kind),
}

/// What the numbers of a storage are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Float(Float),
    /// Of PyTorch's name and so many bytes.
    Other(&'static str, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Float {
    F16,
    BF16,
    F32,
    F64,
}

impl Float {
    fn size(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The number in these bytes, as many as its size.
    fn value(self, bytes: &[u8]) -> Option<f32> {
        Some(match self {
            Self::F16 => f16_to_f32(u16::from_le_bytes(bytes.try_into().ok()?)),
            // The upper half of an f32.
            Self::BF16 => f32::from_bits(u32::from(u16::from_le_bytes(bytes.try_into().ok()?)) << 16),
            Self::F32 => f32::from_le_bytes(bytes.try_into().ok()?),
            Self::F64 => f64::from_le_bytes(bytes.try_into().ok()?) as f32,
        })
    }
}

/// IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction.
fn f16_to_f32(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023) / 1024.);
    let size = match exponent {
        0 => fraction * 2f32.powi(-14),
        31 if bits & 1023 == 0 => f32::INFINITY,
        31 => f32::NAN,
        exponent => (1. + fraction) * 2f32.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// Numbers that are in the file under a name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Storage<'a> {
    pub(super) kind: Kind,
    pub(super) key: &'a str,
    /// How many numbers.
    pub(super) count: usize,
}

impl Storage<'_> {
    /// How many bytes.
    pub(super) fn bytes(&self) -> usize {
        self.count.saturating_mul(match self.kind {
            Kind::Float(float) => float.size(),
            Kind::Other(_, size) => size,
        })
    }
}

/// A tensor: which numbers of a storage, in which order.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) storage: Storage<'a>,
    offset: usize,
    pub(super) shape: Vec<usize>,
    stride: Vec<usize>,
}

impl View<'_> {
    pub(super) fn elements(&self) -> usize {
        self.shape.iter().fold(1, |product: usize, &dim| product.saturating_mul(dim))
    }

    /// The numbers, from the bytes of the storage; none where these do not reach.
    pub(super) fn values(&self, bytes: &[u8]) -> Option<Vec<f32>> {
        let Kind::Float(float) = self.storage.kind else { return None };
        let count = self.elements();
        // So no number is named more often than there are numbers.
        if count > self.storage.count || self.shape.len() != self.stride.len() {
            return None;
        }
        let mut index = vec![0; self.shape.len()];
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let at =
                index.iter().zip(&self.stride).try_fold(self.offset, |at, (&i, &stride): (&usize, _)| {
                    at.checked_add(i.checked_mul(stride)?)
                })?;
            let from = at.checked_mul(float.size())?;
            values.push(float.value(bytes.get(from..from.checked_add(float.size())?)?)?);
            // The next index, the last dimension running fastest.
            for (i, &dim) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < dim {
                    break;
                }
                *i = 0;
            }
        }
        Some(values)
    }
}

#[derive(Debug)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// Beyond 64 bits: its bytes.
    Long(&'a [u8]),
    Float,
    Text(&'a str),
    Bytes,
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage<'a>),
    Tensor(Box<View<'a>>),
}

impl Value<'_> {
    /// In words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::None => "None".into(),
            Self::Bool(_) => "a truth value".into(),
            Self::Int(number) => format!("the number {number}"),
            Self::Long(_) | Self::Float => "a number".into(),
            Self::Text(text) => format!("the text {:?}", text.chars().take(60).collect::<String>()),
            Self::Bytes => "bytes".into(),
            Self::Tuple(items) => format!("a tuple of {}", items.len()),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Dict(items) => format!("a dictionary of {}", items.len()),
            Self::Global(_) => "a function".into(),
            Self::Storage(_) => "a storage".into(),
            Self::Tensor(_) => "a tensor".into(),
        }
    }
}

/// A pickle that was read.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    result: Id,
    /// Its length in bytes.
    pub(super) length: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle that `bytes` begin with.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut machine = Machine {
            bytes,
            position: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
        };
        while machine.step()? {}
        let result = machine.pop()?;
        Ok(Self { values: machine.values, result, length: machine.position })
    }

    pub(super) fn result(&self) -> &Value<'a> {
        self.get(self.result)
    }

    /// All storages that are named, each as often as it is.
    pub(super) fn storages(&self) -> impl Iterator<Item = Storage<'a>> {
        self.values.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(*storage),
            _ => None,
        })
    }

    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Does what the next code says; false at the end.
    fn step(&mut self) -> Result<bool> {
        let position = self.position;
        match self.take(1)?[0] {
            b'.' => return Ok(false),
            // The version, and the length of a part: both change nothing.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),

            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'K' => self.push_int(1)?,
            b'M' => self.push_int(2)?,
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(number.into()))?;
            }
            0x8a => {
                let length = self.length(1)?;
                let bytes = self.take(length)?;
                self.push(long(bytes))?;
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Float)?;
            }
            // Text; of Python 2's strings, which may be any bytes, those that are text.
            code @ (b'X' | 0x8c | 0x8d | b'U' | b'T') => {
                let length = self.length(match code {
                    0x8c | b'U' => 1,
                    0x8d => 8,
                    _ => 4,
                })?;
                let bytes = self.take(length)?;
                let text = str::from_utf8(bytes).map_err(|_| self.wrong(position, "text", "other bytes"))?;
                self.push(Value::Text(text))?;
            }
            code @ (b'B' | b'C' | 0x8e) => {
                let length = self.length(match code {
                    b'C' => 1,
                    b'B' => 4,
                    _ => 8,
                })?;
                self.take(length)?;
                self.push(Value::Bytes)?;
            }

            b'(' => self.marks.push(self.stack.len()),
            b')' => self.push(Value::Tuple(Vec::new()))?,
            code @ 0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let Some(first) = self.stack.len().checked_sub(count).filter(|&first| first >= self.floor())
                else {
                    return Err(self.empty());
                };
                let items = self.stack.split_off(first);
                self.push(Value::Tuple(items))?;
            }
            b't' => {
                let items = self.above_mark()?;
                self.push(Value::Tuple(items))?;
            }
            b']' => self.push(Value::List(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' => {
                let items = self.above_mark()?;
                self.extend(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.above_mark()?;
                self.set(&items)?;
            }

            b'q' => self.put(1)?,
            b'r' => self.put(4)?,
            0x94 => {
                let (number, top) = (self.memo.len() as u32, self.top()?);
                self.memo.insert(number, top);
            }
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,

            b'c' => {
                let [module, name] = [self.line()?, self.line()?];
                self.name(module, name)?;
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                match (self.value(module), self.value(name)) {
                    (&Value::Text(module), &Value::Text(name)) => self.name(module, name)?,
                    _ => return Err(self.wrong(position, "a name", "something else")),
                }
            }
            b'R' => {
                let arguments = self.pop()?;
                let function = self.pop()?;
                let result = self.reduce(function, arguments)?;
                self.push(result)?;
            }
            // The attributes of an ordered dictionary: of which version its layers are.
            b'b' => {
                self.pop()?;
                let top = self.top()?;
                if !matches!(self.value(top), Value::Dict(_)) {
                    let found = self.value(top).describe();
                    return Err(self.wrong(position, "a dictionary to have attributes", found));
                }
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(Value::Storage(storage))?;
            }
            other => {
                return Err(self.wrong(position, "a code of a state dict's", format!("{other:#04x}")));
            }
        }
        Ok(true)
    }

    /// What PyTorch's function would have made of the arguments.
    fn reduce(&self, function: Id, arguments: Id) -> Result<Value<'a>> {
        let wrong = |found: String| self.wrong(self.position, "a tensor or a dictionary", found);
        let (Value::Global(function), Value::Tuple(arguments)) =
            (self.value(function), self.value(arguments))
        else {
            return Err(wrong("something else that is called".into()));
        };
        match (function, &arguments[..]) {
            (Global::OrderedDict, []) => Ok(Value::Dict(Vec::new())),
            (Global::RebuildTensor, &[storage, offset, shape, stride, ..]) => {
                let Value::Storage(storage) = *self.value(storage) else {
                    return Err(wrong("a tensor without a storage".into()));
                };
                let [shape, stride] = [self.counts(shape)?, self.counts(stride)?];
                Ok(Value::Tensor(Box::new(View { storage, offset: self.count(offset)?, shape, stride })))
            }
            (Global::RebuildParameter, &[data, ..]) => match self.value(data) {
                Value::Tensor(view) => Ok(Value::Tensor(Box::new(View {
                    storage: view.storage,
                    offset: view.offset,
                    shape: view.shape.clone(),
                    stride: view.stride.clone(),
                }))),
                other => Err(wrong(format!("a parameter that is {}", other.describe()))),
            },
            (_, arguments) => Err(wrong(format!("a call with {} arguments", arguments.len()))),
        }
    }

    /// What a persistent id names: `('storage', torch.FloatStorage, key, device, count)`.
    fn storage(&self, id: Id) -> Result<Storage<'a>> {
        let wrong = |found: String| self.wrong(self.position, "the description of a storage", found);
        let Value::Tuple(parts) = self.value(id) else {
            return Err(wrong(self.value(id).describe()));
        };
        let &[_, kind, key, _, count, ref rest @ ..] = &parts[..] else {
            return Err(wrong(format!("a tuple of {}", parts.len())));
        };
        // Before version 0.4, a storage could be a view of another.
        let whole = rest.iter().all(|&part| matches!(self.value(part), Value::None));
        match (self.value(kind), self.value(key)) {
            (&Value::Global(Global::Storage(kind)), &Value::Text(key)) if whole => {
                Ok(Storage { kind, key, count: self.count(count)? })
            }
            (kind, key) => Err(wrong(format!("{} and {}", kind.describe(), key.describe()))),
        }
    }

    /// Something named, if it may be.
    fn name(&mut self, module: &str, name: &str) -> Result<()> {
        let name = format!("{module}.{name}");
        match GLOBALS.iter().find(|(known, _)| *known == name) {
            Some(&(_, global)) => self.push(Value::Global(global)),
            None if MODULES.iter().any(|of| name.starts_with(of)) => Err(Error::WholeModule { name }),
            None => Err(Error::Forbidden { name }),
        }
    }

    fn count(&self, id: Id) -> Result<usize> {
        match *self.value(id) {
            Value::Int(number) => number.try_into().ok(),
            _ => None,
        }
        .ok_or_else(|| self.wrong(self.position, "a count", self.value(id).describe()))
    }

    fn counts(&self, id: Id) -> Result<Vec<usize>> {
        match self.value(id) {
            // No layer has more dimensions, and a long list that many tensors share is not copied for each.
            Value::Tuple(items) if items.len() <= MOST_DIMENSIONS => {
                items.iter().map(|&item| self.count(item)).collect()
            }
            other => Err(self.wrong(self.position, "a shape", other.describe())),
        }
    }

    /// Adds to the list at the top.
    fn extend(&mut self, items: Vec<Id>) -> Result<()> {
        let top = self.top()?;
        match &mut self.values[top as usize] {
            Value::List(list) => list.extend(items),
            other => {
                let found = other.describe();
                return Err(self.wrong(self.position, "a list to add to", found));
            }
        }
        Ok(())
    }

    /// Adds keys and values, in turn, to the dictionary at the top.
    fn set(&mut self, items: &[Id]) -> Result<()> {
        let top = self.top()?;
        let (pairs, rest) = items.as_chunks::<2>();
        match &mut self.values[top as usize] {
            Value::Dict(entries) if rest.is_empty() => entries.extend(pairs.iter().map(|&[k, v]| (k, v))),
            other => {
                let found = other.describe();
                return Err(self.wrong(self.position, "a dictionary to add to, in pairs", found));
            }
        }
        Ok(())
    }

    fn put(&mut self, size: usize) -> Result<()> {
        let (number, top) = (self.number(size)?, self.top()?);
        self.memo.insert(number, top);
        Ok(())
    }

    fn recall(&mut self, size: usize) -> Result<()> {
        let number = self.number(size)?;
        match self.memo.get(&number) {
            Some(&id) => {
                self.stack.push(id);
                Ok(())
            }
            None => Err(self.wrong(self.position, "something remembered", format!("number {number}"))),
        }
    }

    fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }

    fn push(&mut self, value: Value<'a>) -> Result<()> {
        if self.values.len() >= MOST {
            return Err(self.wrong(self.position, "an end", "ever more values"));
        }
        self.stack.push(self.values.len() as Id);
        self.values.push(value);
        Ok(())
    }

    fn push_int(&mut self, size: usize) -> Result<()> {
        let number = self.number(size)?;
        self.push(Value::Int(number.into()))
    }

    /// The height below which the stack is another mark's.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id> {
        match self.stack.last() {
            Some(&top) if self.stack.len() > self.floor() => Ok(top),
            _ => Err(self.empty()),
        }
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn above_mark(&mut self) -> Result<Vec<Id>> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => Err(self.wrong(self.position, "a mark", "none")),
        }
    }

    fn empty(&self) -> Error {
        self.wrong(self.position, "a value", "none")
    }

    /// The next bytes.
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.position.checked_add(count).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err(self.wrong(self.bytes.len(), "more bytes", "the end"));
        };
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A whole number of up to four bytes.
    fn number(&mut self, size: usize) -> Result<u32> {
        let mut wide = [0; 4];
        wide[..size].copy_from_slice(self.take(size)?);
        Ok(u32::from_le_bytes(wide))
    }

    /// A length of up to eight bytes; one that is too large is found out when so many bytes are taken.
    fn length(&mut self, size: usize) -> Result<usize> {
        let mut wide = [0; 8];
        wide[..size].copy_from_slice(self.take(size)?);
        Ok(u64::from_le_bytes(wide).try_into().unwrap_or(usize::MAX))
    }

    /// Text up to the end of the line.
    fn line(&mut self) -> Result<&'a str> {
        let start = self.position;
        let rest = &self.bytes[start..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.wrong(self.bytes.len(), "the end of a line", "the end"));
        };
        self.position += length + 1;
        str::from_utf8(&rest[..length]).map_err(|_| self.wrong(start, "a name", "other bytes"))
    }

    fn wrong(&self, position: usize, expected: &'static str, found: impl Into<String>) -> Error {
        Error::Pickle { position, expected, found: found.into() }
    }
}

/// A number of any length, little-endian, in two's complement.
fn long(bytes: &[u8]) -> Value<'_> {
    if bytes.len() > 8 {
        return Value::Long(bytes);
    }
    let negative = bytes.last().is_some_and(|&last| last >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_what_the_standard_says() {
        for (bits, value) in [
            (0x0000, 0.),
            (0x3c00, 1.),
            (0xc000, -2.),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.),
            (0x0001, 5.960_464_5e-8),
            (0x0400, 6.103_515_6e-5),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(f16_to_f32(bits), value, "{bits:#06x}");
        }
        assert!(f16_to_f32(0x7e00).is_nan() && f16_to_f32(0x8000).is_sign_negative());
        assert_eq!(Float::BF16.value(&[0x80, 0x3f]), Some(1.));
    }

    #[test]
    fn numbers_are_as_long_as_they_need_to_be() {
        for (bytes, value) in [
            (&[][..], 0),
            (&[1], 1),
            (&[0xff], -1),
            (&[0xff, 0], 255),
            (&[0, 0, 0, 0, 0, 0, 0, 0x80], i64::MIN),
        ] {
            assert!(matches!(long(bytes), Value::Int(found) if found == value), "{bytes:?}");
        }
    }
}
