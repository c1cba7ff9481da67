//! Protocol buffers, written by hand: <https://protobuf.dev/programming-guides/encoding/>.
//!
//! ONNX and TensorBoard need a dozen small messages between them; the numbers of their fields stand where they are written.

/// A message that grows field by field. Fields written in the order of their numbers give the bytes that Google's own
/// implementations write.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<u8>);

/// How the bytes of a field are read.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Fixed32 = 5,
}

impl Message {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// `int32`, `int64`, `bool` or an enumeration.
    pub(crate) fn int(mut self, field: u32, value: i64) -> Self {
        self.key(field, Wire::Varint);
        self.varint(value.cast_unsigned());
        self
    }

    pub(crate) fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, Wire::Fixed32);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn double(mut self, field: u32, value: f64) -> Self {
        self.key(field, Wire::Fixed64);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// `bytes` or `string`.
    pub(crate) fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.key(field, Wire::Length);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn message(self, field: u32, value: Self) -> Self {
        self.bytes(field, value.0)
    }

    /// A field once for each of its values.
    pub(crate) fn each<T>(self, values: impl IntoIterator<Item = T>, add: impl Fn(Self, T) -> Self) -> Self {
        values.into_iter().fold(self, add)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u32, wire: Wire) {
        self.varint(u64::from(field) << 3 | wire as u64);
    }

    /// Seven bits a byte, the lowest first; the top bit says that there are more.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_specifications_examples() {
        let of = |message: Message| message.into_bytes();
        assert_eq!(of(Message::new().int(1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(of(Message::new().bytes(2, "testing")), b"\x12\x07testing");
        assert_eq!(of(Message::new().message(3, Message::new().int(1, 150))), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(
            of(Message::new().int(1, -2)),
            [0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
        );
        assert_eq!(of(Message::new().float(1, 1.)), [0x0d, 0, 0, 0x80, 0x3f]);
        assert_eq!(of(Message::new().double(20, 1.)), [0xa1, 0x01, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    }
}
