#!/usr/bin/env bash
# ruzstd 0.9.1 gives out nothing of a Zstandard frame that goes on, though a writer has flushed what it has:
# its StreamingDecoder keeps a window's worth of bytes back until the frame ends, and asks its source for
# more instead. The reference library gives each flushed block out at once (RFC 8878, §3.1.1.2: a block can
# be decoded as soon as it is whole). Whoever reads a stream of events through it sees none until it ends.
#
# Needs cargo and a C compiler; everything else goes into a folder that is removed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
ruzstd = "=0.9.1"
zstd = "=0.13.3"
[workspace]
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::io::{self, Read, Write};

/// What has arrived so far; then there is nothing yet.
struct Arrived<'a>(&'a [u8]);

impl Read for Arrived<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(buffer)
    }
}

/// As many bytes as come out before the decoder wants more than has arrived.
fn drain(decoder: &mut dyn Read) -> usize {
    let (mut count, mut buffer) = (0, [0; 4096]);
    while let Ok(n @ 1..) = decoder.read(&mut buffer) {
        count += n;
    }
    count
}

fn main() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    for i in 0..100 {
        encoder.write_all(format!("data: event {i}\n\n").as_bytes()).unwrap();
        encoder.flush().unwrap();
    }
    let flushed = encoder.get_ref().clone();
    let whole = encoder.finish().unwrap();
    let reference = |bytes| drain(&mut zstd::stream::read::Decoder::with_buffer(io::BufReader::new(bytes)).unwrap());
    let ruzstd = |bytes| drain(&mut ruzstd::decoding::StreamingDecoder::new(bytes).unwrap());
    println!("flushed: zstd gives {} bytes, ruzstd {}", reference(Arrived(&flushed)), ruzstd(Arrived(&flushed)));
    println!("ended:   zstd gives {} bytes, ruzstd {}", reference(Arrived(&whole)), ruzstd(Arrived(&whole)));
}
RUST
cd "$work"
said=$(CARGO_TARGET_DIR=$work/target cargo run --quiet)
echo "ruzstd 0.9.1, zstd 0.13.3:"
echo "$said"
grep -q '^flushed: zstd gives 1590 bytes, ruzstd 0$' <<<"$said" || { echo "changed: what was flushed"; exit 1; }
grep -q '^ended:   zstd gives 1590 bytes, ruzstd 1590$' <<<"$said" || { echo "changed: the whole frame"; exit 1; }
