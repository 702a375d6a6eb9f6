//! What a proxy asks for in `Proxy-Authenticate` (RFC 9110 §11.7.1), and the answer.
//!
//! `digest_auth` computes Digest's answer. What it is given is read here: its own reader wants one
//! challenge at a time, and stops at text that is not ASCII.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use digest_auth::{
    Algorithm, AlgorithmType, AuthContext, Charset, HttpMethod, Qop, WwwAuthenticateHeader,
};

use super::address::Credentials;
use crate::name::printable;

/// More challenges, and parameters of one, are nobody's.
const MAX: usize = 32;

/// A challenge that can be answered.
#[derive(Clone, Debug)]
pub(super) enum Challenge {
    Basic,
    Digest(Box<WwwAuthenticateHeader>),
}

/// A scheme with its parameters.
#[derive(Debug, Default, PartialEq, Eq)]
struct Offer {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The best of those in `fields`, each of which may hold several: Digest by SHA-512/256, then by
    /// SHA-256, then by MD5, then Basic.
    ///
    /// # Errors
    /// Why none of them can be answered.
    pub(super) fn best<'a>(fields: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let offers = fields.flat_map(split).take(MAX).collect::<Vec<_>>();
        let mut answerable = Vec::new();
        let mut unanswerable = Vec::new();
        for offer in offers {
            match offer.challenge() {
                Ok(challenge) => answerable.push(challenge),
                Err(what) => unanswerable.push(what),
            }
        }
        match answerable.into_iter().max_by_key(Self::rank) {
            Some(best) => Ok(best),
            None if unanswerable.is_empty() => Err("it does not say how to log in".into()),
            None => {
                let offered = printable(&unanswerable.join(", "), 120);
                Err(format!("it offers no way to log in but {offered}"))
            }
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Basic => 0,
            Self::Digest(prompt) => match prompt.algorithm.algo {
                AlgorithmType::MD5 => 1,
                AlgorithmType::SHA2_256 => 2,
                AlgorithmType::SHA2_512_256 => 3,
            },
        }
    }

    /// Whether it says that the last answer was right but for its nonce (RFC 7616 §3.3).
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Digest(prompt) if prompt.stale)
    }

    /// What goes into `Proxy-Authorization` of a CONNECT to `target`.
    ///
    /// # Errors
    /// In words, without a secret.
    pub(super) fn answer(&mut self, by: &Credentials, target: &str) -> Result<String, String> {
        match self {
            Self::Basic => {
                let login = format!("{}:{}", by.user, by.password);
                Ok(format!("Basic {}", STANDARD.encode(login)))
            }
            Self::Digest(prompt) => {
                let context = AuthContext::new_with_method(
                    &by.user,
                    &by.password,
                    target,
                    None::<&[u8]>,
                    HttpMethod::from("CONNECT"),
                );
                // Its errors may hold what they are about.
                let answer = prompt.respond(&context);
                answer
                    .map(|answer| answer.to_header_string())
                    .map_err(|_| "its Digest challenge cannot be answered".into())
            }
        }
    }
}

impl Offer {
    fn challenge(&self) -> Result<Challenge, String> {
        match self.scheme.to_ascii_lowercase().as_str() {
            "basic" => Ok(Challenge::Basic),
            "digest" => self.digest().map(|prompt| Challenge::Digest(Box::new(prompt))),
            _ => Err(self.scheme.clone()),
        }
    }

    fn digest(&self) -> Result<WwwAuthenticateHeader, String> {
        let missing = |what: &str| format!("Digest without {what}");
        let algorithm = match self.get("algorithm") {
            None => Algorithm::new(AlgorithmType::MD5, false),
            Some(name) => algorithm(name).ok_or_else(|| format!("Digest by {name}"))?,
        };
        let qop = match self.get("qop") {
            None => None,
            Some(all) => {
                let mut all = all.split(',').map(str::trim);
                let auth = all.any(|one| one.eq_ignore_ascii_case("auth"));
                // auth-int is over a body, and CONNECT has none.
                Some(vec![auth.then_some(Qop::AUTH).ok_or("Digest by auth-int alone")?])
            }
        };
        let is_true = |name| self.get(name).is_some_and(|it| it.eq_ignore_ascii_case("true"));
        Ok(WwwAuthenticateHeader {
            domain: None,
            realm: self.get("realm").ok_or_else(|| missing("a realm"))?.to_owned(),
            nonce: self.get("nonce").ok_or_else(|| missing("a nonce"))?.to_owned(),
            opaque: self.get("opaque").map(str::to_owned),
            stale: is_true("stale"),
            algorithm,
            qop,
            userhash: is_true("userhash"),
            charset: Charset::UTF8,
            nc: 0,
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

fn algorithm(name: &str) -> Option<Algorithm> {
    let name = name.to_ascii_lowercase();
    let (name, sess) = match name.strip_suffix("-sess") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let kind = match name {
        "md5" => AlgorithmType::MD5,
        "sha-256" => AlgorithmType::SHA2_256,
        "sha-512-256" => AlgorithmType::SHA2_512_256,
        _ => return None,
    };
    Some(Algorithm::new(kind, sess))
}

/// The challenges of one field. A word without `=` behind it begins the next one (RFC 9110 §11.6.1).
fn split(field: &str) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut rest = field;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=', '"']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let after = behind.trim_start_matches([' ', '\t']);
        match after.strip_prefix('=').filter(|_| !word.is_empty()) {
            Some(value) => {
                let (value, left) = value_of(value.trim_start_matches([' ', '\t']));
                if let Some(offer) = offers.last_mut().filter(|it| it.parameters.len() < MAX) {
                    offer.parameters.push((word.to_owned(), value));
                }
                rest = left;
            }
            None if rest.is_empty() || offers.len() == MAX => return offers,
            None if word.is_empty() => {
                // A stray sign: passed over.
                let mut letters = behind.chars();
                letters.next();
                rest = letters.as_str();
            }
            None => {
                offers.push(Offer { scheme: word.to_owned(), parameters: Vec::new() });
                rest = behind;
            }
        }
    }
}

/// A token or a quoted string at the beginning of `text`, and what follows.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => value.extend(letters.next()),
            letter => value.push(letter),
        }
    }
    (value, letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(fields: &[&str]) -> Result<String, String> {
        let best = Challenge::best(fields.iter().copied())?;
        Ok(match best {
            Challenge::Basic => "basic".into(),
            Challenge::Digest(prompt) => format!("{} {}", prompt.algorithm, prompt.realm),
        })
    }

    #[test]
    fn challenges_are_split_and_the_best_is_taken() {
        let md5 = r#"Digest realm="m, \"n\"", nonce="a""#;
        let sha = r#"digest REALM=s, nonce="b", algorithm=sha-256, qop="auth,auth-int""#;
        for (fields, chosen) in [
            (&["Basic realm=\"x\""][..], "basic"),
            (&["BASIC"], "basic"),
            (&["Negotiate, NTLM, Basic realm=x"], "basic"),
            (&["Negotiate dG9rZW4=", "bAsIc realm=\"a=b, c\""], "basic"),
            (&[md5], "MD5 m, \"n\""),
            (&["Basic realm=b", md5], "MD5 m, \"n\""),
            (&[&format!("{md5}, {sha}, Basic realm=b")], "SHA-256 s"),
            (&[sha, md5], "SHA-256 s"),
            (&["Digest realm=é, nonce=ü, algorithm = SHA-512-256-sess"], "SHA-512-256-sess é"),
            // What cannot be answered does not hide what can.
            (&["Digest realm=x, nonce=y, qop=auth-int, Basic realm=b"], "basic"),
            (&["Digest realm=x, nonce=y, algorithm=SHA3, Basic realm=b"], "basic"),
        ] {
            assert_eq!(best(fields).as_deref(), Ok(chosen), "{fields:?}");
        }
    }

    #[test]
    fn what_cannot_be_answered_is_named() {
        for (fields, words) in [
            (&[][..], "does not say how"),
            (&["NTLM", "Negotiate"], "NTLM, Negotiate"),
            (&["Digest nonce=x"], "without a realm"),
            (&["Digest realm=x"], "without a nonce"),
            (&["Digest realm=x, nonce=y, qop=auth-int"], "auth-int alone"),
            (&["Digest realm=x, nonce=y, algorithm=SHA3"], "Digest by SHA3"),
            (&["\"\" = , \" ="], "does not say how"),
        ] {
            let reason = best(fields).expect_err("none");
            assert!(reason.contains(words), "{reason} for {fields:?}");
        }
    }

    #[test]
    fn basic_is_the_example_of_its_rfc() {
        // RFC 7617 §2.
        let by = Credentials { user: "Aladdin".into(), password: "open sesame".into() };
        let answer = Challenge::Basic.answer(&by, "h:443").expect("an answer");
        assert_eq!(answer, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    /// The formula of RFC 7616 §3.4.1, computed here by hand.
    #[test]
    fn digest_answers_for_the_method_and_the_target_of_the_tunnel() {
        use sha2::{Digest as _, Sha256};
        let hex = |text: String| {
            let digest = Sha256::digest(text);
            digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let by = Credentials { user: "u".into(), password: "p\"ä".into() };
        let field = "Digest realm=r, nonce=n, algorithm=SHA-256, qop=auth, opaque=o";
        let mut challenge = Challenge::best([field].into_iter()).expect("Digest");
        for nc in ["00000001", "00000002"] {
            let answer = challenge.answer(&by, "h.test:443").expect("an answer");
            let sent = &split(&answer)[0];
            let cnonce = sent.get("cnonce").expect("RFC 7616");
            let (a1, a2) = (hex("u:r:p\"ä".into()), hex("CONNECT:h.test:443".into()));
            let response = hex(format!("{a1}:n:{nc}:{cnonce}:auth:{a2}"));
            assert_eq!(sent.get("response"), Some(response.as_str()));
            assert_eq!(sent.get("uri"), Some("h.test:443"));
            assert_eq!((sent.get("nc"), sent.get("opaque")), (Some(nc), Some("o")));
            assert!(!answer.contains("p\""), "{answer}");
        }
    }
}
