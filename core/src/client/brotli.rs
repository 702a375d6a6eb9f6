//! The content coding br (RFC 7932).

use std::io::{self, ErrorKind, Read};

use brotli_decompressor::Decompressor;

const BUFFER: usize = 8 * 1_024;
/// What may follow the end of a stream.
const MAX_BEHIND: u64 = 64 * 1_024;

/// Decodes one stream; a stream is all there is. No bytes at all are none and no error: a response to
/// HEAD names the coding too. What is broken is an error of the kind [`ErrorKind::InvalidData`].
pub(super) struct BrotliDecoder<R: Read> {
    decoder: Decompressor<Watched<R>>,
    is_over: bool,
}

/// Tells whether anything has come, and what has failed.
struct Watched<R> {
    from: R,
    has_begun: bool,
    failed: Option<io::Error>,
}

impl<R: Read> BrotliDecoder<R> {
    pub(super) fn new(from: R) -> Self {
        let from = Watched { from, has_begun: false, failed: None };
        Self { decoder: Decompressor::new(from, BUFFER), is_over: false }
    }

    /// What follows a stream is passed over: the decoder has some of it already and does not say so.
    fn end(&mut self) -> io::Result<usize> {
        self.is_over = true;
        let rest = &mut self.decoder.get_mut().from;
        match io::copy(&mut rest.take(MAX_BEHIND + 1), &mut io::sink())? {
            0..=MAX_BEHIND => Ok(0),
            _ => Err(broken("something large behind its end")),
        }
    }
}

impl<R: Read> Read for BrotliDecoder<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.is_over || to.is_empty() {
            return Ok(0);
        }
        match self.decoder.read(to) {
            Ok(0) => self.end(),
            Err(e) => match self.decoder.get_mut().failed.take() {
                Some(failed) => Err(failed),
                None if !self.decoder.get_ref().has_begun => {
                    self.is_over = true;
                    Ok(0)
                }
                None => Err(broken(&e.to_string())),
            },
            read => read,
        }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.from.read(to) {
            Ok(n) => {
                self.has_begun |= n > 0;
                Ok(n)
            }
            Err(e) => {
                let kind = e.kind();
                self.failed = Some(e);
                Err(kind.into())
            }
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("br: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "hello" in an uncompressed block, and the end (RFC 7932 §9.2).
    const HELLO: [u8; 9] = [0x0b, 0x02, 0x80, b'h', b'e', b'l', b'l', b'o', 0x03];

    fn decoded(br: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        BrotliDecoder::new(br).read_to_end(&mut text).map(|_| text)
    }

    #[test]
    fn a_stream_is_decoded_whole_or_is_an_error() {
        assert_eq!(decoded(b"").expect("an answer to HEAD"), b"");
        assert_eq!(decoded(&HELLO).expect("good"), b"hello");
        for cut in 1..HELLO.len() {
            let e = decoded(&HELLO[..cut]).expect_err("cut off");
            assert_eq!(e.kind(), ErrorKind::InvalidData, "{cut}");
        }
        assert_eq!(decoded(&[&HELLO[..], b"x"].concat()).expect("passed over"), b"hello");
        assert!(decoded(&[&HELLO[..], &[0; 100_000]].concat()).is_err(), "endless");
        assert!(decoded(b"this is not brotli").is_err());
    }
}
