//! Keeps the list of requirements, the tests and the published matrix in step.
//!
//! `tests/requirements.csv` lists every rule the library must keep. A test claims rows with a line
//! comment directly above it, among its attributes and other comments: `// req: F-06, F-07`. The
//! tests here fail on a row that nothing tests, on a claim that names no row, and on a matrix in
//! `docs/requirements.md` that is out of date. Sources are read line by line, not parsed: whatever
//! is not understood is an error, and so is a claim above a function without a `#[test]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs, mem};

const HEADER: &str = "id,section,level,rule,status,reason";

/// Prefix, number of rows and title of each group. Rows are numbered from 01 without gaps, so that
/// none can go missing unnoticed.
const GROUPS: [(&str, usize, &str); 14] = [
    ("U", 17, "URIs"),
    ("HS", 54, "Opening handshake, server"),
    ("HC", 33, "Opening handshake, client"),
    ("F", 30, "Framing"),
    ("M", 12, "Masking"),
    ("T", 16, "Text and UTF-8"),
    ("C", 41, "Closing"),
    ("P", 12, "Ping and pong"),
    ("L", 14, "Limits"),
    ("N", 32, "permessage-deflate, negotiation"),
    ("D", 35, "permessage-deflate, data"),
    ("W2", 16, "WebSocket over HTTP/2"),
    ("W3", 7, "WebSocket over HTTP/3"),
    ("A", 12, "API and state machine"),
];

/// The properties hold over all groups; their ids carry no number.
const PROPERTIES: [&str; 7] = [
    "P-INV", "P-RT", "P-OUT", "P-LIN", "P-MEM", "P-DIFF", "P-TERM",
];

const INTRODUCTION: &str = "# Requirements

Every rule the library keeps, and the tests that show it. The level is that of the RFC; a *policy*
is our own choice where the RFCs leave one. This page is generated from `tests/requirements.csv` and
the comments above the tests by `UPDATE_REQUIREMENTS=1 cargo test --test requirements`.";

#[test]
fn every_requirement_is_tested_planned_or_waived() {
    let mut problems = Vec::new();
    let rows = parse_rows(&read("tests/requirements.csv"), &mut problems);
    check_ids(&rows, &mut problems);
    check_claims(&rows, &claims_of_all_files(&mut problems), &mut problems);
    let count = problems.len();
    assert!(count == 0, "{count} problems:\n  {}", problems.join("\n  "));
}

#[test]
fn published_matrix_is_up_to_date() {
    // What is wrong with a row or a claim is for the test above to report.
    let mut ignored = Vec::new();
    let rows = parse_rows(&read("tests/requirements.csv"), &mut ignored);
    let matrix = matrix(&rows, &claims_of_all_files(&mut ignored));
    let path = root().join("docs/requirements.md");
    if env::var("UPDATE_REQUIREMENTS").is_ok_and(|value| value == "1") {
        fs::write(&path, &matrix).expect("docs/ is writable");
    }
    let published = fs::read_to_string(&path)
        .unwrap_or_default()
        .replace("\r\n", "\n");
    assert!(
        published == matrix,
        "docs/requirements.md is out of date; regenerate it with\n  \
         UPDATE_REQUIREMENTS=1 cargo test --test requirements"
    );
}

/// One line of the list.
struct Row {
    id: String,
    section: String,
    level: String,
    rule: String,
    /// Why no test is asked for yet: `planned: ...` or `waived: ...`.
    excuse: Option<String>,
}

/// Reads the list, and reports every line that is not a row.
fn parse_rows(csv: &str, problems: &mut Vec<String>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(csv.lines()) {
        match parse_row(line) {
            _ if line == HEADER && number == 1 => {}
            Ok(row) => rows.push(row),
            Err(problem) => problems.push(format!("requirements.csv:{number}: {problem}")),
        }
    }
    rows
}

fn parse_row(line: &str) -> Result<Row, String> {
    let fields = split_fields(line).ok_or("a quote is out of place")?;
    let Ok([id, section, level, rule, status, reason]) = <[String; 6]>::try_from(fields) else {
        return Err(format!("a row has the fields {HEADER}"));
    };
    if !["must", "should", "may", "policy"].contains(&level.as_str()) || rule.is_empty() {
        return Err(format!("{id}: unknown level `{level}`, or no rule"));
    }
    let excuse = match (status.as_str(), reason.as_str()) {
        ("", "") => None,
        ("planned" | "waived", "") => return Err(format!("{id}: {status} without a reason")),
        ("planned" | "waived", reason) => Some(format!("{status}: {reason}")),
        _ => return Err(format!("{id}: `{status}` is no status for `{reason}`")),
    };
    Ok(Row {
        id,
        section,
        level,
        rule,
        excuse,
    })
}

/// Splits a line at its commas; a field in quotes may hold commas, and quotes written twice.
fn split_fields(line: &str) -> Option<Vec<String>> {
    let mut in_quotes = false;
    let fields = line.split(|character| {
        in_quotes ^= character == '"';
        character == ',' && !in_quotes
    });
    fields.map(unquote).collect()
}

fn unquote(field: &str) -> Option<String> {
    let Some(quoted) = field.strip_prefix('"') else {
        return (!field.contains('"')).then(|| field.to_owned());
    };
    let inner = quoted.strip_suffix('"')?;
    (!inner.replace("\"\"", "").contains('"')).then(|| inner.replace("\"\"", "\""))
}

/// Reports ids that are missing, repeated or unexpected.
fn check_ids(rows: &[Row], problems: &mut Vec<String>) {
    let mut missing = expected_ids();
    for Row { id, .. } in rows {
        if !missing.remove(id) {
            problems.push(format!("{id} is listed twice or not in GROUPS"));
        }
    }
    problems.extend(missing.iter().map(|id| format!("{id} is not listed")));
}

fn expected_ids() -> BTreeSet<String> {
    let numbered = |&(prefix, count, _)| (1..=count).map(move |n| format!("{prefix}-{n:02}"));
    let properties = PROPERTIES.map(str::to_owned);
    GROUPS.iter().flat_map(numbered).chain(properties).collect()
}

/// The tests, as `file::name`, that claim each id.
#[derive(Default)]
struct Claims(BTreeMap<String, BTreeSet<String>>);

impl Claims {
    /// Adds the claims of one source file, and reports every one that does not lead to a test.
    fn collect(&mut self, file: &str, source: &str, problems: &mut Vec<String>) {
        // What the comments and attributes since the last line of code say about the next one.
        let mut named = Vec::new();
        let mut is_test = false;
        // An attribute may span lines: its beginning, until its bracket is closed.
        let mut open = String::new();

        // The line added behind the file is code but no test: it ends what is still waiting.
        for (number, line) in (1..).zip(source.lines().chain([";"])) {
            if let Some(ids) = line.trim().strip_prefix("// req:") {
                named.extend(ids.split(',').map(|id| (number, id.trim())));
                continue;
            }
            let mut text = mem::take(&mut open) + line.trim();
            let has_attribute = text.starts_with("#[");
            while let Some(end) = attribute_end(&text) {
                let rest = text.split_off(end);
                is_test |= text == "#[test]" || text.contains("::test");
                rest.trim_start().clone_into(&mut text);
            }
            if text.starts_with("#[") {
                open = text;
            } else if text.starts_with("//") {
                let words = text.trim_start_matches(['/', '!', ' ']);
                if words.to_ascii_lowercase().starts_with("req:") {
                    problems.push(format!("{file}:{number}: not in the form `// req: F-06`"));
                }
            } else if !(text.is_empty() && has_attribute) {
                let signature = text.split_once("fn ").filter(|_| is_test);
                let name = signature.and_then(|(_, name)| name.split(['(', '<']).next());
                for (number, id) in named.drain(..) {
                    if let Some(name) = name {
                        let tests = self.0.entry(id.to_owned()).or_default();
                        tests.insert(format!("{file}::{name}"));
                    } else {
                        problems.push(format!("{file}:{number}: `{id}` is above no #[test]"));
                    }
                }
                is_test = false;
            }
        }
        if !open.is_empty() {
            problems.push(format!("{file}: this attribute has no end: {open}"));
        }
    }
}

/// Finds the end of the attribute at the start of `text`.
fn attribute_end(text: &str) -> Option<usize> {
    let mut depth = 0;
    let closes = |character| {
        depth += i32::from(character == '[') - i32::from(character == ']');
        character == ']' && depth == 0
    };
    if !text.starts_with("#[") {
        return None;
    }
    text.find(closes).map(|end| end + 1)
}

/// Reports claims without a row, rows without a claim, and an excuse that a claim makes stale.
fn check_claims(rows: &[Row], claims: &Claims, problems: &mut Vec<String>) {
    for (id, tests) in &claims.0 {
        if !rows.iter().any(|row| row.id == *id) {
            problems.push(format!("`{id}` is not a known id: {tests:?}"));
        }
    }
    for row in rows {
        let (id, section, rule) = (&row.id, &row.section, &row.rule);
        match (&row.excuse, claims.0.get(id)) {
            (None, None) => problems.push(format!("{id} has no test: {rule} [{section}]")),
            (Some(excuse), Some(tests)) => {
                problems.push(format!("{id} is tested: clear `{excuse}`, see {tests:?}"));
            }
            (None, Some(_)) | (Some(_), None) => {}
        }
    }
}

/// Writes the matrix as Markdown. It holds no line numbers, so that moving a test changes nothing.
fn matrix(rows: &[Row], claims: &Claims) -> String {
    let mut page = vec![INTRODUCTION.to_owned()];
    let groups = GROUPS.iter().map(|&(prefix, _, title)| (prefix, title));
    for (prefix, title) in groups.chain([("PROP", "Properties over everything")]) {
        page.push(format!("\n## {prefix}: {title}\n"));
        page.push("| id | section | level | rule | tests |\n|---|---|---|---|---|".to_owned());
        for row in rows.iter().filter(|row| group(&row.id) == prefix) {
            let (id, section, level) = (&row.id, &row.section, &row.level);
            let rule = row.rule.replace('|', "\\|");
            let tests = claims.0.get(id).into_iter().flatten();
            let tests: Vec<_> = tests.map(|test| format!("`{test}`")).collect();
            let tests = match &row.excuse {
                Some(excuse) => excuse.clone(),
                None if tests.is_empty() => "**no test**".to_owned(),
                None => tests.join("<br>"),
            };
            page.push(format!("| {id} | {section} | {level} | {rule} | {tests} |"));
        }
    }
    page.join("\n") + "\n"
}

fn group(id: &str) -> &str {
    match id.rsplit_once('-') {
        Some((prefix, _)) if !PROPERTIES.contains(&id) => prefix,
        _ => "PROP",
    }
}

fn claims_of_all_files(problems: &mut Vec<String>) -> Claims {
    let mut claims = Claims::default();
    let mut folders = vec!["src".to_owned(), "tests".to_owned()];
    let mut files = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("the folder is readable") {
            let entry = entry.expect("the folder is readable");
            let name = format!("{folder}/{}", entry.file_name().display());
            if entry.path().is_dir() {
                folders.push(name);
            } else if entry.path().extension() == Some("rs".as_ref()) {
                files.insert(name);
            }
        }
    }
    for file in files {
        claims.collect(&file, &read(&file), problems);
    }
    claims
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

// The checks of the checker. Each source is one literal line, so that no claim in it counts above.

fn collect(source: &str) -> (Claims, Vec<String>) {
    let (mut claims, mut problems) = (Claims::default(), Vec::new());
    claims.collect("a.rs", source, &mut problems);
    (claims, problems)
}

#[test]
fn fields_may_hold_quoted_commas_and_quotes() {
    let fields = split_fields(r#"F-01,"a, ""b""",,"""""#).expect("every quote is in place");
    assert_eq!(fields, ["F-01", r#"a, "b""#, "", r#"""#]);
    for malformed in ["a,\"b", "a,\"b\"c,", "a,b\"c\"", "a,\"", "a,\"b\"c\""] {
        assert_eq!(split_fields(malformed), None, "{malformed}");
    }
}

#[test]
fn malformed_rows_are_reported_with_their_line() {
    for (line, problem) in [
        ("F-01,\",must,rule,,", "a quote is out of place"),
        ("F-01,,must,rule,", "a row has the fields id,"),
        ("F-01,,must,rule,,,", "a row has the fields id,"),
        ("F-01,,shall,rule,,", "F-01: unknown level `shall`"),
        ("F-01,,must,rule,done,x", "F-01: `done` is no status"),
        ("F-01,,must,rule,waived,", "F-01: waived without a reason"),
    ] {
        let mut problems = Vec::new();
        let list = format!("{HEADER}\nF-02,,must,a,,\n{line}\n");
        assert_eq!(parse_rows(&list, &mut problems).len(), 1);
        let problems = problems.concat();
        assert!(problems.starts_with("requirements.csv:3: "), "{problems}");
        assert!(problems.contains(problem), "{line}: {problems}");
    }
}

#[test]
fn claims_lead_over_attributes_and_comments_to_their_test() {
    for source in [
        "// req: F-06, F-07\n#[test]\nfn t() {}",
        "  #[test]\n  // req: F-06\n  // Why.\n  // req: F-07\n  pub fn t() {}",
        "// req: F-06, F-07\n#[cfg_attr(\n miri,\n ignore\n)]\n#[a::test(b)]\nasync fn t() {}",
        "proptest! {\n// req: F-06, F-07\n#[test] // Why.\nfn t(role in any::<Role>()) {}\n}",
    ] {
        let (claims, problems) = collect(source);
        let tests = BTreeSet::from(["a.rs::t".to_owned()]);
        let expected = ["F-06", "F-07"].map(|id| (id.to_owned(), tests.clone()));
        assert_eq!(claims.0, expected.into(), "{source}");
        assert!(problems.is_empty(), "{problems:?}");
    }
}

#[test]
fn claims_that_lead_to_no_test_are_reported() {
    for (source, place) in [
        ("// req: F-06\n\n#[test]\nfn t() {}", "a.rs:1"),
        ("#[test]\n// req: F-06\nlet x = 1;", "a.rs:2"),
        ("#[test]\nfn t() {}\n// req: F-06\nfn f() {}", "a.rs:3"),
        ("#[test]\nfn t() {}\n// req: F-06", "a.rs:3"),
    ] {
        let (claims, problems) = collect(source);
        assert!(claims.0.is_empty(), "{source}");
        assert_eq!(problems, [format!("{place}: `F-06` is above no #[test]")]);
    }
}

#[test]
fn lines_that_are_not_understood_are_reported() {
    let (_, problems) = collect("/// Req: F-06\n#[test(\nfn t() {}");
    let expected = [
        "a.rs:1: not in the form `// req: F-06`",
        "a.rs: this attribute has no end: #[test(fn t() {};",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn rows_without_a_test_and_claims_without_a_row_are_reported() {
    let list = "F-01,,must,a,,\nF-02,,must,b,planned,x\nF-03,,must,c,waived,y\nF-04,,must,d,,";
    let (claims, mut problems) = collect("// req: F-1, F-02, F-03, F-04\n#[test]\nfn t() {}");
    let rows = parse_rows(list, &mut problems);
    check_claims(&rows, &claims, &mut problems);
    let expected = [
        r#"`F-1` is not a known id: {"a.rs::t"}"#,
        "F-01 has no test: a []",
        r#"F-02 is tested: clear `planned: x`, see {"a.rs::t"}"#,
        r#"F-03 is tested: clear `waived: y`, see {"a.rs::t"}"#,
    ];
    assert_eq!(problems, expected);
}

#[test]
fn repeated_unexpected_and_missing_ids_are_reported() {
    let ids: Vec<_> = expected_ids().into_iter().collect();
    let list = ids.join(",,must,a,,\n") + ",,must,a,,";
    let list = list.replace("F-02,", "F-01,").replace("F-03,", "F-3,");
    let mut problems = Vec::new();
    check_ids(&parse_rows(&list, &mut problems), &mut problems);
    let expected = [
        "F-01 is listed twice or not in GROUPS",
        "F-3 is listed twice or not in GROUPS",
        "F-02 is not listed",
        "F-03 is not listed",
    ];
    assert_eq!(problems, expected);
}
