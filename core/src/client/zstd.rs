//! The content coding zstd (RFC 8878, RFC 9659).

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// A larger window is nobody's in HTTP (RFC 9659 §3): it is memory that the server decides about.
const MAX_WINDOW: u64 = 8 << 20;

/// Decodes frames one after the other and passes over those that are to be skipped (RFC 8878 §3.1).
/// No bytes at all are no frame and no error: a response to HEAD names the coding too. What is
/// broken is an error of the kind [`ErrorKind::InvalidData`].
///
/// Of a frame nothing comes out before a window of it is there, or all of it: good for bodies that are
/// wanted whole, bad for those that come bit by bit.
pub(super) struct ZstdDecoder<R> {
    from: BufReader<R>,
    frame: FrameDecoder,
    is_in_frame: bool,
}

impl<R: Read> ZstdDecoder<R> {
    pub(super) fn new(from: R) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(MAX_WINDOW);
        Self { from: BufReader::new(from), frame, is_in_frame: false }
    }

    /// Begins the next frame; whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.from.fill_buf()?.is_empty() {
                return Ok(false);
            }
            let mut from = Remembering { from: &mut self.from, failed: None };
            match self.frame.reset(&mut from) {
                Ok(()) => {
                    self.is_in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => self.skip(length.into())?,
                Err(e) => return Err(from.or(&e)),
            }
        }
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.from.by_ref().take(length), &mut io::sink())?;
        match skipped == length {
            true => Ok(()),
            false => Err(broken("cut off")),
        }
    }

    /// The frame has been read to its end.
    fn end(&mut self) -> io::Result<()> {
        self.is_in_frame = false;
        let (sent, found) =
            (self.frame.get_checksum_from_data(), self.frame.get_calculated_checksum());
        match sent.is_none() || sent == found {
            true => Ok(()),
            false => Err(broken("not what it was when it was compressed")),
        }
    }
}

impl<R: Read> Read for ZstdDecoder<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_in_frame && !self.begin()? {
                return Ok(0);
            }
            while self.frame.can_collect() == 0 && !self.frame.is_finished() {
                let mut from = Remembering { from: &mut self.from, failed: None };
                let one = BlockDecodingStrategy::UptoBlocks(1);
                if let Err(e) = self.frame.decode_blocks(&mut from, one) {
                    return Err(from.or(&e));
                }
            }
            match self.frame.read(to)? {
                0 => self.end()?,
                n => return Ok(n),
            }
        }
    }
}

/// Keeps the error of its source, which the decoder would bury in one of its own: whether the way or
/// the data is to blame makes all the difference.
struct Remembering<'a, R> {
    from: &'a mut R,
    failed: Option<io::Error>,
}

impl<R> Remembering<'_, R> {
    fn or(self, e: &FrameDecoderError) -> io::Error {
        self.failed.unwrap_or_else(|| broken(&e.to_string()))
    }
}

impl<R: Read> Read for Remembering<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.from.read(to).map_err(|e| {
            let kind = e.kind();
            self.failed = Some(e);
            kind.into()
        })
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("zstd: {what}"))
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn frame(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    fn decoded(zstd: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        ZstdDecoder::new(zstd).read_to_end(&mut text).map(|_| text)
    }

    /// A frame that is passed over (RFC 8878 §3.1.2).
    fn skippable(content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u32).to_le_bytes();
        [&0x184D_2A53_u32.to_le_bytes(), length.as_slice(), content].concat()
    }

    #[test]
    fn frames_follow_each_other_and_some_are_skipped() {
        let text: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        assert_eq!(decoded(b"").expect("an answer to HEAD"), b"");
        assert!(decoded(&frame(&text)).expect("good") == text);
        let three = [
            skippable(b"metadata"),
            frame(b"one "),
            frame(b""),
            skippable(b""),
            skippable(&[7; 5_000]),
            frame(b"two"),
        ];
        assert_eq!(decoded(&three.concat()).expect("good"), b"one two");
    }

    #[test]
    fn whatever_is_missing_or_changed_is_an_error_or_changes_nothing() {
        let text: Vec<u8> = (0..3_000_u32).map(|i| (i.wrapping_mul(i) >> 9) as u8).collect();
        let good = [skippable(b"x"), frame(&text)].concat();
        assert!(decoded(&good).expect("good") == text);
        // A frame that is skipped may be all there is.
        for cut in (1..good.len()).filter(|cut| *cut != 9) {
            let e = decoded(&good[..cut]).expect_err("cut off");
            assert_eq!(e.kind(), ErrorKind::InvalidData, "{cut}");
        }
        for behind in [&b"x"[..], &[0; 8], b"\x28\xb5\x2f\xfd"] {
            assert!(decoded(&[good.as_slice(), behind].concat()).is_err(), "{behind:?}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            // There is a checksum only where the encoder wrote one; nothing panics, nothing hangs.
            let _either = decoded(&bad);
        }
    }

    #[test]
    fn a_window_that_http_does_not_know_is_refused_before_it_is_allocated() {
        // Magic, a descriptor without anything, and a window of 2^(10 + n) bytes.
        let header = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3];
        // An empty last block.
        let empty = [1, 0, 0];
        assert_eq!(decoded(&[&header(13)[..], &empty].concat()).expect("8 MiB"), b"");
        for exponent in [14, 21, 31] {
            let e = decoded(&[&header(exponent)[..], &empty].concat()).expect_err("too large");
            assert_eq!(e.kind(), ErrorKind::InvalidData);
        }
    }

    #[test]
    fn an_error_of_the_way_stays_one() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::new(ErrorKind::ConnectionReset, "gone"))
            }
        }
        let half = &frame(&[7; 10_000])[..10];
        let mut decoder = ZstdDecoder::new(half.chain(Broken));
        let e = decoder.read_to_end(&mut Vec::new()).expect_err("gone");
        assert_eq!(e.kind(), ErrorKind::ConnectionReset);
    }
}
