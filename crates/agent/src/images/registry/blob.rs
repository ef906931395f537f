//! The bytes of one blob, from wherever the registry keeps it to a reader on another thread. A connection that breaks is taken up
//! where it broke. Counts the bytes; whoever reads them checks what they hash to.

use super::super::ImageError;
use super::http::{root_cause, shown};
use super::session::Session;
use super::{Fault, PullError};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::io::{self, Read};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Connections that may break without a byte between them.
const TRIES_WITHOUT_PROGRESS: u32 = 3;
/// Pieces on their way from the network to the reader: hyper's are at most some hundred KiB.
const PIECES_IN_FLIGHT: usize = 8;

/// One blob.
pub(super) struct Blob<'a> {
    pub session: &'a Session,
    pub digest: &'a str,
    /// As its descriptor says.
    pub size: u64,
}

/// The end that unpacks, on a thread that may block.
pub(super) struct Pieces {
    receiver: mpsc::Receiver<Result<Bytes, PullError>>,
    piece: Bytes,
}

/// The end that fetches.
pub(super) type Sender = mpsc::Sender<Result<Bytes, PullError>>;

/// Both ends.
pub(super) fn channel() -> (Sender, Pieces) {
    let (sender, receiver) = mpsc::channel(PIECES_IN_FLIGHT);
    (sender, Pieces { receiver, piece: Bytes::new() })
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(error)) => return Err(io::Error::other(ImageError::Pull(error))),
            }
        }
        let n = buffer.len().min(self.piece.len());
        buffer[..n].copy_from_slice(&self.piece.split_to(n));
        Ok(n)
    }
}

/// What became of a connection.
enum Broken {
    /// Another one may get on.
    Passing(String),
    Lasting(PullError),
    /// Nobody reads any more.
    Unwanted,
}

impl Blob<'_> {
    /// Sends all its bytes, or the error that ended it. `told` hears how many there are so far.
    pub(super) async fn feed(&self, sender: Sender, told: impl Fn(u64)) {
        let mut offset = 0;
        let mut tries = 0;
        loop {
            let before = offset;
            let broken = match self.connection(&sender, &mut offset, &told).await {
                Ok(()) => return,
                Err(broken) => broken,
            };
            tries = if before < offset { 1 } else { tries + 1 };
            let error = match broken {
                Broken::Unwanted => return,
                Broken::Lasting(error) => error,
                Broken::Passing(_) if tries < TRIES_WITHOUT_PROGRESS => {
                    tokio::time::sleep(self.session.http.patience.pause * tries).await;
                    continue;
                }
                Broken::Passing(text) => PullError::new(Fault::Unreachable, text),
            };
            // Nobody listening is fine: it has failed already.
            let _ = sender.send(Err(error)).await;
            return;
        }
    }

    async fn connection(&self, sender: &Sender, offset: &mut u64, told: &impl Fn(u64)) -> Result<(), Broken> {
        let url = self.session.url(&format!("blobs/{}", self.digest)).map_err(Broken::Lasting)?;
        let mut headers = HeaderMap::new();
        if 0 < *offset {
            let range = HeaderValue::try_from(format!("bytes={offset}-"));
            headers.extend(range.ok().map(|range| (RANGE, range)));
        }
        let answer = self.session.get(&url, &headers).await.map_err(Broken::Lasting)?;
        let place = shown(&url);
        let mut skip = self.judge_head(&answer, *offset).map_err(|text| self.dishonest(&place, &text))?;
        let mut body = answer.into_body();
        loop {
            let frame = match timeout(self.session.http.patience.body, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(Broken::Passing(format!("{place}: {}", root_cause(&error)))),
                Ok(None) if *offset == self.size => return Ok(()),
                Ok(None) => {
                    return Err(Broken::Passing(format!("{place}: ends after {offset} of {} bytes", self.size)));
                }
                Err(_) => {
                    let seconds = self.session.http.patience.body.as_secs();
                    return Err(Broken::Passing(format!("{place}: nothing more within {seconds} seconds")));
                }
            };
            let Ok(mut piece) = frame.into_data() else { continue };
            // A registry that cannot begin in the middle sends what is known once more.
            let known = skip.min(piece.len() as u64);
            skip -= known;
            let _ = piece.split_to(usize::try_from(known).unwrap_or(piece.len()));
            if piece.is_empty() {
                continue;
            }
            if self.size - *offset < piece.len() as u64 {
                return Err(self.dishonest(&place, "sends more bytes than its descriptor says"));
            }
            *offset += piece.len() as u64;
            told(*offset);
            sender.send(Ok(piece)).await.map_err(|_| Broken::Unwanted)?;
        }
    }

    /// How many bytes of the body are known already.
    fn judge_head(&self, answer: &Response<Incoming>, offset: u64) -> Result<u64, String> {
        let number = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let begins = content_range_start(answer.headers());
        let (first, skip) = match answer.status() {
            StatusCode::PARTIAL_CONTENT if begins == Some(offset) => (offset, 0),
            StatusCode::PARTIAL_CONTENT => return Err("answers with another part than the one asked for".into()),
            _ => (0, offset),
        };
        match number(CONTENT_LENGTH) {
            Some(length) if length != self.size - first => {
                Err(format!("has {} bytes, and its descriptor says {}", first + length, self.size))
            }
            _ => Ok(skip),
        }
    }

    fn dishonest(&self, place: &str, text: &str) -> Broken {
        Broken::Lasting(PullError::new(Fault::Dishonest, format!("{place}: {text}")))
    }
}

/// `bytes 100-199/200` begins at 100.
fn content_range_start(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}
