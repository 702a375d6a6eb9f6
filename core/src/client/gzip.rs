//! The content coding gzip (RFC 9110 §8.4.1.3, RFC 1952).
//!
//! Only the frame is here, flate2 inflates: its own reader of the frame brings a checksum with
//! 24 KB of tables that do not compress.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// What precedes the data of a member: nobody needs a longer name or comment.
const MAX_HEADER: usize = 16 * 1024;
const HEADER_CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// Zero bytes behind the last member, with which some servers fill up a block.
const MAX_PADDING: usize = 64 * 1024;

/// Decodes members one after the other (RFC 1952 §2.2). No bytes at all are no member and no error:
/// a response to HEAD names the coding too. Zero bytes behind the last one belong to nothing, as
/// gzip(1) has it. What is broken is an error of the kind
/// [`ErrorKind::InvalidData`].
pub(super) struct GzipDecoder<R> {
    from: BufReader<R>,
    next: Part,
    inflate: Decompress,
    crc: u32,
    length: u32,
}

enum Part {
    First,
    Next,
    Data,
    Trailer,
}

impl<R: Read> GzipDecoder<R> {
    pub(super) fn new(from: R) -> Self {
        let (from, inflate) = (BufReader::new(from), Decompress::new(false));
        Self { from, next: Part::First, inflate, crc: 0, length: 0 }
    }

    fn inflate(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let input = self.from.fill_buf()?;
        if input.is_empty() {
            return Err(broken("cut off"));
        }
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, to, FlushDecompress::None);
        let status = status.map_err(|_| broken("its data cannot be decompressed"))?;
        self.from.consume((self.inflate.total_in() - before.0) as usize);
        if status == Status::StreamEnd {
            self.next = Part::Trailer;
        }
        let n = (self.inflate.total_out() - before.1) as usize;
        self.crc = to
            .iter()
            .take(n)
            .fold(self.crc, |crc, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8));
        self.length = self.length.wrapping_add(n as u32);
        Ok(n)
    }

    fn check_trailer(&mut self) -> io::Result<()> {
        let crc = u32::from_le_bytes(array(&mut self.from)?);
        let length = u32::from_le_bytes(array(&mut self.from)?);
        if crc != !self.crc || length != self.length {
            return Err(broken("not what it was when it was compressed"));
        }
        Ok(())
    }
}

impl<R: Read> Read for GzipDecoder<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        loop {
            match self.next {
                Part::First | Part::Next if self.from.fill_buf()?.is_empty() => return Ok(0),
                Part::Next if self.from.fill_buf()?[0] == 0 => {
                    skip_padding(&mut self.from)?;
                    return Ok(0);
                }
                Part::First | Part::Next => {
                    skip_header(&mut self.from)?;
                    self.inflate.reset(false);
                    (self.next, self.crc, self.length) = (Part::Data, !0, 0);
                }
                Part::Data => match self.inflate(to)? {
                    0 => {}
                    n => return Ok(n),
                },
                Part::Trailer => {
                    self.check_trailer()?;
                    self.next = Part::Next;
                }
            }
        }
    }
}

/// Reads zero bytes up to the end of the body; nothing else may follow them.
fn skip_padding(from: &mut impl BufRead) -> io::Result<()> {
    let mut left = MAX_PADDING;
    loop {
        let bytes = from.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|byte| *byte != 0) || bytes.len() > left {
            return Err(broken("something that is no member behind the last one"));
        }
        let read = bytes.len();
        left -= read;
        from.consume(read);
    }
}

/// RFC 1952 §2.3.
fn skip_header(from: &mut impl BufRead) -> io::Result<()> {
    let [0x1f, 0x8b, 8, flags, ..]: [u8; 10] = array(from)? else {
        return Err(broken("not gzip"));
    };
    if flags & RESERVED != 0 {
        return Err(broken("not gzip as it is known"));
    }
    if flags & EXTRA != 0 {
        for _ in 0..u16::from_le_bytes(array(from)?) {
            byte(from)?;
        }
    }
    for _ in 0..(flags & (NAME | COMMENT)).count_ones() {
        let mut left = MAX_HEADER;
        while byte(from)? != 0 {
            left = left.checked_sub(1).ok_or_else(|| broken("a name without end"))?;
        }
    }
    if flags & HEADER_CHECKSUM != 0 {
        array::<2>(from)?;
    }
    Ok(())
}

fn array<const N: usize>(from: &mut impl BufRead) -> io::Result<[u8; N]> {
    let mut array = [0; N];
    for to in &mut array {
        *to = byte(from)?;
    }
    Ok(array)
}

fn byte(from: &mut impl BufRead) -> io::Result<u8> {
    let byte = *from.fill_buf()?.first().ok_or_else(|| broken("cut off"))?;
    from.consume(1);
    Ok(byte)
}

fn broken(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("gzip: {what}"))
}

/// CRC-32 a byte at a time (RFC 1952 §8).
static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::read::MultiGzDecoder;
    use flate2::{Compression, GzBuilder};

    use super::*;

    fn member(text: &[u8]) -> Vec<u8> {
        let mut to = GzBuilder::new().write(Vec::new(), Compression::default());
        to.write_all(text).expect("memory");
        to.finish().expect("memory")
    }

    fn decoded(gzip: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        GzipDecoder::new(gzip).read_to_end(&mut text).map(|_| text)
    }

    #[test]
    fn everything_that_a_header_may_hold_is_skipped() {
        let mut to = GzBuilder::new()
            .filename("letters.txt")
            .comment("two of them")
            .extra(vec![7; 300])
            .mtime(1)
            .write(Vec::new(), Compression::best());
        to.write_all(b"ab").expect("memory");
        assert_eq!(decoded(&to.finish().expect("memory")).expect("good"), b"ab");

        let mut with_checksum = member(b"ab");
        with_checksum[3] |= HEADER_CHECKSUM;
        with_checksum.splice(10..10, [0, 0]);
        assert_eq!(decoded(&with_checksum).expect("good"), b"ab");
    }

    #[test]
    fn members_follow_each_other_and_none_is_none() {
        assert_eq!(decoded(b"").expect("an answer to HEAD"), b"");
        let two = [member(b"one "), member(b""), member(b"two")].concat();
        assert_eq!(decoded(&two).expect("good"), b"one two");
    }

    #[test]
    fn zero_bytes_behind_the_last_member_are_none_of_the_body() {
        for zeros in [1, 2, 10, 512, 20_000, MAX_PADDING] {
            let padded = [member(b"one "), member(b"two"), vec![0; zeros]].concat();
            assert_eq!(decoded(&padded).expect("good"), b"one two", "{zeros}");
        }
        for bad in [
            vec![0; 10],
            [member(b"a"), vec![0; 3], b"x".to_vec()].concat(),
            [member(b"a"), vec![0; 3], member(b"b")].concat(),
            [member(b"a"), vec![0; MAX_PADDING + 1]].concat(),
        ] {
            assert_eq!(decoded(&bad).expect_err("no gzip").kind(), ErrorKind::InvalidData);
        }
    }

    #[test]
    fn whatever_is_missing_or_changed_is_an_error() {
        let text: Vec<u8> = (0..70_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let good = member(&text);
        assert_eq!(decoded(&good).expect("good"), text);
        for cut in (1..60).chain(good.len() - 60..good.len()) {
            let e = decoded(&good[..cut]).expect_err("cut off");
            assert_eq!(e.kind(), ErrorKind::InvalidData, "{cut}");
        }
        for (at, bit) in [(0, 1), (1, 1), (2, 1), (3, 0x80), (good.len() - 8, 1)] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            assert!(decoded(&bad).is_err(), "byte {at}");
        }
        let mut longer = good.clone();
        *longer.last_mut().expect("a byte") ^= 1;
        assert!(decoded(&longer).is_err(), "another length");
        assert!(decoded(&[good.as_slice(), b"x"].concat()).is_err(), "something behind it");
    }

    #[test]
    fn flate2_reads_the_same_whatever_is_changed() {
        let text: Vec<u8> = (0..400u32).map(|i| (i.wrapping_mul(i) >> 5) as u8).collect();
        let good = [member(&text), member(b"and another")].concat();
        let mut read = 0;
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let mut theirs = Vec::new();
            let theirs = MultiGzDecoder::new(&*bad).read_to_end(&mut theirs).map(|_| theirs).ok();
            assert_eq!(decoded(&bad).ok(), theirs, "bit {bit}");
            read += usize::from(theirs.is_some());
        }
        assert!(read > 0, "times and systems are nobody's business");
    }

    #[test]
    fn a_name_without_end_is_not_read_for_ever() {
        let head = [0x1f, 0x8b, 8, NAME, 0, 0, 0, 0, 0, 0];
        let e = GzipDecoder::new(head.chain(io::repeat(b'a'))).read(&mut [0]).expect_err("endless");
        assert_eq!(e.kind(), ErrorKind::InvalidData);
    }
}
