//! What is wrong, in the forms that other programs read: SARIF 2.1.0 for code hosts and editors,
//! JUnit's XML for CI.

use std::path::Path;

use serde_json::{Value, json};
use url::Url;

use crate::failure::Failure;
use crate::xml;

/// One thing that is wrong.
pub(crate) struct Remark {
    /// The ID of the rule.
    pub(crate) rule: &'static str,
    /// Whether it has to be repaired.
    pub(crate) error: bool,
    /// The file, with a line perhaps.
    pub(crate) file: (String, Option<u32>),
    /// Where inside of the file, or which server.
    pub(crate) place: String,
    pub(crate) text: String,
    /// Why it may stand.
    pub(crate) allowed: Option<String>,
}

/// A rule, what holds where it is kept, and by what it is found.
pub(crate) type Rule = (&'static str, &'static str, &'static str);

/// SARIF (OASIS, version 2.1.0), with absolute URIs, and what may stand as suppressed.
pub(crate) fn sarif(rules: &[Rule], remarks: &[Remark]) -> Result<String, Failure> {
    let rules = rules.iter().map(|(id, holds, found_by)| {
        let help = format!("Found by {found_by}.");
        json!({ "id": id, "shortDescription": { "text": holds }, "help": { "text": help } })
    });
    let rules: Vec<_> = rules.collect();
    let results = remarks.iter().map(result).collect::<Result<Vec<_>, _>>()?;
    let sarif = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "pinfold",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    Ok(format!("{sarif:#}\n"))
}

fn result(remark: &Remark) -> Result<Value, Failure> {
    let (file, line) = &remark.file;
    let mut place = json!({ "artifactLocation": { "uri": uri(file)? } });
    if let Some(line) = line {
        place["region"] = json!({ "startLine": line });
    }
    // Always there: a result without it means that nobody has looked, not that none is.
    let suppressions: Vec<_> = remark
        .allowed
        .iter()
        .map(|why| json!({ "kind": "external", "status": "accepted", "justification": why }))
        .collect();
    Ok(json!({
        "ruleId": remark.rule,
        "level": if remark.error { "error" } else { "warning" },
        "message": { "text": format!("{}: {}", remark.place, remark.text) },
        "locations": [{
            "physicalLocation": place,
            "logicalLocations": [{ "fullyQualifiedName": remark.place }],
        }],
        "suppressions": suppressions,
    }))
}

/// `file:///…`, whatever the working folder of the reader.
fn uri(path: &str) -> Result<String, Failure> {
    if path == "-" {
        return Ok("about:stdin".to_owned());
    }
    let whole = std::path::absolute(Path::new(path)).map_err(|e| Failure::input(path, e))?;
    let url = Url::from_file_path(whole).map_err(|()| Failure::input(path, "no absolute path"))?;
    Ok(url.into())
}

/// A test case, and how it failed.
pub(crate) struct Case {
    /// Of what it is one.
    pub(crate) class: String,
    pub(crate) name: String,
    /// What is wrong; nothing where it passed.
    pub(crate) failures: Vec<String>,
    /// Why a failure may stand; then it is skipped.
    pub(crate) skipped: Option<String>,
}

/// The XML of JUnit's reports, as Jenkins and GitLab read it.
pub(crate) fn junit(suite: &str, cases: &[Case]) -> String {
    let failed = cases.iter().filter(|case| !case.failures.is_empty() && case.skipped.is_none());
    let skipped = cases.iter().filter(|case| case.skipped.is_some()).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{skipped}\"",
        cases.len(),
        failed.count(),
    );
    let suite = xml::escaped(suite);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text += &format!(
        "<testsuites name=\"pinfold\" {counts}>\n  <testsuite name=\"{suite}\" {counts}>\n"
    );
    for case in cases {
        let [class, name] = [&case.class, &case.name].map(|text| xml::escaped(text));
        text += &format!("    <testcase classname=\"{class}\" name=\"{name}\"");
        let all = case.failures.join("\n");
        text += &match (&case.skipped, case.failures.first()) {
            (Some(why), _) => {
                format!(">\n      <skipped message=\"{}\"/>\n    </testcase>\n", xml::escaped(why))
            }
            (None, Some(first)) => format!(
                ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                xml::escaped(first),
                xml::escaped(&all)
            ),
            (None, None) => "/>\n".to_owned(),
        };
    }
    text + "  </testsuite>\n</testsuites>\n"
}
