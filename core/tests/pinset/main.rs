//! The signed pin set from outside: attacks on it, published vectors, and random histories.

mod attacks;
mod documents;
mod edges;
mod enforcement;
mod histories;
mod json;
mod schemas;
mod signer;
mod vectors;
