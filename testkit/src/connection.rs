//! One TLS connection, from the handshake to how it ends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustls::{
    AlertDescription, HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection, StreamOwned,
};

use crate::event::{Event, Log};

/// How the server leaves a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// Not at all: the next request may come.
    KeepAlive,
    /// With `close_notify`, as TLS wants it.
    Close,
    /// With a FIN only.
    Cut,
    /// With a RST.
    Reset,
}

pub(crate) struct Connection<'a> {
    id: u64,
    log: &'a Log,
    tls: StreamOwned<ServerConnection, &'a TcpStream>,
    received: u64,
}

impl<'a> Connection<'a> {
    /// None when the handshake failed, which is logged.
    pub(crate) fn handshake(
        id: u64,
        socket: &'a TcpStream,
        config: &Arc<ServerConfig>,
        log: &'a Log,
    ) -> Option<Self> {
        let mut tls = StreamOwned::new(new_session(config), socket);
        let done = tls.conn.complete_io(&mut tls.sock).and_then(|_| tls.flush());
        if let Err(error) = done {
            record_alert(&error, id, log);
            log.record(Event::HandshakeFailed { conn: id, reason: error.to_string() });
            return None;
        }
        let connection = Self { id, log, tls, received: 0 };
        log.record(Event::Handshake {
            conn: id,
            resumed: connection.resumed(),
            version: connection.version().to_owned(),
            sni: connection.tls.conn.server_name().map(str::to_owned),
        });
        Some(connection)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// What its server has seen.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.log.events()
    }

    pub(crate) fn resumed(&self) -> bool {
        self.tls.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Waits, but not longer than there is a peer.
    pub(crate) fn pause(&mut self, time: Duration) -> io::Result<()> {
        self.tls.sock.set_read_timeout(Some(time))?;
        let read = self.read(&mut [0; 1024]);
        self.tls.sock.set_read_timeout(None)?;
        match read {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Says nothing more, and listens until the peer leaves.
    pub(crate) fn hang(&mut self) -> io::Result<Ending> {
        io::copy(self, &mut io::sink())?;
        Ok(Ending::Close)
    }

    /// Says nothing more and reads nothing more, until the connection is reset or the testkit ends.
    pub(crate) fn ignore(&self) -> io::Result<Ending> {
        // Nothing is asked for, so that only the end is told.
        let mut ended = [PollFd::new(self.tls.sock, PollFlags::empty())];
        while let Err(Errno::INTR) = poll(&mut ended, None) {}
        Ok(Ending::Cut)
    }

    /// Leaves as far as TLS goes, and returns how many bytes of application data came in.
    pub(crate) fn end(mut self, ending: Ending) -> u64 {
        if ending == Ending::Close {
            self.tls.conn.send_close_notify();
            let _ = self.tls.flush();
        }
        let mut unread = Vec::new();
        // Always an error or the end: nobody asks the socket for more.
        let _ = self.tls.conn.reader().read_to_end(&mut unread);
        self.received + unread.len() as u64
    }

    fn version(&self) -> &'static str {
        match self.tls.conn.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        }
    }
}

impl Read for Connection<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.tls.read(buf);
        match &read {
            Ok(count) => self.received += *count as u64,
            Err(error) => record_alert(error, self.id, self.log),
        }
        read
    }
}

impl Write for Connection<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.tls.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tls.flush()
    }
}

/// Reads the ClientHello and returns the server's first flight, unsent.
pub(crate) fn first_flight(
    mut socket: &TcpStream,
    config: &Arc<ServerConfig>,
) -> io::Result<Vec<u8>> {
    let mut tls = new_session(config);
    while !tls.wants_write() {
        if tls.read_tls(&mut socket)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    }
    let mut flight = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut flight)?;
    }
    Ok(flight)
}

fn new_session(config: &Arc<ServerConfig>) -> ServerConnection {
    ServerConnection::new(config.clone()).expect("the configuration has no fragment size to refuse")
}

fn record_alert(error: &io::Error, conn: u64, log: &Log) {
    let error = error.get_ref().and_then(|inner| inner.downcast_ref());
    if let Some(rustls::Error::AlertReceived(alert)) = error {
        log.record(Event::Alert { conn, description: rfc_name(*alert) });
    }
}

/// `UnknownCA` is `unknown_ca`, `UnknownPSKIdentity` is `unknown_psk_identity`.
fn rfc_name(alert: AlertDescription) -> String {
    let name: Vec<char> = format!("{alert:?}").chars().collect();
    let mut snake = String::new();
    for (index, letter) in name.iter().enumerate() {
        let after_lower = index > 0 && name[index - 1].is_lowercase();
        let before_lower = name.get(index + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && index > 0 && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_their_rfc_names() {
        for (alert, name) in [
            (AlertDescription::CertificateUnknown, "certificate_unknown"),
            (AlertDescription::UnknownCA, "unknown_ca"),
            (AlertDescription::UnknownPSKIdentity, "unknown_psk_identity"),
            (AlertDescription::BadRecordMac, "bad_record_mac"),
        ] {
            assert_eq!(rfc_name(alert), name);
        }
    }
}
