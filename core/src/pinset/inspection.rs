//! How a document names authorities that may inspect an organisation's own connections.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::root::{Constraints, read_host};
use crate::json::Node;
use crate::pin::{InspectionAuthority, PinDigest};
use crate::rejection::{Cause, Rejection};

const MAX_AUTHORITIES: usize = 8;
const MAX_HOSTS: usize = 64;

/// What the document allows the authority to do; there is one word so far.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum InspectionMode {
    Allow,
}

impl InspectionAuthority {
    pub(super) fn read_all(
        list: &Node<'_>,
        constraints: &Constraints,
    ) -> Result<Vec<Self>, Rejection> {
        let nodes = list.list(MAX_AUTHORITIES)?;
        if !nodes.is_empty() && !constraints.inspection {
            let reason = "the root does not allow inspection";
            return Err(list.rejected(Cause::Constraints, reason));
        }
        let mut ids = BTreeSet::new();
        let mut authorities = Vec::with_capacity(nodes.len());
        for node in &nodes {
            let authority = Self::read(node, constraints)?;
            if !ids.insert(authority.id.clone()) {
                return Err(node.required("id")?.wrong("listed before"));
            }
            authorities.push(authority);
        }
        Ok(authorities)
    }

    fn read(node: &Node<'_>, constraints: &Constraints) -> Result<Self, Rejection> {
        let InspectionMode::Allow = node.required("mode")?.word()?;
        let digest = node.required("spki_sha256")?;
        let spki = match format!("sha256/{}", digest.text()?).parse() {
            Ok(PinDigest::Spki(spki)) => spki,
            Ok(PinDigest::Certificate(_)) => return Err(digest.wrong("not the digest of a key")),
            Err(reason) => return Err(digest.wrong(reason)),
        };
        let hosts = node.required("hosts")?;
        let named = hosts.list(MAX_HOSTS)?;
        if named.is_empty() {
            return Err(hosts.wrong("empty"));
        }
        for host in &named {
            if !constraints.allow(&read_host(host)?) {
                return Err(host.rejected(Cause::Constraints, "the root does not allow it"));
            }
        }
        let never = node.optional_list("never_hosts", MAX_HOSTS)?;
        let not_before = node.required("not_before")?.time()?;
        let not_after = node.required("not_after")?;
        if not_after.time()? <= not_before {
            return Err(not_after.wrong("not after not_before"));
        }
        let require = node.required("require")?;
        // Neither the owner's signature nor the device's management is enough alone, and nobody is
        // inspected in silence.
        let managed = require.required("managed_config")?;
        if !managed.flag()? {
            return Err(managed.wrong("an authority must be named by the managed configuration"));
        }
        if let Some(report) = node.optional("report")?
            && !report.flag()?
        {
            return Err(report.wrong("inspection is always reported"));
        }
        let by_admin = require.optional("ca_installed_by_admin")?;
        Ok(Self {
            id: node.required("id")?.label()?.to_owned(),
            spki,
            hosts: named.iter().map(read_host).collect::<Result<_, _>>()?,
            never_hosts: never.iter().map(read_host).collect::<Result<_, _>>()?,
            not_before,
            not_after: not_after.time()?,
            managed_config_key: require.required("managed_config_key")?.label()?.to_owned(),
            ca_installed_by_admin: by_admin.map_or(Ok(true), |flag| flag.flag())?,
        })
    }
}
