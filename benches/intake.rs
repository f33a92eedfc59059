//! How fast is intake, against memory and against quick-xml?
//!
//! `floor` is what nothing that reads an export can beat: a scan for a byte that is not there (`memchr`), the search for
//! the records' end tags (`memmem`), the check that it is UTF-8 (`simdutf8`); and the bare events of quick-xml, which a
//! reader built on it cannot beat. `stage` is what ours costs: `split` finds the records, `fast` and `slow` read them
//! (the slow way is a strict reader on top of quick-xml), `judge` reads the fast way and holds every record against
//! schema and rules, `judge-in-full` does so without the short cut for what is plainly sound. `check` is the whole pass
//! over the export as the command `check` makes it, keys and settling included: `processor` is the time of all threads
//! together, `wall` what one waits for.
//!
//! Exports are 50,000 statements of the default mix, `indented` as `generate` writes them (67 MB), `compact` without
//! whitespace between elements (55 MB), `crlf` with tabs and CRLF. Throughput is given in bytes and, under the names that
//! end in `statements`, in statements. All but `wall` is processor time, so that other work on the machine counts little.

#![allow(clippy::unwrap_used, missing_docs)]

use criterion::measurement::Measurement;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use memchr::memmem::Finder;
use quick_xml::events::Event;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use support::{ProcessTime, ProcessorTime};
use utskick::config::Severity;
use utskick::domain::{Digester, Purpose};
use utskick::intake::stages::Stages;
use utskick::intake::{Access, Export, Options, Settler, read};
use utskick::sandbox::generate;

mod support;

const STATEMENTS: u64 = 50_000;

/// The same statements in several layouts.
struct Corpus {
    _folder: tempfile::TempDir,
    layouts: Vec<(&'static str, PathBuf)>,
}

impl Corpus {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let indented = folder.path().join("indented.xml");
        let mut file = BufWriter::new(File::create(&indented).unwrap());
        let options = generate::Options { statements: STATEMENTS, ..Default::default() };
        generate::generate(&options, &mut file, &mut |_| ()).unwrap();
        file.flush().unwrap();
        let text = std::fs::read_to_string(&indented).unwrap();
        let write = |name: &'static str, end: &str, indent: &str| {
            let mut other = String::with_capacity(text.len());
            for line in text.lines() {
                let bare = line.trim_start_matches(' ');
                other.extend(std::iter::repeat_n(indent, (line.len() - bare.len()) / 2));
                other.push_str(bare);
                other.push_str(end);
            }
            let path = folder.path().join(format!("{name}.xml"));
            std::fs::write(&path, other).unwrap();
            (name, path)
        };
        let layouts = vec![("indented", indented.clone()), write("compact", "", ""), write("crlf", "\r\n", "\t")];
        Self { _folder: folder, layouts }
    }
}

/// Runs one thing with the throughput in bytes, and once more in statements.
fn both<M: Measurement>(group: &mut BenchmarkGroup<'_, M>, name: &str, bytes: usize, mut work: impl FnMut() -> usize) {
    group.sample_size(10);
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function(name, |bencher| bencher.iter(&mut work));
    group.throughput(Throughput::Elements(STATEMENTS));
    group.bench_function(format!("{name}-statements"), |bencher| bencher.iter(&mut work));
}

fn floors(criterion: &mut Criterion<ProcessorTime>) {
    let corpus = Corpus::new();
    for (layout, path) in &corpus.layouts {
        let export = Export::open(path, &Access::InPlace).unwrap();
        let bytes = export.bytes();
        let mut group = criterion.benchmark_group(format!("floor/{layout}"));
        both(&mut group, "memchr", bytes.len(), || memchr::memchr(0, black_box(bytes)).unwrap_or(0));
        let end = Finder::new("</ku:Blankett>");
        both(&mut group, "memmem", bytes.len(), || end.find_iter(black_box(bytes)).count());
        both(&mut group, "simdutf8", bytes.len(), || simdutf8::basic::from_utf8(black_box(bytes)).unwrap().len());
        both(&mut group, "quick-xml-events", bytes.len(), || {
            let mut reader = quick_xml::Reader::from_reader(black_box(bytes));
            reader.config_mut().check_end_names = false;
            let mut events = 0;
            while !matches!(reader.read_event().unwrap(), Event::Eof) {
                events += 1;
            }
            events
        });
    }
}

fn stages(criterion: &mut Criterion<ProcessorTime>) {
    let corpus = Corpus::new();
    for (layout, path) in &corpus.layouts {
        let export = Export::open(path, &Access::InPlace).unwrap();
        let bytes = export.bytes().len();
        let mut stages = Stages::new(&export).unwrap();
        assert_eq!(stages.fast(), stages.slow(), "the fast way takes every record");
        assert_eq!(stages.judge() as u64, STATEMENTS);
        let mut group = criterion.benchmark_group(format!("stage/{layout}"));
        both(&mut group, "split", bytes, || stages.split().unwrap());
        both(&mut group, "fast", bytes, || stages.fast());
        both(&mut group, "slow", bytes, || stages.slow());
        both(&mut group, "judge", bytes, || stages.judge());
        both(&mut group, "judge-in-full", bytes, || stages.judge_in_full());
    }
}

/// As `check` digests.
struct Momentary;

impl Digester for Momentary {
    fn digest(&self, _: Purpose, bytes: &[u8]) -> [u8; 16] {
        xxhash_rust::xxh3::xxh3_128_with_seed(bytes, 7).to_be_bytes()
    }
}

/// Opens an export, reads it on all cores and settles it.
fn check(path: &Path) -> usize {
    let export = Export::open(path, &Access::InPlace).unwrap();
    let options =
        Options { record_limit_bytes: 1 << 20, cross_record: Severity::Warning, threads: None, digests: false };
    let mut settler = Settler::new(Severity::Warning);
    let summary = read(&export, 0, 1, &options, &Momentary, &mut |batch, _| {
        batch.items.iter().for_each(|checked| settler.push(0, checked));
        Ok(())
    });
    let settled = settler.finish(|_, ordinal, place| export.content(ordinal, place, &Momentary)).unwrap();
    assert_eq!((summary.unwrap().valid, settled.0.len()), (STATEMENTS, 0));
    settled.1.len()
}

fn whole<M: Measurement>(criterion: &mut Criterion<M>, time: &str) {
    let corpus = Corpus::new();
    for (layout, path) in &corpus.layouts {
        let bytes = usize::try_from(std::fs::metadata(path).unwrap().len()).unwrap();
        both(&mut criterion.benchmark_group(format!("check/{layout}")), time, bytes, || check(path));
    }
}

fn processor(criterion: &mut Criterion<ProcessTime>) {
    whole(criterion, "processor");
}

fn wall(criterion: &mut Criterion) {
    whole(criterion, "wall");
}

criterion_group!(name = one_thread; config = Criterion::default().with_measurement(ProcessorTime); targets = floors, stages);
criterion_group!(name = all_threads; config = Criterion::default().with_measurement(ProcessTime); targets = processor);
criterion_group!(all_cores, wall);
criterion_main!(one_thread, all_threads, all_cores);
