//! What a writer's keys must be after each of its steps. Shared with the tests that check it.

#![allow(dead_code, reason = "the exerciser writes, the tests check")]

use store::{Op, Store, Txn};

const N_SLOTS: u64 = 8;

fn slot_key(writer: u64, slot: u64) -> String {
    format!("/test/things/writer-{writer}/slot-{slot}")
}

fn last_key(writer: u64) -> String {
    format!("/test/things/writer-{writer}/last")
}

fn deletes(step: u64) -> bool {
    step % 5 == 4
}

fn value(writer: u64, step: u64) -> String {
    // Some fit a page, some fill several.
    let padding = "x".repeat((step as usize * 397) % 9_000);
    format!("writer {writer} step {step} {padding}")
}

/// The number of the newest step that the store has of a writer; 0: none.
pub fn last_step(store: &Store, writer: u64) -> u64 {
    let record = store.get(&last_key(writer));
    record.map_or(0, |record| String::from_utf8(record.value.to_vec()).unwrap().parse().unwrap())
}

/// Writes or deletes one slot and notes the step, both or neither.
pub fn txn(store: &Store, writer: u64, step: u64) -> Txn {
    let key = slot_key(writer, step % N_SLOTS);
    let op = if deletes(step) {
        Op::Delete { key }
    } else {
        let value = value(writer, step).into();
        Op::Put { key, value }
    };
    let last = last_key(writer);
    let last_revision = store.get(&last).map_or(0, |record| record.revision);
    let note = Op::Put { key: last.clone(), value: step.to_string().into() };
    Txn { conditions: vec![(last, last_revision)], ops: vec![op, note] }
}

/// Panics unless the store has exactly what the steps up to `last` leave behind.
#[track_caller]
pub fn check(store: &Store, writer: u64, last: u64) {
    for slot in 0..N_SLOTS {
        let step = (1..=last).rev().find(|step| step % N_SLOTS == slot);
        let expected = step.filter(|step| !deletes(*step)).map(|step| value(writer, step));
        let found = store.get(&slot_key(writer, slot)).map(|record| String::from_utf8(record.value.to_vec()).unwrap());
        assert!(
            found == expected,
            "writer {writer} slot {slot} after step {last}: step {step:?} wrote {expected:.40?}, found {found:.40?}"
        );
    }
}
