//! Questions and answers on the wire.

use super::*;
use crate::dns::facts::{PodFacts, ServiceFacts};
use crate::network::Range;
use serde_json::json;

fn names() -> Names {
    let mut names = Names::new(Range::of([10, 200, 4, 0].into(), 22));
    let service = |name: &str, spec: serde_json::Value| {
        let service = json!({"metadata": {"namespace": "n", "name": name}, "spec": spec});
        ServiceFacts::of(&serde_json::from_value(service).unwrap())
    };
    let external = |target: &str| json!({"type": "ExternalName", "externalName": target});
    names.set_services([
        service("db", json!({"clusterIP": "None", "selector": {"a": "b"}, "ports": [{"name": "sql", "port": 5432}]})),
        service("out", external("db.example.org")),
        service("in", external("db.n.svc.cluster.local")),
        service("here", external("host.kiln.internal")),
        service("a", external("b.n.svc.cluster.local")),
        service("b", external("a.n.svc.cluster.local")),
        service("odd", external(&"x".repeat(64))),
    ]);
    for n in 2..102 {
        let pod = json!({"metadata": {"namespace": "n", "uid": format!("{n}"), "labels": {"a": "b"}},
            "spec": {"containers": []}, "status": {"podIP": format!("10.200.4.{n}"), "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}]}});
        names.put_pod(PodFacts::of(&serde_json::from_value(pod).unwrap()));
    }
    names
}

fn question(name: &str, kind: TYPE) -> Vec<u8> {
    let mut query = Packet::new_query(100);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new_unchecked(name);
    query.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    query.build_bytes_vec().unwrap()
}

/// `CODE FLAGS: records | authority`
fn told(bytes: &[u8]) -> String {
    let reply = Packet::parse(bytes).unwrap();
    assert!(reply.has_flags(PacketFlag::RESPONSE | PacketFlag::RECURSION_AVAILABLE) && reply.id() == 100);
    let record = |record: &ResourceRecord| {
        let data = match &record.rdata {
            RData::A(address) => std::net::Ipv4Addr::from(address.address).to_string(),
            RData::CNAME(name) => format!("CNAME {}", name.0),
            RData::SRV(srv) => format!("SRV {}:{}", srv.target, srv.port),
            RData::SOA(_) => "SOA".into(),
            other => format!("{other:?}"),
        };
        format!("{} {data}", record.name)
    };
    let all = |records: &[ResourceRecord]| records.iter().map(record).collect::<Vec<_>>().join(", ");
    let truncated = if reply.has_flags(PacketFlag::TRUNCATION) { " truncated" } else { "" };
    format!("{:?}{truncated}: {} | {}", reply.rcode(), all(&reply.answers), all(&reply.name_servers))
}

fn ask(name: &str, kind: TYPE) -> String {
    match answer(&names(), &question(name, kind), Transport::Tcp) {
        Reply::Bytes(bytes) => told(&bytes),
        Reply::Silence => "silence".into(),
        Reply::Forward => "forward".into(),
        Reply::Follow { question, aliases } => {
            let asked = Packet::parse(&question).unwrap();
            format!("follow {} by way of {aliases:?}", asked.questions[0].qname)
        }
    }
}

#[test]
fn what_is_there_is_answered_and_what_is_not_is_denied() {
    let n = "n.svc.cluster.local";
    for (name, kind, expect) in [
        (
            format!("Here.{n}"),
            TYPE::A,
            format!("NoError: Here.{n} CNAME host.kiln.internal, host.kiln.internal 10.200.4.1 | "),
        ),
        (format!("here.{n}"), TYPE::AAAA, format!("NoError: here.{n} CNAME host.kiln.internal | cluster.local SOA")),
        (format!("here.{n}"), TYPE::CNAME, format!("NoError: here.{n} CNAME host.kiln.internal | cluster.local SOA")),
        ("host.kiln.internal".into(), TYPE::A, "NoError: host.kiln.internal 10.200.4.1 | ".into()),
        (format!("10-200-4-7.db.{n}"), TYPE::A, format!("NoError: 10-200-4-7.db.{n} 10.200.4.7 | ")),
        (format!("10-200-4-7.db.{n}"), TYPE::AAAA, "NoError:  | cluster.local SOA".into()),
        (format!("none.{n}"), TYPE::A, "NameError:  | cluster.local SOA".into()),
        ("svc.cluster.local".into(), TYPE::A, "NoError:  | cluster.local SOA".into()),
        ("example.org".into(), TYPE::A, "forward".into()),
        (format!("out.{n}"), TYPE::A, format!("follow db.example.org by way of [(\"out.{n}\", \"db.example.org\")]")),
        (format!("odd.{n}"), TYPE::A, "ServerFailure:  | ".into()),
    ] {
        assert_eq!(ask(&name, kind), expect, "{name}");
    }
    assert!(
        ask("in.n.svc.cluster.local", TYPE::A)
            .starts_with("NoError: in.n.svc.cluster.local CNAME db.n.svc.cluster.local, db.n")
    );
    let circle = ask("a.n.svc.cluster.local", TYPE::A);
    assert_eq!(circle.matches("CNAME").count(), MAX_ALIASES + 1, "{circle}");
    let ports = ask("_sql._tcp.db.n.svc.cluster.local", TYPE::SRV);
    assert!(ports.contains("_sql._tcp.db.n.svc.cluster.local SRV 10-200-4-2.db.n.svc.cluster.local:5432"), "{ports}");
}

#[test]
fn an_answer_that_is_too_long_for_its_way_says_so() {
    let names = names();
    let mut packet = question("db.n.svc.cluster.local", TYPE::A);
    let answered = |packet: &[u8], transport| match answer(&names, packet, transport) {
        Reply::Bytes(bytes) => {
            (bytes.len(), told(&bytes).matches("10.200.4.").count(), told(&bytes).contains("truncated"))
        }
        other => panic!("{other:?}"),
    };
    let (length, n, truncated) = answered(&packet, Transport::Udp);
    assert!(length <= 512 && 20 < n && truncated, "{length} bytes, {n} addresses");
    let mut query = Packet::parse(&packet).unwrap();
    *query.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: 4_096, version: 0 });
    let with_edns = query.build_bytes_vec().unwrap();
    let (length, n, truncated) = answered(&with_edns, Transport::Udp);
    assert!(length <= 1_232 && 60 < n && truncated, "{length} bytes, {n} addresses");
    assert_eq!(answered(&packet, Transport::Tcp).1, 100);
    // Not everybody gets the same one first.
    let first = |packet: &[u8]| match answer(&names, packet, Transport::Udp) {
        Reply::Bytes(bytes) => told_first(&bytes),
        other => panic!("{other:?}"),
    };
    let before = first(&packet);
    packet[1] += 1;
    assert_ne!(before, first(&packet));
}

fn told_first(bytes: &[u8]) -> String {
    format!("{:?}", Packet::parse(bytes).unwrap().answers[0].rdata)
}

#[test]
fn what_others_say_of_an_external_name_is_joined_to_it() {
    let packet = question("out.n.svc.cluster.local", TYPE::A);
    let Reply::Follow { question: theirs, aliases } = answer(&names(), &packet, Transport::Udp) else {
        panic!("it is beyond")
    };
    let mut reply = Packet::parse(&theirs).unwrap().into_reply();
    let address = RData::A(A::from(std::net::Ipv4Addr::new(192, 0, 2, 7)));
    reply.answers.push(ResourceRecord::new(Name::new("db.example.org").unwrap(), CLASS::IN, 300, address));
    let bytes = finish(&packet, &aliases, &reply.build_bytes_vec().unwrap(), Transport::Udp).unwrap();
    let expect = "NoError: out.n.svc.cluster.local CNAME db.example.org, db.example.org 192.0.2.7 | ";
    assert_eq!(told(&bytes), expect);
    let mut reply = Packet::parse(&theirs).unwrap().into_reply();
    *reply.rcode_mut() = RCODE::NameError;
    let bytes = finish(&packet, &aliases, &reply.build_bytes_vec().unwrap(), Transport::Udp).unwrap();
    assert!(told(&bytes).starts_with("NameError: out.n.svc.cluster.local CNAME db.example.org |"));
    assert_eq!(finish(&packet, &aliases, b"nonsense", Transport::Udp), None);
    assert_eq!(told(&unavailable(&packet).unwrap()), "ServerFailure:  | ");
}

#[test]
fn odd_packets_are_refused_or_ignored() {
    let names = names();
    let good = question("db.n.svc.cluster.local", TYPE::A);
    let answered = |packet: &[u8]| match answer(&names, packet, Transport::Udp) {
        Reply::Bytes(bytes) => format!("{:?}", Packet::parse(&bytes).unwrap().rcode()),
        Reply::Silence => "silence".into(),
        other => format!("{other:?}"),
    };
    assert_eq!(answered(b""), "silence");
    assert_eq!(answered(&good[..11]), "silence");
    assert_eq!(answered(&good[..12]), "FormatError");
    assert_eq!(answered(&good[..20]), "FormatError");
    let mut response = good.clone();
    response[2] |= 0x80;
    assert_eq!(answered(&response), "silence");
    let mut update = good.clone();
    update[2] |= 0x28;
    assert_eq!(answered(&update), "NotImplemented");
    let mut chaos = good.clone();
    *chaos.last_mut().unwrap() = 3;
    assert_eq!(answered(&chaos), "Refused");
    // A kind of record that the parser does not know (TLSA), of others' names and of ours.
    let unknown = |name: &str| {
        let mut packet = question(name, TYPE::A);
        let at = packet.len() - 3;
        packet[at] = 52;
        answered(&packet)
    };
    assert_eq!(
        (unknown("example.org").as_str(), unknown("db.n.svc.cluster.local").as_str()),
        ("Forward", "FormatError")
    );
    let mut many = good.clone();
    many[11] = 3;
    assert_eq!(answered(&many), "FormatError");
    // A name that points at itself, and one of bytes that are no text.
    let mut circle = good[..12].to_vec();
    circle.extend([0xc0, 12, 0, 1, 0, 1]);
    assert_eq!(answered(&circle), "FormatError");
    let mut bytes = good[..12].to_vec();
    bytes.extend([3, 0xff, b'.', 0]);
    bytes.extend(b"\x07cluster\x05local\x00\x00\x01\x00\x01");
    assert_eq!(answered(&bytes), "NameError");
}
