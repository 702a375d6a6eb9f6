//! A private PKI and a hostile HTTPS server, for the tests of every language. Never shipped.
//!
//! A [`Testkit`] has one [`Server`] for each persona, each on its own port of 127.0.0.1. Rust tests
//! use it in their process; the others start the binary `pinfold-testkit` and talk to its control
//! API.
//!
//! # Personas
//!
//! Every leaf is for `api.example.test`, `www.example.test`, `other.example.test`, `localhost`,
//! `127.0.0.1` and `::1`, and valid from 2020 to 2049, unless the table says otherwise. The
//! certificates are those of [`Pki`].
//!
//! | server | presents |
//! |---|---|
//! | `backend` | leaf, `intermediate` |
//! | `backend_root` | leaf of `backend`, `intermediate`, `root` |
//! | `cross` | leaf of `backend`, `cross` |
//! | `deep` | leaf, `intermediate2`, `intermediate` |
//! | `expired`, `not_yet_valid` | as `backend`, valid 2020–2021 or 2048–2049 |
//! | `impostor`, `interceptor`, `private` | a leaf below `unknown_root`, `other_root`, `private_root` |
//! | `leaf_last` | `intermediate`, then the leaf of `backend` |
//! | `leaf_only` | a leaf directly below `root` |
//! | `leaf_signs` | a leaf signed with the leaf of `backend`; that leaf; `intermediate` |
//! | `no_intermediate` | the leaf of `backend` alone |
//! | `pasted` | a leaf below `other_root`; all of `backend_root` (CVE-2016-2402) |
//! | `public_ca` | a real leaf of a public authority, expired 2023; signs with another key |
//! | `revoked` | a leaf below `stapled_root`, and a staple that revokes it |
//! | `rotated` | as `backend`, with another leaf key |
//! | `rsa` | as `backend`, with an RSA leaf key |
//! | `same_name_ca` | leaf, `fake_intermediate`, `intermediate` |
//! | `self_signed`, `self_signed_ca` | a leaf signed by itself; the latter says it is a CA |
//! | `wrong_host` | as `backend`, for `wrong.example.test` only |
//! | `wrong_key` | all of `backend`, but signs the handshake with another key |
//!
//! All of these speak TLS 1.2 and 1.3, give session tickets and keep connections alive. The
//! following present `backend`, which shows only as far as they get:
//!
//! | server | does |
//! |---|---|
//! | `tls12` | speaks TLS 1.2 only, with session tickets |
//! | `close_on_accept`, `close_on_hello` | closes at once, or having read the ClientHello |
//! | `reset_on_hello` | sends a RST having read the ClientHello |
//! | `close_in_handshake` | sends half of its first flight, closes |
//! | `close_after_handshake` | completes the handshake, closes |
//! | `hang_on_accept` | never says anything |
//! | `garbage` | answers the ClientHello with something that is not TLS |
//! | `plain_http` | answers the ClientHello with `HTTP/1.1 400` in the clear |
//! | `client_auth` | wants a certificate of the client's, one of [`Pki::identity`] that `root` knows |
//! | `portal` | answers the ClientHello with a redirect to a login page in the clear |
//!
//! These are proxies, and speak no TLS of their own. They connect to loopback alone, and what they are
//! asked for is a `request` event with the method CONNECT.
//!
//! | server | does |
//! |---|---|
//! | `proxy` | connects |
//! | `proxy_login` | connects for the user `user` with the password `open sesame` (Basic); closes after a 407 |
//! | `proxy_refusing` | says 403 and `X-Squid-Error` |
//! | `proxy_slow` | sends its answer in pieces of one byte |
//! | `proxy_hanging` | never answers |
//! | `proxy_dying` | ends a tunnel once 40,000 bytes have come back through it |
//! | `socks`, `socks_login` | SOCKS5, without and with the same user and password |
//!
//! # Paths
//!
//! They take any method. "Closes" is with `close_notify` unless the table says otherwise. Bodies
//! of N bytes are the alphabet over and over.
//!
//! | path | answer |
//! |---|---|
//! | `/` | `ok` |
//! | `/echo` | JSON: `method`, `path`, `headers`, `body_base64`, `connection`, `resumed` |
//! | `/status/N` | that status; for 1xx, a 200 follows |
//! | `/redirect?code=302&to=URL` | a redirect to the URL, which is percent-encoded |
//! | `/bytes/N`, `/chunked/N`, `/until-close/N` | N bytes, delimited in each of the three ways |
//! | `/gzip/N`, `/zstd/N` | N zeros, compressed |
//! | `/fields/N`, `/folded` | N header fields beside the length; one that is folded (RFC 9112 §5.2) |
//! | `/chunk-extension/N`, `/chunk-zeros/N` | a chunk with an extension of N letters; N zeros before its size |
//! | `/coded?fields=A\|B&layers=N&zeros=N&status=N` | "hello", compressed N times, zero bytes behind it, with a `Content-Encoding` for each of A, B… |
//! | `/bomb` | 200 MiB of zeros, compressed |
//! | `/truncated` | a body until the end, which is a FIN without `close_notify` |
//! | `/short` | 10 bytes of 1000, closes |
//! | `/chunked-cut`, `/chunk-size-cut` | no last chunk, closes; closes within a chunk's size |
//! | `/gzip-bad`, `/gzip-cut` | not gzip; half of a gzip stream |
//! | `/redirect-hang?to=URL` | a redirect with half of its body, then nothing |
//! | `/delay?ms=N` | `ok`, N ms late |
//! | `/sink` | `ok`; a body of a known length is not kept |
//! | `/early-413` | the status 413 before the body is read, closes |
//! | `/deaf-413` | the same, but reads no more and does not close |
//! | `/unasked-408` | `ok`, and the status 408 when nobody has asked, closes |
//! | `/slow` | 1000 bytes, one each 100 ms |
//! | `/hang`, `/hang-body` | nothing; the head and half of the body, then nothing |
//! | `/endless`, `/endless-head` | chunks without end; header fields without end |
//! | `/endless-interim`, `/endless-trailers` | interim answers without end; fields behind the body without end |
//! | `/close`, `/close-head` | closes unanswered; closes within the head |
//! | `/reset` | sends a RST unanswered |
//! | `/keepalive-close-after` | `ok`, then closes although it did not say so |
//! | `/once-stale` | `ok`, then ends with a FIN once the next request begins |
//! | `/garbage` | not HTTP, closes |
//! | `/bad-status` | the status `2x0`, closes |
//! | `/bad-header`, `/nul-header` | a field name with a space; a field value with a NUL, closes |
//! | `/bad-length` | two different `Content-Length`, closes |
//! | `/in-turn/A,B…?fields=NAME:VALUE\|…` | these statuses with these fields, one after the other for requests to this target, and the last for all to come; `close` is none, but the end, and `hang` nothing |
//! | `/guarded/TOKEN` | 401 with `WWW-Authenticate` without `Authorization: Bearer TOKEN`, else what `/echo` answers |
//! | `/hex/BYTES` | these bytes, head and all |
//!
//! A path given to [`Server::publish`] answers with that body, its SHA-256 as `ETag`, or 304; or with the
//! part that `Range` and `If-Range` ask for. In the request, `X-Cut-After: N` has the body end after N
//! bytes without a word, `X-Piece: N` gives N bytes of a part only, and `X-Lie` says what of a part is
//! wrong: `tag`, `first`, `total`, or `condition` for a server that does not look at `If-Range`.
//!
//! A server that waits does so until the peer leaves, [`Server::drop_connections`] or the end.
//!
//! # Control API
//!
//! Answers are JSON, errors too: `{"error": …}`.
//!
//! | request | does |
//! |---|---|
//! | `GET /info` | `servers` with their ports, `certificates` (DER in Base64), `pins`, `chains`, `identities` (PEM) |
//! | `GET /events?server=NAME` | the events of a server, as [`Event`] |
//! | `GET /wait?server=NAME&event=alert&count=1&timeout_ms=5000` | the same, once there are that many of the kind; 408 if not in time |
//! | `POST /clear?server=NAME` | forgets the events |
//! | `POST /drop?server=NAME` | closes the open connections |
//! | `POST /present?server=NAME&chain=OTHER` | presents another chain from now on |
//! | `POST /publish?server=NAME&path=PATH` | answers that path with the request's body from now on |
//! | `POST /embed?version=N&pins=A,B` | what an app is built with (see [`Owner`]), pinning these certificates; the body's members replace those of the pin set |
//! | `POST /sign?version=N&pins=A,B&server=NAME` | publishes such a pin set at `/bundle.json` of a server |
//! | `POST /quit` | ends the process |

mod connection;
mod control;
mod event;
mod files;
mod http;
mod owner;
mod paths;
mod persona;
mod pki;
mod proxy;
mod server;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

pub use control::Control;
pub use event::Event;
pub use owner::Owner;
pub use pki::Pki;
pub use server::Server;

/// A PKI and its servers. They stop when it is dropped.
#[derive(Debug)]
pub struct Testkit {
    pki: Arc<Pki>,
    owner: Owner,
    servers: BTreeMap<&'static str, Server>,
}

impl Testkit {
    /// Makes the certificates and starts every server.
    ///
    /// # Errors
    ///
    /// If there is no port for one of them.
    pub fn start() -> io::Result<Self> {
        let pki = Arc::new(Pki::generate());
        let servers = persona::Persona::all(&pki).into_iter();
        let servers = servers.map(|persona| Ok((persona.name, Server::start(persona)?)));
        let owner = Owner::new();
        Ok(Self { servers: servers.collect::<io::Result<_>>()?, owner, pki })
    }

    /// The certificates and their pins.
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// Who signs pin sets.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// A server.
    ///
    /// # Panics
    ///
    /// Without a persona of this name.
    pub fn server(&self, name: &str) -> &Server {
        self.find(name).unwrap_or_else(|| panic!("no server {name}"))
    }

    /// Every server.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.servers.values()
    }

    /// The port of every server by name.
    pub fn ports(&self) -> BTreeMap<&'static str, u16> {
        self.servers().map(|server| (server.name(), server.port())).collect()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Server> {
        self.servers.get(name)
    }
}
