//! Hooks against a scripted runtime, in virtual time, and servers that die while they run.

use super::errands::*;
use super::*;
use crate::runtime::fake::Program;

#[tokio::test(start_paused = true)]
async fn a_container_has_begun_when_its_post_start_hook_is_over() {
    let hook = json!({"lifecycle": {"postStart": exec("hook 3 0")}, "livenessProbe": exec("live 0 0")});
    let spec = json!({"restartPolicy": "Always", "containers": [container("a", hook), container("b", json!({}))]});
    let mut world = World::of(spec, OnStop::Exit(143));
    let status = world.until(waits_for("ContainerCreating")).await;
    assert_eq!(status["phase"], "Pending");
    world.until(is_running).await;
    assert_eq!(world.second(), 3);
    assert_eq!(world.attempts(), [("a".to_owned(), 0), ("b".to_owned(), 0)]);
    assert_eq!(world.executed("a")[1], (3, "live 0 0".to_owned()));
    let status = world.live.borrow().clone();
    let first = status.container_statuses.unwrap()[1].state.clone().unwrap().running.unwrap();
    assert_eq!(first.started_at.unwrap().0.as_second(), 3, "b waits for a");
}

#[tokio::test(start_paused = true)]
async fn a_failed_post_start_hook_kills_the_container() {
    let more = json!({"lifecycle": {"postStart": exec("hook 1 4")}});
    let mut world = World::of(pod_of("Always", more.clone()), OnStop::Exit(143));
    world.until(waits_for("CrashLoopBackOff")).await;
    assert_eq!(world.second(), 2);
    world.told("FailedPostStartHook PostStartHook failed").await;
    world.told("Killing FailedPostStartHook").await;

    let mut spec = pod_of("Never", more);
    spec["terminationGracePeriodSeconds"] = json!(5);
    let mut world = World::of(spec, OnStop::Ignore);
    let status = world.until(waits_for("PostStartHookError")).await;
    let waiting = &status["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(
        waiting["message"],
        "Exec lifecycle hook ([hook 1 4]) for Container \"a\" in Pod \"p_ns(u)\" failed - error: command 'hook 1 4' exited with 4: , message: \"out\\n\""
    );
    world.end().await;
    assert_eq!(world.last_status()["phase"], "Failed");
    assert_eq!(world.second(), 6);
}

#[tokio::test(start_paused = true)]
async fn hooks_speak_http_and_do_not_mind_the_answer() {
    let get = |port: u16| json!({"httpGet": {"path": "/up", "port": port, "host": "10.1.2.3"}});
    let mut world = World::of(pod_of("Always", json!({"lifecycle": {"postStart": get(80)}})), OnStop::Exit(143));
    world.network.listen("10.1.2.3:80", &http("500 Internal Server Error", "", ""));
    world.until(is_running).await;
    let request = world.network.requests().remove(0);
    assert!(request.starts_with("GET /up HTTP/1.1\r\nUser-Agent: kube-lifecycle/1.36\r\n"), "{request}");

    let mut spec = pod_of("Never", json!({"lifecycle": {"postStart": get(81)}}));
    spec["terminationGracePeriodSeconds"] = json!(5);
    let mut world = World::of(spec, OnStop::Ignore);
    let status = world.until(waits_for("PostStartHookError")).await;
    let waiting = &status["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(
        waiting["message"],
        "HTTP lifecycle hook (/up) for Container \"a\" in Pod \"p_ns(u)\" failed - error: Get \"http://10.1.2.3:81/up\": dial tcp 10.1.2.3:81: connect: connection refused"
    );
}

#[tokio::test(start_paused = true)]
async fn the_pre_stop_hook_has_the_first_part_of_the_grace() {
    for (hook, on_stop, ends_at, exit_code, failed) in [
        (exec("hook 4 0"), OnStop::Exit(143), 4, 143, 0),
        (exec("hook 4 9"), OnStop::Exit(143), 4, 143, 1),
        (exec("nope"), OnStop::Exit(143), 0, 143, 1),
        (json!({"sleep": {"seconds": 6}}), OnStop::Exit(143), 6, 143, 0),
        (exec("hook 4 0"), OnStop::Ignore, 10, 137, 0),
        // The kubelet gives two seconds more when the hook has used everything up.
        (exec("hook 100 0"), OnStop::Exit(143), 10, 143, 1),
        (exec("hook 100 0"), OnStop::Ignore, 12, 137, 1),
    ] {
        let mut world = World::of(pod_of("Always", json!({"lifecycle": {"preStop": hook}})), on_stop);
        world.until(is_running).await;
        world.delete(10);
        let outcome = world.end().await;
        assert!(outcome.is_deleted);
        let ended = &world.last_status()["containerStatuses"][0]["state"]["terminated"];
        assert_eq!((world.second(), &ended["exitCode"]), (ends_at, &json!(exit_code)), "{hook}");
        world.told("Killing Stopping container a").await;
        if failed == 1 {
            world.told("FailedPreStopHook PreStopHook failed").await;
        }
        assert_eq!(world.n_told("FailedPreStopHook"), failed);
        assert_eq!(world.left_over(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_shorter_grace_shortens_the_hook() {
    let mut world =
        World::of(pod_of("Always", json!({"lifecycle": {"preStop": exec("hook 60 0")}})), OnStop::Exit(143));
    world.until(is_running).await;
    world.delete(100);
    world.told("Killing Stopping container a").await;
    tokio::time::sleep(seconds(20)).await;
    let asked_at = world.second();
    world.delete(5);
    world.end().await;
    assert!((5..=6).contains(&(world.second() - asked_at)), "{}", world.second() - asked_at);
    assert_eq!(world.executed("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_kills_runs_the_hook_first_and_the_next_run_has_its_own() {
    let live = probe(
        exec("live 0 1"),
        json!({"failureThreshold": 1, "initialDelaySeconds": 5, "terminationGracePeriodSeconds": 9}),
    );
    let more = json!({"livenessProbe": live, "lifecycle": {"preStop": exec("hook 2 0")}});
    let mut world = World::of(pod_of("Always", more), OnStop::Exit(0));
    world.until(restarted(1)).await;
    assert_eq!(world.second(), 7);
    world.until(waits_for("CrashLoopBackOff")).await;
    let expect = [(5, "live 0 1"), (5, "hook 2 0"), (12, "live 0 1"), (12, "hook 2 0")];
    assert_eq!(world.executed("a"), expect.map(|(at, command)| (at, command.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn hooks_of_sidecars_do_not_wait_for_their_turn_to_stop() {
    let mut spec = pod_of("Never", json!({"lifecycle": {"preStop": exec("a 4 0")}}));
    let sidecar = |name: &str, hook: &str| {
        container(name, json!({"restartPolicy": "Always", "lifecycle": {"preStop": exec(hook)}}))
    };
    spec["initContainers"] = json!([sidecar("s", "s 9 0"), sidecar("t", "t 1 0")]);
    for is_deleted in [true, false] {
        let mut world = World::new(spec.clone(), move |name, _| match name {
            "a" if !is_deleted => Script::exit_after(seconds(10), 0),
            _ => Script::exit_after(seconds(1_000), 0),
        });
        world.runtime.play_programs(program);
        world.until(is_running).await;
        tokio::time::sleep(seconds(10)).await;
        if is_deleted {
            world.delete(30);
        }
        world.end().await;
        assert_eq!(world.executed("s"), [(10, "s 9 0".to_owned())]);
        assert_eq!(world.executed("t"), [(10, "t 1 0".to_owned())]);
        let status = world.last_status();
        let ended = |list: &str, at: usize| status[list][at]["state"]["terminated"]["finishedAt"].clone();
        let app = if is_deleted { 14 } else { 10 };
        assert_eq!(ended("containerStatuses", 0), format!("1970-01-01T00:00:{app}Z"));
        let t = if is_deleted { 14 } else { 11 };
        assert_eq!(ended("initContainerStatuses", 1), format!("1970-01-01T00:00:{t}Z"));
        assert_eq!(world.second(), 19);
    }
}

#[tokio::test(start_paused = true)]
async fn sidecars_have_hooks_too() {
    let mut spec = json!({"restartPolicy": "Never", "containers": [container("a", json!({}))]});
    let hooks = json!({"postStart": exec("up 2 0"), "preStop": exec("down 3 0")});
    spec["initContainers"] = json!([container("s", json!({"restartPolicy": "Always", "lifecycle": hooks}))]);
    let mut world = World::new(spec, |name, _| match name {
        "a" => Script::exit_after(seconds(10), 0),
        _ => Script::exit_after(seconds(1_000), 0),
    });
    world.runtime.play_programs(program);
    world.end().await;
    assert_eq!(world.executed("s"), [(0, "up 2 0".to_owned()), (12, "down 3 0".to_owned())]);
    assert_eq!((world.second(), &world.last_status()["phase"]), (15, &json!("Succeeded")));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_runs_the_pre_stop_hook() {
    let mut spec = pod_of("Never", json!({"lifecycle": {"preStop": exec("hook 4 0")}}));
    spec["activeDeadlineSeconds"] = json!(30);
    let mut world = World::of(spec, OnStop::Exit(143));
    world.end().await;
    assert_eq!((world.second(), &world.last_status()["reason"]), (34, &json!("DeadlineExceeded")));
}

#[tokio::test(start_paused = true)]
async fn a_post_start_hook_that_is_over_is_not_run_again_by_the_next_server_and_one_it_lost_is() {
    let mut world =
        World::of(pod_of("Always", json!({"lifecycle": {"postStart": exec("hook 10 0")}})), OnStop::Exit(143));
    while world.executed("a").is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(seconds(4)).await;
    world.restart().await;
    world.until(is_running).await;
    assert_eq!(world.executed("a"), [(0, "hook 10 0".to_owned()), (4, "hook 10 0".to_owned())]);
    assert_eq!(world.second(), 14);
    world.restart().await;
    world.until(is_running).await;
    world.delete(5);
    world.end().await;
    assert_eq!(world.executed("a").len(), 2);
    assert_eq!(world.attempts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sleep_goes_on_where_it_was_when_the_server_is_killed() {
    let hooks = json!({"postStart": {"sleep": {"seconds": 10}}, "preStop": {"sleep": {"seconds": 10}}});
    let mut world = World::of(pod_of("Always", json!({"lifecycle": hooks})), OnStop::Exit(143));
    world.until(waits_for("ContainerCreating")).await;
    tokio::time::sleep(seconds(4)).await;
    world.restart().await;
    world.until(is_running).await;
    assert_eq!(world.second(), 10);
    world.delete(30);
    world.told("Killing Stopping container a").await;
    tokio::time::sleep(seconds(4)).await;
    world.restart().await;
    world.end().await;
    assert_eq!(world.second(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_stop_survives_the_server_that_began_it() {
    // By deletion: the hook is run again within what is left of the grace.
    let mut world = World::of(pod_of("Always", json!({"lifecycle": {"preStop": exec("hook 6 0")}})), OnStop::Exit(143));
    world.until(is_running).await;
    world.delete(30);
    while world.executed("a").is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(seconds(3)).await;
    world.restart().await;
    world.end().await;
    assert_eq!(world.second(), 9);
    assert_eq!(world.executed("a").len(), 2);

    // By a liveness probe that would succeed by now.
    let live = probe(exec("live 0 1"), json!({"failureThreshold": 1}));
    let more = json!({"livenessProbe": live, "lifecycle": {"preStop": exec("hook 6 0")}});
    let mut world = World::of(pod_of("OnFailure", more), OnStop::Exit(0));
    while world.executed("a").len() < 2 {
        tokio::task::yield_now().await;
    }
    world.runtime.play_programs(|_| Some(Program { takes: seconds(1), exit_code: 0, output: String::new() }));
    world.restart().await;
    world.until(restarted(1)).await;
    assert_eq!(world.second(), 1);
    world.until(is_running).await;
    let commands: Vec<String> = world.executed("a").into_iter().map(|(_, command)| command).take(3).collect();
    assert_eq!(commands, ["live 0 1", "hook 6 0", "hook 6 0"]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_was_promised_comes_though_the_server_is_killed_before_the_container_ends() {
    let live = probe(exec("live 0 1"), json!({"failureThreshold": 1}));
    let mut world = World::new(pod_of("OnFailure", json!({"livenessProbe": live})), |_, _| Script::Run {
        acts: vec![Act::Sleep(seconds(20)), Act::Exit(0)],
        on_stop: OnStop::Ignore,
    });
    world.runtime.play_programs(program);
    world.told("Killing Container a failed liveness probe, will be restarted").await;
    world.restart().await;
    world.until(restarted(1)).await;
    assert_eq!(world.second(), 20);
}

/// A worker that vanishes after so many steps: none of them takes time, so that this reaches the points between two of its deeds.
async fn mortal(worker: Worker, mut n_steps: u32) -> Option<Outcome> {
    let mut work = Box::pin(worker.run());
    let mut life = std::pin::pin!(std::future::poll_fn(|context| {
        if n_steps == 0 {
            return std::task::Poll::Ready(None);
        }
        n_steps -= 1;
        work.as_mut().poll(context).map(Some)
    }));
    life.as_mut().await
}

impl World {
    fn worker(&mut self, sandbox: Option<Arc<dyn PodSandbox>>) -> Worker {
        let (live, statuses) = watch::channel(PodStatus::default());
        self.live = statuses;
        Worker::new(self.context(), self.latest.subscribe(), sandbox, live)
    }

    /// Lets the server die after so many steps, once, and the next one finish. `at` happens then, if it is some second. Answers
    /// whether it died.
    async fn end_with_a_death(&mut self, n_steps: u32, delete_at: Option<u64>) -> bool {
        let mut task = tokio::spawn(mortal(self.worker(None), n_steps));
        let mut deletion = std::pin::pin!(tokio::time::sleep(seconds(delete_at.unwrap_or(1 << 30))));
        let (mut has_died, mut is_deleted) = (false, false);
        loop {
            tokio::select! {
                biased;
                ended = &mut task => match ended.unwrap() {
                    Some(_) => return has_died,
                    None => {
                        has_died = true;
                        self.latest.send_replace(latest(&self.api.pod.lock().clone()));
                        let sandbox = self.runtime.recover().await.pop();
                        task = tokio::spawn(mortal(self.worker(sandbox), u32::MAX));
                    }
                },
                () = &mut deletion, if !is_deleted => {
                    self.delete(30);
                    is_deleted = true;
                }
            }
        }
    }

    /// When programs of this name were executed.
    fn times(&self, name: &str) -> Vec<i64> {
        self.executed("a").into_iter().filter(|(_, command)| command.starts_with(name)).map(|(at, _)| at).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn wherever_the_server_dies_hooks_run_as_often_as_needed_and_the_pod_stops() {
    let mut n_deaths = 0;
    for n_steps in 0.. {
        let more = json!({"lifecycle": {"postStart": exec("up 2 0"), "preStop": exec("down 3 0")}, "readinessProbe": exec("ready 0 0")});
        let script = Script::exit_after(seconds(1_000), 0);
        let mut world = World::without_worker(pod_of("Always", more), move |_, _| script.clone());
        world.runtime.play_programs(program);
        let has_died = world.end_with_a_death(n_steps, Some(10)).await;
        assert_eq!(world.attempts(), [("a".to_owned(), 0)], "{n_steps}");
        let (ups, downs) = (world.times("up"), world.times("down"));
        // Again only if the server was lost in the middle of it.
        assert!(matches!(ups[..], [0] | [0, 0..=2]), "{n_steps}: {ups:?}");
        assert!(matches!(downs[..], [10] | [10, 10..=13]), "{n_steps}: {downs:?}");
        assert_eq!(world.second(), downs.last().unwrap() + 3, "{n_steps}");
        let ended = &world.last_status()["containerStatuses"][0]["state"]["terminated"];
        assert_eq!(ended["exitCode"], 143, "{n_steps}");
        assert_eq!(world.left_over(), Vec::<String>::new(), "{n_steps}");
        if !has_died {
            break;
        }
        n_deaths += 1;
    }
    assert!(10 < n_deaths, "{n_deaths}");
}

#[tokio::test(start_paused = true)]
async fn wherever_the_server_dies_a_container_that_failed_its_probe_is_killed_and_restarted() {
    for n_steps in 0.. {
        let live = probe(exec("live 0 1"), json!({"failureThreshold": 1, "initialDelaySeconds": 5}));
        let more = json!({"livenessProbe": live, "lifecycle": {"preStop": exec("down 3 0")}});
        let mut world = World::without_worker(pod_of("OnFailure", more), |_, attempt| Script::Run {
            acts: vec![Act::Sleep(seconds(if attempt == 0 { 1_000 } else { 3 })), Act::Exit(0)],
            on_stop: OnStop::Exit(0),
        });
        world.runtime.play_programs(program);
        let has_died = world.end_with_a_death(n_steps, None).await;
        assert_eq!(world.attempts(), [("a".to_owned(), 0), ("a".to_owned(), 1)], "{n_steps}");
        let downs = world.times("down");
        assert!(matches!(downs[..], [5] | [5, 5..=8]), "{n_steps}: {downs:?}");
        assert_eq!(world.last_status()["phase"], "Succeeded", "{n_steps}");
        if !has_died {
            break;
        }
    }
}
