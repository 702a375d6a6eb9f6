//! What a proxy answers, in HTTP and in SOCKS, whatever it is; and proxies and exclusions as people
//! write them.
#![no_main]

use std::io::{self, Read, Write};

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

#[allow(dead_code, unreachable_pub)]
#[path = "../../core/src/der.rs"]
mod der;
#[allow(dead_code, unreachable_pub)]
#[path = "../../core/src/name.rs"]
mod name;
#[allow(dead_code, unreachable_pub)]
#[path = "../../core/src/time.rs"]
mod time;
mod error {
    pub(crate) use pinfold_core::error::Error;
}
mod pin {
    pub(crate) use pinfold_core::pin::HostName;
}
#[allow(dead_code, unreachable_pub)]
#[path = "../../core/src/proxy"]
mod proxy {
    mod address;
    mod challenge;
    mod connect;
    mod login;
    mod reply;
    mod socks;

    pub(crate) use address::Proxy;
    pub(crate) use connect::{Refusal, connect};
    pub(crate) use login::{Login, Logins};
    pub(crate) use socks::{Target, socks5};
}

use proxy::{Login, Logins, Proxy, Refusal, Target, connect, socks5};

/// Gives what is there in pieces, and takes everything.
struct Peer<'a> {
    answers: &'a [u8],
    piece: usize,
    heard: usize,
}

impl Read for Peer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.answers.len().min(self.piece).min(buffer.len());
        let (now, later) = self.answers.split_at(n);
        buffer[..n].copy_from_slice(now);
        self.answers = later;
        Ok(n)
    }
}

impl Write for Peer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.heard += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn check(done: Result<(), Refusal>, password: &str) {
    if let Err(Refusal::Refused { reason, .. } | Refusal::Unauthorised(reason)) = &done {
        assert!(reason.len() <= 1_000 && !reason.chars().any(char::is_control));
        assert!(!reason.contains(password));
    }
    if let Err(Refusal::Unusable(reason)) = &done {
        assert!(!reason.is_empty() && !reason.contains(password));
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((first, answers)) = input.split_first() else { return };
    let piece = usize::from(first >> 1).max(1);
    let proxy = Proxy::parse("http://p").expect("a proxy");
    // One that no input says itself.
    let password = format!("{:x}", Sha256::digest(input));
    let proxy = match first & 1 {
        0 => proxy,
        _ => proxy.with_credentials("user", &password).expect("good"),
    };
    let logins = Logins::default();
    let mut peer = Peer { answers, piece, heard: 0 };
    let mut login = Login::new(&logins, &proxy);
    check(connect(&mut peer, "api.example.test:443", &mut login, |_| {}), &password);
    // Every answer makes it say something once at most.
    assert!(peer.heard < 200_000);
    let target = Target::Name("api.example.test".into(), 443);
    let mut peer = Peer { answers, piece, heard: 0 };
    check(socks5(&mut peer, &target, &Login::new(&logins, &proxy)), &password);
    let Ok(text) = std::str::from_utf8(answers) else { return };
    if let Ok(proxy) = Proxy::parse(text) {
        let again = Proxy::parse(&proxy.to_string()).expect("its own URL");
        assert_eq!((again.host(), again.port()), (proxy.host(), proxy.port()));
    }
    if let Ok(list) = pinfold_core::NoProxy::parse(text) {
        let host = pin::HostName::parse("api.example.test").expect("a name");
        let _whichever = list.excludes(&host, 443);
    }
});
