//! Indexed Jobs, pod failure policies and success policies, in the words of `sync_tests.rs`.

use super::check;

#[test]
fn the_lowest_free_indexes_get_pods() {
    check("from nothing", "indexed completions=5 parallelism=3", "", 5, "create #0 #1 #2; 3 active, 0+ 0-, start 5");
    check(
        "what has succeeded or runs is left out",
        "indexed completions=9 parallelism=4 | start=5 active=2 succeeded=2 done=0,2",
        "a running index=1, b running index=4",
        9,
        "create #3 #5; 4 active, 2+ 0-, done [0,2], start 5",
    );
    check(
        "never more than are left",
        "indexed completions=4 parallelism=4 | start=5 active=1 succeeded=2 done=0,1",
        "a running index=3",
        9,
        "create #2; 2 active, 2+ 0-, done [0,1], start 5",
    );
    check(
        "a failed pod's index is tried again",
        "indexed completions=3 parallelism=3 | start=5 active=2",
        "a failed@8 index=0, b running index=1, c running index=2",
        18,
        "create #0; 3 active, 0+ 0-, lists- a, start 5; untrack a",
    );
    check(
        "after a while",
        "indexed completions=3 parallelism=3 | start=5 active=2",
        "a failed@8 index=0, b running index=1, c running index=2",
        9,
        "nothing; 2 active, 0+ 0-, lists- a, start 5; untrack a; wake at 18",
    );
    check(
        "a terminating pod's index waits under podReplacementPolicy Failed",
        "indexed replaceFailed completions=3 parallelism=3 | start=5 active=1 terminating=1",
        "a running deleted index=0, b running index=1",
        9,
        "create #2; 2 active, 1 terminating, 0+ 0-, start 5",
    );
}

#[test]
fn an_index_counts_once() {
    check(
        "a success is its index",
        "indexed completions=3 parallelism=1 | start=5 active=1",
        "a succeeded@8 index=0",
        9,
        "create #1; 1 active, 1+ 0-, done [0], start 5; untrack a",
    );
    check(
        "a second success of the same index is one",
        "indexed completions=3 parallelism=1 | start=5 active=1 succeeded=1 done=0",
        "a succeeded@8 index=0, b running index=1",
        9,
        "nothing; untrack a",
    );
    check(
        "without an index, or beyond the last, it is none",
        "indexed completions=2 parallelism=1 | start=5 active=1",
        "a succeeded@8, b succeeded@8 index=7, c running index=0",
        9,
        "nothing; untrack a b",
    );
    check(
        "rows of three are an interval",
        "indexed completions=9 parallelism=1 | start=5 active=1 succeeded=4 done=0,2,4,5",
        "a succeeded@8 index=1, b succeeded@8 index=8, c running index=3",
        9,
        "nothing; 1 active, 6+ 0-, done [0-2,4,5,8], start 5; untrack a b",
    );
    check(
        "all of them complete the Job",
        "indexed completions=2 parallelism=2 | start=5 active=1 succeeded=1 done=0",
        "a succeeded@8 index=1",
        9,
        "nothing; 0 active, 2+ 0-, done [0,1], start 5, SuccessCriteriaMet=True CompletionsReached (Reached expected number of succeeded pods); untrack a",
    );
}

#[test]
fn a_pod_beyond_the_completions_does_not_count() {
    check(
        "it failed while the Job was made smaller",
        "indexed backoffLimit=0 completions=2 parallelism=2 | start=5 active=3",
        "a running index=0, b running index=1, c failed@8 index=2",
        9,
        "nothing; 2 active, 0+ 0-, start 5; untrack c",
    );
    check(
        "nor does one without an index",
        "indexed backoffLimit=0 completions=2 parallelism=2 | start=5 active=2",
        "a running index=0, b running index=1, c failed@8",
        9,
        "nothing; untrack c",
    );
    check(
        "nobody waits for its sake",
        "indexed completions=2 parallelism=2 | start=5 active=1",
        "a running index=0, c failed@8 index=2",
        9,
        "create #1; 2 active, 0+ 0-, start 5; untrack c",
    );
    check(
        "its success is forgotten",
        "indexed completions=1 parallelism=1 | start=5 active=1 succeeded=2 done=1,2",
        "a running index=0",
        9,
        "nothing; 1 active, 0+ 0-, start 5",
    );
}

#[test]
fn pods_that_no_index_needs_are_stopped_first() {
    check(
        "twice the same, the less advanced goes",
        "indexed completions=3 parallelism=3 | start=5 active=3",
        "a running index=0, b pending index=0, c running index=1",
        9,
        "stop b; 2 active, 1 terminating, 0+ 0-, start 5",
    );
    check(
        "completions and parallelism lowered: what lies beyond goes, and what it counted",
        "indexed completions=2 parallelism=2 | start=5 active=2 succeeded=2 done=0,3",
        "a running index=1, b running index=2",
        9,
        "stop b; 1 active, 1 terminating, 1+ 0-, done [0], start 5",
    );
    check(
        "then as always",
        "indexed completions=5 parallelism=1 | start=5 active=3",
        "a running index=0, b pending index=1, c running index=2 ready",
        9,
        "stop b a; 1 active, 1 ready, 2 terminating, 0+ 0-, start 5",
    );
    check(
        "raised: the new ones get pods",
        "indexed completions=4 parallelism=4 | start=5 active=1 succeeded=1 done=0",
        "a running index=1",
        9,
        "create #2 #3; 3 active, 1+ 0-, done [0], start 5",
    );
}

#[test]
fn with_a_limit_per_index_each_waits_and_fails_for_itself() {
    check(
        "a failed pod keeps its finalizer until it is replaced",
        "indexed perIndex=1 completions=2 parallelism=2 | start=5 active=1 bad=",
        "a failed@8 index=0, b running index=1",
        9,
        "nothing; wake at 18",
    );
    check(
        "the replacement carries the count on",
        "indexed perIndex=1 completions=2 parallelism=2 | start=5 active=1 bad=",
        "a failed@8 index=0, b running index=1",
        18,
        "create #0(1+0); 2 active, 0+ 0-, bad [], start 5",
    );
    check(
        "then it is counted",
        "indexed perIndex=1 completions=2 parallelism=2 | start=5 active=2 bad=",
        "a failed@8 index=0, b running index=1, c running index=0 before=1",
        19,
        "nothing; 2 active, 0+ 0-, lists- a, bad [], start 5; untrack a",
    );
    check(
        "others need not wait for it",
        "indexed perIndex=1 completions=3 parallelism=2 | start=5 active=1 bad=",
        "a failed@8 index=0, b running index=1",
        18,
        "create #0(1+0); 2 active, 0+ 0-, bad [], start 5",
    );
    let twice = "indexed perIndex=5 completions=1 | start=5 bad=";
    for pods in ["a failed@8 index=0 before=1, b failed@9 index=0", "b failed@9 index=0, a failed@8 index=0 before=1"] {
        let expected = "nothing; 0 active, 0+ 0-, lists- b, bad [], start 5; untrack b; wake at 28";
        check("of two at an index the one that carries more on is kept", twice, pods, 9, expected);
    }
    for pods in ["a failed@8 index=0, b failed@9 index=0", "b failed@9 index=0, a failed@8 index=0"] {
        let expected = "nothing; 0 active, 0+ 0-, lists- a, bad [], start 5; untrack a; wake at 19";
        check("or else the newer", twice, pods, 9, expected);
    }
    check(
        "an index that has succeeded does not fail as well",
        "indexed perIndex=0 completions=3 parallelism=1 | start=5 active=1 bad=",
        "a succeeded@8 index=0, b failed@8 index=0, c running index=1",
        9,
        "nothing; 1 active, 1+ 0-, lists- b, done [0], bad [], start 5; untrack a b",
    );
    check(
        "past its limit it has failed, and the others go on",
        "indexed perIndex=1 completions=3 parallelism=2 | start=5 active=2 bad=",
        "a failed@8 index=0 before=1, b running index=1",
        9,
        "create #2; 2 active, 0+ 0-, lists- a, bad [0], start 5; untrack a",
    );
    check(
        "the back-off goes by all failures of the index",
        "indexed perIndex=9 completions=1 | start=5 bad=",
        "a failed@8 index=0 before=2 ignored=1",
        9,
        "nothing; wake at 88",
    );
    check(
        "all ended, one badly: the Job fails",
        "indexed perIndex=0 completions=2 parallelism=1 | start=5 active=1 succeeded=1 done=0 bad=",
        "a failed@8 index=1",
        9,
        "nothing; 0 active, 1+ 0-, lists- a, done [0], bad [1], start 5, FailureTarget=True FailedIndexes (Job has failed indexes); untrack a",
    );
    check(
        "of two that wait the earlier wakes it",
        "indexed perIndex=5 completions=2 parallelism=2 | start=5 bad=",
        "a failed@8 index=0, b failed@3 index=1",
        9,
        "nothing; wake at 13",
    );
    check(
        "as many as maxFailedIndexes: the others go on",
        "indexed perIndex=0 maxFailed=1 completions=9 parallelism=2 | start=5 active=2 bad=",
        "a failed@8 index=0, b running index=1",
        9,
        "create #2; 2 active, 0+ 0-, lists- a, bad [0], start 5; untrack a",
    );
    check(
        "more than maxFailedIndexes: at once, and what runs is killed and counted",
        "indexed perIndex=0 maxFailed=1 completions=9 parallelism=3 | start=5 active=2 failed=1 bad=0",
        "a failed@8 index=1, b running index=2",
        9,
        "kill b; 0 active, 1 terminating, 0+ 1-, lists- a b, bad [0,1], start 5, FailureTarget=True MaxFailedIndexesExceeded (Job has exceeded the specified maximal number of failed indexes); untrack a b",
    );
}

#[test]
fn a_failure_policy_decides_what_a_failed_pod_means() {
    let job = |policy: &str| format!("completions=1 policy={policy} | start=5 active=1");
    check(
        "FailJob",
        &job("FailJob:42"),
        "a failed@8 exit=42",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5, FailureTarget=True PodFailurePolicy (Container c for pod n/a failed with exit code 42 matching FailJob rule at index 0); untrack a",
    );
    check(
        "the first rule that matches",
        &job("Ignore:7;FailJob:!1+2"),
        "a failed@8 exit=3",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5, FailureTarget=True PodFailurePolicy (Container c for pod n/a failed with exit code 3 matching FailJob rule at index 1); untrack a",
    );
    check(
        "Ignore: not counted, replaced after the back-off",
        &job("Ignore:DisruptionTarget"),
        "a failed@8 exit=137 has=DisruptionTarget",
        9,
        "nothing; 0 active, 0+ 0-, start 5; untrack a; wake at 18",
    );
    check(
        "FailJob by condition",
        &job("FailJob:ConfigIssue"),
        "a failed@8 exit=1 has=ConfigIssue",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5, FailureTarget=True PodFailurePolicy (Pod n/a has condition ConfigIssue matching FailJob rule at index 0); untrack a",
    );
    check(
        "of two conditions the one that the pod had first",
        &job("FailJob:Late+Early"),
        "a failed@8 exit=1 has=Early has=Late",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5, FailureTarget=True PodFailurePolicy (Pod n/a has condition Early matching FailJob rule at index 0); untrack a",
    );
    check(
        "a condition with another status does not match",
        &job("FailJob:ConfigIssue=False"),
        "a failed@8 exit=1 has=ConfigIssue",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5; untrack a; wake at 18",
    );
    check(
        "without a status True is meant",
        &job("FailJob:ConfigIssue"),
        "a failed@8 exit=1 has=ConfigIssue:False",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5; untrack a; wake at 18",
    );
    check(
        "only the named container's code",
        &job("FailJob:main/42"),
        "a failed@8 exit=42 exit=main:1",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5; untrack a; wake at 18",
    );
    check(
        "an exit code of 0 matches nothing",
        &job("FailJob:!1"),
        "a failed@8 exit=0 exit=other:1",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5; untrack a; wake at 18",
    );
    check(
        "an unknown action is no rule",
        &job("Explode:42;FailJob:42"),
        "a failed@8 exit=42",
        9,
        "nothing; 0 active, 0+ 0-, lists- a, start 5, FailureTarget=True PodFailurePolicy (Container c for pod n/a failed with exit code 42 matching FailJob rule at index 1); untrack a",
    );
    check(
        "a pod being deleted is not judged until it has ended",
        &job("Ignore:DisruptionTarget"),
        "a running deleted",
        9,
        "nothing; 0 active, 1 terminating, 0+ 0-, start 5",
    );
    check(
        "FailIndex spares the others and does not wait for the limit",
        "indexed perIndex=5 completions=2 parallelism=2 policy=FailIndex:42 | start=5 active=2 bad=",
        "a failed@8 index=0 exit=42, b running index=1",
        9,
        "nothing; 1 active, 0+ 0-, lists- a, bad [0], start 5; untrack a",
    );
    check(
        "what is ignored does not bring an index nearer to its limit",
        "indexed perIndex=0 completions=1 policy=Ignore:DisruptionTarget | start=5 active=1 bad=",
        "a failed@8 index=0 exit=1 has=DisruptionTarget",
        18,
        "create #0(0+1)",
    );
    check(
        "ignored failures do not pass the limit",
        "completions=1 backoffLimit=0 policy=Ignore:1 | start=5 active=1",
        "a failed@8 exit=1",
        18,
        "create 1; untrack a",
    );
}

#[test]
fn a_success_policy_ends_the_job_early() {
    let job = |policy: &str, done: &str, n: usize| {
        format!("indexed completions=9 parallelism=2 success={policy} | start=5 active=2 succeeded={n} done={done}")
    };
    let running = "a running index=7, b running index=8";
    let met = |index: usize, n: usize, done: &str| {
        format!(
            "kill a b; 0 active, 2 terminating, {n}+ 0-, done [{done}], start 5, SuccessCriteriaMet=True SuccessPolicy (Matched rules at index {index}); untrack a b"
        )
    };
    check("the leader", &job("0", "0", 1), running, 9, &met(0, 1, "0"));
    check("all of them", &job("0-2", "0-2", 3), running, 9, &met(0, 3, "0-2"));
    check("some of them", &job("0-5/2", "1,4", 2), running, 9, &met(0, 2, "1,4"));
    check("any", &job("/3", "1,4,6", 3), running, 9, &met(0, 3, "1,4,6"));
    check("the second rule", &job("0;/2", "1,4", 2), running, 9, &met(1, 2, "1,4"));
    check("not yet", &job("0-2", "0,1", 2), running, 9, "nothing");
    check("nor when only one is done", &job("0-2", "1", 1), running, 9, "nothing");
    check("a count of 0 still needs one success", &job("/0", "", 0), running, 9, "nothing");
    let smaller = |policy: &str| {
        format!("indexed completions=3 parallelism=3 success={policy} | start=5 active=1 succeeded=2 done=0,1")
    };
    let left = "a running index=2";
    check("a rule about indexes that are gone is no rule", &smaller("5-9"), left, 9, "nothing");
    check(
        "of a rule about some that are gone the others decide",
        &smaller("0,1,5/3"),
        left,
        9,
        "kill a; 0 active, 1 terminating, 2+ 0-, done [0,1], start 5, SuccessCriteriaMet=True SuccessPolicy (Matched rules at index 0); untrack a",
    );
    check(
        "its second step waits for what it stopped",
        "indexed completions=9 parallelism=2 success=0 | start=5 succeeded=1 done=0 terminating=1 SuccessCriteriaMet",
        "a running deleted counted index=7",
        9,
        "nothing",
    );
}
