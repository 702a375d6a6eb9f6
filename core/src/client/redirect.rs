//! Redirects, followed by us: each hop is HTTPS, judged by its own host's policy, and secrets stay
//! at the origin they were meant for.

use super::method::Method;
use super::request::Request;
use crate::error::Error;

/// The request that a redirect asks for, or none where the response is the final one.
///
/// # Errors
/// [`Error::InsecureRedirect`] for a target that is not HTTPS, [`Error::InvalidResponse`] for one
/// that cannot be requested.
pub(super) fn next(
    request: &Request,
    status: u16,
    location: Option<&str>,
) -> Result<Option<Request>, Error> {
    let host = request.target.host().to_string();
    let (method, drops_body) = match (status, request.method) {
        // RFC 9110 §15.4: 303 always, 301 and 302 by long custom for POST, become GET.
        (303, Method::Head) => (Method::Head, true),
        (303, _) | (301 | 302, Method::Post) => (Method::Get, true),
        (301 | 302 | 307 | 308, method) => (method, false),
        _ => return Ok(None),
    };
    let Some(location) = location else { return Ok(None) };
    let target = match request.target.join(location) {
        Ok(Ok(target)) => target,
        Ok(Err(insecure)) => return Err(Error::InsecureRedirect { host, target: insecure }),
        Err(reason) => return Err(Error::InvalidResponse { host, reason }),
    };
    let leaves_origin = !target.same_origin(&request.target);
    let mut next = Request { method, target, ..request.clone() };
    if drops_body {
        next.body = None;
        next.headers.retain(|h| !h.name.as_str().starts_with("content-"));
    }
    if leaves_origin {
        next.headers.retain(|h| !h.sensitive);
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Request {
        Request::new(Method::Post, "https://a.example/form")
            .and_then(|r| r.header("Content-Type", "text/plain"))
            .and_then(|r| r.header("Accept", "*/*"))
            .and_then(|r| r.header("Authorization", "Bearer t"))
            .and_then(|r| r.header("Cookie", "c=1"))
            .and_then(|r| r.sensitive_header("X-Api-Key", "k"))
            .and_then(|r| r.body(b"body".to_vec()))
            .expect("a good request")
    }

    fn names(request: &Request) -> Vec<&str> {
        request.headers.names().collect()
    }

    #[test]
    fn methods_and_bodies_follow_the_status() {
        for (status, method, keeps_body) in [
            (301, Method::Get, false),
            (302, Method::Get, false),
            (303, Method::Get, false),
            (307, Method::Post, true),
            (308, Method::Post, true),
        ] {
            let hop = next(&post(), status, Some("/x")).expect("good").expect("a redirect");
            assert_eq!((hop.method, hop.body.is_some()), (method, keeps_body), "{status}");
            assert_eq!(names(&hop).contains(&"content-type"), keeps_body, "{status}");
        }
        for status in [200, 300, 304, 305, 306, 399, 404] {
            assert!(next(&post(), status, Some("/x")).expect("good").is_none(), "{status}");
        }
        assert!(next(&post(), 302, None).expect("good").is_none());
    }

    #[test]
    fn secrets_stay_at_their_origin() {
        let same = next(&post(), 307, Some("/x")).expect("good").expect("a redirect");
        assert!(names(&same).contains(&"authorization"));
        for elsewhere in ["https://b.example/", "https://a.example:8443/", "//sub.a.example/"] {
            let hop = next(&post(), 307, Some(elsewhere)).expect("good").expect("a redirect");
            assert_eq!(names(&hop), ["content-type", "accept"], "{elsewhere}");
            // And they do not come back when a later hop does.
            let back =
                next(&hop, 307, Some("https://a.example/")).expect("good").expect("a redirect");
            assert_eq!(names(&back), ["content-type", "accept"]);
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        for location in ["http://a.example/", "ftp://a.example/", "data:text/plain,x"] {
            let error = next(&post(), 302, Some(location)).expect_err(location);
            assert_eq!(error.code(), "insecure_redirect", "{location}");
        }
        let error = next(&post(), 302, Some("https://a..b/")).expect_err("no host");
        assert_eq!(error.code(), "invalid_response");
    }
}
