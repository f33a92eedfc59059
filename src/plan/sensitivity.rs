//! What if: the same send with one thing changed, and when it would end then.

use super::bottleneck::per_second;
use super::model::{Model, Nanos, Opening};
use super::simulate::{Keep, simulate};
use rayon::prelude::*;

/// One change and what it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What is changed.
    pub change: String,
    /// When the send would end; `None`: never.
    pub end: Option<Nanos>,
}

/// Points of the digital share that are looked at to either side.
pub const POINTS: f64 = 0.1;

/// The table, in an order that people look for things in: rates, answers, windows, who has a mailbox, this machine.
pub fn sensitivity(model: &Model) -> Vec<Row> {
    let mut changes: Vec<(String, Model)> = Vec::new();
    for (place, desk) in model.desks.iter().enumerate().filter(|(_, desk)| desk.statements > 0) {
        let Some(rate) = desk.gate.rate else { continue };
        for factor in [0.5, 1.5, 2.0] {
            let mut changed = model.clone();
            changed.desks.get_mut(place).into_iter().for_each(|desk| desk.gate.rate = Some(rate * factor));
            changes.push((
                format!("{} at {} instead of {}", desk.name, per_second(rate * factor), per_second(rate)),
                changed,
            ));
        }
    }
    if let Some(rate) = model.far.rate {
        for factor in [0.5, 2.0] {
            let mut changed = model.clone();
            changed.far.rate = Some(rate * factor);
            changes.push((format!("FaR at {} instead of {}", per_second(rate * factor), per_second(rate)), changed));
        }
    }
    for (factor, words) in [(2.0, "answers twice as slow"), (0.5, "answers twice as fast")] {
        changes.push((words.into(), model.clone().with_latency(factor)));
    }
    let mut concurrent = model.clone();
    concurrent.desks.iter_mut().for_each(|desk| desk.gate.concurrency *= 2);
    changes.push(("twice as many requests under way at each operator".into(), concurrent));
    let gates = || model.desks.iter().map(|desk| &desk.gate).chain([&model.far]);
    if gates().any(|gate| gate.opening != Opening(None)) {
        let mut open = model.clone();
        open.far.opening = Opening(None);
        open.desks.iter_mut().for_each(|desk| desk.gate.opening = Opening(None));
        changes.push(("no delivery windows".into(), open));
    }
    let share = model.digital() as f64 / model.looked_up().max(1) as f64;
    for points in [-POINTS, POINTS] {
        let changed = (share + points).clamp(0.0, 1.0);
        if (changed - share).abs() > 1e-9 {
            let words = format!("{:.0} % have a mailbox instead of {:.0} %", changed * 100.0, share * 100.0);
            changes.push((words, model.clone().with_digital_share(changed)));
        }
    }
    for (retries, words) in [(0.0, "no retries"), (0.05, "one attempt in twenty is answered with try again")] {
        let mut changed = model.clone();
        changed.desks.iter_mut().for_each(|desk| desk.retries = retries);
        changes.push((words.into(), changed));
    }
    let mut cores = model.clone();
    cores.cores *= 2.0;
    cores.threads *= 2;
    changes.push(("twice the cores".into(), cores));
    changes.push(("the processor half as fast".into(), model.clone().with_costs(2.0)));
    changes.into_par_iter().map(|(change, model)| Row { change, end: simulate(&model, Keep::default()).end }).collect()
}
