//! Forms with files (RFC 7578, RFC 2046 §5.1).

use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};
use ureq::http::HeaderValue;

use super::pipe::{PipeReader, WrittenBody};
use super::upload::{BodySource, Custom, FromFile, Supply};
use crate::error::Error;
use crate::patience::Patience;

/// A longer name or file name is nobody's.
const MAX_NAME: usize = 1_024;

/// The parts of a `multipart/form-data` body, in order.
///
/// ```no_run
/// # use pinfold_core::{Method, Request};
/// use pinfold_core::client::{Multipart, Part};
///
/// # fn main() -> Result<(), pinfold_core::Error> {
/// let form = Multipart::new()
///     .part(Part::text("caption", "Our cat")?)
///     .part(Part::file("photo", "cat.jpg".as_ref())?.content_type("image/jpeg")?);
/// let request = Request::new(Method::Post, "https://api.example.com/v1/photos")?.multipart(form)?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Multipart {
    parts: Vec<Part>,
    reader: Option<PipeReader>,
}

/// One field or file of a form.
pub struct Part {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
    content: Content,
}

enum Content {
    Supplied(Box<dyn Supply>),
    /// The next section of what is written.
    Written(Option<u64>),
}

impl Part {
    fn new(name: &str, content: impl Supply + 'static) -> Result<Self, Error> {
        Self::of(name, Content::Supplied(Box::new(content)))
    }

    fn of(name: &str, content: Content) -> Result<Self, Error> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(Error::request("part", "a name of 1 to 1,024 bytes is needed"));
        }
        Ok(Self { name: quoted(name), file_name: None, content_type: None, content })
    }

    /// A field.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for a name that is empty or longer than 1,024 bytes.
    pub fn text(name: &str, value: &str) -> Result<Self, Error> {
        Self::bytes(name, value.as_bytes().to_vec())
    }

    /// Bytes; with [`Self::file_name`] they are a file to the server.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn bytes(name: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        Self::new(name, Bytes { bytes, read: 0 })
    }

    /// A file, read while it is sent. It is called as it is on disk, but see [`Self::file_name`].
    ///
    /// # Errors
    /// As [`Self::text`], and [`Error::IoFailed`] for what is no file or cannot be looked at.
    pub fn file(name: &str, path: &Path) -> Result<Self, Error> {
        let part = Self::new(name, FromFile::new(path)?)?;
        match path.file_name() {
            Some(file_name) => part.file_name(&file_name.to_string_lossy()),
            None => Ok(part),
        }
    }

    /// What a source gives.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn source(name: &str, source: impl BodySource + 'static) -> Result<Self, Error> {
        Self::new(name, Custom(source))
    }

    /// What comes next of [`Multipart::written`], up to [`next_part`](super::BodyWriter::next_part).
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn written(name: &str, length: Option<u64>) -> Result<Self, Error> {
        Self::of(name, Content::Written(length))
    }

    /// What the server is told the file is called. Quotes, backslashes and control characters are
    /// percent-encoded, as browsers do it with most of these.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for more than 1,024 bytes.
    pub fn file_name(mut self, file_name: &str) -> Result<Self, Error> {
        if file_name.len() > MAX_NAME {
            return Err(Error::request("part", "a file name of more than 1,024 bytes"));
        }
        self.file_name = Some(quoted(file_name));
        Ok(self)
    }

    /// The part's `Content-Type`. Without it, what has a file name is `application/octet-stream`.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for what is no header value.
    pub fn content_type(mut self, content_type: &str) -> Result<Self, Error> {
        if HeaderValue::from_str(content_type).is_err() || !content_type.is_ascii() {
            let reason = "its content type has a control or non-ASCII character";
            return Err(Error::request("part", reason));
        }
        self.content_type = Some(content_type.to_owned());
        Ok(self)
    }

    fn head(&self, boundary: &str) -> String {
        let Self { name, file_name, content_type, .. } = self;
        let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"");
        if let Some(file_name) = file_name {
            head += &format!("; filename=\"{file_name}\"");
        }
        let by_default = file_name.as_ref().map(|_| "application/octet-stream");
        if let Some(content_type) = content_type.as_deref().or(by_default) {
            head += &format!("\r\nContent-Type: {content_type}");
        }
        head + "\r\n\r\n"
    }
}

/// As it may stand between quotes in a header field. Servers undo neither this nor anything else the
/// same way, but none takes what is left for the end of the name or of the line.
fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '"' | '\\' | '\0'..='\x1f' | '\x7f' => quoted += &format!("%{:02X}", letter as u32),
            letter => quoted.push(letter),
        }
    }
    quoted
}

impl Multipart {
    /// A form without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part.
    pub fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// What [`Part::written`] parts are taken from, one after the other. A form that has it is sent once
    /// at most.
    pub fn written(mut self, written: WrittenBody) -> Self {
        self.reader = Some(PipeReader::new(written, None));
        self
    }

    /// The body, and its `Content-Type`.
    pub(super) fn into_body(self) -> Result<(FormData, String), Error> {
        let mut random = [0; 16];
        let filled = SystemRandom::new().fill(&mut random);
        filled.map_err(|_| Error::Internal { reason: "the system has no randomness".into() })?;
        let hex = random.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        // Whoever wrote the content did not know it, so it does not occur there.
        let boundary = format!("pinfold-{hex}");
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let is_written = self.parts.iter().any(|part| matches!(part.content, Content::Written(_)));
        if is_written && self.reader.is_none() {
            return Err(Error::request("part", "to be written, and nobody writes the form"));
        }
        Ok((FormData::new(self.parts, self.reader, &boundary), content_type))
    }
}

/// A form as it is sent.
pub(super) struct FormData {
    pieces: Vec<Piece>,
    /// Which one is being read.
    at: usize,
    /// How much of its text and of its content has been.
    read: (usize, u64),
    written: Option<PipeReader>,
}

/// Some text of the frame and the content behind it.
struct Piece {
    text: Vec<u8>,
    content: Content,
}

impl Content {
    fn length(&self) -> Option<u64> {
        match self {
            Self::Supplied(supply) => supply.length(),
            Self::Written(length) => *length,
        }
    }
}

impl FormData {
    fn new(parts: Vec<Part>, written: Option<PipeReader>, boundary: &str) -> Self {
        let mut pieces = Vec::with_capacity(parts.len() + 1);
        for part in parts {
            let line_end = if pieces.is_empty() { "" } else { "\r\n" };
            let text = (line_end.to_owned() + &part.head(boundary)).into_bytes();
            pieces.push(Piece { text, content: part.content });
        }
        let line_end = if pieces.is_empty() { "" } else { "\r\n" };
        let text = format!("{line_end}--{boundary}--\r\n").into_bytes();
        let content = Content::Supplied(Box::new(Bytes { bytes: Vec::new(), read: 0 }));
        pieces.push(Piece { text, content });
        Self { pieces, at: 0, read: (0, 0), written }
    }
}

impl Supply for FormData {
    fn length(&self) -> Option<u64> {
        self.pieces.iter().try_fold(0, |sum: u64, piece| {
            let content = piece.content.length()?;
            sum.checked_add(content)?.checked_add(piece.text.len() as u64)
        })
    }

    fn read(&mut self, buffer: &mut [u8], patience: &Patience<'_>) -> Result<usize, Error> {
        while let Some(piece) = self.pieces.get_mut(self.at) {
            let text = &piece.text[self.read.0..];
            if !text.is_empty() {
                let n = text.len().min(buffer.len());
                buffer[..n].copy_from_slice(&text[..n]);
                self.read.0 += n;
                return Ok(n);
            }
            let length = piece.content.length();
            // A file that has grown meanwhile would push the frame out of its place.
            let left = length.map_or(u64::MAX, |length| length - self.read.1);
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let n = match (&mut piece.content, &mut self.written) {
                (Content::Supplied(supply), _) => supply.read(&mut buffer[..room], patience)?,
                (Content::Written(_), Some(written)) => written.read(buffer, patience)?,
                (Content::Written(_), None) => 0,
            };
            self.read.1 += n as u64;
            if n > 0 && n <= room {
                return Ok(n);
            }
            if length.is_some_and(|length| length != self.read.1) {
                let reason = "a part is not as long as it was said to be".into();
                return Err(Error::IoFailed { place: "body".into(), reason });
            }
            if let Content::Supplied(supply) = &mut piece.content {
                supply.end();
            }
            (self.at, self.read) = (self.at + 1, (0, 0));
        }
        Ok(0)
    }

    fn rewind(&mut self) -> Result<bool, Error> {
        for piece in &mut self.pieces {
            let rewound = match &mut piece.content {
                Content::Supplied(supply) => supply.rewind()?,
                Content::Written(_) => false,
            };
            if !rewound {
                return Ok(false);
            }
        }
        (self.at, self.read) = (0, (0, 0));
        Ok(true)
    }

    fn end(&mut self) {
        for piece in &mut self.pieces {
            if let Content::Supplied(supply) = &mut piece.content {
                supply.end();
            }
        }
        if let Some(written) = &mut self.written {
            written.end();
        }
    }
}

/// Bytes in memory.
struct Bytes {
    bytes: Vec<u8>,
    read: usize,
}

impl Supply for Bytes {
    fn length(&self) -> Option<u64> {
        Some(self.bytes.len() as u64)
    }

    fn read(&mut self, buffer: &mut [u8], _: &Patience<'_>) -> Result<usize, Error> {
        let left = &self.bytes[self.read..];
        let n = left.len().min(buffer.len());
        buffer[..n].copy_from_slice(&left[..n]);
        self.read += n;
        Ok(n)
    }

    fn rewind(&mut self) -> Result<bool, Error> {
        self.read = 0;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::cancel::CancelToken;

    fn read(data: &mut FormData) -> Result<String, Error> {
        let cancel = CancelToken::new();
        let patience = Patience { deadline: None, cancel: &cancel };
        let (mut all, mut buffer) = (Vec::new(), [0; 7]);
        loop {
            match data.read(&mut buffer, &patience)? {
                0 => return Ok(String::from_utf8(all).expect("text")),
                n => all.extend_from_slice(&buffer[..n]),
            }
        }
    }

    #[test]
    fn a_form_is_framed_as_rfc_7578_has_it_and_as_long_as_it_says() {
        let parts = vec![
            Part::text("a", "1").expect("good"),
            Part::bytes("b", b"two".to_vec())
                .and_then(|part| part.file_name("b.txt"))
                .expect("good"),
            Part::bytes("c", Vec::new())
                .and_then(|part| part.content_type("application/json"))
                .expect("good"),
        ];
        let mut data = FormData::new(parts, None, "B");
        let text = read(&mut data).expect("in memory");
        assert_eq!(
            text,
            "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
             --B\r\nContent-Disposition: form-data; name=\"b\"; filename=\"b.txt\"\r\n\
             Content-Type: application/octet-stream\r\n\r\ntwo\r\n\
             --B\r\nContent-Disposition: form-data; name=\"c\"\r\n\
             Content-Type: application/json\r\n\r\n\r\n--B--\r\n"
        );
        assert_eq!(data.length(), Some(text.len() as u64));
        assert_eq!(data.rewind(), Ok(true));
        assert_eq!(read(&mut data).expect("once more"), text);
    }

    #[test]
    fn no_name_ends_a_line_or_a_quoted_string() {
        let evil = "x\"; filename=\"sh\r\nX-Injected: 1\r\n\r\n\0\\\u{7f}";
        let part = Part::text(evil, "1").and_then(|part| part.file_name(evil)).expect("encoded");
        let head = part.head("B");
        assert_eq!(head.lines().count(), 4, "{head:?}");
        assert_eq!(head.matches('"').count(), 4, "{head:?}");
        assert!(!head.contains('\0') && !head.contains('\\') && !head.contains('\u{7f}'));
        assert_eq!(quoted("Käse 100%.txt"), "Käse 100%.txt");
        for content_type in ["a/b\r\nX: 1", "ä/b", "a\0"] {
            let error = Part::text("a", "1").and_then(|part| part.content_type(content_type));
            assert_eq!(error.err().expect(content_type).place(), Some("part"));
        }
        for name in ["", &"n".repeat(MAX_NAME + 1)] {
            assert!(Part::text(name, "").is_err());
        }
    }

    #[test]
    fn no_two_forms_have_the_same_boundary() {
        let boundary = || Multipart::new().into_body().expect("randomness").1;
        assert_ne!(boundary(), boundary());
    }

    #[test]
    fn a_file_that_changes_its_length_does_not_move_the_frame() {
        let path = std::env::temp_dir().join(format!("pinfold-part-{}", std::process::id()));
        std::fs::write(&path, "four").expect("a file");
        let part = Part::file("f", &path).expect("it is there");
        let mut data = FormData::new(vec![part], None, "B");
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("it is there");
        file.write_all(b" and more").expect("room");
        let text = read(&mut data).expect("as much as was said");
        assert!(text.ends_with("\r\n\r\nfour\r\n--B--\r\n"), "{text}");
        assert_eq!(data.length(), Some(text.len() as u64));
        file.set_len(2).expect("shorter");
        assert_eq!(data.rewind(), Ok(true));
        assert_eq!(read(&mut data).expect_err("too short").code(), "io_failed");
        std::fs::remove_file(&path).expect("it is there");
    }

    #[test]
    fn what_is_written_needs_a_writer() {
        let form = Multipart::new().part(Part::written("f", None).expect("good"));
        assert_eq!(form.into_body().err().expect("no writer").place(), Some("part"));
    }
}
