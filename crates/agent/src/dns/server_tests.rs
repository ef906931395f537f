//! The sockets: forwarding, in this machine's loopback.

use super::*;

#[test]
fn only_an_answer_to_this_very_question_is_one() {
    let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03foo\x03org\x00\x00\x01\x00\x01";
    let mut reply = question.to_vec();
    assert!(!is_reply(question, &reply), "it says itself that it is a question");
    reply[2] |= 0x80;
    assert!(is_reply(question, &reply));
    let mut other = reply.clone();
    other[13] = b'F';
    assert!(is_reply(question, &other), "capitals do not matter");
    other[13] = b'g';
    assert!(!is_reply(question, &other));
    let mut another = reply.clone();
    another[0] ^= 1;
    assert!(!is_reply(question, &another));
    assert!(!is_reply(question, &reply[..14]));
    assert!(!is_reply(&question[..14], &reply));
    let refused = b"\x12\x34\x81\x05\x00\x00\x00\x00\x00\x00\x00\x00";
    assert!(is_reply(question, refused), "one who did not understand the question");
    assert_eq!(question_end(question), Some(question.len()));
    assert_eq!(question_end(&question[..20]), None);
}

/// Counts, which is random enough for one test.
struct Counter(std::sync::atomic::AtomicU8);

impl Entropy for Counter {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    }
}

fn shared(servers: Vec<SocketAddr>) -> Shared {
    let range = Range::of([10, 200, 4, 0].into(), 22);
    Shared {
        names: Arc::new(RwLock::new(Names::new(range))),
        entropy: Arc::new(Counter(7.into())),
        own: [10, 200, 4, 1].into(),
        asked: Semaphore::new(1),
        asking: Shares::new(1),
        connected: Shares::new(2),
        conf: Mutex::new(Some((Instant::now() + Duration::from_secs(3_600), servers))),
    }
}

const POD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 200, 4, 7));
const QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03foo\x03org\x00\x00\x01\x00\x01";

/// A resolver that answers what `make` makes of each question.
async fn resolver(make: fn(&mut Vec<u8>)) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let mut reply = buffer[..length].to_vec();
            assert_ne!(reply[..2], QUESTION[..2], "the number of a pod's question goes no further");
            reply[2] |= 0x80;
            make(&mut reply);
            socket.send_to(&reply, from).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn others_are_asked_one_after_the_other() {
    let deaf = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let liar = resolver(|reply| reply[0] ^= 0xff).await;
    let honest = resolver(|reply| reply.extend(b"!")).await;
    let shared = shared(vec![deaf.local_addr().unwrap(), liar, honest]);
    let reply = shared.elsewhere(QUESTION, Reply::Forward, Transport::Udp, POD).await.unwrap();
    assert_eq!((&reply[..2], reply.last()), (&QUESTION[..2], Some(&b'!')));
}

#[tokio::test]
async fn without_anybody_to_ask_there_is_an_answer_all_the_same() {
    let refused =
        |bytes: Option<Vec<u8>>| bytes.is_some_and(|bytes| bytes[..2] == QUESTION[..2] && bytes[3] & 0xf == 2);
    assert!(refused(shared(Vec::new()).elsewhere(QUESTION, Reply::Forward, Transport::Udp, POD).await));
    let busy = shared(Vec::new());
    let _its = busy.asking.take(POD).unwrap();
    assert!(refused(busy.elsewhere(QUESTION, Reply::Forward, Transport::Udp, POD).await));
}

#[tokio::test]
async fn pods_ask_by_datagram_and_by_stream_and_nobody_else_is_answered() {
    let upstream = resolver(|reply| reply.extend(b"!")).await;
    let streams = TcpListener::bind(upstream).await.unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = streams.accept().await.unwrap();
        let mut reply = receive(&mut stream).await.unwrap();
        reply[2] |= 0x80;
        reply.extend(b"by stream");
        transmit(&mut stream, &reply).await.unwrap();
    });
    let udp = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, stream_at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    let loopback = Range::of([127, 0, 0, 1].into(), 32);
    tokio::spawn(datagrams(udp, loopback, Arc::new(shared(vec![upstream]))));
    tokio::spawn(connections(tcp, loopback, Arc::new(shared(vec![upstream]))));
    let ours = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04host\x04kiln\x08internal\x00\x00\x01\x00\x01";
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let stranger = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    stranger.send_to(ours, at).await.unwrap();
    let mut buffer = [0; 512];
    let mut answers = Vec::new();
    for question in [ours.as_slice(), QUESTION] {
        socket.send_to(question, at).await.unwrap();
        let length = socket.recv(&mut buffer).await.unwrap();
        answers.push(buffer[..length].to_vec());
    }
    assert!(answers[0].ends_with(&[10, 200, 4, 1]) && answers[1].ends_with(b"!"), "{answers:?}");
    assert!(stranger.try_recv(&mut buffer).is_err(), "what came later was answered, so this was not");
    let mut stream = TcpStream::connect(stream_at).await.unwrap();
    for (question, end) in [(ours.as_slice(), [10, 200, 4, 1].as_slice()), (QUESTION, b"by stream")] {
        transmit(&mut stream, question).await.unwrap();
        let answer = receive(&mut stream).await.unwrap();
        assert!(answer.ends_with(end), "{answer:?}");
    }
}

#[test]
fn nobody_has_all() {
    let (shares, other) = (Shares::new(2), IpAddr::from([10, 200, 4, 8]));
    let held = (shares.take(POD).unwrap(), shares.take(POD).unwrap());
    assert!(shares.take(POD).is_none() && shares.take(other).is_some());
    drop(held.0);
    assert!(shares.take(POD).is_some());
    drop(held.1);
    assert!(shares.taken.lock().is_empty());
}
