//! `pinfold check-live` and `pinfold monitor`: what servers and mirrors have, against what they
//! should have.

mod check;
mod git;
mod hosts;
mod look;
mod metrics;
mod mirrors;
mod monitor;
mod page;
mod request;
mod serve;
mod timeline;
mod trouble;

pub(crate) use check::{Arguments as CheckArguments, run as check};
pub(crate) use monitor::{Arguments as MonitorArguments, run as monitor};
