//! Findings in files, for other programs.

use std::collections::BTreeSet;

use super::{Finding, catalogue};
use crate::failure::Failure;
use crate::findings::{self, Remark};
use crate::output;

/// What was looked at, and what was found.
pub(super) struct Report<'a> {
    /// The pin set.
    pub(super) path: &'a str,
    pub(super) found: &'a [Finding],
    /// The rules whose findings there would be.
    pub(super) looked_at: BTreeSet<&'static str>,
}

impl Report<'_> {
    /// Writes the files that were asked for.
    pub(super) fn write(&self, sarif: Option<&str>, junit: Option<&str>) -> Result<(), Failure> {
        if let Some(target) = sarif {
            let rules = catalogue::RULES.iter().map(|rule| (rule.id, rule.holds, rule.found_by));
            let remarks: Vec<_> = self.found.iter().map(|finding| self.remark(finding)).collect();
            let text = findings::sarif(&rules.collect::<Vec<_>>(), &remarks)?;
            output::write_file(target, text.as_bytes())?;
        }
        if let Some(target) = junit {
            output::write_file(target, findings::junit(self.path, &self.cases()).as_bytes())?;
        }
        Ok(())
    }

    fn remark(&self, finding: &Finding) -> Remark {
        // Of a config, the place is its own path and line.
        let own = finding.place.rsplit_once(':').and_then(|(file, line)| {
            let line = line.parse().ok()?;
            std::path::Path::new(file).is_file().then(|| (file.to_owned(), Some(line)))
        });
        Remark {
            rule: finding.id,
            error: finding.refuses(),
            file: own.unwrap_or_else(|| (self.path.to_owned(), None)),
            place: finding.place.clone(),
            text: finding.text.clone(),
            allowed: finding.allowed.clone(),
        }
    }

    /// One case for each rule: that it was looked at shows as well.
    fn cases(&self) -> Vec<findings::Case> {
        let rules = catalogue::RULES.iter().filter(|rule| self.looked_at.contains(rule.id));
        let case = |rule: &catalogue::Rule| {
            let broken = || self.found.iter().filter(|finding| finding.id == rule.id);
            findings::Case {
                class: self.path.to_owned(),
                name: format!("{} {}", rule.id, rule.holds),
                failures: broken().map(|f| format!("{}: {}", f.place, f.text)).collect(),
                skipped: broken().find_map(|finding| finding.allowed.clone()),
            }
        };
        rules.map(case).collect()
    }
}
