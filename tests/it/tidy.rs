//! A newcomer finds each step in the folder listing: rooms import one way, and the habits of the code hold.

use crate::run;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each room of `src` may import of ours, besides itself. A room with `::` is that part of it alone.
///
/// `main → cli → pipeline → {intake, lookup, prepare, submit, track} → domain`; look-ups and deliveries share the
/// gateway; `watch` is a leaf of handles; the sandbox knows of the product only what goes over the wire.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("main", &["cli", "error", "watch"]),
    (
        "cli",
        &[
            "bench", "config", "disk", "domain", "error", "gateway", "intake", "lookup", "outputs", "pipeline", "plan",
            "prepare", "sandbox", "submit", "track", "watch",
        ],
    ),
    (
        "pipeline",
        &[
            "config", "disk", "domain", "error", "gateway", "intake", "lookup", "prepare", "submit", "told", "track",
            "watch",
        ],
    ),
    ("intake", &["config", "disk", "domain", "error", "prepare::compose", "watch"]),
    ("lookup", &["config", "domain", "error", "gateway", "watch"]),
    ("prepare", &["config", "disk", "domain", "error", "watch"]),
    ("submit", &["config", "domain", "error", "gateway"]),
    ("track", &["config", "disk", "domain", "error", "told", "watch"]),
    ("gateway", &["config", "domain", "error", "watch"]),
    ("bench", &["config", "disk", "domain", "error", "gateway", "intake", "lookup", "plan", "prepare", "track"]),
    ("plan", &["config", "domain", "error", "gateway", "intake"]),
    ("watch", &["domain", "error"]),
    ("sandbox", &["domain", "gateway::wire"]),
    ("disk", &["watch"]),
    ("outputs", &["config", "disk", "error", "pipeline", "track"]),
    ("told", &[]),
    ("config", &["domain", "error"]),
    ("error", &[]),
    ("domain", &[]),
    ("lib", &[]),
];

/// The file that `unsafe` may stand in.
const UNSAFE: &str = "src/intake/map.rs";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder of the repository, as paths from its root with `/`; none where the folder is not there.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            // Fuzzing and its findings are a workspace of their own.
            if path.is_dir() && !path.ends_with("target") && !path.ends_with("corpus") {
                folders.push(path);
            } else if path.is_file() {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn rust_files(folder: &str) -> impl Iterator<Item = (String, String)> {
    let rust = files(folder).into_iter().filter(|path| path.ends_with(".rs"));
    rust.map(|path| (path.clone(), fs::read_to_string(root().join(&path)).unwrap()))
}

/// The lines of code with their numbers: comments left out, from the start of a line or behind code.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(place, line)| (place + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(number, line)| {
        let end = line.find(" // ").unwrap_or(line.len());
        (number, &line[..end])
    })
}

/// What code names of the crate's own rooms: `crate::a::b` gives `a::b`, `crate::{a, b::{c, d}}` gives `a` and `b`.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String = code(text).flat_map(|(_, line)| [line, "\n"]).collect();
    let mut found = BTreeSet::new();
    for root in ["crate::", "utskick::"] {
        for (place, _) in code.match_indices(root) {
            // `$crate::` is a path of our own as well; `some_crate::` is not.
            let before = code[..place].chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || before == '_') {
                continue;
            }
            let rest = &code[place + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(members(group).iter().map(|member| room(member))),
                None => drop(found.insert(room(rest))),
            }
        }
    }
    found
}

/// The members of a group, up to its closing brace.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut members) = (0, vec![String::new()]);
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(String::new()),
            _ if depth == 0 => members.last_mut().unwrap().push(character),
            _ => {}
        }
    }
    members.iter().map(|member| member.trim().to_owned()).filter(|member| !member.is_empty()).collect()
}

/// The first two names of a path.
fn room(path: &str) -> String {
    let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(path.len());
    path[..end].split("::").filter(|name| !name.is_empty()).take(2).collect::<Vec<_>>().join("::")
}

/// The room that a file of `src` belongs to.
fn home(path: &str) -> &str {
    path.strip_prefix("src/").unwrap().split(['/', '.']).next().unwrap()
}

#[test]
fn rooms_import_one_way() {
    let rooms: BTreeSet<&str> = MAY_IMPORT.iter().map(|(room, _)| *room).collect();
    for (path, text) in rust_files("src") {
        let here = home(&path);
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(room, _)| *room == here)
            .unwrap_or_else(|| panic!("{path}: say in this test what the room {here} may import"));
        for import in imports(&text) {
            let target = import.split("::").next().unwrap();
            // Macros and constants of the root are no rooms.
            if !rooms.contains(target) || target == here {
                continue;
            }
            assert!(
                allowed.iter().any(|may| *may == target || *may == import),
                "{path} imports {import}: {here} may import {allowed:?}"
            );
        }
        // `super::` must not leave the room either. The file is a module, and the tests in it are another.
        let depth = path.matches('/').count() - usize::from(path.ends_with("/mod.rs"))
            + usize::from(text.contains("mod tests"));
        for (number, line) in code(&text) {
            assert!(!line.contains(&"super::".repeat(depth.max(1) + 1)), "{path}:{number} leaves its room by super::");
        }
    }
}

#[test]
fn imports_are_found_however_they_are_written() {
    let text = "use crate::{config, track::{journal, register}, domain as vocabulary};\n\
                /// See [`crate::lookup`].\n\
                fn f() -> crate::error::Result { crate::submit::send(1) } // as crate::watch does\n\
                use other_crate::sandbox;";
    let expected = ["config", "domain", "error::Result", "submit::send", "track"].map(str::to_owned);
    let found: Vec<String> = imports(text).into_iter().map(|import| import.trim_end_matches("::").to_owned()).collect();
    assert_eq!(found, expected);
}

#[test]
fn unsafe_stands_in_one_file() {
    for (path, text) in rust_files("src").chain(rust_files("benches")) {
        if path == UNSAFE {
            continue;
        }
        for (number, line) in code(&text) {
            let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            assert!(
                !words.into_iter().any(|word| word == "unsafe" || word == "unsafe_code"),
                "{path}:{number}: {line}"
            );
        }
    }
    assert!(fs::read_to_string(root().join(UNSAFE)).unwrap().contains("unsafe {"), "the exception is in use");
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in ["src", "tests", "benches"].into_iter().flat_map(rust_files) {
        assert!(text.starts_with("//!"), "{path} does not begin with what it is for");
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Written in pieces, so that this file does not speak of itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["unimple", "mented!"], ["to", "do!("]].map(|word| word.concat());
    let own = ["README.md", "Cargo.toml"].into_iter().map(str::to_owned);
    for path in own.chain(["src", "tests", "benches", "testdata", ".ci"].into_iter().flat_map(files)) {
        // What is no text cannot hold a note.
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            assert!(!words.iter().any(|word| line.contains(word)), "{path}:{}: {line}", number + 1);
        }
    }
}

#[test]
fn every_queue_has_a_capacity() {
    for (path, text) in rust_files("src") {
        for (number, line) in code(&text) {
            // Of the standard library's, only `sync_channel` has one.
            let standard = line.contains("std::sync::mpsc") && !line.contains("sync_channel");
            let endless = standard || line.contains("unbounded") || line.contains("mpsc::channel()");
            assert!(!endless, "{path}:{number} makes a queue without a capacity: {line}");
        }
    }
}

#[test]
fn every_command_is_a_file_of_its_name() {
    let help = run::ends_with(0, ["--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A line that goes on is indented deeper.
    let listed = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands: BTreeSet<&str> =
        listed.filter_map(|line| line.split_whitespace().next()).filter(|c| *c != "help").collect();
    let paths = files("src/cli");
    let stems = paths.iter().map(|path| path.trim_start_matches("src/cli/").split(['/', '.']).next().unwrap());
    let stems: BTreeSet<&str> = stems.filter(|stem| *stem != "mod").collect();
    assert_eq!(commands, stems);
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let lines: Vec<&str> = section.lines().collect();
    for pair in lines.windows(2).filter(|pair| pair[1].contains(" = ")) {
        assert!(pair[0].starts_with("# "), "{} has no line that says what for", pair[1]);
    }
    assert!(lines[0].starts_with("# "));
}
