//! Lets pods reach what is beyond this machine: one nftables table a server, with one rule that gives their packets the machine's address.
//!
//! ```text
//! table ip kiln-0123456789 {
//!     chain postrouting {
//!         type nat hook postrouting priority srcnat;
//!         ip saddr RANGE ip daddr != RANGE masquerade
//!     }
//! }
//! ```
//! Written as the kernel takes it (linux/netfilter/nf_tables.h): the crates for it need the `nft` program or are under the GPL.

use super::plan::Range;
use netlink_sys::{Socket, SocketAddr};
use std::io;

const NETLINK_NETFILTER: isize = 12;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// Of the subsystem nf_tables.
const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const DEL_TABLE: u16 = SUBSYSTEM << 8 | 2;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;
/// NLM_F_REQUEST | NLM_F_ACK
const REQUEST: u16 = 0x01 | 0x04;
/// NLM_F_CREATE
const CREATE: u16 = 0x400;
/// NLM_F_APPEND
const APPEND: u16 = 0x800;
const NESTED: u16 = 0x8000;
const CHAIN: &str = "postrouting";
/// Where source and destination stand in an IPv4 header.
const SOURCE: u32 = 12;
const DESTINATION: u32 = 16;
/// NFT_CMP_EQ, NFT_CMP_NEQ
const EQUAL: u32 = 0;
const UNEQUAL: u32 = 1;

/// Puts the table up, whatever an earlier server left of it.
pub fn masquerade(table: &str, range: Range) -> io::Result<()> {
    // Made, so that it can be removed; removed, so that nothing old is in it.
    commit(&[new_table(table), delete_table(table), new_table(table), new_chain(table), new_rule(table, range)])
}

/// Removes the table. One that is not there is removed already.
pub fn remove(table: &str) -> io::Result<()> {
    match commit(&[delete_table(table)]) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

struct Message {
    kind: u16,
    flags: u16,
    attributes: Vec<u8>,
}

fn new_table(table: &str) -> Message {
    Message { kind: NEW_TABLE, flags: CREATE, attributes: text(1, table) }
}

fn delete_table(table: &str) -> Message {
    Message { kind: DEL_TABLE, flags: 0, attributes: text(1, table) }
}

fn new_chain(table: &str) -> Message {
    // NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC
    let hook = [number(1, 4), number(2, 100)].concat();
    let attributes = [text(1, table), text(3, CHAIN), nested(4, &hook), text(7, "nat")].concat();
    Message { kind: NEW_CHAIN, flags: CREATE, attributes }
}

fn new_rule(table: &str, range: Range) -> Message {
    let expressions =
        [compare(SOURCE, EQUAL, range), compare(DESTINATION, UNEQUAL, range), expression("masq", &[])].concat();
    let attributes = [text(1, table), text(2, CHAIN), nested(4, &expressions)].concat();
    Message { kind: NEW_RULE, flags: CREATE | APPEND, attributes }
}

/// Takes an address out of the header, leaves the range's bits of it, and compares these.
fn compare(offset: u32, operator: u32, range: Range) -> Vec<u8> {
    let value = |kind, bytes: [u8; 4]| nested(kind, &attribute(1, &bytes));
    // Into register 1, from the network header (1), 4 bytes.
    let load = [number(1, 1), number(2, 1), number(3, offset), number(4, 4)].concat();
    let cut = [number(1, 1), number(2, 1), number(3, 4), value(4, range.mask().octets()), value(5, [0; 4])].concat();
    let test = [number(1, 1), number(2, operator), value(3, range.base.octets())].concat();
    [expression("payload", &load), expression("bitwise", &cut), expression("cmp", &test)].concat()
}

fn expression(name: &str, content: &[u8]) -> Vec<u8> {
    nested(1, &[text(1, name), nested(2, content)].concat())
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("these messages are some hundred bytes long");
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn nested(kind: u16, content: &[u8]) -> Vec<u8> {
    attribute(kind | NESTED, content)
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

/// nlmsghdr, nfgenmsg, attributes.
fn frame(kind: u16, flags: u16, sequence: u32, family: u8, subsystem: u16, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + 4 + attributes.len()).expect("these messages are some hundred bytes long");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&[family, 0]);
    bytes.extend_from_slice(&subsystem.to_be_bytes());
    bytes.extend_from_slice(attributes);
    bytes
}

/// All of them or none, in one batch, acknowledged one by one.
fn commit(messages: &[Message]) -> io::Result<()> {
    const IPV4: u8 = 2;
    let mut batch = frame(BATCH_BEGIN, 0x01, 0, 0, SUBSYSTEM, &[]);
    for (sequence, message) in (1..).zip(messages) {
        let flags = REQUEST | message.flags;
        batch.extend(frame(message.kind, flags, sequence, IPV4, 0, &message.attributes));
    }
    batch.extend(frame(BATCH_END, 0x01, 0, 0, SUBSYSTEM, &[]));
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&batch, 0)?;
    let mut n_answers = 0;
    while n_answers < messages.len() {
        let (answers, _) = socket.recv_from_full()?;
        for error in errors(&answers) {
            if error != 0 {
                return Err(io::Error::from_raw_os_error(-error));
            }
            n_answers += 1;
        }
    }
    Ok(())
}

/// The codes of the acknowledgements in what the kernel answered: 0, or a negative errno.
fn errors(mut answers: &[u8]) -> Vec<i32> {
    const ERROR: u16 = 2;
    let mut codes = Vec::new();
    while let Some((header, _)) = answers.split_first_chunk::<16>() {
        let [l0, l1, l2, l3, k0, k1, ..] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX).max(16);
        if u16::from_ne_bytes([k0, k1]) == ERROR
            && let Some(code) = answers.get(16..20).and_then(|code| code.try_into().ok())
        {
            codes.push(i32::from_ne_bytes(code));
        }
        answers = answers.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_nested() {
        assert_eq!(text(1, "ab"), [7_u16.to_ne_bytes(), 1_u16.to_ne_bytes(), *b"ab", [0, 0]].concat());
        let outer = nested(4, &number(1, 7));
        assert_eq!(outer.len(), 12);
        assert_eq!(outer[2..4], (4_u16 | NESTED).to_ne_bytes());
        assert_eq!(outer[8..], [0, 0, 0, 7]);
    }

    #[test]
    fn acknowledgements_are_found_and_what_is_cut_off_is_not_read() {
        let mut answers = frame(2, 0, 1, 0, 0, &[]);
        answers[16..20].copy_from_slice(&(-17_i32).to_ne_bytes());
        let mut two = answers.clone();
        two.extend(frame(3, 0, 2, 0, 0, &[]));
        assert_eq!(errors(&two), [-17]);
        assert_eq!(errors(&answers[..18]), Vec::<i32>::new());
        let mut endless = answers;
        endless[..4].copy_from_slice(&0_u32.to_ne_bytes());
        assert_eq!(errors(&endless), [-17]);
    }
}
