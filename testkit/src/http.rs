//! As much of HTTP/1.1 as the servers and the control API need.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};

/// No line of a request is longer.
const MAX_LINE: u64 = 1 << 20;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The next request, or None when the peer has no more.
    pub(crate) fn read<S: Read + Write>(stream: &mut BufReader<S>) -> io::Result<Option<Self>> {
        if stream.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let line = read_line(stream)?;
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(malformed("request line"));
        };
        let mut request = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: read_headers(stream)?,
            body: Vec::new(),
        };
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
        {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            stream.get_mut().flush()?;
        }
        // Those answers come before the body is read.
        if !matches!(request.path(), "/early-413" | "/deaf-413") {
            request.body = request.read_body(stream)?;
        }
        Ok(Some(request))
    }

    /// The first value of a header field; `name` is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let field = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }

    /// The target without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A decoded parameter of the query.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn read_body(&self, stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
        if self.header("transfer-encoding").is_some() {
            return read_chunks(stream);
        }
        match self.header("content-length") {
            Some(length) => {
                let length = length.parse().map_err(|_| malformed("Content-Length"))?;
                if self.path() == "/sink" {
                    io::copy(&mut stream.take(length), &mut io::sink())?;
                    return Ok(Vec::new());
                }
                read_exactly(stream, length)
            }
            None => Ok(Vec::new()),
        }
    }
}

/// A well-formed answer with a length.
#[derive(Debug)]
pub(crate) struct Response {
    head: String,
    body: Vec<u8>,
}

impl Response {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let (body, mut head) = (body.into(), format!("HTTP/1.1 {status} {}\r\n", reason(status)));
        if status != 204 {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        Self { head, body }
    }

    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, body.to_string()).header("Content-Type", "application/json")
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        self.write_head(to)?;
        to.write_all(&self.body)?;
        to.flush()
    }

    /// The answer to HEAD: everything but the body.
    pub(crate) fn write_head(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(self.head.as_bytes())?;
        to.write_all(b"\r\n")?;
        to.flush()
    }
}

/// Writes each piece as a chunk of a chunked body.
pub(crate) struct Chunked<W>(pub(crate) W);

impl<W: Write> Chunked<W> {
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.0.write_all(b"0\r\n\r\n")?;
        self.0.flush()
    }
}

impl<W: Write> Write for Chunked<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // An empty chunk would be the last one.
        if !data.is_empty() {
            let chunk = [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat();
            self.0.write_all(&chunk)?;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn read_headers(stream: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn read_chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| malformed("chunk size"))?;
        if size == 0 {
            read_headers(stream)?; // the trailers
            return Ok(body);
        }
        body.append(&mut read_exactly(stream, size)?);
        if !read_line(stream)?.is_empty() {
            return Err(malformed("chunk"));
        }
    }
}

/// Does not trust `length` with an allocation.
fn read_exactly(stream: &mut impl BufRead, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = stream.take(length).read_to_end(&mut bytes)?;
    if (read as u64) < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// A line without its end, each byte a character as in ISO 8859-1.
fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(MAX_LINE).read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\n").ok_or_else(|| malformed("line"))?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(line.iter().map(|byte| char::from(*byte)).collect())
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("malformed {what}"))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Some Reason",
    }
}
