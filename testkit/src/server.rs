//! A server of one persona: its port, its connections and its log.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use crate::connection::{Connection, Ending, first_flight};
use crate::event::{Event, Log};
use crate::files::{self, File};
use crate::http::{Request, Response};
use crate::paths;
use crate::persona::{Behaviour, Persona};
use crate::proxy;

/// A running server. It stops, and all its connections with it, when the testkit is dropped.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(persona: Persona) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            persona,
            log: Log::default(),
            open: Mutex::default(),
            files: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let acceptor = thread::spawn({
            let shared = shared.clone();
            move || shared.accept(&listener)
        });
        Ok(Self { addr, shared, acceptor: Some(acceptor) })
    }

    /// The name of the persona.
    pub fn name(&self) -> &'static str {
        self.shared.persona.name
    }

    /// Where it listens: a port of 127.0.0.1.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Everything it saw since the start or [`clear`](Self::clear).
    pub fn events(&self) -> Vec<Event> {
        self.shared.log.events()
    }

    /// Forgets the events. Connections keep counting.
    pub fn clear(&self) {
        self.shared.log.clear();
    }

    /// Waits until `done` holds of the events, and returns them. None after `timeout`.
    pub fn wait_for(
        &self,
        done: impl FnMut(&[Event]) -> bool,
        timeout: Duration,
    ) -> Option<Vec<Event>> {
        self.shared.log.wait_for(done, timeout)
    }

    /// Closes every open connection, busy or idle, without `close_notify`.
    pub fn drop_connections(&self) {
        self.shared.drop_connections();
    }

    /// Answers requests for `path` with `body` from now on, with an `ETag`.
    pub fn publish(&self, path: &str, body: impl Into<Vec<u8>>) {
        self.shared.files().insert(path.to_owned(), File::new(body.into()));
    }

    /// The same under another `ETag`, such as a careless or hostile server's.
    pub fn publish_tagged(&self, path: &str, body: impl Into<Vec<u8>>, etag: &str) {
        let file = File { body: body.into(), version: etag.to_owned() };
        self.shared.files().insert(path.to_owned(), file);
    }

    /// Presents another chain in new handshakes. Open connections and session tickets stay good.
    ///
    /// # Panics
    ///
    /// Without a chain of this name.
    pub fn present(&self, chain: &str) {
        self.shared.persona.present(chain);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // `accept` has no timeout; a connection wakes it. If that fails, waiting would be forever.
        if let (Ok(_), Some(acceptor)) = (TcpStream::connect(self.addr), self.acceptor.take()) {
            let _ = acceptor.join();
        }
    }
}

#[derive(Debug)]
struct Shared {
    persona: Persona,
    log: Log,
    open: Mutex<BTreeMap<u64, TcpStream>>,
    files: Mutex<BTreeMap<String, File>>,
    stopping: AtomicBool,
}

impl Shared {
    fn accept(&self, listener: &TcpListener) {
        thread::scope(|scope| {
            let mut last = 0;
            for socket in listener.incoming() {
                if self.stopping.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(socket) = socket else { continue };
                let Ok(handle) = socket.try_clone() else {
                    continue;
                };
                last += 1;
                let conn = last;
                self.open().insert(conn, handle);
                self.log.record(Event::Accepted { conn });
                scope.spawn(move || self.serve(conn, socket));
            }
            self.drop_connections();
        });
    }

    fn serve(&self, conn: u64, socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let (ending, application_bytes) = self.converse(conn, &socket);
        let closed = Event::Closed { conn, application_bytes };
        if ending == Ending::Reset {
            let _ = set_socket_linger(&socket, Some(Duration::ZERO));
            self.open().remove(&conn);
            drop(socket);
            self.log.record(closed);
            return;
        }
        let _ = socket.shutdown(Shutdown::Write);
        self.log.record(closed);
        // Closing with bytes unread would make the FIN a RST, and tests a matter of luck.
        let _ = hang(&socket);
        self.open().remove(&conn);
    }

    /// Returns how to leave, and the application data received.
    fn converse(&self, conn: u64, mut socket: &TcpStream) -> (Ending, u64) {
        let config = &self.persona.config;
        let outcome = match self.persona.behaviour {
            Behaviour::Serve | Behaviour::ServeTls12 | Behaviour::ClientAuth => {
                return match Connection::handshake(conn, socket, config, &self.log) {
                    Some(connection) => self.serve_http(connection),
                    None => (Ending::Cut, 0),
                };
            }
            Behaviour::CloseAfterHandshake => {
                let connection = Connection::handshake(conn, socket, config, &self.log);
                return (
                    Ending::Cut,
                    connection.map_or(0, |connection| connection.end(Ending::Cut)),
                );
            }
            Behaviour::Proxy(kind) => proxy::serve(conn, socket, kind, &self.log),
            Behaviour::CloseOnAccept => Ok(Ending::Cut),
            Behaviour::HangOnAccept => hang(socket),
            Behaviour::CloseOnHello => first_flight(socket, config).map(|_| Ending::Cut),
            Behaviour::ResetOnHello => first_flight(socket, config).map(|_| Ending::Reset),
            Behaviour::CloseInHandshake => first_flight(socket, config).and_then(|flight| {
                socket.write_all(&flight[..flight.len() / 2])?;
                Ok(Ending::Cut)
            }),
            Behaviour::Garbage => read_some(socket).and_then(|()| {
                socket.write_all(b"\xffThis is not TLS, whatever the port says.\r\n")?;
                Ok(Ending::Cut)
            }),
            Behaviour::Portal => read_some(socket).and_then(|()| {
                let to = "http://login.portal.test/?mac=00:00:5e:00:53:01";
                Response::new(302, "Please log in").header("Location", to).write(&mut socket)?;
                Ok(Ending::Cut)
            }),
            Behaviour::PlainHttp => read_some(socket).and_then(|()| {
                let text = "The plain HTTP request was sent to an HTTPS port, or the reverse";
                Response::new(400, text).write(&mut socket)?;
                Ok(Ending::Cut)
            }),
        };
        (outcome.unwrap_or(Ending::Cut), 0)
    }

    fn serve_http(&self, connection: Connection<'_>) -> (Ending, u64) {
        let mut stream = BufReader::new(connection);
        let ending = loop {
            match self.exchange(&mut stream) {
                Ok(Ending::KeepAlive) => {}
                Ok(ending) => break ending,
                // The peer left, or broke the rules: there is nobody to tell.
                Err(_) => break Ending::Cut,
            }
        };
        (ending, stream.into_inner().end(ending))
    }

    fn exchange(&self, stream: &mut BufReader<Connection<'_>>) -> io::Result<Ending> {
        let Some(request) = Request::read(stream)? else {
            return Ok(Ending::Close);
        };
        self.log.record(Event::Request {
            conn: stream.get_ref().id(),
            method: request.method.clone(),
            path: request.target.clone(),
            headers: request.headers.clone(),
            body_len: request.body.len(),
        });
        let file = self.files().get(request.path()).cloned();
        let ending = match file {
            Some(file) => files::file(&request, file, stream)?,
            None => paths::answer(&request, stream)?,
        };
        stream.get_mut().flush()?;
        Ok(ending)
    }

    fn drop_connections(&self) {
        for socket in self.open().values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, File>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_some(mut socket: &TcpStream) -> io::Result<()> {
    socket.read(&mut [0; 4096]).map(|_| ())
}

/// Says nothing, and listens until the peer leaves or [`Server::drop_connections`].
fn hang(mut socket: &TcpStream) -> io::Result<Ending> {
    io::copy(&mut socket, &mut io::sink()).map(|_| Ending::Cut)
}
