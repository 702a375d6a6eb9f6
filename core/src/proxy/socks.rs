//! A tunnel through a SOCKS5 proxy (RFC 1928, RFC 1929).
//!
//! One write is one message, and nothing is sent ahead: microsocks takes one read for one message. Of a
//! reply exactly its bytes are read, for what follows is the server's.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::IpAddr;

use super::connect::Refusal;
use super::login::Login;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NONE_OF_THEM: u8 = 0xff;
const CONNECT: u8 = 1;

/// What a proxy connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// By a name, which the proxy looks up; at most 253 bytes.
    Name(String, u16),
    Address(IpAddr, u16),
}

impl fmt::Display for Target {
    /// `HOST:PORT`, as CONNECT has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name, port) => write!(f, "{name}:{port}"),
            Self::Address(IpAddr::V6(address), port) => write!(f, "[{address}]:{port}"),
            Self::Address(address, port) => write!(f, "{address}:{port}"),
        }
    }
}

/// Has the proxy at the other end of `stream` connect to `target`. What is written and read from here
/// on is the target's.
pub(crate) fn socks5(
    stream: &mut (impl Read + Write),
    target: &Target,
    login: &Login<'_>,
) -> Result<(), Refusal> {
    greet(stream, login)?;
    stream.write_all(&request(target))?;
    let [version, reply, _, kind] = answer(stream)?;
    expect(version == VERSION, "its reply is not SOCKS5")?;
    if reply != 0 {
        // What else it says is about nothing, and some end the connection without it.
        let reason = words(reply).to_owned();
        return Err(Refusal::Refused { status: u16::from(reply), reason });
    }
    let bound = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(answer::<1>(stream)?[0]),
        _ => return Err(unusable("the kind of address in its reply is none")),
    };
    let mut bound_and_port = vec![0; bound + 2];
    read(stream, &mut bound_and_port)
}

/// Agrees about how to log in, and does.
fn greet(stream: &mut (impl Read + Write), login: &Login<'_>) -> Result<(), Refusal> {
    let credentials = login.proxy().login();
    match credentials {
        None => stream.write_all(&[VERSION, 1, NO_LOGIN])?,
        Some(_) => stream.write_all(&[VERSION, 2, NO_LOGIN, USER_AND_PASSWORD])?,
    }
    let [version, method] = answer(stream)?;
    expect(version == VERSION, looks_like(version))?;
    match (method, credentials) {
        (NO_LOGIN, _) => return Ok(()),
        (USER_AND_PASSWORD, Some(by)) => {
            let mut message = vec![1];
            for text in [&by.user, &by.password] {
                // At most 255 bytes, which `Proxy` sees to.
                message.push(text.len() as u8);
                message.extend_from_slice(text.as_bytes());
            }
            stream.write_all(&message)?;
        }
        (NONE_OF_THEM, None) => {
            return Err(Refusal::Unauthorised("it wants a user and a password".into()));
        }
        (NONE_OF_THEM, Some(_)) => {
            let reason = "it offers no way to log in by user and password";
            return Err(Refusal::Unauthorised(reason.into()));
        }
        _ => return Err(unusable("it chooses a way to log in that was not offered")),
    }
    let [version, status] = answer(stream)?;
    // RFC 1929 has 1; some write 5 there.
    expect(matches!(version, 1 | VERSION), "its answer to the password is not SOCKS5")?;
    match status {
        0 => Ok(()),
        _ => {
            let reason = "it does not accept the user and the password";
            Err(Refusal::Unauthorised(reason.into()))
        }
    }
}

fn request(target: &Target) -> Vec<u8> {
    let mut message = vec![VERSION, CONNECT, 0];
    let port = match target {
        Target::Name(name, port) => {
            message.extend([3, name.len() as u8]);
            message.extend_from_slice(name.as_bytes());
            port
        }
        Target::Address(IpAddr::V4(address), port) => {
            message.push(1);
            message.extend(address.octets());
            port
        }
        Target::Address(IpAddr::V6(address), port) => {
            message.push(4);
            message.extend(address.octets());
            port
        }
    };
    message.extend(port.to_be_bytes());
    message
}

fn answer<const N: usize>(stream: &mut impl Read) -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    read(stream, &mut bytes)?;
    Ok(bytes)
}

fn read(stream: &mut impl Read, bytes: &mut [u8]) -> Result<(), Refusal> {
    stream.read_exact(bytes).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => unusable("it ended the connection instead of an answer"),
        _ => Refusal::Io(e),
    })
}

fn expect(holds: bool, reason: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(unusable(reason)) }
}

fn unusable(reason: &str) -> Refusal {
    Refusal::Unusable(reason.to_owned())
}

fn looks_like(first: u8) -> &'static str {
    match first {
        b'H' => "it answers in HTTP, not SOCKS5",
        4 | 0 => "it answers in SOCKS4, not SOCKS5",
        20..=23 => "it answers in TLS, not SOCKS5",
        _ => "it answers in something else, not SOCKS5",
    }
}

/// RFC 1928 §6.
fn words(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "no answer in its time",
        7 => "CONNECT is not supported",
        8 => "that kind of address is not supported",
        _ => "a reply that RFC 1928 does not know",
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::proxy::{Logins, Proxy};

    /// Gives `answers` a byte at a time, and keeps what it is sent.
    struct Peer<'a> {
        answers: &'a [u8],
        heard: Vec<Vec<u8>>,
    }

    impl Read for Peer<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.answers.len().min(1).min(buffer.len());
            buffer[..n].copy_from_slice(&self.answers[..n]);
            self.answers = &self.answers[n..];
            Ok(n)
        }
    }

    impl Write for Peer<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn name() -> Target {
        Target::Name("a.test".into(), 443)
    }

    /// What comes of it, what was sent in each write, and what was left unread.
    fn run(
        url: &str,
        target: &Target,
        answers: &[u8],
    ) -> (Result<(), Refusal>, Vec<Vec<u8>>, usize) {
        let (logins, proxy) = (Logins::default(), Proxy::parse(url).expect("a proxy"));
        let mut peer = Peer { answers, heard: Vec::new() };
        let done = socks5(&mut peer, target, &Login::new(&logins, &proxy));
        (done, peer.heard, peer.answers.len())
    }

    #[test]
    fn each_kind_of_reply_is_read_to_its_last_byte_and_no_further() {
        for bound in
            [&[1, 0, 0, 0, 0, 0, 0][..], &[4; 19], &[3, 2, b'x', b'y', 0, 1], &[3, 0, 0, 1]]
        {
            let answers = [&[5, 0, 5, 0, 0], bound, b"TLS"].concat();
            let (done, heard, left) = run("socks5h://p", &name(), &answers);
            assert!(done.is_ok(), "{done:?}");
            assert_eq!(left, 3, "{bound:?}");
            let request = [&[5, 1, 0, 3, 6][..], b"a.test", &[1, 187]].concat();
            assert_eq!(heard, [vec![5, 1, 0], request]);
        }
    }

    #[test]
    fn addresses_are_sent_as_such() {
        let target = Target::Address(IpAddr::V6(Ipv6Addr::LOCALHOST), 8443);
        assert_eq!(target.to_string(), "[::1]:8443");
        let (_, heard, _) = run("socks5://p", &target, &[5, 0]);
        let octets = Ipv6Addr::LOCALHOST.octets();
        assert_eq!(heard[1], [&[5, 1, 0, 4][..], &octets, &[32, 251]].concat());
        let target = Target::Address(IpAddr::from([10, 0, 0, 1]), 443);
        let (_, heard, _) = run("socks5://p", &target, &[5, 0]);
        assert_eq!(heard[1], [5, 1, 0, 1, 10, 0, 0, 1, 1, 187]);
    }

    #[test]
    fn the_password_is_sent_only_where_it_is_asked_for() {
        let granted = [5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let (done, heard, _) = run("socks5h://u:secret@p", &name(), &granted);
        assert!(done.is_ok(), "{done:?}");
        assert_eq!(heard[0], [5, 2, 0, 2]);
        assert_eq!(heard[1], b"\x01\x01u\x06secret");
        let (done, heard, _) =
            run("socks5h://u:secret@p", &name(), &[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert!(done.is_ok() && heard.len() == 2, "{heard:?}");
    }

    #[test]
    fn every_refusal_says_which_it_is() {
        let with = "socks5h://u:secret@p";
        for (url, answers, code) in [
            (with, &[5, 2, 1, 1][..], "unauthorised"),
            (with, &[5, 255], "unauthorised"),
            ("socks5h://p", &[5, 255], "unauthorised"),
            ("socks5h://p", &[5, 2], "unusable"),
            ("socks5h://p", &[5, 1], "unusable"),
            (with, &[5, 2, 9, 0], "unusable"),
            ("socks5h://p", b"HTTP/1.1 400 Bad Request", "unusable"),
            ("socks5h://p", &[], "unusable"),
            ("socks5h://p", &[5, 0], "unusable"),
            ("socks5h://p", &[5, 0, 5, 0, 0, 9, 0], "unusable"),
            ("socks5h://p", &[5, 0, 4, 0, 0, 1], "unusable"),
            ("socks5h://p", &[5, 0, 5, 0, 0, 1, 0, 0], "unusable"),
            ("socks5h://p", &[5, 0, 5, 2, 0, 1], "refused 2"),
            ("socks5h://p", &[5, 0, 5, 5, 0, 9], "refused 5"),
            ("socks5h://p", &[5, 0, 5, 200, 0, 0], "refused 200"),
        ] {
            let (done, _, _) = run(url, &name(), answers);
            let told = match done.expect_err("a refusal") {
                Refusal::Unauthorised(_) => "unauthorised".to_owned(),
                Refusal::Unusable(_) => "unusable".to_owned(),
                Refusal::Refused { status, .. } => format!("refused {status}"),
                other => panic!("{other:?}"),
            };
            assert_eq!(told, code, "{answers:?}");
        }
    }
}
