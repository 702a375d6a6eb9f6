//! Bodies in the content codings that are asked for, read in pieces of any size.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;

#[allow(unreachable_pub)]
#[path = "../../core/src/client/brotli.rs"]
mod brotli;
#[allow(unreachable_pub)]
#[path = "../../core/src/client/gzip.rs"]
mod gzip;
#[allow(unreachable_pub)]
#[path = "../../core/src/client/zstd.rs"]
mod zstd;

/// What the client's own limit is for: no more of a body is read.
const LIMIT: usize = 1 << 20;

fn decoder(coding: u8, body: &[u8]) -> Box<dyn Read + '_> {
    match coding % 3 {
        0 => Box::new(gzip::GzipDecoder::new(body)),
        1 => Box::new(zstd::ZstdDecoder::new(body)),
        _ => Box::new(brotli::BrotliDecoder::new(body)),
    }
}

/// What comes out, and whether it came to a good end.
fn read(mut decoder: Box<dyn Read + '_>, piece: usize) -> (Vec<u8>, bool) {
    let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
    while all.len() < LIMIT {
        match decoder.read(&mut buffer) {
            Ok(0) => return (all, true),
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(_) => return (all, false),
        }
    }
    all.truncate(LIMIT);
    (all, true)
}

fuzz_target!(|input: &[u8]| {
    let Some(([coding, piece], body)) = input.split_first_chunk::<2>() else { return };
    let whole = read(decoder(*coding, body), LIMIT);
    let in_pieces = read(decoder(*coding, body), usize::from(*piece) + 1);
    assert_eq!(whole.1, in_pieces.1, "an error is one however it is read");
    if whole.1 {
        assert!(whole.0 == in_pieces.0, "the same comes out");
    }
});
