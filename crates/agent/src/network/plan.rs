//! Which addresses a server's pods get. Pure.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Servers choose their pods' range from here. A private block (RFC 1918) that other container engines leave alone; 100.64.0.0/10 belongs to
/// Tailscale on many machines, 172.16.0.0/12 to Docker.
const ALL: Range = Range { base: Ipv4Addr::new(10, 192, 0, 0), prefix: 10 };
/// 1,021 pods; a node takes 500, and an address rests before it is given out again.
const PREFIX: u8 = 22;

/// Addresses that agree in their first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first of them.
    pub base: Ipv4Addr,
    /// How many bits they agree in; 0 to 32.
    pub prefix: u8,
}

impl Range {
    /// The range that an address lies in.
    pub fn of(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        Self { base: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)), prefix }
    }

    /// Whether the two have an address in common.
    pub fn meets(self, other: Self) -> bool {
        let common = mask(self.prefix.min(other.prefix));
        self.base.to_bits() & common == other.base.to_bits() & common
    }

    /// Whether the address is one of its.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        self.meets(Self::of(address, 32))
    }

    /// Its bits that are the same in all its addresses.
    pub fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(mask(self.prefix))
    }

    /// The bridge's own address: the first that a host may have.
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base.to_bits().saturating_add(1))
    }

    /// The pods' addresses: all but the network's, the gateway's and the broadcast's.
    fn pods(self) -> impl Iterator<Item = Ipv4Addr> + Clone {
        let size = 1_u32.checked_shl(u32::from(32 - self.prefix)).unwrap_or(0);
        let base = self.base.to_bits();
        (2..size.saturating_sub(1)).map(move |offset| Ipv4Addr::from_bits(base.saturating_add(offset)))
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(u32::from(32 - prefix.min(32))).unwrap_or(0)
}

/// A range that meets none of those that are taken on this machine. `instance` tells where to begin, so that servers that start side
/// by side look in different places.
pub fn choose(instance: &str, taken: &[Range]) -> Option<Range> {
    let n_ranges = 1_u32 << (PREFIX - ALL.prefix);
    let begin = instance.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    (0..n_ranges)
        .map(|step| (begin.wrapping_add(step) % n_ranges) << (32 - PREFIX))
        .map(|offset| Range { base: Ipv4Addr::from_bits(ALL.base.to_bits() | offset), prefix: PREFIX })
        .find(|range| !taken.iter().any(|other| range.meets(*other)))
}

/// Who has which address.
#[derive(Debug)]
pub struct Addresses {
    range: Range,
    /// Pods' uids.
    taken: BTreeMap<Ipv4Addr, String>,
    last: Ipv4Addr,
}

impl Addresses {
    /// None is taken.
    pub fn new(range: Range) -> Self {
        Self { range, taken: BTreeMap::new(), last: range.gateway() }
    }

    /// The pod's address: the one it has, or else the next free one after the last that was given out. `None`: all are taken.
    pub fn take(&mut self, pod_uid: &str) -> Option<Ipv4Addr> {
        if let Some((address, _)) = self.taken.iter().find(|(_, owner)| *owner == pod_uid) {
            return Some(*address);
        }
        let is_free = |address: &Ipv4Addr| !self.taken.contains_key(address);
        let after = self.range.pods().filter(|address| self.last < *address).find(is_free);
        let address = after.or_else(|| self.range.pods().find(is_free))?;
        self.last = address;
        self.taken.insert(address, pod_uid.to_owned());
        Some(address)
    }

    /// A pod that was there before the server has this address.
    pub fn keep(&mut self, pod_uid: &str, address: Ipv4Addr) {
        self.taken.insert(address, pod_uid.to_owned());
        self.last = self.last.max(address);
    }

    /// The pod is gone.
    pub fn release(&mut self, pod_uid: &str) {
        self.taken.retain(|_, owner| owner != pod_uid);
    }

    /// Whether nobody has one.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        let (base, prefix) = text.split_once('/').unwrap();
        Range { base: base.parse().unwrap(), prefix: prefix.parse().unwrap() }
    }

    #[test]
    fn ranges_meet_when_they_share_an_address() {
        for (one, other, expect) in [
            ("100.64.0.0/22", "100.64.3.0/24", true),
            ("100.64.0.0/22", "100.64.4.0/24", false),
            ("100.64.0.0/22", "0.0.0.0/0", true),
            ("100.64.0.0/22", "100.64.1.7/32", true),
            ("172.16.0.0/12", "100.64.0.0/22", false),
        ] {
            assert_eq!(range(one).meets(range(other)), expect, "{one} {other}");
            assert_eq!(range(other).meets(range(one)), expect, "{other} {one}");
        }
        assert_eq!(Range::of([10, 192, 3, 9].into(), 22), range("10.192.0.0/22"));
        assert_eq!(Range::of([1, 2, 3, 4].into(), 40), range("1.2.3.4/32"));
        assert_eq!(range("10.192.4.0/22").mask(), Ipv4Addr::new(255, 255, 252, 0));
    }

    #[test]
    fn servers_choose_where_nobody_is() {
        let first = choose("kiln-a", &[]).unwrap();
        assert_eq!(choose("kiln-a", &[]), Some(first), "a server finds its own again");
        let second = choose("kiln-a", &[first]).unwrap();
        assert!(!second.meets(first) && second.meets(ALL), "{second}");
        assert_ne!(choose("kiln-b", &[]), Some(first));
        assert_eq!(choose("kiln-a", &[range("10.0.0.0/8")]), None);
        assert_eq!(first.gateway().octets()[3], 1);
    }

    #[test]
    fn an_address_rests_before_it_is_given_out_again() {
        let mut addresses = Addresses::new(range("10.192.0.0/29"));
        let mut take = |uid: &str| addresses.take(uid).map(|address| address.octets()[3]);
        assert_eq!((take("a"), take("b"), take("a")), (Some(2), Some(3), Some(2)));
        addresses.release("a");
        let mut take = |uid: &str| addresses.take(uid).map(|address| address.octets()[3]);
        assert_eq!((take("c"), take("d"), take("e"), take("f"), take("g")), (Some(4), Some(5), Some(6), Some(2), None));
        addresses.release("d");
        assert_eq!(addresses.take("g"), Some([10, 192, 0, 5].into()));
        assert!(!addresses.is_empty());
    }

    #[test]
    fn pods_keep_their_addresses_when_the_server_comes_back() {
        let mut addresses = Addresses::new(range("10.192.0.0/29"));
        addresses.keep("old", [10, 192, 0, 4].into());
        assert_eq!(addresses.take("new"), Some([10, 192, 0, 5].into()));
        assert_eq!(addresses.take("old"), Some([10, 192, 0, 4].into()));
    }
}
