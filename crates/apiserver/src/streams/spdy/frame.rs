//! Frames (SPDY/3, section 2.2): what a client says, cut out of its bytes, and what a server answers.

use super::headers::{Headers, Inflater, empty_block};
use bytes::{Buf, Bytes, BytesMut};

/// Of control frames. Data is passed on as it comes, whatever the length of its frame.
const MAX_CONTROL: usize = 64 * 1024;

/// No more than this is passed on at once.
const MAX_PIECE: usize = 32 * 1024;

/// `FLAG_FIN`: the sender sends nothing more on this stream.
const FIN: u8 = 1;

/// What a client says. What does not concern us (settings, windows, further headers) is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Open { stream: u32, headers: Headers, is_last: bool },
    Data { stream: u32, bytes: Bytes, is_last: bool },
    Reset { stream: u32 },
    Ping { id: u32 },
    GoAway,
}

/// Bytes that are no SPDY/3; the connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed SPDY frame")]
pub(crate) struct Malformed;

/// Cuts frames out of bytes.
pub(crate) struct Decoder {
    received: BytesMut,
    inflater: Inflater,
    /// A data frame of which a part has been passed on: stream, bytes to come, whether they are the last.
    within: Option<(u32, usize, bool)>,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self { received: BytesMut::new(), inflater: Inflater::new(), within: None }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// What comes next; `None` until more bytes do.
    pub(crate) fn next(&mut self) -> Result<Option<Said>, Malformed> {
        loop {
            if let Some(data) = self.data() {
                return Ok(Some(data));
            }
            if self.within.is_some() {
                return Ok(None);
            }
            let Some(head) = self.received.first_chunk::<8>().copied() else {
                return Ok(None);
            };
            let word = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            let (flags, length) = (head[4], u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize);
            if word & 1 << 31 == 0 {
                self.received.advance(8);
                self.within = Some((word, length, flags & FIN != 0));
                continue;
            }
            if MAX_CONTROL < length || word >> 16 & 0x7fff != 3 {
                return Err(Malformed);
            }
            if self.received.len() < 8 + length {
                return Ok(None);
            }
            self.received.advance(8);
            let body = self.received.split_to(length).freeze();
            if let Some(said) = self.control(word & 0xffff, flags, body)? {
                return Ok(Some(said));
            }
        }
    }

    /// The next piece of the data frame that is being received, or its end if it is empty.
    fn data(&mut self) -> Option<Said> {
        let (stream, left, is_fin) = self.within?;
        let length = left.min(self.received.len()).min(MAX_PIECE);
        if length == 0 && left != 0 {
            return None;
        }
        let bytes = self.received.split_to(length).freeze();
        let left = left - length;
        self.within = (left != 0).then_some((stream, left, is_fin));
        Some(Said::Data { stream, bytes, is_last: is_fin && left == 0 })
    }

    fn control(&mut self, kind: u32, flags: u8, mut body: Bytes) -> Result<Option<Said>, Malformed> {
        let mut number = || body.try_get_u32().map_err(|_| Malformed);
        Ok(match kind {
            // SYN_STREAM: its number, that of another it belongs to, priority and slot.
            1 => {
                let stream = number()? & 0x7fff_ffff;
                number()?;
                body.try_get_u16().map_err(|_| Malformed)?;
                let headers = self.inflater.read(&body).map_err(|_| Malformed)?;
                Some(Said::Open { stream, headers, is_last: flags & FIN != 0 })
            }
            3 => Some(Said::Reset { stream: number()? & 0x7fff_ffff }),
            6 => Some(Said::Ping { id: number()? }),
            7 => Some(Said::GoAway),
            // SYN_REPLY and HEADERS take part in the compression, so they are inflated though they are not wanted.
            2 | 8 => {
                number()?;
                self.inflater.read(&body).map_err(|_| Malformed)?;
                None
            }
            // SETTINGS, WINDOW_UPDATE, and what may come to be.
            _ => None,
        })
    }
}

fn control(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let mut frame = vec![0x80, 3];
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(&[0, length[1], length[2], length[3]]);
    frame.extend_from_slice(body);
    frame
}

/// SYN_REPLY: the stream is accepted. `is_first`: no header block has been written on this connection before.
pub(crate) fn accept(stream: u32, is_first: bool) -> Vec<u8> {
    control(2, &[&stream.to_be_bytes()[..], &empty_block(is_first)].concat())
}

/// RST_STREAM with REFUSED_STREAM: the stream is not.
pub(crate) fn refuse(stream: u32) -> Vec<u8> {
    control(3, &[stream.to_be_bytes(), 3u32.to_be_bytes()].concat())
}

/// PING: an answer repeats the client's id; ours are even.
pub(crate) fn ping(id: u32) -> Vec<u8> {
    control(6, &id.to_be_bytes())
}

/// GOAWAY: no stream after `last` is looked at; all is well.
pub(crate) fn go_away(last: u32) -> Vec<u8> {
    control(7, &[last.to_be_bytes(), [0; 4]].concat())
}

/// Data on a stream, 16 MiB at most.
pub(crate) fn data(stream: u32, bytes: &[u8], is_last: bool) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
    let mut frame = Vec::with_capacity(8 + bytes.len());
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(&[if is_last { FIN } else { 0 }, length[1], length[2], length[3]]);
    frame.extend_from_slice(bytes);
    frame
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::headers::tests::{DATA, STDIN, bytes};
    use super::*;
    use proptest::prelude::*;

    /// SYN_STREAM with a block.
    pub(crate) fn open(stream: u32, block: &str) -> Vec<u8> {
        control(1, &[&stream.to_be_bytes()[..], &[0; 6], &bytes(block)].concat())
    }

    fn opened(stream: u32, pairs: &[(&str, &str)]) -> Said {
        let headers = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Said::Open { stream, headers, is_last: false }
    }

    /// Everything said, with neighbouring pieces of a stream's data joined.
    fn decode(wire: &[u8], piece: usize) -> Result<Vec<Said>, Malformed> {
        let mut decoder = Decoder::new();
        let mut seen = Vec::new();
        for piece in wire.chunks(piece) {
            decoder.feed(piece);
            while let Some(said) = decoder.next()? {
                match (seen.last_mut(), &said) {
                    (
                        Some(Said::Data { stream, bytes, is_last: last @ false }),
                        Said::Data { stream: same, bytes: more, is_last },
                    ) if stream == same => {
                        *bytes = [&bytes[..], &more[..]].concat().into();
                        *last = *is_last;
                    }
                    _ => seen.push(said),
                }
            }
        }
        Ok(seen)
    }

    #[test]
    fn frames_are_cut_out_however_they_arrive() {
        let wire = [
            control(4, &[0; 4]),
            open(1, STDIN),
            data(1, b"hello", false),
            ping(7),
            open(3, DATA),
            data(1, b"", true),
            control(9, &[0; 8]),
            refuse(3),
            go_away(3),
        ]
        .concat();
        let text = |text: &'static str, is_last| Said::Data { stream: 1, bytes: text.into(), is_last };
        let expect = [
            opened(1, &[("streamtype", "stdin")]),
            text("hello", false),
            Said::Ping { id: 7 },
            opened(3, &[("port", "8080"), ("requestid", "0"), ("streamtype", "data")]),
            text("", true),
            Said::Reset { stream: 3 },
            Said::GoAway,
        ];
        for piece in [1, 2, 7, 8, 1000] {
            assert_eq!(decode(&wire, piece).unwrap(), expect, "in pieces of {piece}");
        }
    }

    #[test]
    fn data_flows_before_its_frame_is_whole() {
        let mut decoder = Decoder::new();
        let frame = data(5, &[b'x'; 100_000], true);
        decoder.feed(&frame[..1008]);
        assert_eq!(decoder.next(), Ok(Some(Said::Data { stream: 5, bytes: vec![b'x'; 1000].into(), is_last: false })));
        assert_eq!(decoder.next(), Ok(None));
        decoder.feed(&frame[1008..]);
        let mut lengths = Vec::new();
        while let Some(Said::Data { bytes, is_last, .. }) = decoder.next().unwrap() {
            lengths.push((bytes.len(), is_last));
        }
        assert_eq!(lengths, [(32_768, false), (32_768, false), (32_768, false), (696, true)]);
    }

    #[test]
    fn what_is_no_spdy_is_refused() {
        for wire in [
            b"\x80\x02\0\x01\0\0\0\0".as_slice(), // version 2
            b"\x80\x03\0\x06\0\0\0\x02\0\0",      // a ping that is too short
            b"\x80\x03\0\x01\0\xff\xff\xff",      // a control frame of 16 MiB
            b"\x80\x03\0\x01\0\0\0\x0c\0\0\0\x01\0\0\0\0\0\0xx",
        ] {
            assert_eq!(decode(wire, 100), Err(Malformed), "{wire:?}");
        }
    }

    proptest! {
        #[test]
        fn nonsense_is_an_error_and_nothing_worse(mut noise: Vec<u8>, kind in 0u8..12) {
            let _ = decode(&noise, 9);
            let length = u8::try_from(noise.len()).unwrap_or(200);
            noise.splice(0..0, [0x80, 3, 0, kind, 0, 0, 0, length]);
            let _ = decode(&noise, 9);
        }
    }
}
