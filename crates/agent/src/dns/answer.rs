//! From a question on the wire to its answer (RFC 1035, EDNS by RFC 6891). Pure, but for what others have to be asked.

use super::names::{CLUSTER, Found, Names, Record};
use simple_dns::rdata::{A, CNAME, OPT, PTR, RData, SOA, SRV, TXT};
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};

/// Seconds that an answer may be kept: pods come and go. As CoreDNS has it.
const TTL: u32 = 5;
/// Names behind names that are followed.
const MAX_ALIASES: usize = 8;
/// Bytes of an answer by UDP to one who does not say how many it takes.
const UDP: usize = 512;
/// And at most to one who says so: more would come in fragments.
const MAX_UDP: usize = 1_232;

/// Bytes before the question.
const HEADER: usize = 12;

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Answers have an end.
    Udp,
    /// Answers of any length.
    Tcp,
}

/// What is to be done about a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is no question.
    Silence,
    /// This is the answer.
    Bytes(Vec<u8>),
    /// Others know; as it came.
    Forward,
    /// Another name stands for the one in question, of which others know: they are to be asked for it, and [`finish`] makes the answer.
    Follow {
        /// What to ask others.
        question: Vec<u8>,
        /// The names on the way.
        aliases: Vec<(String, String)>,
    },
}

/// Answers a packet.
pub fn answer(names: &Names, packet: &[u8], transport: Transport) -> Reply {
    let Some(end) = question_end(packet).filter(|end| *end <= packet.len() && has_little(packet)) else {
        return malformed(packet);
    };
    let Ok(query) = Packet::parse(packet) else {
        // Kinds of records that nobody here has heard of: of others' names others may have.
        let name = plain_name(&packet[HEADER..end]);
        let is_question = packet[2] & 0x80 == 0;
        return if is_question && names.find(&name) == Found::Beyond { Reply::Forward } else { malformed(packet) };
    };
    if query.has_flags(PacketFlag::RESPONSE) {
        return Reply::Silence;
    }
    let question = match query.questions.as_slice() {
        _ if query.opcode() != OPCODE::StandardQuery => return told(failure(&query, RCODE::NotImplemented)),
        [question] => question,
        _ => return told(failure(&query, RCODE::FormatError)),
    };
    if !matches!(question.qclass, QCLASS::CLASS(CLASS::IN) | QCLASS::ANY) {
        return told(failure(&query, RCODE::Refused));
    }
    let asked = text(&question.qname);
    let mut aliases: Vec<(String, String)> = Vec::new();
    let mut name = asked.clone();
    loop {
        match names.find(&name) {
            Found::Alias(target) => {
                let is_enough = MAX_ALIASES <= aliases.len() || wants(question.qtype, TYPE::CNAME);
                aliases.push((std::mem::replace(&mut name, target.clone()), target));
                if is_enough {
                    return told(finished(&query, &aliases, &[], RCODE::NoError, transport));
                }
            }
            Found::Beyond if aliases.is_empty() => return Reply::Forward,
            Found::Beyond => return follow(&query, question, &name, aliases),
            Found::Missing => return told(finished(&query, &aliases, &[], RCODE::NameError, transport)),
            Found::Records(mut records) => {
                records.retain(|record| wants(question.qtype, type_of(record)));
                // So that not everybody takes the first.
                let n = records.len().max(1);
                records.rotate_left(usize::from(query.id()) % n);
                let owner = if aliases.is_empty() { asked } else { name };
                let records = records.iter().flat_map(|record| written(&owner, record)).collect::<Vec<_>>();
                return told(finished(&query, &aliases, &records, RCODE::NoError, transport));
            }
        }
    }
}

/// Joins the names on the way to what others answered of the last of them; `None`: it is no answer to that.
pub fn finish(packet: &[u8], aliases: &[(String, String)], theirs: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let query = Packet::parse(packet).ok()?;
    let theirs = Packet::parse(theirs).ok()?;
    finished(&query, aliases, &theirs.answers, theirs.rcode(), transport)
}

/// Nobody could be asked.
pub fn unavailable(packet: &[u8]) -> Option<Vec<u8>> {
    failure(&Packet::parse(packet).ok()?, RCODE::ServerFailure)
}

fn follow(query: &Packet, question: &Question, name: &str, aliases: Vec<(String, String)>) -> Reply {
    let Ok(name) = Name::new(name) else { return told(failure(query, RCODE::ServerFailure)) };
    let mut theirs = Packet::new_query(query.id());
    theirs.set_flags(PacketFlag::RECURSION_DESIRED);
    theirs.questions.push(Question::new(name, question.qtype, question.qclass, false));
    match theirs.build_bytes_vec() {
        Ok(question) => Reply::Follow { question, aliases },
        Err(_) => told(failure(query, RCODE::ServerFailure)),
    }
}

/// Where the only question of a packet ends. Names in it are written out.
pub(super) fn question_end(packet: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        match usize::from(*packet.get(at)?) {
            0 => return Some(at + 5),
            length @ 1..=63 => at += 1 + length,
            _ => return None,
        }
    }
}

/// A question has one question, and at most what says how long the answer may be (as miekg/dns accepts messages).
fn has_little(packet: &[u8]) -> bool {
    let count = |at: usize| packet.get(at..at + 2).map(|count| u16::from_be_bytes([count[0], count[1]]));
    count(6) <= Some(1) && count(8) <= Some(1) && count(10) <= Some(2)
}

/// A name that is written out.
fn plain_name(mut question: &[u8]) -> String {
    let mut labels = Vec::new();
    while let Some((length @ 1.., rest)) = question.split_first().map(|(length, rest)| (usize::from(*length), rest)) {
        let Some((label, rest)) = rest.split_at_checked(length) else { break };
        labels.push(String::from_utf8_lossy(label).into_owned());
        question = rest;
    }
    labels.join(".")
}

/// What cannot be read is told so, if it is as long as a header.
fn malformed(packet: &[u8]) -> Reply {
    let (Some([high, low]), Some([flags, _])) = (packet.get(..2), packet.get(2..4)) else { return Reply::Silence };
    if packet.len() < 12 || flags & 0x80 != 0 {
        return Reply::Silence;
    }
    let mut reply = Packet::new_reply(u16::from_be_bytes([*high, *low]));
    *reply.rcode_mut() = RCODE::FormatError;
    told(reply.build_bytes_vec().ok())
}

/// What cannot be written is not told.
fn told(bytes: Option<Vec<u8>>) -> Reply {
    bytes.map_or(Reply::Silence, Reply::Bytes)
}

fn failure(query: &Packet, code: RCODE) -> Option<Vec<u8>> {
    let mut reply = begun(query);
    *reply.rcode_mut() = code;
    reply.build_bytes_vec().ok()
}

/// An answer without its records.
fn begun<'a>(query: &Packet<'a>) -> Packet<'a> {
    let mut reply = Packet::new_reply(query.id());
    *reply.opcode_mut() = query.opcode();
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    if query.opt().is_some() {
        *reply.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: MAX_UDP as u16, version: 0 });
    }
    reply.questions.clone_from(&query.questions);
    reply
}

/// The answer, as much of it as its way takes.
fn finished(
    query: &Packet,
    aliases: &[(String, String)],
    records: &[ResourceRecord],
    code: RCODE,
    transport: Transport,
) -> Option<Vec<u8>> {
    let mut reply = begun(query);
    *reply.rcode_mut() = code;
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    for (name, target) in aliases {
        reply.answers.extend(record(name, Name::new(target).ok().map(|target| RData::CNAME(CNAME(target)))));
    }
    reply.answers.extend(records.iter().cloned());
    let is_ours = query.questions.first().is_some_and(|question| {
        let name = text(&question.qname).to_ascii_lowercase();
        name.ends_with(CLUSTER)
    });
    if records.is_empty() && is_ours {
        reply.name_servers.extend(authority());
    }
    let limit = match (transport, query.opt()) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => UDP,
        (Transport::Udp, Some(opt)) => usize::from(opt.udp_packet_size).clamp(UDP, MAX_UDP),
    };
    loop {
        let Ok(bytes) = reply.build_bytes_vec_compressed() else { return failure(query, RCODE::ServerFailure) };
        if bytes.len() <= limit {
            return Some(bytes);
        }
        // Who wants all of it asks again by TCP; who does not, has some.
        reply.set_flags(PacketFlag::TRUNCATION);
        let n = reply.answers.len();
        if n == 0 {
            return failure(query, RCODE::ServerFailure);
        }
        reply.answers.truncate((n * limit / bytes.len()).min(n - 1));
    }
}

fn authority() -> Option<ResourceRecord<'static>> {
    let soa = SOA {
        mname: Name::new("ns.dns.cluster.local").ok()?,
        rname: Name::new("hostmaster.cluster.local").ok()?,
        serial: 1,
        refresh: 7_200,
        retry: 1_800,
        expire: 86_400,
        minimum: TTL,
    };
    record(CLUSTER, Some(RData::SOA(soa)))
}

/// A record as it is written.
fn written<'a>(owner: &'a str, found: &'a Record) -> Option<ResourceRecord<'a>> {
    let data = match found {
        Record::Address(address) => Some(RData::A(A::from(*address))),
        Record::Pointer(name) => Name::new(name).ok().map(|name| RData::PTR(PTR(name))),
        Record::Text(text) => TXT::new().with_string(text).ok().map(RData::TXT),
        Record::Service { port, target: name } => {
            let target = Name::new(name).ok();
            target.map(|target| RData::SRV(SRV { priority: 0, weight: 100, port: *port, target }))
        }
    };
    record(owner, data)
}

fn record<'a>(owner: &'a str, data: Option<RData<'a>>) -> Option<ResourceRecord<'a>> {
    Some(ResourceRecord::new(Name::new(owner.trim_end_matches('.')).ok()?, CLASS::IN, TTL, data?))
}

fn type_of(record: &Record) -> TYPE {
    match record {
        Record::Address(_) => TYPE::A,
        Record::Service { .. } => TYPE::SRV,
        Record::Text(_) => TYPE::TXT,
        Record::Pointer(_) => TYPE::PTR,
    }
}

fn wants(asked: QTYPE, kind: TYPE) -> bool {
    asked == QTYPE::TYPE(kind) || asked == QTYPE::ANY && kind != TYPE::CNAME
}

/// As it was asked for, capitals kept. Bytes that are no text stay in no name that there is.
fn text(name: &Name) -> String {
    let labels: Vec<String> = name.as_bytes().map(|label| String::from_utf8_lossy(label).replace('.', "\\.")).collect();
    labels.join(".")
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
