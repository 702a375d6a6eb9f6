//! The control API: plain HTTP over loopback, for tests that are not written in Rust.

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::http::{Request, Response};
use crate::owner::edited;
use crate::{Owner, Server, Testkit};

const DEFAULT_TIMEOUT_MS: u64 = 5000;

/// The control API of a testkit. It runs until the process ends.
#[derive(Debug)]
pub struct Control {
    addr: SocketAddr,
    quit: (Sender<()>, Receiver<()>),
}

impl Control {
    /// Starts it on a port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If there is no port.
    pub fn start(testkit: Arc<Testkit>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let quit = mpsc::channel();
        let quitter = quit.0.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (testkit, quitter) = (testkit.clone(), quitter.clone());
                thread::spawn(move || serve(&testkit, &quitter, socket));
            }
        });
        Ok(Self { addr, quit })
    }

    /// Where it is, such as `http://127.0.0.1:4321`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Something to send on when [`wait_for_quit`](Self::wait_for_quit) should return.
    pub fn quitter(&self) -> Sender<()> {
        self.quit.0.clone()
    }

    /// Waits for `POST /quit` or the [`quitter`](Self::quitter).
    pub fn wait_for_quit(&self) {
        self.quit.1.recv().expect("the channel has a sender: this");
    }
}

fn serve(testkit: &Testkit, quitter: &Sender<()>, socket: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(socket);
    while let Some(request) = Request::read(&mut stream)? {
        let response = route(testkit, &request).unwrap_or_else(|refusal| refusal);
        response.write(stream.get_mut())?;
        if (request.method.as_str(), request.path()) == ("POST", "/quit") {
            let _ = quitter.send(()); // The process is at its end already if nobody listens.
        }
    }
    Ok(())
}

/// Both sides are answers; the error is one that ends the matter early.
fn route(testkit: &Testkit, request: &Request) -> Result<Response, Response> {
    let server = || named_server(testkit, request);
    Ok(match (request.method.as_str(), request.path()) {
        ("GET", "/info") => Response::json(200, &info(testkit)),
        ("GET", "/events") => Response::json(200, &json!(server()?.events())),
        ("GET", "/wait") => wait(server()?, request)?,
        ("POST", "/clear") => {
            server()?.clear();
            done()
        }
        ("POST", "/drop") => {
            server()?.drop_connections();
            done()
        }
        ("POST", "/present") => {
            let server = server()?;
            let chain = required(request, "chain")?;
            if !testkit.pki().chain_names().any(|name| name == chain) {
                return Err(error(404, &format!("no chain {chain}")));
            }
            server.present(&chain);
            done()
        }
        ("POST", "/publish") => {
            server()?.publish(&required(request, "path")?, request.body.clone());
            done()
        }
        ("POST", "/embed") => {
            Response::json(200, &testkit.owner().embedded(&payload(testkit, request)?))
        }
        ("POST", "/sign") => {
            let bundle = testkit.owner().bundle(&payload(testkit, request)?);
            server()?.publish("/bundle.json", bundle);
            done()
        }
        ("POST", "/quit") => done(),
        (method, path) => return Err(error(404, &format!("no {method} {path}"))),
    })
}

fn info(testkit: &Testkit) -> Value {
    let pki = testkit.pki();
    let encode = |der: &[u8]| BASE64_STANDARD.encode(der);
    let certificates: BTreeMap<_, _> =
        pki.certificates().map(|(name, der)| (name, encode(der))).collect();
    json!({
        "servers": testkit.ports(),
        "certificates": certificates,
        "pins": pki.pins().collect::<BTreeMap<_, _>>(),
        "chains": pki.chain_names().collect::<Vec<_>>(),
        "identities": pki.identities().map(|name| (name, pki.identity(name))).collect::<BTreeMap<_, _>>(),
    })
}

/// The pin set that a request asks for.
fn payload(testkit: &Testkit, request: &Request) -> Result<Value, Response> {
    let names = required(request, "pins")?;
    let names = names.split(',').collect::<Vec<_>>();
    if let Some(name) = names.iter().find(|name| testkit.pki().pins().all(|pin| pin.0 != **name)) {
        return Err(error(404, &format!("no pin {name}")));
    }
    let edits = match request.body.as_slice() {
        [] => Ok(Map::new()),
        body => serde_json::from_slice(body),
    };
    let edits = edits.map_err(|e| error(400, &format!("the body: {e}")))?;
    Ok(edited(Owner::payload(testkit.pki(), number(request, "version", 1)?, &names), edits))
}

fn wait(server: &Server, request: &Request) -> Result<Response, Response> {
    let kind = required(request, "event")?;
    let count = number(request, "count", 1)?;
    let timeout = Duration::from_millis(number(request, "timeout_ms", DEFAULT_TIMEOUT_MS)?);
    let events = server.wait_for(
        |events| events.iter().filter(|event| event.kind() == kind).count() as u64 >= count,
        timeout,
    );
    let events = events.ok_or_else(|| {
        let message = format!("fewer than {count} of {kind} after {timeout:?}");
        Response::json(408, &json!({ "error": message, "events": server.events() }))
    })?;
    Ok(Response::json(200, &json!(events)))
}

fn named_server<'a>(testkit: &'a Testkit, request: &Request) -> Result<&'a Server, Response> {
    let name = required(request, "server")?;
    testkit.find(&name).ok_or_else(|| error(404, &format!("no server {name}")))
}

fn required(request: &Request, name: &str) -> Result<String, Response> {
    request.query(name).ok_or_else(|| error(400, &format!("?{name}= is missing")))
}

fn number(request: &Request, name: &str, default: u64) -> Result<u64, Response> {
    match request.query(name) {
        Some(text) => text.parse().map_err(|_| error(400, &format!("{name} is not a number"))),
        None => Ok(default),
    }
}

fn done() -> Response {
    Response::json(200, &json!({}))
}

fn error(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "error": message }))
}
