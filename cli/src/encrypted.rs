//! Private keys under a passphrase: PKCS#8's EncryptedPrivateKeyInfo (RFC 5958 §3) with PBES2
//! (RFC 8018 §6.2).
//!
//! What is written here OpenSSL reads, and the other way round. Whoever hands over a file names the
//! cost of trying one passphrase, so that cost is bounded before it is paid.

use pkcs8::der::{Decode as _, Encode as _, asn1::OctetStringRef};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{self, Kdf, Pbkdf2Params, Salt, ScryptParams};
use pkcs8::{EncryptedPrivateKeyInfo, EncryptedPrivateKeyInfoRef};
use ring::rand::{SecureRandom, SystemRandom};

/// The label of such a key in PEM (RFC 7468 §11).
pub(crate) const LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// The memory of one try: 16 MiB. OpenSSL reads nothing that asks for more than 32.
const COST: u64 = 1 << 14;
const BLOCK_SIZE: u16 = 8;
/// With that little memory, so many times over.
const PARALLELIZATION: u16 = 5;

/// The dearest try that is made: memory in bytes, passes over it, and rounds of PBKDF2.
const MAX_MEMORY: u64 = 256 << 20;
const MAX_PASSES: u16 = 16;
const MAX_ROUNDS: u32 = 10_000_000;

const FORM: &str = "not a private key under a passphrase, or one in another form than PBES2 with AES \
                    (openssl pkcs8 -topk8 -scrypt -in FILE -out NEW)";
const COSTS: &str = "one try of a passphrase would cost too much: more than 256 MiB, 16 passes or \
                     10 million rounds";
const WRONG: &str = "another passphrase, or damaged";

/// Encrypts a key by scrypt and AES-256-CBC.
pub(crate) fn seal(pkcs8: &[u8], passphrase: &str) -> Result<Vec<u8>, &'static str> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    let random = SystemRandom::new();
    for bytes in [&mut salt, &mut iv] {
        random.fill(bytes).map_err(|_| "the system has no random numbers")?;
    }
    let kdf = Kdf::Scrypt(ScryptParams {
        salt: Salt::new(salt).map_err(|_| FORM)?,
        cost_parameter: COST,
        block_size: BLOCK_SIZE,
        parallelization: PARALLELIZATION,
        key_length: None,
    });
    let scheme = pbes2::Parameters { kdf, encryption: pbes2::EncryptionScheme::Aes256Cbc { iv } };
    let sealed = scheme.encrypt(passphrase, pkcs8).map_err(|_| FORM)?;
    let info = EncryptedPrivateKeyInfo {
        encryption_algorithm: EncryptionScheme::from(scheme),
        encrypted_data: OctetStringRef::new(&sealed).map_err(|_| FORM)?,
    };
    info.to_der().map_err(|_| FORM)
}

/// The PKCS#8 of a key whose passphrase this is.
pub(crate) fn open(der: &[u8], passphrase: &str) -> Result<Vec<u8>, &'static str> {
    let info = read(der)?;
    let opened = info.encryption_algorithm.decrypt(passphrase, info.encrypted_data.as_bytes());
    // With CBC one of 256 wrong passphrases ends in a padding all the same, and in rubbish behind it.
    opened.ok().filter(|key| key.first() == Some(&0x30)).ok_or(WRONG)
}

/// A key that can be opened at a bearable cost.
pub(crate) fn read(der: &[u8]) -> Result<EncryptedPrivateKeyInfoRef<'_>, &'static str> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|_| FORM)?;
    let scheme = info.encryption_algorithm.pbes2().ok_or(FORM)?;
    let bearable = match &scheme.kdf {
        Kdf::Scrypt(scrypt) => is_bearable(scrypt),
        Kdf::Pbkdf2(Pbkdf2Params { iteration_count, .. }) => {
            (1..=MAX_ROUNDS).contains(iteration_count)
        }
        _ => return Err(FORM),
    };
    if bearable { Ok(info) } else { Err(COSTS) }
}

/// Whether the numbers are some (RFC 7914 §6), and not too large.
fn is_bearable(scrypt: &ScryptParams) -> bool {
    let ScryptParams { cost_parameter: cost, block_size, parallelization, .. } = *scrypt;
    let memory = cost.checked_mul(u64::from(block_size) * 128);
    cost > 1
        && cost.is_power_of_two()
        && block_size > 0
        && (1..=MAX_PASSES).contains(&parallelization)
        && memory.is_some_and(|memory| memory <= MAX_MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrypt(cost_parameter: u64, block_size: u16, parallelization: u16) -> ScryptParams {
        let salt = Salt::new([7; 16]).expect("short");
        ScryptParams { salt, cost_parameter, block_size, parallelization, key_length: None }
    }

    #[test]
    fn what_one_try_may_cost_is_bounded() {
        for (cost, block_size, parallelization) in
            [(2, 1, 1), (COST, BLOCK_SIZE, PARALLELIZATION), (1 << 18, 8, 1), (1 << 15, 64, 16)]
        {
            assert!(is_bearable(&scrypt(cost, block_size, parallelization)), "{cost}");
        }
        for (cost, block_size, parallelization) in [
            (1, 8, 1),
            (3, 8, 1),
            (1 << 19, 8, 1),
            (1 << 14, 129, 1),
            (1 << 63, 8, 1),
            (1 << 14, 8, 17),
            (1 << 14, 0, 1),
            (1 << 14, 8, 0),
        ] {
            assert!(!is_bearable(&scrypt(cost, block_size, parallelization)), "{cost}");
        }
    }

    #[test]
    fn a_sealed_key_is_opened_by_its_passphrase_alone_and_each_is_sealed_anew() {
        let key = [&[0x30, 62][..], &[9; 62]].concat();
        let sealed = seal(&key, "correct horse").expect("sealed");
        assert_eq!(open(&sealed, "correct horse").as_deref(), Ok(&key[..]));
        assert_eq!(open(&sealed, "correct hors"), Err(WRONG));
        assert_ne!(seal(&key, "correct horse").expect("sealed"), sealed);
        assert!(!sealed.windows(16).any(|window| window == [9; 16]));
        // Whatever is cut off it, or is none.
        for end in 0..sealed.len() {
            assert_eq!(read(&sealed[..end]).err(), Some(FORM), "{end}");
        }
        assert_eq!(open(&key, "correct horse"), Err(FORM));
    }
}
