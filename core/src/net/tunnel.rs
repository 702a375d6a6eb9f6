//! Through a proxy: what is said to it, and what its refusals mean for a call.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::carrier::Carrier;
use super::context::CallContext;
use super::origin::Key;
use super::tls::{Fault, Terms, Tls};
use super::wire::{Socket, is_timeout};
use crate::error::Error;
use crate::proxy::{Login, Proxy, ProxyScheme, Refusal, Target, connect, socks5};

/// How long a connection that was kept after a 407 has for the answer, before another one is made.
const KEPT_PATIENCE: Duration = Duration::from_secs(3);

/// The attempts to get through one proxy: what its last refusal has taught.
pub(super) struct Tunnelling<'a> {
    key: &'a Key,
    proxy: &'a Proxy,
    login: Login<'a>,
    /// What it is asked to connect to: the first that it does connect to counts.
    targets: VecDeque<Target>,
}

/// Why an attempt has come to nothing.
pub(super) enum Stop {
    /// The next one, to the same address, may succeed.
    Again,
    Fault(Fault),
}

impl<'a> Tunnelling<'a> {
    /// With at least one target.
    pub(super) fn new(
        key: &'a Key,
        proxy: &'a Proxy,
        login: Login<'a>,
        targets: VecDeque<Target>,
    ) -> Self {
        Self { key, proxy, login, targets }
    }

    /// Over a new connection to the proxy: what carries the origin's bytes from here on.
    pub(super) fn open(
        &mut self,
        tls: &Tls,
        mut socket: Socket,
        terms: &Terms<'_>,
        context: &CallContext,
    ) -> Result<Carrier, Stop> {
        socket.set_limits(terms.deadline, None);
        let mut carrier = match self.proxy.scheme() {
            ProxyScheme::Https => {
                // It is no origin: without pins of its own the system's trust is enough.
                let judge = Arc::new(terms.judge.of_proxies());
                let terms = Terms { judge: &judge, ..*terms };
                let carrier = tls.connect_proxy(socket, self.proxy, &terms, context);
                carrier.map_err(|fault| Stop::Fault(self.of_proxy(fault, context)))?
            }
            _ => Carrier::Socket(socket),
        };
        let target = self.targets.front().cloned().unwrap_or_else(|| {
            let origin = &self.key.origin;
            Target::Name(origin.host().to_string(), origin.port())
        });
        let done = match self.proxy.scheme() {
            ProxyScheme::Http | ProxyScheme::Https => {
                let hurry = |carrier: &mut Carrier| carrier.set_limits(soon(terms.deadline), None);
                connect(&mut carrier, &target.to_string(), &mut self.login, hurry)
            }
            ProxyScheme::Socks5 | ProxyScheme::Socks5h => {
                socks5(&mut carrier, &target, &self.login)
            }
        };
        match done {
            Ok(()) => {
                carrier.set_limits(terms.deadline, None);
                Ok(carrier)
            }
            Err(refusal) => Err(self.stop(refusal, context)),
        }
    }

    fn stop(&mut self, refusal: Refusal, context: &CallContext) -> Stop {
        let (proxy, host) = (self.proxy.to_string(), self.key.host().to_string());
        Stop::Fault(match refusal {
            Refusal::Again => return Stop::Again,
            Refusal::Refused { .. } if self.targets.len() > 1 => {
                self.targets.pop_front();
                return Stop::Again;
            }
            Refusal::Refused { status, reason } => {
                Fault::Final(Error::ProxyRefused { proxy, host, status, reason })
            }
            Refusal::Unauthorised(reason) => {
                Fault::Final(Error::ProxyAuthRequired { proxy, host, reason })
            }
            Refusal::Unusable(reason) => Fault::OfAddress(self.failed(reason)),
            Refusal::Io(e) if is_timeout(&e) => self.of_proxy(Fault::TimedOut, context),
            Refusal::Io(e) => Fault::OfAddress(self.failed(lost(e))),
        })
    }

    /// What a fault on the way to the tunnel is.
    fn of_proxy(&self, fault: Fault, context: &CallContext) -> Fault {
        match fault {
            Fault::Final(error) => Fault::Final(self.key.told(error)),
            Fault::OfAddress(Error::TlsFailed { reason, .. }) => {
                Fault::OfAddress(self.failed(format!("TLS with it failed: {reason}")))
            }
            Fault::OfAddress(Error::ConnectionLost { reason, .. }) => {
                Fault::OfAddress(self.failed(reason))
            }
            Fault::OfAddress(error) => Fault::OfAddress(error),
            Fault::TimedOut if context.is_over() => Fault::TimedOut,
            Fault::TimedOut => Fault::OfAddress(self.failed("it did not answer in time".into())),
        }
    }

    fn failed(&self, reason: String) -> Error {
        failed(self.proxy, self.key.host().as_str(), reason)
    }
}

/// What is asked on a connection that was kept after a 407 may never be answered.
fn soon(deadline: Option<Instant>) -> Option<Instant> {
    deadline.into_iter().chain(Instant::now().checked_add(KEPT_PATIENCE)).min()
}

/// The proxy itself cannot be used.
pub(super) fn failed(proxy: &Proxy, host: &str, reason: String) -> Error {
    Error::ProxyFailed { proxy: Some(proxy.to_string()), host: host.to_owned(), reason }
}

fn lost(e: io::Error) -> String {
    format!("the connection to it was lost: {e}")
}
