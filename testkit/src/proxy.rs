//! Proxies: as they should be, and in every way that they should not.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::connection::Ending;
use crate::event::{Event, Log};

/// Whom `proxy_login` and `socks_login` let in.
const USER: &str = "user";
const PASSWORD: &str = "open sesame";

/// What a proxy does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Open,
    Login,
    Refusing,
    Slow,
    Hanging,
    Dying,
    Socks,
    SocksLogin,
}

/// Serves one connection, until either side ends it.
pub(crate) fn serve(conn: u64, socket: &TcpStream, kind: Kind, log: &Log) -> io::Result<Ending> {
    match kind {
        Kind::Socks => socks(conn, socket, false, log)?,
        Kind::SocksLogin => socks(conn, socket, true, log)?,
        kind => return connect(conn, socket, kind, log),
    }
    Ok(Ending::Cut)
}

fn connect(conn: u64, mut socket: &TcpStream, kind: Kind, log: &Log) -> io::Result<Ending> {
    let (target, fields) = read_head(socket)?;
    let field = |name: &str| {
        let found = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    let login = field("proxy-authorization");
    record(conn, &target, fields.clone(), log);
    let expected = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
    match kind {
        Kind::Login if login.as_deref() != Some(&format!("Basic {expected}")) => {
            let head = "HTTP/1.0 407 Proxy Authentication Required\r\n\
                        Proxy-Authenticate: Negotiate, Basic realm=\"a, b\"\r\n\r\nplease";
            socket.write_all(head.as_bytes())?;
        }
        Kind::Refusing => {
            let head = "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\
                        Content-Length: 2\r\n\r\nno";
            socket.write_all(head.as_bytes())?;
        }
        Kind::Hanging => {
            let _heard = io::copy(&mut socket, &mut io::sink())?;
        }
        kind => match dial(&target) {
            Ok(server) => {
                let head = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 testkit\r\n\r\n";
                let piece = if kind == Kind::Slow { 1 } else { head.len() };
                for piece in head.chunks(piece) {
                    socket.write_all(piece)?;
                }
                // More than a handshake, less than a body of 100,000 bytes behind it.
                let limit = if kind == Kind::Dying { 40_000 } else { u64::MAX };
                splice(socket, &server, limit);
            }
            Err(e) => {
                let head = format!("HTTP/1.1 502 Bad Gateway\r\nX-Proxy-Error: {e}\r\n\r\n");
                socket.write_all(head.as_bytes())?;
            }
        },
    }
    Ok(Ending::Cut)
}

fn socks(conn: u64, mut socket: &TcpStream, wants_login: bool, log: &Log) -> io::Result<()> {
    let [_, methods] = read(socket)?;
    let mut offered = vec![0; methods.into()];
    socket.read_exact(&mut offered)?;
    let method = if wants_login { 2 } else { 0 };
    if !offered.contains(&method) {
        return socket.write_all(&[5, 0xff]);
    }
    socket.write_all(&[5, method])?;
    if wants_login {
        let [_] = read(socket)?;
        let user = read_text(socket)?;
        let password = read_text(socket)?;
        let known = (user.as_str(), password.as_str()) == (USER, PASSWORD);
        socket.write_all(&[1, u8::from(!known)])?;
        if !known {
            return Ok(());
        }
    }
    let [_, _, _, kind] = read(socket)?;
    let host = match kind {
        1 => std::net::IpAddr::from(read::<4>(socket)?).to_string(),
        3 => read_text(socket)?,
        _ => format!("[{}]", std::net::IpAddr::from(read::<16>(socket)?)),
    };
    let target = format!("{host}:{}", u16::from_be_bytes(read(socket)?));
    record(conn, &target, Vec::new(), log);
    match dial(&target) {
        Ok(server) => {
            // A bound address of the third kind, in two pieces.
            socket.write_all(&[5, 0, 0, 3])?;
            socket.write_all(b"\x03abc\x00\x01")?;
            splice(socket, &server, u64::MAX);
            Ok(())
        }
        Err(e) => {
            let reply = if e.kind() == ErrorKind::ConnectionRefused { 5 } else { 4 };
            socket.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])
        }
    }
}

fn record(conn: u64, target: &str, headers: Vec<(String, String)>, log: &Log) {
    let (method, path) = ("CONNECT".to_owned(), target.to_owned());
    log.record(Event::Request { conn, method, path, headers, body_len: 0 });
}

/// Only loopback is ever connected to.
fn dial(target: &str) -> io::Result<TcpStream> {
    let addresses = target.to_socket_addrs()?.collect::<Vec<SocketAddr>>();
    let local = addresses.into_iter().find(|address| address.ip().is_loopback());
    let server = TcpStream::connect(local.ok_or(ErrorKind::AddrNotAvailable)?)?;
    server.set_nodelay(true)?;
    Ok(server)
}

/// Copies both ways until one side ends, or `limit` bytes have come back.
fn splice(client: &TcpStream, server: &TcpStream, limit: u64) {
    let end = || {
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut from, mut to) = (client, server);
            let _ = io::copy(&mut from, &mut to);
            end();
        });
        let mut to = client;
        let _ = io::copy(&mut server.take(limit), &mut to);
        end();
    });
}

/// Byte by byte: what follows is the tunnel's.
fn read_head(mut socket: &TcpStream) -> io::Result<(String, Vec<(String, String)>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut lines = text.lines();
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let fields = lines.filter_map(|line| line.split_once(": "));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok((target.to_owned(), fields.collect()))
}

fn read<const N: usize>(mut socket: &TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    socket.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_text(mut socket: &TcpStream) -> io::Result<String> {
    let [length] = read(socket)?;
    let mut bytes = vec![0; length.into()];
    socket.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
