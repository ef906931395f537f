//! The two facts of an ELF file that a copy of a program needs: its dynamic loader and, for a library, the name programs ask for.
//! Reads 64-bit little-endian files, which every machine kiln runs on has; anything else answers `None`.

use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_STRTAB: u64 = 5;
const DT_SONAME: u64 = 14;
const PROGRAM_HEADER: u64 = 56;
const DYNAMIC_ENTRY: u64 = 16;
/// Longest name read, and most entries looked at.
const MAX_NAME: usize = 4096;
const MAX_ENTRIES: u64 = 4096;

struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

/// The program's dynamic loader; none for a static one.
pub(super) fn interpreter(path: &Path) -> Option<PathBuf> {
    let file = File::open(path).ok()?;
    let interp = segments(&file)?.into_iter().find(|s| s.kind == PT_INTERP)?;
    let name = string(&file, interp.offset)?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(name))).filter(|path| path.is_absolute())
}

/// The name under which programs look for this library.
pub(super) fn soname(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    let segments = segments(&file)?;
    let dynamic = segments.iter().find(|s| s.kind == PT_DYNAMIC)?;
    let mut strings = None;
    let mut name = None;
    for i in 0..(dynamic.size / DYNAMIC_ENTRY).min(MAX_ENTRIES) {
        let offset = dynamic.offset.checked_add(i * DYNAMIC_ENTRY)?;
        let (tag, value) = (u64_at(&file, offset)?, u64_at(&file, offset.checked_add(8)?)?);
        match tag {
            0 => break,
            DT_STRTAB => strings = Some(value),
            DT_SONAME => name = Some(value),
            _ => {}
        }
    }
    let strings = strings?;
    let holds = |s: &&Segment| s.kind == PT_LOAD && s.address <= strings && strings - s.address < s.size;
    let segment = segments.iter().find(holds)?;
    let table = segment.offset.checked_add(strings - segment.address)?;
    let name = String::from_utf8(string(&file, table.checked_add(name?)?)?).ok()?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

fn segments(file: &File) -> Option<Vec<Segment>> {
    let mut ident = [0; 6];
    file.read_exact_at(&mut ident, 0).ok()?;
    // Magic, 64-bit, little-endian.
    if ident != *b"\x7fELF\x02\x01" {
        return None;
    }
    let table = u64_at(file, 32)?;
    let entry_size = u64::from(u16_at(file, 54)?);
    let n = u64::from(u16_at(file, 56)?);
    if entry_size != PROGRAM_HEADER {
        return None;
    }
    let segment = |i: u64| {
        let at = table.checked_add(i * PROGRAM_HEADER)?;
        Some(Segment {
            kind: u32_at(file, at)?,
            offset: u64_at(file, at.checked_add(8)?)?,
            address: u64_at(file, at.checked_add(16)?)?,
            size: u64_at(file, at.checked_add(32)?)?,
        })
    };
    (0..n).map(segment).collect()
}

fn string(file: &File, offset: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; MAX_NAME];
    let n = file.read_at(&mut bytes, offset).ok()?;
    let end = bytes[..n].iter().position(|byte| *byte == 0)?;
    bytes.truncate(end);
    Some(bytes)
}

fn bytes_at<const N: usize>(file: &File, offset: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

fn u16_at(file: &File, offset: u64) -> Option<u16> {
    bytes_at(file, offset).map(u16::from_le_bytes)
}

fn u32_at(file: &File, offset: u64) -> Option<u32> {
    bytes_at(file, offset).map(u32::from_le_bytes)
}

fn u64_at(file: &File, offset: u64) -> Option<u64> {
    bytes_at(file, offset).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_dynamic_program_names_its_loader() {
        let loader = interpreter(Path::new("/proc/self/exe")).unwrap();
        assert!(loader.exists(), "{}", loader.display());
        assert!(soname(&loader).unwrap().starts_with("ld-"));
    }

    #[test]
    fn what_is_no_program_has_no_loader() {
        let whole = std::fs::read("/bin/true").unwrap();
        for content in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", &whole[..64], &whole[..100]] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(content).unwrap();
            assert_eq!(interpreter(file.path()), None);
            assert_eq!(soname(file.path()), None);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn damage_does_not_panic(at in 0usize..4096, byte: u8) {
            let mut content = std::fs::read("/bin/true").unwrap();
            if let Some(place) = content.get_mut(at) {
                *place = byte;
            }
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&content).unwrap();
            let _ = (interpreter(file.path()), soname(file.path()));
        }
    }
}
