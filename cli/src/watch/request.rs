//! The head of a request to the monitor, as far as it matters: a method and a path (RFC 9112).

/// As much of a head as is read.
pub(crate) const MAX_HEAD: usize = 8 * 1024;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Page,
    Style,
    Metrics,
    Health,
    /// What there is not.
    Nothing,
    /// Another method than GET and HEAD.
    Method,
}

/// What a whole head asks for, and whether without a body (HEAD); nothing while it is not whole, and
/// `Err` for what is none.
pub(crate) fn read(head: &[u8]) -> Result<Option<(Asked, bool)>, ()> {
    let ends = |end: &[u8]| head.windows(end.len()).any(|window| window == end);
    if !ends(b"\r\n\r\n") && !ends(b"\n\n") {
        return if head.len() < MAX_HEAD { Ok(None) } else { Err(()) };
    }
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = str::from_utf8(line).map_err(|_| ())?.trim_end_matches('\r');
    let mut parts = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(());
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return Err(());
    }
    let without_body = method == "HEAD";
    if method != "GET" && !without_body {
        return Ok(Some((Asked::Method, false)));
    }
    let path = target.split('?').next().unwrap_or_default();
    let asked = match path {
        "/" => Asked::Page,
        "/style.css" => Asked::Style,
        "/metrics" => Asked::Metrics,
        "/healthz" => Asked::Health,
        _ => Asked::Nothing,
    };
    Ok(Some((asked, without_body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_asks_for_one_thing_or_is_none() {
        for (head, asked) in [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Ok(Some((Asked::Page, false)))),
            ("GET /metrics?x=1 HTTP/1.0\n\n", Ok(Some((Asked::Metrics, false)))),
            ("HEAD /healthz HTTP/1.1\r\n\r\n", Ok(Some((Asked::Health, true)))),
            ("GET /../etc/passwd HTTP/1.1\r\n\r\n", Ok(Some((Asked::Nothing, false)))),
            ("POST / HTTP/1.1\r\n\r\n", Ok(Some((Asked::Method, false)))),
            ("GET / HTTP/1.1\r\nHost", Ok(None)),
            ("GET / HTTP/2\r\n\r\n", Err(())),
            ("GET  / HTTP/1.1\r\n\r\n", Err(())),
            ("GET http://x/ HTTP/1.1\r\n\r\n", Err(())),
            ("\r\n\r\n", Err(())),
        ] {
            assert_eq!(read(head.as_bytes()), asked, "{head:?}");
        }
        assert_eq!(read(&[b'a'; MAX_HEAD]), Err(()));
    }
}
