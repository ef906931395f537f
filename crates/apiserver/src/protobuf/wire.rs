//! The protobuf wire format: tags, varints, length-delimited fields. Nothing here panics on any input.

/// Reads the fields of one message.
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// A field's value as the wire has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

const SHORT: &str = "unexpected EOF in a protobuf message";

impl<'a> Reader<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field's tag and value; `None` at the end.
    pub fn next(&mut self) -> Result<Option<(u32, Payload<'a>)>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let tag = u32::try_from(key >> 3).map_err(|_| "a protobuf tag is out of range")?;
        if tag == 0 {
            return Err("illegal tag 0 in a protobuf message".to_owned());
        }
        let payload = match key & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| SHORT)?;
                Payload::Bytes(self.take(length)?)
            }
            5 => Payload::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(format!("wire type {other} is not supported (tag {tag})")),
        };
        Ok(Some((tag, payload)))
    }

    /// A bare varint, as in packed lists; `None` at the end.
    pub fn next_varint(&mut self) -> Result<Option<u64>, String> {
        if self.rest.is_empty() { Ok(None) } else { self.varint().map(Some) }
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array()?;
            // The tenth byte has room for one bit; what Go cannot hold either is cut off.
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a protobuf integer is longer than ten bytes".to_owned())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(head)
    }
}

impl<'a> Payload<'a> {
    pub fn integer(self) -> Result<i64, String> {
        match self {
            // Negative numbers travel as their 64-bit two's complement.
            Self::Varint(value) => Ok(value.cast_signed()),
            _ => Err(self.unexpected("an integer")),
        }
    }

    pub fn bytes(self) -> Result<&'a [u8], String> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(self.unexpected("bytes")),
        }
    }

    pub fn text(self) -> Result<&'a str, String> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "a protobuf string is not UTF-8".to_owned())
    }

    pub fn double(self) -> Result<f64, String> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(self.unexpected("a double")),
        }
    }

    fn unexpected(self, wanted: &str) -> String {
        let found = match self {
            Self::Varint(_) => "varint",
            Self::Fixed64(_) => "fixed64",
            Self::Bytes(_) => "bytes",
            Self::Fixed32(_) => "fixed32",
        };
        format!("wrong wire type: found {found} where {wanted} belongs")
    }
}

/// Writes the fields of one message, in the order given.
#[derive(Default)]
pub struct Writer {
    message: Vec<u8>,
}

impl Writer {
    pub fn varint(&mut self, tag: u16, value: u64) {
        self.raw_varint(u64::from(tag) << 3);
        self.raw_varint(value);
    }

    pub fn integer(&mut self, tag: u16, value: i64) {
        self.varint(tag, value.cast_unsigned());
    }

    pub fn double(&mut self, tag: u16, value: f64) {
        self.raw_varint(u64::from(tag) << 3 | 1);
        self.message.extend(value.to_le_bytes());
    }

    pub fn bytes(&mut self, tag: u16, bytes: &[u8]) {
        self.raw_varint(u64::from(tag) << 3 | 2);
        self.raw_varint(bytes.len() as u64);
        self.message.extend(bytes);
    }

    pub fn finish(self) -> Vec<u8> {
        self.message
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.message.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.message.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were_written() {
        for value in [0, 1, 127, 128, 300, i64::MAX, -1, i64::MIN] {
            let mut writer = Writer::default();
            writer.integer(16, value);
            let message = writer.finish();
            let (tag, payload) = Reader::new(&message).next().unwrap().unwrap();
            assert_eq!((tag, payload.integer()), (16, Ok(value)));
        }
    }

    #[test]
    fn broken_messages_are_errors() {
        for (message, expected) in [
            (&[0x08][..], SHORT),
            (&[0x0a, 5, b'a'], SHORT),
            (&[0x09, 1, 2], SHORT),
            (&[0x02, 0], "illegal tag 0 in a protobuf message"),
            (&[0x0b], "wire type 3 is not supported (tag 1)"),
            (&[0xff; 11], "a protobuf integer is longer than ten bytes"),
        ] {
            assert_eq!(Reader::new(message).next(), Err(expected.to_owned()), "{message:?}");
        }
    }
}
