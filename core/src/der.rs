//! The few corners of DER (X.690) that certificates and OCSP responses are made of.
//!
//! A reader over slices: bounds-checked, without recursion, and silent on what it does not know.

use crate::time::parse_x509;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const T61_STRING: u8 = 0x14;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[n]` around a primitive and around a constructed element.
pub(crate) const fn context_primitive(n: u8) -> u8 {
    0x80 | n
}
pub(crate) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// The rest of some DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Der<'a>(pub(crate) &'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag, its header's length and its contents, and what follows.
    pub(crate) fn next(self) -> Option<(u8, usize, &'a [u8], Self)> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest, header) = match first {
            0..=0x7f => (usize::from(first), rest, 2),
            0x81..=0x83 => {
                let n = usize::from(first & 0x7f);
                let (bytes, rest) = rest.split_at_checked(n)?;
                (bytes.iter().fold(0, |l, b| l << 8 | usize::from(*b)), rest, 2 + n)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        Some((tag, header, contents, Self(rest)))
    }

    /// The contents of the next element, which must have `tag`, and what follows.
    pub(crate) fn expect(self, tag: u8) -> Option<(Self, Self)> {
        let (found, _, contents, rest) = self.next()?;
        (found == tag).then_some((Self(contents), rest))
    }

    /// Like [`Self::expect`], with the element's header.
    pub(crate) fn whole(self, tag: u8) -> Option<(&'a [u8], Self)> {
        let (found, header, contents, rest) = self.next()?;
        (found == tag).then(|| (&self.0[..header + contents.len()], rest))
    }

    /// The contents of the next element where it has `tag`, and what follows.
    pub(crate) fn optional(self, tag: u8) -> Option<(Option<Self>, Self)> {
        match self.0.first() {
            Some(found) if *found == tag => self.expect(tag).map(|(it, rest)| (Some(it), rest)),
            _ => Some((None, self)),
        }
    }

    /// What follows the next element where it has `tag`.
    pub(crate) fn skip_if(self, tag: u8) -> Option<Self> {
        self.optional(tag).map(|(_, rest)| rest)
    }

    /// A `UTCTime` or `GeneralizedTime` in seconds since 1970 (RFC 5280 §4.1.2.5).
    pub(crate) fn time(self) -> Option<(u64, Self)> {
        let (tag, _, text, rest) = self.next()?;
        let generalized = match tag {
            UTC_TIME => false,
            GENERALIZED_TIME => true,
            _ => return None,
        };
        Some((parse_x509(text, generalized)?, rest))
    }

    /// A bit string of whole octets.
    pub(crate) fn octets_of_bits(self) -> Option<(&'a [u8], Self)> {
        let (bits, rest) = self.expect(BIT_STRING)?;
        match bits.0.split_first() {
            Some((0, octets)) => Some((octets, rest)),
            _ => None,
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// The outer fields of a certificate (RFC 5280 §4.1), as slices of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    /// What the signature is over, and the signature.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: &'a [u8],
    pub(crate) serial: &'a [u8],
    /// The signature's AlgorithmIdentifier, its contents.
    pub(crate) signature_algorithm: &'a [u8],
    /// The same outside of what is signed.
    pub(crate) outer_algorithm: &'a [u8],
    /// The contents of the issuer's name.
    pub(crate) issuer: Der<'a>,
    pub(crate) validity: (u64, u64),
    /// The contents of the subject's name.
    pub(crate) subject: Der<'a>,
    /// The SubjectPublicKeyInfo with its header.
    pub(crate) spki: &'a [u8],
    extensions: Option<Der<'a>>,
}

impl<'a> Fields<'a> {
    /// Reads a DER certificate with nothing behind it.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let (certificate, rest) = Der(der).expect(SEQUENCE)?;
        let (signed, tail) = certificate.whole(SEQUENCE)?;
        let (outer_algorithm, tail) = tail.expect(SEQUENCE)?;
        let (signature, _) = tail.octets_of_bits()?;
        let (tbs, _) = certificate.expect(SEQUENCE)?;
        if !rest.is_empty() {
            return None;
        }
        let tbs = tbs.skip_if(context(0))?; // version
        let (serial, tbs) = tbs.expect(INTEGER)?;
        let (signature_algorithm, tbs) = tbs.expect(SEQUENCE)?;
        let (issuer, tbs) = tbs.expect(SEQUENCE)?;
        let (validity, tbs) = tbs.expect(SEQUENCE)?;
        let (subject, tbs) = tbs.expect(SEQUENCE)?;
        let (spki, tbs) = tbs.whole(SEQUENCE)?;
        let (not_before, validity) = validity.time()?;
        let (not_after, _) = validity.time()?;
        let tbs = tbs.skip_if(context_primitive(1))?; // issuerUniqueID
        let tbs = tbs.skip_if(context_primitive(2))?; // subjectUniqueID
        let (extensions, _) = tbs.optional(context(3))?;
        Some(Self {
            signed,
            signature,
            serial: serial.0,
            signature_algorithm: signature_algorithm.0,
            outer_algorithm: outer_algorithm.0,
            issuer,
            validity: (not_before, not_after),
            subject,
            spki,
            extensions,
        })
    }

    /// The value of an extension; the outer `None` is for extensions that cannot be read, or one
    /// that is there twice (RFC 5280 §4.2).
    pub(crate) fn extension(&self, wanted: &[u8]) -> Option<Option<Der<'a>>> {
        let mut found = None;
        for extension in self.extensions()? {
            if extension.oid == wanted && found.replace(extension.value).is_some() {
                return None;
            }
        }
        Some(found)
    }

    /// All of its extensions; none where they cannot be read.
    pub(crate) fn extensions(&self) -> Option<Vec<Extension<'a>>> {
        let Some(extensions) = self.extensions else { return Some(Vec::new()) };
        let (mut list, _) = extensions.expect(SEQUENCE)?;
        let mut read = Vec::new();
        while !list.is_empty() {
            let (extension, rest) = list.expect(SEQUENCE)?;
            list = rest;
            let (oid, value) = extension.expect(OID)?;
            let (critical, value) = value.optional(BOOLEAN)?;
            let (value, _) = value.expect(OCTET_STRING)?;
            read.push(Extension { oid: oid.0, critical: critical.map(|flag| flag.0), value });
        }
        Some(read)
    }
}

/// An extension of a certificate (RFC 5280 §4.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    pub(crate) oid: &'a [u8],
    /// The octet that says whether it is critical, where there is one.
    pub(crate) critical: Option<&'a [u8]>,
    pub(crate) value: Der<'a>,
}

/// A SubjectPublicKeyInfo in its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublicKey<'a> {
    /// The AlgorithmIdentifier, its contents.
    pub(crate) algorithm: &'a [u8],
    /// The key's own octets.
    pub(crate) key: &'a [u8],
}

impl<'a> PublicKey<'a> {
    pub(crate) fn read(spki: &'a [u8]) -> Option<Self> {
        let (spki, rest) = Der(spki).expect(SEQUENCE)?;
        Self::of_contents(spki.0).filter(|_| rest.is_empty())
    }

    /// Of a SubjectPublicKeyInfo without its header.
    pub(crate) fn of_contents(contents: &'a [u8]) -> Option<Self> {
        let (algorithm, rest) = Der(contents).expect(SEQUENCE)?;
        let (key, rest) = rest.octets_of_bits()?;
        rest.is_empty().then_some(Self { algorithm: algorithm.0, key })
    }

    pub(crate) fn oid(&self) -> Option<(&'a [u8], Der<'a>)> {
        Der(self.algorithm).expect(OID).map(|(oid, parameters)| (oid.0, parameters))
    }

    /// The bits of an RSA modulus (RFC 8017 §A.1.1).
    pub(crate) fn rsa_bits(&self) -> Option<usize> {
        let (key, _) = Der(self.key).expect(SEQUENCE)?;
        let (modulus, _) = key.expect(INTEGER)?;
        let zeros = modulus.0.iter().take_while(|b| **b == 0).count();
        let first = modulus.0.get(zeros)?;
        Some((modulus.0.len() - zeros) * 8 - first.leading_zeros() as usize)
    }
}
