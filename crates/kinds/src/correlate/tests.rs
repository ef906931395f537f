//! What becomes of occurrences, told one after another.

use super::*;

fn occurrence(message: &str) -> Occurrence {
    Occurrence {
        subject: Subject { name: "j".into(), ..Default::default() },
        component: "job-controller".into(),
        host: String::new(),
        severity: "Normal".into(),
        reason: "SuccessfulCreate".into(),
        message: message.into(),
        action: None,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn shown(emission: &Emission) -> String {
    match emission {
        Emission::Create { name, message, .. } => format!("{name} {message}"),
        Emission::Count { message, count, .. } => format!("{message} x{count}"),
        Emission::Drop => "drop".into(),
    }
}

#[test]
fn the_same_again_is_counted() {
    let mut correlator = Correlator::default();
    let first = correlator.observe(&occurrence("a"), at(1));
    assert_eq!(shown(&first), "j.3b9aca00 a");
    assert_eq!(shown(&correlator.observe(&occurrence("b"), at(1))), "j.3b9aca01 b", "names differ within a nanosecond");
    let mut newer = occurrence("a");
    newer.subject.resource_version = "7".into();
    let Emission::Count { name, count, first, at: last, .. } = correlator.observe(&newer, at(5)) else {
        panic!("counts")
    };
    assert_eq!((name.as_str(), count, first, last), ("j.3b9aca00", 2, at(1), at(5)));
}

#[test]
fn the_tenth_alike_is_combined() {
    let mut correlator = Correlator::default();
    for i in 0..9 {
        assert!(matches!(correlator.observe(&occurrence(&format!("pod {i}")), at(1)), Emission::Create { .. }));
    }
    let tenth = correlator.observe(&occurrence("pod 9"), at(1));
    assert!(shown(&tenth).ends_with(" (combined from similar events): pod 9"));
    assert_eq!(shown(&correlator.observe(&occurrence("pod 10"), at(2))), "(combined from similar events): pod 10 x2");
    assert_eq!(shown(&correlator.observe(&occurrence("pod 3"), at(2))), "pod 3 x2", "known texts keep their event");
    assert!(
        matches!(correlator.observe(&occurrence("pod 11"), at(603)), Emission::Create { .. }),
        "after ten quiet minutes"
    );
}

#[test]
fn an_object_gets_25_events_and_one_every_five_minutes() {
    let mut correlator = Correlator::default();
    let told = |correlator: &mut Correlator, second| correlator.observe(&occurrence("a"), at(second)) != Emission::Drop;
    assert!((0..25).all(|_| told(&mut correlator, 1)));
    assert!(!told(&mut correlator, 1));
    assert!(!told(&mut correlator, 300));
    assert!(told(&mut correlator, 302));
    assert!(!told(&mut correlator, 303));
}

#[test]
fn the_containers_of_a_pod_share_its_events() {
    let mut correlator = Correlator::default();
    let of = |container: usize, message: String| {
        let mut occurrence = occurrence(&message);
        occurrence.subject.field_path = format!("spec.containers{{c{container}}}");
        occurrence
    };
    for i in 0..9 {
        let told = correlator.observe(&of(i, format!("text {i}")), at(1));
        assert!(matches!(told, Emission::Create { .. }));
    }
    let tenth = correlator.observe(&of(9, "text 9".into()), at(1));
    assert!(shown(&tenth).ends_with(" (combined from similar events): text 9"));
    let told = (10..100).map(|i| correlator.observe(&of(i, format!("text {i}")), at(1)));
    assert_eq!(told.filter(|told| *told != Emission::Drop).count(), 15, "25 in all");
    let same_text = correlator.observe(&of(1, "text 0".into()), at(302));
    assert!(matches!(same_text, Emission::Create { .. }), "of another container it is another event");
}

#[test]
fn a_thousand_pods_leave_ten_events_in_25_writes() {
    let mut correlator = Correlator::default();
    let mut events: HashMap<String, i32> = HashMap::new();
    let mut n_writes = 0;
    for i in 0..1_000 {
        match correlator.observe(&occurrence(&format!("Created pod: j-{i}")), at(1)) {
            Emission::Drop => continue,
            Emission::Create { name, .. } => drop(events.insert(name, 1)),
            Emission::Count { name, count, .. } => drop(events.insert(name, count)),
        }
        n_writes += 1;
    }
    let mut counts: Vec<i32> = events.into_values().collect();
    counts.sort_unstable();
    assert_eq!((n_writes, counts), (25, vec![1, 1, 1, 1, 1, 1, 1, 1, 1, 16]));
}

#[test]
fn other_reasons_severities_and_objects_are_not_alike() {
    let mut correlator = Correlator::default();
    let of = |i: usize, change: fn(&mut Occurrence)| {
        let mut occurrence = occurrence(&format!("text {i}"));
        change(&mut occurrence);
        occurrence
    };
    let changes: [fn(&mut Occurrence); 4] = [
        |_| {},
        |occurrence| occurrence.reason = "Other".into(),
        |occurrence| occurrence.severity = "Warning".into(),
        |occurrence| occurrence.subject.uid = "other".into(),
    ];
    for change in changes {
        for i in 0..6 {
            let told = correlator.observe(&of(i, change), at(1));
            assert!(matches!(told, Emission::Create { .. }), "{told:?}");
        }
    }
}

#[test]
fn names_of_two_who_tell_of_one_object_differ() {
    let name = |mut correlator: Correlator| correlator.observe(&occurrence("a"), at(1)).name().map(str::to_owned);
    assert_eq!(name(Correlator::default()).as_deref(), Some("j.3b9aca00"));
    assert_eq!(name(Correlator::apart(1)).as_deref(), Some("j.3b9aca01"));
}

#[test]
fn memory_is_bounded() {
    let mut correlator = Correlator::default();
    for i in 0..10_000 {
        let mut about = occurrence("a");
        about.subject.name = format!("j{i}");
        let _ = correlator.observe(&about, at(i));
    }
    assert!(correlator.told.len() <= MAX_REMEMBERED && correlator.buckets.len() <= MAX_REMEMBERED);
}
