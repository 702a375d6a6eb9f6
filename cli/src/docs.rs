//! Tables of `docs/cli.md` that come from the code: a test of each compares them.

use std::path::Path;

/// Compares a table with the one between `<!-- table NAME -->` and the next `<!-- end -->`. With
/// `PINFOLD_WRITE_DOCS` set it is written there.
pub(crate) fn expect_table(name: &str, head: &[&str], rows: Vec<Vec<String>>) {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<_> = head.iter().map(ToString::to_string).collect();
    let rule = vec!["---".to_owned(); head.len()];
    let mut table = line(&head) + &line(&rule);
    table.extend(rows.iter().map(|row| {
        assert_eq!(row.len(), head.len(), "{row:?}");
        line(row)
    }));

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let text = std::fs::read_to_string(&path).expect("docs/cli.md");
    let begin = format!("<!-- table {name} -->\n");
    let (before, rest) = text.split_once(&begin).expect(&begin);
    let (there, after) = rest.split_once("<!-- end -->").expect("an end");
    if std::env::var_os("PINFOLD_WRITE_DOCS").is_some() {
        let text = format!("{before}{begin}{table}<!-- end -->{after}");
        std::fs::write(&path, text).expect("docs/cli.md can be written");
        return;
    }
    assert_eq!(there, table, "run this test with PINFOLD_WRITE_DOCS=1 and look at the change");
}
