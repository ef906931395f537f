//! Entries as several programs write them, and damage.

use super::*;

fn names(archive: &[u8]) -> Result<Vec<String>, String> {
    let mut entries = Entries::new(archive);
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().map_err(|e| e.to_string())? {
        names.push(entry.display());
    }
    Ok(names)
}

fn archive(name: &str, body: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(body.len() as u64);
    header.set_mode(0o640);
    builder.append_data(&mut header, name, body).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn long_names_and_pax_records_reach_the_entry() {
    let long = "d/".repeat(150) + "file";
    assert_eq!(names(&archive(&long, b"x")).unwrap(), [long.as_str()]);

    let mut builder = tar::Builder::new(Vec::new());
    let records: [(&str, &[u8]); 4] =
        [("path", b"from/pax"), ("mtime", b"5.25"), ("uid", b"70000"), ("SCHILY.xattr.user.note", b"hi\n\0there")];
    builder.append_pax_extensions(records).unwrap();
    let mut header = Header::new_ustar();
    header.set_size(3);
    builder.append_data(&mut header, "short", &b"abc"[..]).unwrap();
    let bytes = builder.into_inner().unwrap();
    let mut entries = Entries::new(&bytes[..]);
    let entry = entries.next_entry().unwrap().unwrap();
    assert_eq!(entry.display(), "from/pax");
    assert_eq!((entry.mtime, entry.uid, entry.size), ((5, 250_000_000), 70000, 3));
    assert_eq!(entry.xattrs, [("user.note".to_owned(), b"hi\n\0there".to_vec())]);
    let mut body = String::new();
    entries.read_to_string(&mut body).unwrap();
    assert_eq!(body, "abc");
    assert!(entries.next_entry().unwrap().is_none());
}

#[test]
fn damage_is_an_error() {
    let whole = archive("name", b"body");
    for (archive, expect) in [
        (b"just some text".to_vec(), "not a tar archive"),
        (whole[..1024 + 100].to_vec(), "ends in the middle of a header"),
        (vec![7; 2048], "not a tar archive, or damaged (a header's checksum is wrong)"),
        (whole[..514].to_vec(), "ends in the middle of an entry"),
        (pax(b"17 path=too-short\n"), "malformed pax record"),
        (pax(b"99999999999999999999 path=x\n"), "malformed pax record"),
        (pax(b"3 x"), "malformed pax record"),
        (pax(b"11 size=ab\n"), "pax record size is not a number"),
    ] {
        assert_eq!(names(&archive).unwrap_err(), expect);
    }
    let sparse = names(&pax(b"22 GNU.sparse.major=1\n")).unwrap_err();
    assert!(sparse.ends_with("write the archive without --sparse"), "{sparse}");
}

fn pax(body: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::XHeader);
    header.set_size(body.len() as u64);
    header.set_cksum();
    let mut archive = header.as_bytes().to_vec();
    archive.extend_from_slice(body);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    archive
}

#[test]
fn numbers_are_octal_blank_or_binary() {
    for (field, expect) in [
        (&b"0000644\0"[..], Some(0o644)),
        (b"   644 \0", Some(0o644)),
        (b"\0\0\0\0\0\0\0\0", Some(0)),
        (b"        ", Some(0)),
        (b"\x80\0\0\0\0\0\x01\x02", Some(258)),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
        (b"0000948\0", None),
        (b"+000644\0", None),
        (b"-000644\0", None),
        (b"\xc3\x28000000", Some(0x4328_3030_3030_3030)),
    ] {
        assert_eq!(number(field), expect, "{field:?}");
    }
}

#[test]
fn endless_records_are_refused_before_they_are_read() {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(1 << 40);
    header.set_cksum();
    let archive = header.as_bytes().to_vec();
    assert_eq!(names(&archive).unwrap_err(), "an entry's name and attributes are longer than 1 MiB");
}

#[test]
fn times_before_the_epoch_keep_their_fraction() {
    for (text, expect) in [
        ("5", Some((5, 0))),
        ("-1.25", Some((-2, 750_000_000))),
        ("-3", Some((-3, 0))),
        ("1.9999999999", Some((1, 999_999_999))),
        ("x", None),
        ("", None),
    ] {
        assert_eq!(parse_time(text.as_bytes()), expect, "{text}");
    }
}
