//! The monitor's page: plain HTML without a script, for eyes, keyboards and screen readers.

use pinfold_core::format_rfc3339_utc;
use pinfold_core::pin::Mode;

use super::hosts::{self, DocumentLook, HostLook};
use super::look::Look;
use super::mirrors::MirrorLook;
use super::timeline;
use super::trouble::Trouble;
use crate::xml::escaped;

/// Its style, served beside it.
pub(super) const STYLE: &str = include_str!("../../data/monitor.css");

/// More ends than anybody reads.
const MAX_EVENTS: usize = 50;

/// The page of a look, or the one before the first; what went wrong with the last attempt.
pub(super) fn page(look: Option<&Look>, failed: Option<&str>) -> String {
    let mut text = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>",
    );
    text += &title(look);
    text += "</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n<h1>Pins</h1>\n";
    text += &summary(look);
    text += "<nav aria-label=\"Sections\"><ul>";
    for (id, name) in SECTIONS {
        text += &format!("<li><a href=\"#{id}\">{name}</a></li>");
    }
    text += "</ul></nav>\n</header>\n<main id=\"main\" tabindex=\"-1\">\n";
    if let Some(why) = failed {
        text += &format!(
            "<p role=\"alert\" class=\"bad\"><strong>The last look failed:</strong> {}</p>\n",
            escaped(why)
        );
    }
    if let Some(look) = look {
        text += &troubles(look);
        text += &of_hosts(look);
        text += &of_mirrors(look);
        text += &of_timeline(look);
    }
    text += "</main>\n<footer><p>";
    text += &format!(
        "pinfold {}. The same for machines: <a href=\"/metrics\">metrics</a>, \
         <a href=\"/healthz\">health</a>.",
        env!("CARGO_PKG_VERSION")
    );
    text + "</p></footer>\n</body>\n</html>\n"
}

const SECTIONS: [(&str, &str); 4] = [
    ("troubles", "What is wrong"),
    ("hosts", "Hosts"),
    ("mirrors", "Mirrors"),
    ("timeline", "What is to come"),
];

fn title(look: Option<&Look>) -> String {
    match look.map(|look| look.troubles().count()) {
        None => "Pins: not looked yet".to_owned(),
        Some(0) => "Pins: all well".to_owned(),
        Some(n) => format!("Pins: {n} wrong"),
    }
}

fn summary(look: Option<&Look>) -> String {
    let Some(look) = look else { return "<p>Nobody has looked yet.</p>\n".to_owned() };
    let wrong = look.troubles().count();
    let (class, words) = match wrong {
        0 => ("good", "Everything is as it should be.".to_owned()),
        1 => ("bad", "One thing is wrong.".to_owned()),
        n => ("bad", format!("{n} things are wrong.")),
    };
    let hosts: usize = look.documents.iter().map(|document| document.hosts.len()).sum();
    format!(
        "<p class=\"summary {class}\">{words}</p>\n<p>{} and {}, looked at {}.</p>\n",
        counted(hosts, "server"),
        counted(look.mirrors.len(), "mirror"),
        time(look.at),
    )
}

/// `1 server`, `2 servers`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn time(at: u64) -> String {
    let text = format_rfc3339_utc(at);
    let words = text.replace('T', " ").replace('Z', " UTC");
    format!("<time datetime=\"{text}\">{words}</time>")
}

fn day(at: u64, now: u64) -> String {
    let text = format_rfc3339_utc(at);
    let left = match at.checked_sub(now) {
        Some(left) => format!("in {}", hosts::days(left / 86_400)),
        None => "over".to_owned(),
    };
    format!("<time datetime=\"{text}\">{}</time> ({left})", &text[..10])
}

fn section(id: &str, body: &str) -> String {
    let name = SECTIONS.iter().find(|(known, _)| *known == id).map_or("", |(_, name)| name);
    format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{name}</h2>\n{body}</section>\n")
}

fn table(caption: &str, head: &[&str], rows: &[String]) -> String {
    if rows.is_empty() {
        return format!("<p>{}: none.</p>\n", escaped(caption));
    }
    let head: String = head.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
    // What is wider than the window is scrolled, by the keyboard as well.
    format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\"><table>\n\
         <caption>{0}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{1}</tbody>\n</table></div>\n",
        escaped(caption),
        rows.concat(),
    )
}

fn row(name: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escaped(name))
}

/// Not by its colour alone.
fn state(troubles: &[Trouble]) -> String {
    let codes: Vec<_> = troubles.iter().map(|trouble| trouble.code.name()).collect();
    match codes.as_slice() {
        [] => "<span class=\"good\">✓ well</span>".to_owned(),
        codes => format!("<span class=\"bad\">✗ {}</span>", codes.join(", ")),
    }
}

fn troubles(look: &Look) -> String {
    let item = |(whose, trouble): (&str, &Trouble)| {
        format!(
            "<li><strong>{}</strong> <code>{}</code> {}</li>\n",
            escaped(whose),
            trouble.code.name(),
            escaped(&trouble.text)
        )
    };
    let items: String = look.troubles().map(item).collect();
    let body = if items.is_empty() {
        "<p>Nothing.</p>\n".to_owned()
    } else {
        format!("<ul>\n{items}</ul>\n")
    };
    section("troubles", &body)
}

fn of_hosts(look: &Look) -> String {
    let mut body = String::new();
    for document in &look.documents {
        let rows: Vec<_> = document.hosts.iter().map(|host| of_host(host, look.at)).collect();
        let head = ["server", "state", "mode", "pin that matches", "certificate ends"];
        body += &table(&caption(document, look.at), &head, &rows);
    }
    section("hosts", &body)
}

fn caption(document: &DocumentLook, now: u64) -> String {
    let version =
        document.version.map_or_else(String::new, |version| format!(", version {version}"));
    let until = document.expires.map_or_else(String::new, |end| {
        format!(
            ", until {} ({} left)",
            &format_rfc3339_utc(end)[..10],
            hosts::days(end.saturating_sub(now) / 86_400)
        )
    });
    format!("{}{version}{until}", document.path)
}

fn of_host(host: &HostLook, now: u64) -> String {
    let mode = match host.mode {
        Mode::Enforce => "enforce",
        Mode::ReportOnly => "report only",
        Mode::Off => "off",
    };
    let none = || "–".to_owned();
    let pin =
        host.matched.as_deref().map_or_else(none, |pin| format!("<code>{}</code>", escaped(pin)));
    let end = host.certificate_until.map_or_else(none, |end| day(end, now));
    row(&host.server, &[state(&host.troubles), mode.to_owned(), pin, end])
}

fn of_mirrors(look: &Look) -> String {
    let of_mirror = |mirror: &MirrorLook| {
        let has = mirror.order.map_or_else(
            || "–".to_owned(),
            |(epoch, version)| format!("version {version} of epoch {epoch}"),
        );
        row(&mirror.url, &[state(&mirror.troubles), has])
    };
    let rows: Vec<_> = look.mirrors.iter().map(of_mirror).collect();
    section("mirrors", &table("Update URLs", &["URL", "state", "what it has"], &rows))
}

fn of_timeline(look: &Look) -> String {
    let events = timeline::events(look);
    let item = |event: &timeline::Event| {
        format!(
            "<li>{}: <strong>{}</strong>, {}</li>\n",
            day(event.at, look.at),
            escaped(&event.whose),
            event.what
        )
    };
    let items: String = events.iter().take(MAX_EVENTS).map(item).collect();
    let more = events.len().saturating_sub(MAX_EVENTS);
    let more = if more > 0 { format!("<p>And {more} more.</p>\n") } else { String::new() };
    let body = if items.is_empty() {
        "<p>Nothing.</p>\n".to_owned()
    } else {
        format!("<ol>\n{items}</ol>\n{more}")
    };
    section("timeline", &body)
}
