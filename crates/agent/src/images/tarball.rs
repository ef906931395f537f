//! Reads a tar stream entry by entry: ustar, GNU long names, pax records. Trusts nothing in it: sizes, checksums and records are
//! checked, and no entry makes it hold more than `MAX_RECORDS` bytes. Decides nothing about where an entry goes.

use super::ImageError;
use std::io::{self, Read};
use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// Bytes of long names and pax records for one entry; names are at most 4 KiB and attributes at most 64 KiB each.
const MAX_RECORDS: u64 = 1 << 20;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    HardLink,
    Fifo,
    /// Character or block device.
    Device,
    /// GNU's own encoding of files with holes.
    Sparse,
    Other(u8),
}

/// One entry; its bytes are read from `Entries` until the next one is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: Kind,
    pub size: u64,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub mtime: (i64, u32),
    pub xattrs: Vec<(String, Vec<u8>)>,
    /// Where its bytes begin in the stream.
    pub offset: u64,
}

impl Entry {
    /// For messages.
    pub(super) fn display(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }
}

/// The entries of a stream.
pub(super) struct Entries<R> {
    reader: R,
    position: u64,
    /// Bytes of the current entry that nobody has read yet, then its padding.
    body_left: u64,
    padding: u64,
    global: Records,
}

#[derive(Debug, Clone, Default)]
struct Records {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<(i64, u32)>,
    xattrs: Vec<(String, Vec<u8>)>,
}

impl<R: Read> Entries<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, position: 0, body_left: 0, padding: 0, global: Records::default() }
    }

    /// The next entry, `None` at the archive's end.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, ImageError> {
        let mut records = self.global.clone();
        let mut records_size = 0;
        loop {
            let Some(header) = self.next_header()? else {
                return Ok(None);
            };
            let header = Header::from_byte_slice(&header);
            let size = number(&header.as_old().size);
            self.start_body(size.ok_or_else(|| broken("entry with an unreadable size"))?);
            let kind = header.entry_type();
            let is_about_next = kind.is_gnu_longname()
                || kind.is_gnu_longlink()
                || kind.is_pax_local_extensions()
                || kind.is_pax_global_extensions();
            if !is_about_next {
                return self.entry(header, records).map(Some);
            }
            records_size += self.body_left;
            if MAX_RECORDS < records_size {
                return Err(broken("an entry's name and attributes are longer than 1 MiB"));
            }
            let body = self.read_records()?;
            match kind {
                EntryType::GNULongName => records.name = Some(until_nul(body)),
                EntryType::GNULongLink => records.link = Some(until_nul(body)),
                EntryType::XGlobalHeader => {
                    parse_pax(&body, &mut self.global)?;
                    parse_pax(&body, &mut records)?;
                }
                _ => parse_pax(&body, &mut records)?,
            }
        }
    }

    fn entry(&mut self, header: &Header, records: Records) -> Result<Entry, ImageError> {
        let name = records.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let shown = String::from_utf8_lossy(&name).into_owned();
        let unreadable = |field: &str| broken(&format!("{shown}: unreadable {field}"));
        if let Some(size) = records.size {
            self.start_body(size);
        }
        let kind = match header.entry_type() {
            // Before ustar a directory was a file with a slash at the end of its name.
            EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Kind::Directory,
            EntryType::Regular | EntryType::Continuous => Kind::File,
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::Symlink,
            EntryType::Link => Kind::HardLink,
            EntryType::Fifo => Kind::Fifo,
            EntryType::Char | EntryType::Block => Kind::Device,
            EntryType::GNUSparse => Kind::Sparse,
            other => Kind::Other(other.as_byte()),
        };
        // Only files have bytes; some writers give links the size of what they link to and no bytes.
        if matches!(kind, Kind::Symlink | Kind::HardLink | Kind::Fifo | Kind::Device) {
            self.start_body(0);
        }
        let fields = header.as_old();
        let mtime = seconds(&fields.mtime).ok_or_else(|| unreadable("time"))?;
        let uid = records.uid.or_else(|| number(&fields.uid));
        let gid = records.gid.or_else(|| number(&fields.gid));
        Ok(Entry {
            link: records.link.or_else(|| header.link_name_bytes().map(|link| link.into_owned())).unwrap_or_default(),
            kind,
            size: self.body_left,
            mode: number(&fields.mode).ok_or_else(|| unreadable("mode"))? as u32 & 0o7777,
            uid: uid.ok_or_else(|| unreadable("owner"))?,
            gid: gid.ok_or_else(|| unreadable("group"))?,
            mtime: records.mtime.unwrap_or((mtime, 0)),
            xattrs: records.xattrs,
            offset: self.position,
            name,
        })
    }

    /// The next header block, checked; `None` at the end.
    fn next_header(&mut self) -> Result<Option<[u8; BLOCK]>, ImageError> {
        self.skip_rest()?;
        let mut block = [0; BLOCK];
        let n = read_full(&mut self.reader, &mut block)?;
        self.position += n as u64;
        // Two zero blocks end an archive; some writers leave them out.
        let is_end = n == 0 || (n == BLOCK && block.iter().all(|byte| *byte == 0));
        if is_end {
            return Ok(None);
        }
        if n < BLOCK {
            let is_first = self.position == n as u64;
            return Err(broken(if is_first { "not a tar archive" } else { "ends in the middle of a header" }));
        }
        let header = Header::from_byte_slice(&block);
        let sum = checksum(&block);
        if number(&header.as_old().cksum) != Some(sum.into()) {
            return Err(broken("not a tar archive, or damaged (a header's checksum is wrong)"));
        }
        Ok(Some(block))
    }

    fn start_body(&mut self, size: u64) {
        self.body_left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    fn read_records(&mut self) -> Result<Vec<u8>, ImageError> {
        let expected = self.body_left;
        let mut body = Vec::new();
        self.read_to_end(&mut body)?;
        if (body.len() as u64) < expected {
            return Err(broken("ends in the middle of an entry"));
        }
        Ok(body)
    }

    /// Skips what is left of the current entry.
    fn skip_rest(&mut self) -> Result<(), ImageError> {
        let left = self.body_left.saturating_add(self.padding);
        let skipped = io::copy(&mut (&mut self.reader).take(left), &mut io::sink())?;
        self.position += skipped;
        // The padding of the very last entry may be missing.
        if skipped < self.body_left {
            return Err(broken("ends in the middle of an entry"));
        }
        self.body_left = 0;
        self.padding = 0;
        Ok(())
    }

    /// Whether bytes of the current entry are still missing.
    pub(super) fn body_left(&self) -> u64 {
        self.body_left
    }
}

impl<R: Read> Read for Entries<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.body_left).map_or(buffer.len(), |left| left.min(buffer.len()));
        // Some decoders take an empty buffer for an error.
        if wanted == 0 {
            return Ok(0);
        }
        let n = self.reader.read(&mut buffer[..wanted])?;
        self.body_left -= n as u64;
        self.position += n as u64;
        Ok(n)
    }
}

fn read_full(reader: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match reader.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A numeric field: octal digits, blank for zero, or with the highest bit set a big-endian number (GNU).
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let bytes = std::iter::once(field[0] & 0x7f).chain(field[1..].iter().copied());
        return bytes.map(u64::from).try_fold(0u64, |sum, byte| sum.checked_mul(256)?.checked_add(byte));
    }
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.split('\0').next().unwrap_or_default().trim_matches(' ');
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(digits, 8).ok().filter(|_| !digits.starts_with('+'))
}

/// Seconds since 1970; GNU writes earlier times as a big-endian two's complement.
fn seconds(field: &[u8]) -> Option<i64> {
    if field[0] != 0xff {
        return number(field).map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    }
    let (sign, low) = field.split_at(field.len().checked_sub(8)?);
    let seconds = i64::from_be_bytes(low.try_into().ok()?);
    let fits = sign.iter().all(|byte| *byte == 0xff) && seconds < 0;
    fits.then_some(seconds)
}

/// Sum of the bytes with the checksum field as spaces (POSIX.1 ustar).
fn checksum(block: &[u8; BLOCK]) -> u32 {
    let field = 148..156;
    let counted = |(i, byte): (usize, &u8)| if field.contains(&i) { 32 } else { u32::from(*byte) };
    block.iter().enumerate().map(counted).sum()
}

/// pax records: `LENGTH KEY=VALUE\n`, the length counting the whole record.
fn parse_pax(mut body: &[u8], records: &mut Records) -> Result<(), ImageError> {
    while body.first().is_some_and(|byte| *byte != 0) {
        let (record, rest) = split_record(body).ok_or_else(|| broken("malformed pax record"))?;
        body = rest;
        let equals = record.iter().position(|byte| *byte == b'=');
        let (key, value) = record.split_at(equals.ok_or_else(|| broken("malformed pax record"))?);
        apply_pax(&String::from_utf8_lossy(key), &value[1..], records)?;
    }
    Ok(())
}

fn split_record(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = body.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&body[..space]).ok()?.parse().ok()?;
    let record = body.get(space + 1..length)?;
    let record = record.strip_suffix(b"\n")?;
    Some((record, &body[length..]))
}

fn apply_pax(key: &str, value: &[u8], records: &mut Records) -> Result<(), ImageError> {
    let number = || {
        std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
            .ok_or_else(|| broken(&format!("pax record {key} is not a number")))
    };
    match key {
        "path" => records.name = Some(value.to_vec()),
        "linkpath" => records.link = Some(value.to_vec()),
        "size" => records.size = Some(number()?),
        "uid" => records.uid = Some(number()?),
        "gid" => records.gid = Some(number()?),
        "mtime" => records.mtime = parse_time(value),
        _ if key.starts_with("GNU.sparse.") => return Err(sparse()),
        _ => {
            if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                records.xattrs.push((name.to_owned(), value.to_vec()));
            }
        }
    }
    Ok(())
}

/// The error for files with holes.
pub(super) fn sparse() -> ImageError {
    broken("holds a file with holes as a sparse entry, which kiln does not read: write the archive without --sparse")
}

/// `SECONDS[.FRACTION]`; an unreadable time is not worth refusing an image for.
fn parse_time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().ok()?;
    let digits: String = fraction.chars().take_while(char::is_ascii_digit).chain("000000000".chars()).take(9).collect();
    let nanos: u32 = digits.parse().ok()?;
    match (text.starts_with('-'), nanos) {
        // -1.25 is 0.75 after -2.
        (true, 1..) => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos)),
        _ => Some((seconds, nanos)),
    }
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0);
    bytes.truncate(end.unwrap_or(bytes.len()));
    bytes
}

fn broken(text: &str) -> ImageError {
    ImageError::Broken(text.into())
}

#[cfg(test)]
mod tests;
