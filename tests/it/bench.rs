//! A planner wants to know what the job costs on the machine at hand: `bench` measures it in one command, its figures add
//! up, and nothing of it stays behind.

use crate::{run, shape};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use utskick::plan::Measured;

/// Processes whose command line names this folder.
fn processes(folder: &Path) -> usize {
    let named = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&format!("{}/utskick-bench-", folder.display()))
    };
    std::fs::read_dir("/proc").unwrap().flatten().map(named).filter(|is| *is).count()
}

fn left(folder: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn figures_fit_their_schema_and_add_up_and_nothing_stays_behind() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap().join("place");
    std::fs::create_dir(&place).unwrap();
    // As seen from here: what is made there must not depend on who looks.
    let up = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect::<PathBuf>();
    let seen = up.join(place.strip_prefix("/").unwrap());
    let [out, svg] = ["bench.json", "bench.svg"].map(|name| folder.path().join(name));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (out_text, svg_text, place_text) = (text(&out), text(&svg), text(&seen));
    let arguments =
        ["bench", "--statements", "300", "--json", "--out", &out_text, "--svg", &svg_text, "--dir", &place_text];
    let bench = run::json(arguments);
    shape::holds("bench.json", &bench);
    assert_eq!(left(&place), Vec::<String>::new());
    assert_eq!(processes(&place), 0);
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(written, bench, "the file is what was printed");
    let measured = Measured::read(&out).expect("plan reads it");
    assert!(measured.noisy || !cfg!(debug_assertions), "a program that is not optimised says so");

    let runs = bench["runs"].as_array().unwrap();
    for run in runs {
        let of = |name: &str| run[name].as_u64().unwrap();
        let by_thread: f64 = run["cpu_s_by_thread"].as_object().unwrap().values().map(number).sum();
        assert!((by_thread - number(&run["cpu_s"])).abs() < 1e-6, "threads do not sum to their process: {run}");
        let (statements, delivered, paper) = (of("statements"), of("delivered"), of("paper"));
        match run["mix"].as_str().unwrap() {
            "usual" if statements == 1 => assert!(delivered + paper <= 1, "{run}"),
            "usual" => assert!(delivered < statements && paper > 0 && delivered + paper <= statements, "{run}"),
            "held" => assert_eq!((delivered, paper, of("requests")), (0, 0, 0), "{run}"),
            _ => assert_eq!((delivered, paper), (statements, 0), "{run}"),
        }
        assert!(
            run["mix"] == "held" || of("requests") > delivered,
            "each delivery is a request, and FaR was asked: {run}"
        );
        assert!(of("peak_bytes") > 1 << 20, "{run}");
        if statements == 300 && run["mix"] == "digital" {
            for role in ["main", "prepare", "network", "journal"] {
                assert!(number(&run["cpu_s_by_thread"][role]) > 0.0, "{role}: {run}");
            }
        }
    }
    let largest = |mix: &str| runs.iter().filter(|run| run["mix"] == mix).map(|run| run["statements"].as_u64()).max();
    assert_eq!(largest("digital"), Some(Some(300)));
    assert!(largest("encrypted").is_some() && largest("usual").is_some());

    // What plan reads of the runs is the runs.
    let digital: Vec<_> = runs.iter().filter(|run| run["mix"] == "digital").collect();
    assert_eq!(digital.len(), measured.scaling.len());
    for (run, scale) in digital.iter().zip(&measured.scaling) {
        assert_eq!(run["statements"], scale.statements);
        assert!((number(&run["cpu_s"]) - scale.cpu_s).abs() < 1e-9);
        assert!((scale.per_s * scale.wall_s - scale.statements as f64).abs() < 1e-3);
    }
    // Each send is held against the signatures beside it; the middle one of the rounds counts.
    let signatures = |statements: u64| {
        let mut of_size: Vec<f64> = digital
            .iter()
            .filter(|run| run["statements"] == statements && run["threads"] == measured.threads)
            .map(|run| number(&run["cpu_s"]) / number(&run["signature_s"]))
            .collect();
        assert!(of_size.len() == 3 && of_size.iter().all(|signatures| signatures.is_finite()), "{of_size:?}");
        of_size.sort_unstable_by(f64::total_cmp);
        of_size[1]
    };
    let ratio = (signatures(300) - signatures(30)) / 270.0 / 2.0;
    assert!((ratio - measured.send.floor_ratio).abs() < 1e-6, "{ratio} {}", measured.send.floor_ratio);
    assert!((0.0..1.0).contains(&measured.wall_share_sandbox));

    // A stage that signs costs no less than signing, or the stopwatch is wrong. Half, for a machine that changes pace.
    for stage in [measured.stages.sign_s, measured.stages.seal_s] {
        assert!(stage > measured.floors.rsa2048_sign_s / 2.0, "{:?}", measured.stages);
    }
    picture(&std::fs::read_to_string(&svg).unwrap());
}

/// The SVG is well-formed, has a title, and names stages, axes and units.
#[track_caller]
fn picture(svg: &str) {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(svg);
    reader.config_mut().check_end_names = true;
    let (mut open, mut words) = (0, String::new());
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("not well-formed: {error}\n{svg}")) {
            Event::Start(_) => open += 1,
            Event::End(_) => open -= 1,
            Event::Text(text) => words.push_str(&text.xml10_content()),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, 0);
    for word in ["What a statement costs", "compose", "(encrypt)", "processor time per statement", "ms", "/s", "thread"]
    {
        assert!(words.contains(word), "{word} is missing:\n{words}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn a_signal_ends_it_with_everything_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let mut bench = run::utskick(["bench", "--statements", "20000", "--dir", place])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut talk = BufReader::new(bench.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(talk.any(|line| line.contains("a send of 2000 statements")), "it never came to a send");
    // Sandbox and sender, or the sandbox between two sends.
    assert!(processes(folder.path()) >= 1);
    assert_eq!(left(folder.path()).len(), 1);
    let id = rustix::process::Pid::from_raw(bench.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    // What it says is read to its end, or it would wait for us.
    assert!(talk.any(|line| line.contains("stopped before there was a result")));
    assert_eq!(bench.wait().unwrap().code(), Some(130));
    assert_eq!(left(folder.path()), Vec::<String>::new());
    assert_eq!(processes(folder.path()), 0);
}

#[test]
fn wrong_wishes_are_told() {
    run::ends_with(64, ["bench", "--statements", "1"]);
    let output = run::ends_with(74, ["bench", "--dir", "/nowhere/at/all"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--dir"));
}
