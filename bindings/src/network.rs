//! What clients and updaters alike can be told: whom to trust, and where to connect.

use std::net::SocketAddr;
use std::sync::Arc;

use pinfold_core::Error;

use crate::trust::{Foreign, PlatformTrust};

/// The authorities behind `SystemAndPin`.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Roots {
    /// The operating system's.
    System,
    /// Mozilla's, as compiled in.
    Bundled,
    /// These and no others, DER.
    Only {
        /// The certificates.
        certificates: Vec<Vec<u8>>,
    },
}

/// An address to use instead of looking a name up.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ConnectTo {
    /// The name in the URL.
    pub host: String,
    /// The port in the URL.
    pub port: u16,
    /// `IP:PORT` to connect to.
    pub address: String,
}

impl Roots {
    /// `System` is what `trust` says, where there is one.
    pub(crate) fn with_trust(
        self,
        trust: Option<Arc<dyn PlatformTrust>>,
    ) -> Result<pinfold_core::Roots, Error> {
        Ok(match (self, trust) {
            (Self::System, Some(trust)) => pinfold_core::Roots::Platform(Arc::new(Foreign(trust))),
            (Self::System, None) => pinfold_core::Roots::System,
            #[cfg(feature = "bundled-roots")]
            (Self::Bundled, _) => pinfold_core::Roots::Bundled,
            #[cfg(not(feature = "bundled-roots"))]
            (Self::Bundled, _) => {
                return Err(Error::InvalidConfig {
                    field: "roots".into(),
                    reason: "the library was built without roots (its feature bundled-roots)"
                        .into(),
                });
            }
            (Self::Only { certificates }, _) => pinfold_core::Roots::Only(certificates),
        })
    }
}

impl ConnectTo {
    pub(crate) fn parse_all(all: &[Self]) -> Result<Vec<(&str, u16, SocketAddr)>, Error> {
        let parse = |(i, to): (usize, &'_ Self)| match to.address.parse() {
            Ok(address) => Ok((i, address)),
            Err(_) => Err(Error::InvalidConfig {
                field: format!("connect_to[{i}]"),
                reason: "its address is not IP:PORT".into(),
            }),
        };
        let addresses = all.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok(addresses
            .into_iter()
            .map(|(i, address)| (&*all[i].host, all[i].port, address))
            .collect())
    }
}
