//! Byte streams on their way in: which compression they have, how long they get, what they hash to.

use super::{ImageError, limits::Limits};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

/// Part of a file, read without moving the file's own position.
pub(super) struct Slice<'a> {
    file: &'a File,
    offset: u64,
    left: u64,
}

impl<'a> Slice<'a> {
    pub(super) fn new(file: &'a File, offset: u64, length: u64) -> Self {
        Self { file, offset, left: length }
    }
}

impl Read for Slice<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let n = self.file.read_at(&mut buffer[..wanted], self.offset)?;
        self.offset += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

/// Hashes and counts what passes; the tally is read while or after someone else owns the reader.
pub(super) struct Tallied<R> {
    inner: R,
    tally: Tally,
}

/// See `Tallied`.
#[derive(Clone, Default)]
pub(super) struct Tally(Rc<(Cell<u64>, std::cell::RefCell<Sha256>)>);

impl Tally {
    pub(super) fn bytes(&self) -> u64 {
        self.0.0.get()
    }
    /// Hex SHA-256 of what has passed.
    pub(super) fn sha256(&self) -> String {
        hex(&self.0.1.borrow().clone().finalize())
    }
}

impl<R: Read> Tallied<R> {
    pub(super) fn new(inner: R) -> (Self, Tally) {
        let tally = Tally::default();
        let reader = Self { inner, tally: tally.clone() };
        (reader, tally)
    }
}

impl<R: Read> Read for Tallied<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let (bytes, hash) = &*self.tally.0;
        bytes.set(bytes.get() + n as u64);
        hash.borrow_mut().update(&buffer[..n]);
        Ok(n)
    }
}

/// Stops a stream that grows past its limits, packed bytes known from `packed`.
pub(super) struct Guarded<R> {
    inner: R,
    packed: Tally,
    unpacked: u64,
    limits: Limits,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.unpacked += n as u64;
        self.limits.check_stream(self.packed.bytes(), self.unpacked).map_err(io::Error::other)?;
        Ok(n)
    }
}

/// How a stream is packed, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
    /// One that kiln does not read, and the program that does.
    Foreign(&'static str),
}

pub(super) fn packing_of(start: &[u8]) -> Packing {
    match start {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Foreign("xz"),
        [b'B', b'Z', b'h', ..] => Packing::Foreign("bzip2"),
        _ => Packing::Plain,
    }
}

/// Unpacks `packed` if it is compressed; `tally` is that of the packed bytes.
pub(super) fn unpacked<'a>(
    mut packed: impl Read + 'a,
    tally: Tally,
    limits: Limits,
) -> Result<Box<dyn Read + 'a>, ImageError> {
    let start = read_start(&mut packed)?;
    let packing = packing_of(&start);
    let whole = Cursor::new(start).chain(packed);
    let inner: Box<dyn Read + 'a> = match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(BufReader::new(whole))?),
        Packing::Foreign(program) => {
            return Err(ImageError::Broken(format!(
                "compressed with {program}, which kiln does not read: unpack it with `{program} -d` first"
            )));
        }
    };
    Ok(Box::new(Guarded { inner, packed: tally, unpacked: 0, limits }))
}

fn read_start(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(8);
    reader.take(8).read_to_end(&mut start)?;
    Ok(start)
}

/// Reads on to the end, so that a hash covers everything.
pub(super) fn drain(reader: &mut impl Read) -> io::Result<()> {
    io::copy(reader, &mut io::sink()).map(drop)
}

/// Lower-case hex of SHA-256.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read_all(packed: Vec<u8>) -> Result<Vec<u8>, String> {
        let (reader, tally) = Tallied::new(Cursor::new(packed));
        let mut out = Vec::new();
        unpacked(reader, tally, Limits::default())
            .map_err(|e| e.to_string())?
            .read_to_end(&mut out)
            .map_err(|e| e.to_string())?;
        Ok(out)
    }

    #[test]
    fn every_packing_gives_the_same_bytes() {
        let plain = b"some bytes".repeat(100);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(&plain[..], 1).unwrap();
        for packed in [plain.clone(), gzip.clone(), zstd] {
            assert_eq!(read_all(packed).unwrap(), plain);
        }
        assert!(read_all(gzip[..gzip.len() / 2].to_vec()).is_err(), "half a stream is no stream");
    }

    #[test]
    fn a_foreign_packing_is_named_with_the_way_out() {
        let error = read_all(b"\xfd7zXZ\0 rest".to_vec()).unwrap_err();
        assert_eq!(error, "compressed with xz, which kiln does not read: unpack it with `xz -d` first");
    }

    #[test]
    fn a_bomb_is_stopped() {
        let zeros = io::repeat(0).take(300 << 20);
        let packed = zstd::encode_all(zeros, 1).unwrap();
        assert!(packed.len() < 1 << 20);
        let (reader, tally) = Tallied::new(Cursor::new(packed));
        let mut stream = unpacked(reader, tally, Limits::default()).unwrap();
        let error = drain(&mut stream).unwrap_err().to_string();
        assert!(error.contains("--max-ratio"), "{error}");
    }

    #[test]
    fn the_hash_is_sha256() {
        let (mut reader, tally) = Tallied::new(&b"abc"[..]);
        drain(&mut reader).unwrap();
        let expect = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((tally.sha256().as_str(), tally.bytes()), (expect, 3));
        assert_eq!(sha256_hex(b"abc"), expect);
    }
}
