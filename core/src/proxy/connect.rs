//! A tunnel through an HTTP proxy (RFC 9110 §9.3.6).

use std::io::{self, Read, Write};

use super::login::Login;
use super::reply::{NoReply, Reply};

/// Why there is no tunnel.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The proxy wants the next request, which can succeed, on another connection.
    Again,
    /// It says no: the status of HTTP or the reply of SOCKS, and why.
    Refused {
        status: u16,
        reason: String,
    },
    /// It does not know the client.
    Unauthorised(String),
    /// It does not do what a proxy does.
    Unusable(String),
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

/// Has the proxy at the other end of `stream` connect to `target`, `HOST:PORT`. What is written and
/// read from here on is the target's.
///
/// A proxy that says 407 and keeps the connection may take the next request on it, or never answer it
/// (mitmproxy 8.1): before that is waited for, `hurry` is to see to it that the wait is short.
pub(crate) fn connect<S: Read + Write>(
    stream: &mut S,
    target: &str,
    login: &mut Login<'_>,
    hurry: impl Fn(&mut S),
) -> Result<(), Refusal> {
    let mut asked_before = false;
    loop {
        let authorization = login.authorization(target).map_err(Refusal::Unauthorised)?;
        let sent = stream.write_all(&request(target, authorization.as_deref()));
        let reply = match sent.map_err(NoReply::Io).and_then(|()| Reply::read(stream)) {
            Ok(reply) => reply,
            // It did keep the connection, and then closed it after all.
            Err(NoReply::Ended) if asked_before => return Err(Refusal::Again),
            Err(NoReply::Io(e)) if asked_before && is_end(&e) => return Err(Refusal::Again),
            Err(NoReply::Io(e)) => return Err(Refusal::Io(e)),
            Err(NoReply::Ended) => {
                let reason = "it ended the connection without an answer to CONNECT";
                return Err(Refusal::Unusable(reason.into()));
            }
            Err(NoReply::Unusable(reason)) => return Err(Refusal::Unusable(reason)),
        };
        match reply.status {
            200..=299 if reply.has_rest() => {
                // No server of ours speaks first, so it is the proxy's, whatever it is.
                let reason = "it sends more than an answer before the tunnel is used";
                return Err(Refusal::Unusable(reason.into()));
            }
            200..=299 => {
                login.accepted();
                return Ok(());
            }
            407 => {
                login.challenged(&reply).map_err(Refusal::Unauthorised)?;
                hurry(stream);
                if !reply.drained(stream) {
                    return Err(Refusal::Again);
                }
                asked_before = true;
            }
            // tinyproxy's word for a wrong password.
            401 if authorization.is_some() => {
                let reason = "it does not accept the user and the password";
                return Err(Refusal::Unauthorised(reason.into()));
            }
            status => {
                let reason = login.without_secret(reply.reason());
                return Err(Refusal::Refused { status, reason });
            }
        }
    }
}

/// Sent in one piece. `Proxy-Connection` is for proxies of HTTP/1.0, which else close after a 407.
fn request(target: &str, authorization: Option<&str>) -> Vec<u8> {
    let login = authorization.map(|value| format!("Proxy-Authorization: {value}\r\n"));
    let login = login.unwrap_or_default();
    format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}Proxy-Connection: Keep-Alive\r\n\r\n"
    )
    .into_bytes()
}

fn is_end(e: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock,
    };
    matches!(
        e.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof | WouldBlock
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{Logins, Proxy};

    /// Plays these answers, one for each request.
    struct Script {
        answers: Vec<&'static str>,
        heard: Vec<String>,
        unread: Vec<u8>,
    }

    impl Script {
        fn new(answers: &[&'static str]) -> Self {
            let answers = answers.iter().rev().copied().collect();
            Self { answers, heard: Vec::new(), unread: Vec::new() }
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.push(String::from_utf8_lossy(bytes).into_owned());
            self.unread.extend(self.answers.pop().unwrap_or_default().bytes());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.unread.len().min(buffer.len()).min(7);
            buffer[..n].copy_from_slice(&self.unread[..n]);
            self.unread.drain(..n);
            Ok(n)
        }
    }

    const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";
    const KEPT: &str = "HTTP/1.1 407 A\r\nProxy-Authenticate: Basic realm=x\r\n\
                        Content-Length: 3\r\n\r\nno!";
    const CLOSED: &str = "HTTP/1.0 407 A\r\nProxy-Authenticate: Basic realm=x\r\n\r\n";

    fn proxy(url: &str) -> Proxy {
        Proxy::parse(url).expect("a proxy")
    }

    fn ask(script: &mut Script, login: &mut Login<'_>) -> Result<(), Refusal> {
        connect(script, "api.example.test:443", login, |_| {})
    }

    #[test]
    fn a_kept_407_costs_one_more_request_and_the_next_connection_none() {
        let (logins, proxy) = (Logins::default(), proxy("http://u:secret@p"));
        let mut script = Script::new(&[KEPT, OK]);
        ask(&mut script, &mut Login::new(&logins, &proxy)).expect("a tunnel");
        let [first, second] = &script.heard[..] else { panic!("{:?}", script.heard) };
        assert!(first.starts_with("CONNECT api.example.test:443 HTTP/1.1\r\nHost: api.example."));
        assert!(!first.contains("Authorization") && second.contains("dTpzZWNyZXQ="));

        let mut script = Script::new(&[OK]);
        ask(&mut script, &mut Login::new(&logins, &proxy)).expect("a tunnel");
        assert!(script.heard[0].contains("dTpzZWNyZXQ="));
    }

    #[test]
    fn a_closing_407_is_answered_on_the_next_connection() {
        let (logins, proxy) = (Logins::default(), proxy("http://u:secret@p"));
        let mut login = Login::new(&logins, &proxy);
        let closed = ask(&mut Script::new(&[CLOSED]), &mut login);
        assert!(matches!(closed, Err(Refusal::Again)), "{closed:?}");
        let mut script = Script::new(&[OK]);
        ask(&mut script, &mut login).expect("a tunnel");
        assert!(script.heard[0].contains("dTpzZWNyZXQ="));
        // It said that it keeps the connection, and did not.
        let mut login = Login::new(&logins, &proxy);
        let other = Script::new(&[KEPT, ""]);
        let gone = connect(&mut { other }, "h:1", &mut login, |_| {});
        assert!(matches!(gone, Err(Refusal::Again)), "{gone:?}");
    }

    #[test]
    fn a_wrong_password_and_a_nonce_that_is_always_stale_end() {
        let (logins, proxy) = (Logins::default(), proxy("http://u:secret@p"));
        let refused = ask(&mut Script::new(&[KEPT, KEPT]), &mut Login::new(&logins, &proxy));
        assert!(matches!(refused, Err(Refusal::Unauthorised(_))), "{refused:?}");
        const STALE: &str = "HTTP/1.1 407 A\r\nContent-Length: 0\r\n\
            Proxy-Authenticate: Digest realm=r, nonce=n, stale=true\r\n\r\n";
        let mut script = Script::new(&[STALE; 9]);
        let refused = ask(&mut script, &mut Login::new(&logins, &proxy));
        assert!(matches!(refused, Err(Refusal::Unauthorised(_))), "{refused:?}");
        assert_eq!(script.heard.len(), 3);
        // Without an answer a 401 is a refusal like others.
        const OTHER: &str = "HTTP/1.0 401 Unauthorized\r\n\r\n";
        let refused = ask(&mut Script::new(&[OTHER]), &mut Login::new(&logins, &proxy));
        assert!(matches!(refused, Err(Refusal::Refused { status: 401, .. })), "{refused:?}");
        let refused = ask(&mut Script::new(&[KEPT, OTHER]), &mut Login::new(&logins, &proxy));
        assert!(matches!(refused, Err(Refusal::Unauthorised(_))), "{refused:?}");
    }

    #[test]
    fn what_one_proxy_was_told_no_other_is_told_unasked() {
        let logins = Logins::default();
        let one = proxy("http://u:secret@p:1");
        ask(&mut Script::new(&[KEPT, OK]), &mut Login::new(&logins, &one)).expect("a tunnel");
        for other in ["http://u:secret@p:2", "http://u:other@p:1", "http://p:1"] {
            let mut script = Script::new(&[OK]);
            let other = proxy(other);
            ask(&mut script, &mut Login::new(&logins, &other)).expect("a tunnel");
            assert!(!script.heard[0].contains("Authorization"), "{other}");
        }
    }

    #[test]
    fn a_refusal_has_its_status_and_its_reason_and_never_the_password() {
        let (logins, proxy) = (Logins::default(), proxy("http://u:secret@p"));
        for (answer, expected) in [
            (
                "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: E 0\r\n\r\n",
                "Forbidden; x-squid-error: E 0",
            ),
            (
                "HTTP/1.1 403 for u:secret\r\n\r\n",
                "its reason holds the password, so it is not repeated",
            ),
            (
                "HTTP/1.1 403 dTpzZWNyZXQ=\r\n\r\n",
                "its reason holds the password, so it is not repeated",
            ),
        ] {
            match ask(&mut Script::new(&[answer]), &mut Login::new(&logins, &proxy)) {
                Err(Refusal::Refused { status: 403, reason }) => assert_eq!(reason, expected),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_answer_that_is_none_is_the_proxy_s_fault() {
        let (logins, proxy) = (Logins::default(), proxy("http://p"));
        for (answer, words) in [
            ("", "without an answer"),
            ("HTTP/1.1 200 OK\r\n\r\nmore", "more than an answer"),
            ("\x05\x00", "SOCKS"),
        ] {
            match ask(&mut Script::new(&[answer]), &mut Login::new(&logins, &proxy)) {
                Err(Refusal::Unusable(reason)) => assert!(reason.contains(words), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
        let wanted = ask(&mut Script::new(&[KEPT]), &mut Login::new(&logins, &proxy));
        assert!(matches!(wanted, Err(Refusal::Unauthorised(_))), "{wanted:?}");
    }
}
