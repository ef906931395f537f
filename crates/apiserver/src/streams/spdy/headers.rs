//! Header blocks: names and values, compressed by zlib with a dictionary that both sides know, one zlib stream for a connection's whole
//! life (SPDY/3, section 2.6.10).

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, TINFL_LZ_DICT_SIZE, decompress};
use std::collections::BTreeMap;

/// A block's inflated size; Kubernetes' blocks have a hundred bytes.
const MAX_BLOCK: usize = 64 * 1024;

/// Names in lower case.
pub(crate) type Headers = BTreeMap<String, String>;

/// The dictionary's words, each of which stands in it after its length,
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow \
    authorization cache-control connection content-base content-encoding content-language content-length content-location \
    content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range \
    if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer \
    retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status \
    200_OK version HTTP/1.1 url public set-cookie keep-alive origin";

/// and the text after them.
const TEXT: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative \
    Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server \
    Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, \
    Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,\
    text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// Adler-32 of the dictionary, which a zlib stream names it by.
const DICTIONARY_ID: [u8; 4] = [0xe3, 0xc6, 0xa7, 0xc2];

fn dictionary() -> Vec<u8> {
    let mut dictionary = Vec::with_capacity(1423);
    for word in WORDS.split_whitespace() {
        let word = word.replace('_', " ");
        dictionary.extend_from_slice(&u32::try_from(word.len()).unwrap_or(0).to_be_bytes());
        dictionary.extend_from_slice(word.as_bytes());
    }
    dictionary.extend_from_slice(TEXT.as_bytes());
    dictionary
}

/// A block that is not what it should be; the connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed SPDY header block")]
pub(crate) struct Malformed;

/// Inflates a client's blocks, in their order.
pub(crate) struct Inflater {
    state: Box<DecompressorOxide>,
    /// What was inflated last, the dictionary first: later text refers back into it.
    window: Box<[u8]>,
    at: usize,
    has_begun: bool,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { state: Box::default(), window: vec![0; TINFL_LZ_DICT_SIZE].into_boxed_slice(), at: 0, has_begun: false }
    }

    /// The headers of the next block.
    pub(crate) fn read(&mut self, block: &[u8]) -> Result<Headers, Malformed> {
        let block = if self.has_begun { block } else { self.begin(block)? };
        parse(&self.inflate(block)?)
    }

    /// Takes the zlib header, which says whether the dictionary is used.
    fn begin<'a>(&mut self, block: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let (&[method, flags], rest) = block.split_first_chunk().ok_or(Malformed)?;
        let is_zlib = method & 0x0f == 8 && (u16::from(method) << 8 | u16::from(flags)) % 31 == 0;
        if !is_zlib {
            return Err(Malformed);
        }
        self.has_begun = true;
        if flags & 0x20 == 0 {
            return Ok(rest);
        }
        let (id, rest) = rest.split_first_chunk().ok_or(Malformed)?;
        if *id != DICTIONARY_ID {
            return Err(Malformed);
        }
        let dictionary = dictionary();
        self.window[..dictionary.len()].copy_from_slice(&dictionary);
        self.at = dictionary.len();
        Ok(rest)
    }

    fn inflate(&mut self, mut block: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut text = Vec::new();
        loop {
            let (status, n_read, n_written) =
                decompress(&mut self.state, block, &mut self.window, self.at, TINFL_FLAG_HAS_MORE_INPUT);
            text.extend_from_slice(self.window.get(self.at..self.at + n_written).ok_or(Malformed)?);
            if MAX_BLOCK < text.len() {
                return Err(Malformed);
            }
            self.at = (self.at + n_written) % TINFL_LZ_DICT_SIZE;
            block = block.get(n_read..).ok_or(Malformed)?;
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if block.is_empty() => return Ok(text),
                _ => return Err(Malformed),
            }
        }
    }
}

fn parse(text: &[u8]) -> Result<Headers, Malformed> {
    fn number(text: &mut &[u8]) -> Result<usize, Malformed> {
        let (number, rest) = text.split_first_chunk().ok_or(Malformed)?;
        *text = rest;
        usize::try_from(u32::from_be_bytes(*number)).map_err(|_| Malformed)
    }
    fn string(text: &mut &[u8]) -> Result<String, Malformed> {
        let length = number(text)?;
        let (string, rest) = text.split_at_checked(length).ok_or(Malformed)?;
        *text = rest;
        String::from_utf8(string.to_vec()).map_err(|_| Malformed)
    }
    let mut text = text;
    let mut headers = Headers::new();
    // Each pair takes eight bytes at least, so a large number ends at the end of the text.
    for _ in 0..number(&mut text)? {
        let (name, value) = (string(&mut text)?, string(&mut text)?);
        // Several values of one name stand between NULs; ours have one.
        headers.insert(name.to_ascii_lowercase(), value.split('\0').next().unwrap_or("").to_owned());
    }
    match text.is_empty() {
        true => Ok(headers),
        false => Err(Malformed),
    }
}

/// The block of no headers: all that a server says about a stream. Nothing to compress, so it is stored as it is.
pub(crate) fn empty_block(is_first: bool) -> Vec<u8> {
    // zlib's header: deflate, no dictionary.
    const ZLIB: [u8; 2] = [0x78, 0x01];
    // A stored block of four bytes, the number of pairs; an empty one, which makes the reader let go of what it has.
    const NO_PAIRS: [u8; 14] = [0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    match is_first {
        true => [&ZLIB[..], &NO_PAIRS].concat(),
        false => NO_PAIRS.to_vec(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Go's zlib writes for `streamtype: stdin`, and in the same connection for `port: 8080, requestid: 0, streamtype: data`.
    pub(crate) const STDIN: &str = "78f9e3c6a7c202a62346703a2b294a4dcc851625acc525c03c01000000ffff";
    pub(crate) const DATA: &str = "02a54748d15c04ce0516061606409ab308129599a024ce6880a119540e2502000000ffff";

    pub(crate) fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn the_dictionary_is_that_of_the_protocol() {
        let dictionary = dictionary();
        let (mut a, mut b) = (1u32, 0u32);
        for byte in &dictionary {
            a = (a + u32::from(*byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        assert_eq!((dictionary.len(), (b << 16 | a).to_be_bytes()), (1423, DICTIONARY_ID));
    }

    #[test]
    fn blocks_of_one_connection_are_inflated_one_after_another() {
        let mut inflater = Inflater::new();
        assert_eq!(inflater.read(&bytes(STDIN)), Ok(headers(&[("streamtype", "stdin")])));
        let data = headers(&[("port", "8080"), ("requestid", "0"), ("streamtype", "data")]);
        assert_eq!(inflater.read(&bytes(DATA)), Ok(data));
        assert_eq!(Inflater::new().read(&bytes(DATA)), Err(Malformed), "it refers to what came before");
    }

    #[test]
    fn what_we_write_can_be_read() {
        let mut inflater = Inflater::new();
        for is_first in [true, false, false] {
            assert_eq!(inflater.read(&empty_block(is_first)), Ok(Headers::new()));
        }
    }

    #[test]
    fn a_bomb_is_refused_after_64_kib() {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![0; 50 << 20]).unwrap();
        encoder.flush().unwrap();
        let bomb = encoder.get_ref().clone();
        assert_eq!(Inflater::new().read(&bomb), Err(Malformed));
    }

    proptest! {
        #[test]
        fn nonsense_is_an_error_and_nothing_worse(mut noise: Vec<u8>, zlib: bool) {
            if zlib {
                noise.splice(0..0, bytes("78f9e3c6a7c2"));
            }
            let mut inflater = Inflater::new();
            for block in noise.chunks(40) {
                let _ = inflater.read(block);
            }
            let _ = parse(&noise);
        }
    }
}
