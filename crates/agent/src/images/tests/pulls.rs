//! Pulls from registries of every kind: honest, busy, broken, and lying.

use super::registry::{Answer, OCI_INDEX, OCI_MANIFEST, Registry, Then, answer};
use super::*;
use crate::images::registry::keyring::Keyring;
use crate::images::registry::{Fault, Patience, PullError, Pulled};
use crate::images::supply::Supply;
use serde_json::json;
use std::time::Duration;

/// An image directory that pulls.
struct Machine {
    fixture: Fixture,
    supply: Supply,
}

impl Machine {
    fn new() -> Self {
        Self::with_registries("")
    }

    fn with_registries(yaml: &str) -> Self {
        let fixture = Fixture::new();
        let file = fixture.write("registries.yaml", yaml.as_bytes());
        let quick = Duration::from_millis(20);
        let patience = Patience {
            answer: Duration::from_secs(20),
            body: Duration::from_secs(20),
            pause: quick,
            longest_pause: quick,
        };
        let supply = Supply::new(fixture.store.clone(), file).with_patience(patience);
        Self { fixture, supply }
    }

    async fn pull(&self, image: &str) -> Result<Pulled, PullError> {
        self.supply.pull(image, &Keyring::default()).await
    }

    async fn refused(&self, image: &str) -> (Fault, String) {
        let error = self.pull(image).await.unwrap_err();
        (error.fault, error.text)
    }

    /// Nothing that is half done, and no name.
    fn assert_empty(&self) {
        assert_eq!(self.fixture.names_in("tmp"), Vec::<String>::new());
        let names: Vec<String> = self.fixture.store.list().unwrap().into_iter().map(|row| row.reference).collect();
        assert_eq!(names, ["kiln/demo", "kiln/host"]);
    }
}

fn text_layer(name: &str, text: &str) -> Vec<u8> {
    layer(|tar| file(tar, name, text))
}

fn read(image: &Image, layer: usize, name: &str) -> String {
    fs::read_to_string(image.rootfs.lower[layer].join(name)).unwrap()
}

fn keyring(host: &str, username: &str, password: &str) -> Keyring {
    let mut keyring = Keyring::default();
    let json = json!({"auths": {host: {"username": username, "password": password}}}).to_string();
    keyring.add_secret("kubernetes.io/dockerconfigjson", |_| Some(json.clone().into_bytes())).unwrap();
    keyring
}

fn authorization(asked: &super::registry::Asked) -> Option<&str> {
    asked.headers.get("authorization").map(|value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_gives_this_machines_image_with_layers_of_every_packing() {
    let registry = Registry::start().await;
    let layers = [text_layer("one", "1"), text_layer("two", "2"), text_layer("three", "3")];
    let packed = [layers[0].clone(), gzip(&layers[1]), zstd::encode_all(&layers[2][..], 1).unwrap()];
    let mut ours = registry.push("team/app:unused", &layers, &packed);
    ours["platform"] = json!({"os": "linux", "architecture": documents::architecture()});
    let other = json!({"mediaType": OCI_MANIFEST, "size": 2, "digest": digest(b"no"), "platform": {"os": "linux", "architecture": "vax"}});
    let index =
        registry.push_manifest("team/app", "1", OCI_INDEX, &json!({"schemaVersion": 2, "manifests": [other, ours]}));
    let machine = Machine::new();
    let name = registry.image("team/app:1");
    let pulled = machine.pull(&name).await.unwrap();
    let image = &pulled.image;
    assert_eq!([read(image, 2, "one"), read(image, 1, "two"), read(image, 0, "three")], ["1", "2", "3"]);
    let digest = format!("{}@{}", registry.image("team/app"), index["digest"].as_str().unwrap());
    assert_eq!(image.shown_id(), digest);
    assert_eq!(image.origin, Origin::Pulled { digest: digest.clone(), access: Access::Everyone });
    assert_eq!(pulled.downloaded_bytes, packed.iter().map(|layer| layer.len() as u64).sum::<u64>());
    assert_eq!(machine.fixture.store.resolve(&digest).unwrap().id, image.id, "the digest names it too");
    let before = registry.asked().len();
    let again = machine.pull(&name).await.unwrap();
    assert_eq!((again.downloaded_bytes, again.image.id == image.id), (0, true));
    assert_eq!(registry.asked().len(), before + 1, "only the manifest is asked for again");
    machine.pull(&digest).await.unwrap();
    assert_eq!(machine.fixture.names_in("tmp"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_moves_brings_the_new_image_and_only_its_new_layers() {
    let registry = Registry::start().await;
    let (base, old, new) = (text_layer("base", "b"), text_layer("app", "old"), text_layer("app", "new"));
    let name = registry.image("app:1");
    let machine = Machine::new();
    registry.push("app:1", &[base.clone(), old.clone()], &[gzip(&base), gzip(&old)]);
    machine.pull(&name).await.unwrap();
    registry.push("app:1", &[base.clone(), new.clone()], &[gzip(&base), gzip(&new)]);
    let pulled = machine.pull(&name).await.unwrap();
    assert_eq!(read(&pulled.image, 0, "app"), "new");
    assert_eq!(pulled.downloaded_bytes, gzip(&new).len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_want_one_image_pull_it_once() {
    let registry = Registry::start().await;
    let layers = [text_layer("a", "a"), text_layer("b", "b")];
    registry.push("app:1", &layers, &layers.clone().map(|layer| gzip(&layer)));
    let (machine, name) = (Machine::new(), registry.image("app:1"));
    let all = futures::future::join_all((0..10).map(|_| machine.pull(&name))).await;
    assert!(all.iter().all(|pulled| pulled.as_ref().unwrap().image.id == all[0].as_ref().unwrap().image.id));
    let counts = registry.counts();
    assert!(counts.len() == 4 && counts.values().all(|count| *count == 1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_images_share_a_layer_that_is_on_its_way() {
    let registry = Registry::start().await;
    let (base, app) = (text_layer("base", "b"), text_layer("app", "a"));
    registry.push("one:1", std::slice::from_ref(&base), &[gzip(&base)]);
    registry.push("two:1", &[base.clone(), app.clone()], &[gzip(&base), gzip(&app)]);
    let machine = Machine::new();
    let (one, two) = (registry.image("one:1"), registry.image("two:1"));
    let (one, two) = tokio::join!(machine.pull(&one), machine.pull(&two));
    assert_eq!(one.unwrap().image.rootfs.lower[0], two.unwrap().image.rootfs.lower[1]);
    let base_digest = digest(&gzip(&base));
    let asked = registry.asked().iter().filter(|asked| asked.path.ends_with(&base_digest)).count();
    assert_eq!(asked, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_nobody_waits_for_any_more_ends_and_leaves_nothing() {
    let registry = Registry::start().await;
    let layer = text_layer("a", &"x".repeat(100_000));
    registry.push("app:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    let path = format!("/v2/app/blobs/{}", digest(&layer));
    registry.rule(move |asked, _| {
        (asked.path == path).then(|| Answer { then: Then::Hang, ..answer(200, &[], &layer[..5_000]) })
    });
    let machine = Machine::new();
    let name = registry.image("app:1");
    let (flight, progress) = machine.supply.begin(&name, &Keyring::default()).unwrap();
    let half = async {
        while progress.stand().done_bytes < 5_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = flight => panic!("it hangs"),
        () = half => {}
    }
    while !machine.fixture.names_in("tmp").is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    machine.assert_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_lies_is_found_out() {
    let layer = text_layer("file", &"honest".repeat(1000));
    let longer = [layer.clone(), b"more".to_vec()].concat();
    let other = text_layer("file", &"forged".repeat(1000));
    type Lie = Box<dyn Fn(&Registry, Vec<u8>, Vec<u8>, Vec<u8>)>;
    fn at(path: &str, body: &[u8]) -> impl Fn(&super::registry::Asked, usize) -> Option<Answer> + Send + use<> {
        let (path, body) = (path.to_owned(), body.to_vec());
        move |asked, _| asked.path.contains(&path).then(|| answer(200, &[], body.clone()))
    }
    let lies: Vec<(&str, Lie, &str)> = vec![
        (
            "other bytes",
            Box::new(|r, layer, other, _| r.rule(at(&digest(&layer), &other))),
            "its bytes: digest is sha256:",
        ),
        (
            "more bytes",
            Box::new(|r, layer, _, longer| r.rule(at(&digest(&layer), &longer))),
            "sends more bytes than its descriptor says",
        ),
        (
            "a length that is not the descriptor's",
            Box::new(|r, layer, _, longer| {
                let path = digest(&layer);
                let length = longer.len().to_string();
                r.rule(move |asked, _| {
                    asked.path.contains(&path).then(|| answer(200, &[("content-length", &length)], longer.clone()))
                });
            }),
            "and its descriptor says",
        ),
        ("fewer bytes", Box::new(|r, layer, _, _| r.rule(at(&digest(&layer), &layer[..100]))), "ends after 100 of"),
        (
            "another manifest than its header says",
            Box::new(|r, _, _, _| {
                r.rule(|asked, _| {
                    let wrong = digest(b"x");
                    asked.path.ends_with("manifests/1").then(|| answer(200, &[("docker-content-digest", &wrong)], "{}"))
                });
            }),
            "expected sha256:",
        ),
        (
            "no manifest at all",
            Box::new(|r, _, _, _| r.rule(at("manifests/1", b"<html>hello"))),
            "expected value at line 1",
        ),
        (
            "another configuration",
            Box::new(|r, layer, other, _| {
                r.rule(at(&digest(&config(std::slice::from_ref(&layer))), &config(&[other])))
            }),
            "its bytes: digest is sha256:",
        ),
        (
            "a layer that unpacks to another",
            Box::new(|r, layer, other, _| drop(r.push("app:1", &[other], &[gzip(&layer)]))),
            "unpacked: digest is sha256:",
        ),
        (
            "two layers where the configuration has one",
            Box::new(|r, layer, _, _| {
                drop(r.push("app:1", std::slice::from_ref(&layer), &[layer.clone(), layer.clone()]))
            }),
            "2 layers, but the configuration lists 1",
        ),
        (
            "an image that is two things",
            Box::new(|r, layer, _, _| {
                let config = r.blob("app", "", &config(std::slice::from_ref(&layer)));
                let both = json!({"schemaVersion": 2, "config": config, "layers": [], "manifests": []});
                r.push_manifest("app", "1", OCI_MANIFEST, &both);
            }),
            "is an index and a manifest at once",
        ),
        (
            "nothing",
            Box::new(|r, _, _, _| drop(r.push_manifest("app", "1", OCI_MANIFEST, &json!({"schemaVersion": 2})))),
            "is neither an index nor a manifest",
        ),
        (
            "schema 1",
            Box::new(|r, _, _, _| drop(r.push_manifest("app", "1", OCI_MANIFEST, &json!({"schemaVersion": 1})))),
            "is a manifest of schema 1",
        ),
        (
            "a digest that names a file",
            Box::new(|r, layer, _, _| {
                let config = json!({"digest": "sha256:../../../../etc/passwd", "size": 1});
                let manifest = json!({"schemaVersion": 2, "config": config, "layers": [r.blob("app", "", &layer)]});
                r.push_manifest("app", "1", OCI_MANIFEST, &manifest);
            }),
            "is not a sha256 digest",
        ),
        (
            "a manifest without end",
            Box::new(|r, _, _, _| {
                let big = vec![b' '; 9 << 20];
                r.rule(at("manifests/1", &big));
            }),
            "more than 8388608 bytes",
        ),
    ];
    for (what, lie, expect) in lies {
        let registry = Registry::start().await;
        registry.push("app:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
        lie(&registry, layer.clone(), other.clone(), longer.clone());
        let machine = Machine::new();
        let (fault, text) = machine.refused(&registry.image("app:1")).await;
        assert!(text.contains(expect), "{what}: {text}");
        assert!(matches!(fault, Fault::Dishonest | Fault::Unreachable), "{what}: {fault:?}");
        machine.assert_empty();
        assert_eq!(machine.fixture.names_in("layers"), Vec::<String>::new(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_asked_for_by_digest_has_that_digest() {
    let registry = Registry::start().await;
    let (layer, other) = (text_layer("f", "1"), text_layer("f", "2"));
    let wanted = registry.push("app:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    let forged = registry.push("app:2", std::slice::from_ref(&other), std::slice::from_ref(&other));
    let wanted = wanted["digest"].as_str().unwrap().to_owned();
    let forged = format!("/v2/app/manifests/{}", forged["digest"].as_str().unwrap());
    let path = format!("/v2/app/manifests/{wanted}");
    registry.rule(move |asked, _| (asked.path == path).then(|| answer(307, &[("location", &forged)], "")));
    let machine = Machine::new();
    let (fault, text) = machine.refused(&registry.image(&format!("app@{wanted}"))).await;
    assert!(fault == Fault::Dishonest && text.contains(&format!("expected {wanted}")), "{text}");
    machine.assert_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_for_too_much_is_stopped() {
    let zeros = layer(|tar| entry(tar, EntryType::Regular, "zeros", "", 0o644, &vec![0; 300 << 20]));
    let bomb = zstd::encode_all(&zeros[..], 1).unwrap();
    let many = layer(|tar| (0..50).for_each(|i| file(tar, &i.to_string(), "")));
    let claims = layer(|tar| {
        let mut header = Header::new_gnu();
        header.set_path("sparse").unwrap();
        header.set_size(1 << 50);
        header.set_cksum();
        tar.append(&header, std::io::empty()).unwrap();
    });
    for (what, layer, packed, expect) in [
        ("a bomb", zeros, bomb, "unpacked bytes for each packed byte"),
        ("many files", many.clone(), gzip(&many), "more than 40 entries"),
        ("a file of a petabyte", claims.clone(), gzip(&claims), "unpacked bytes"),
    ] {
        let registry = Registry::start().await;
        registry.push("app:1", &[layer], &[packed]);
        let mut machine = Machine::new();
        let limits = Limits { entries: 40, ..Limits::default() };
        let store = machine.fixture.store.clone().with_limits(limits);
        machine.supply = Supply::new(store, "/nowhere".into());
        let (_, text) = machine.refused(&registry.image("app:1")).await;
        assert!(text.contains(expect), "{what}: {text}");
        machine.assert_empty();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_that_lead_nowhere_are_refused() {
    let registry = Registry::start().await;
    let index = |nested: &serde_json::Value| json!({"schemaVersion": 2, "manifests": [nested]});
    let layer = text_layer("f", "1");
    let mut nested = registry.push("app:0", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    for depth in 1..8 {
        nested = registry.push_manifest("app", &depth.to_string(), OCI_INDEX, &index(&nested));
    }
    let machine = Machine::new();
    machine.pull(&registry.image("app:3")).await.unwrap();
    let (fault, text) = machine.refused(&registry.image("app:7")).await;
    assert!(fault == Fault::Dishonest && text.contains("nested deeper than 4"), "{text}");
    registry.push_manifest("app", "empty", OCI_INDEX, &json!({"schemaVersion": 2, "manifests": []}));
    let (fault, text) = machine.refused(&registry.image("app:empty")).await;
    assert!(fault == Fault::Absent && text.contains("no match for platform"), "{text}");
    let chart = json!({"schemaVersion": 2, "layers": [], "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest(b"{}"), "size": 2}});
    registry.push_manifest("app", "chart", OCI_MANIFEST, &chart);
    let (fault, text) = machine.refused(&registry.image("app:chart")).await;
    assert!(
        fault == Fault::Absent && text.contains("is not a container image, but \"application/vnd.cncf.helm"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_is_taken_up_where_it_broke() {
    for understands_ranges in [true, false] {
        let registry = Registry::start().await;
        let layer = text_layer("file", &"0123456789".repeat(20_000));
        registry.push("app:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
        let path = format!("/v2/app/blobs/{}", digest(&layer));
        registry.rule(move |asked, before| {
            let start = before * 50_000;
            let end = layer.len().min(start + 50_000);
            let from = if understands_ranges { start } else { 0 };
            let range = format!("bytes {start}-{}/{}", layer.len() - 1, layer.len());
            let headers: &[(&str, &str)] =
                if understands_ranges && 0 < before { &[("content-range", &range)] } else { &[] };
            let status = if headers.is_empty() { 200 } else { 206 };
            let then = if end == layer.len() { Then::End } else { Then::Break };
            (asked.path == path).then(|| Answer { then, ..answer(status, headers, &layer[from..end]) })
        });
        let machine = Machine::new();
        let pulled = machine.pull(&registry.image("app:1")).await.unwrap();
        assert_eq!(read(&pulled.image, 0, "file").len(), 200_000);
        let ranges: Vec<String> = registry
            .asked()
            .iter()
            .filter_map(|asked| Some(asked.headers.get("range")?.to_str().unwrap().to_owned()))
            .collect();
        assert_eq!(ranges, ["bytes=50000-", "bytes=100000-", "bytes=150000-", "bytes=200000-"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_gets_nowhere_is_given_up_and_whole_layers_are_kept() {
    let registry = Registry::start().await;
    let (good, bad) = (text_layer("good", "1"), text_layer("bad", "2"));
    registry.push("app:1", &[good.clone(), bad.clone()], &[good.clone(), bad.clone()]);
    let path = format!("/v2/app/blobs/{}", digest(&bad));
    let honest = path.clone();
    registry.rule(move |asked, before| {
        (asked.path == path && before < 3).then(|| Answer { then: Then::Break, ..answer(200, &[], "") })
    });
    let machine = Machine::new();
    let name = registry.image("app:1");
    let (fault, text) = machine.refused(&name).await;
    assert!(fault == Fault::Unreachable && text.contains(&format!("layer {}", digest(&bad))), "{text}");
    machine.assert_empty();
    let pulled = machine.pull(&name).await.unwrap();
    assert_eq!(pulled.downloaded_bytes, bad.len() as u64, "the other layer was here already");
    assert_eq!(registry.counts()[&honest], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_registry_is_asked_again_within_reason() {
    for (status, fails, expect) in [(429, 2, true), (503, 2, true), (500, 9, false), (429, 9, false)] {
        let registry = Registry::start().await;
        let layer = text_layer("file", "1");
        registry.push("app:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
        registry.rule(move |asked, before| {
            let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
            (asked.path.contains("manifests") && before < fails)
                .then(|| answer(status, &[("retry-after", "3600")], body))
        });
        let pulled = Machine::new().pull(&registry.image("app:1")).await;
        assert_eq!(pulled.is_ok(), expect, "{status} {fails}");
        if let Err(error) = pulled {
            assert_eq!(error.fault, Fault::Unreachable);
            assert!(error.text.ends_with("TOOMANYREQUESTS: slow down"), "{}", error.text);
            assert_eq!(registry.asked().len(), 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_says_nothing_is_not_waited_for_for_ever() {
    let registry = Registry::start().await;
    let layer = text_layer("file", "1");
    registry.push("app:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    registry.rule(|asked, _| asked.path.contains("blobs").then(|| Answer { then: Then::Hang, ..answer(200, &[], "") }));
    let machine = Machine::new();
    let short = Duration::from_millis(50);
    let patience = Patience { answer: Duration::from_secs(20), body: short, pause: short, longest_pause: short };
    let supply = Supply::new(machine.fixture.store.clone(), "/nowhere".into()).with_patience(patience);
    let error = supply.pull(&registry.image("app:1"), &Keyring::default()).await.unwrap_err();
    assert!(error.fault == Fault::Unreachable && error.text.contains("nothing more within"), "{}", error.text);
    // A listener that takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let patience = Patience { answer: short, ..patience };
    let supply = Supply::new(machine.fixture.store.clone(), "/nowhere".into()).with_patience(patience);
    let name = format!("{}/app:1", silent.local_addr().unwrap());
    let error = supply.pull(&name, &Keyring::default()).await.unwrap_err();
    assert!(error.fault == Fault::Unreachable && error.text.contains("no answer within"), "{}", error.text);
    let nobody = silent.local_addr().unwrap();
    drop(silent);
    let (fault, text) = machine.refused(&format!("{nobody}/app:1")).await;
    assert!(fault == Fault::Unreachable && text.contains("Connection refused"), "{text}");
    machine.assert_empty();
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_fetched_with_what_the_pod_has() {
    let registry = Registry::start().await;
    let layer = text_layer("file", "1");
    registry.push("team/app:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    let realm = format!("http://{}/token", registry.address);
    registry.rule(move |asked, _| {
        if asked.path.starts_with("/token") {
            let is_known = authorization(asked) == Some("Basic dTpw");
            return Some(if is_known { answer(200, &[], r#"{"token":"good"}"#) } else { answer(401, &[], "") });
        }
        let challenge = format!("Bearer realm=\"{realm}\",service=\"r\",scope=\"repository:other/secret:pull,push\"");
        (authorization(asked) != Some("Bearer good")).then(|| answer(401, &[("www-authenticate", &challenge)], ""))
    });
    let machine = Machine::new();
    let name = registry.image("team/app:1");
    let (fault, text) = machine.refused(&name).await;
    assert_eq!(fault, Fault::Denied);
    assert!(text.contains("failed to authorize: failed to fetch anonymous token: unexpected status"), "{text}");
    let host = registry.address.to_string();
    let wrong = machine.supply.pull(&name, &keyring(&host, "u", "wrong")).await.unwrap_err();
    assert!(wrong.fault == Fault::Denied && wrong.text.contains("failed to fetch oauth token"), "{}", wrong.text);
    assert!(!wrong.text.contains("wrong"), "no password in a message: {}", wrong.text);
    let right = keyring(&host, "u", "p");
    let pulled = machine.supply.pull(&name, &right).await.unwrap();
    let Origin::Pulled { access, .. } = pulled.image.origin else { panic!("{:?}", pulled.image.origin) };
    assert!(access.lets(&right.fingerprints(&name)) && !access.lets(&[]), "{access:?}");
    let token = registry.asked().into_iter().rfind(|asked| asked.path.starts_with("/token")).unwrap();
    assert_eq!(
        token.path, "/token?scope=repository%3Ateam%2Fapp%3Apull&service=r",
        "nothing but the right to pull this"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_for_a_password_for_ever_gives_up() {
    let registry = Registry::start().await;
    let realm = format!("http://{}/token", registry.address);
    registry.rule(move |asked, _| {
        let challenge = format!("Bearer realm=\"{realm}\"");
        Some(match asked.path.starts_with("/token") {
            true => answer(200, &[], r#"{"token":"never right"}"#),
            false => answer(401, &[("www-authenticate", &challenge)], r#"{"errors":[{"code":"DENIED"}]}"#),
        })
    });
    let machine = Machine::new();
    let (fault, text) = machine.refused(&registry.image("app:1")).await;
    assert!(fault == Fault::Denied && text.contains("pull access denied") && text.ends_with(": DENIED"), "{text}");
    assert_eq!(registry.asked().len(), 5, "three tries and two tokens");
    registry.rule(|_, _| Some(answer(401, &[("www-authenticate", "Basic realm=\"x\"")], "")));
    let before = registry.asked().len();
    let host = registry.address.to_string();
    let error = machine.supply.pull(&registry.image("app:1"), &keyring(&host, "u", "p")).await.unwrap_err();
    assert_eq!(error.fault, Fault::Denied);
    assert_eq!(registry.asked().len(), before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_and_credentials_stay_behind() {
    let (registry, storage) = (Registry::start().await, Registry::start().await);
    let layer = text_layer("file", "1");
    registry.push("app:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    storage.blob("stored", "", &layer);
    let (path, target) =
        (digest(&layer), format!("http://{}/v2/stored/blobs/{}?signature=x", storage.address, digest(&layer)));
    registry.rule(move |asked, _| {
        if authorization(asked) != Some("Basic dTpw") {
            return Some(answer(401, &[("www-authenticate", "Basic realm=\"x\"")], ""));
        }
        asked.path.contains(&path).then(|| answer(307, &[("location", &target)], ""))
    });
    let machine = Machine::new();
    let host = registry.address.to_string();
    machine.supply.pull(&registry.image("app:1"), &keyring(&host, "u", "p")).await.unwrap();
    let asked = storage.asked();
    assert_eq!((asked.len(), authorization(&asked[0])), (1, None));
    let around = format!("http://{}/around", registry.address);
    registry.rule(move |_, _| Some(answer(302, &[("location", &around)], "")));
    let (fault, text) = machine.refused(&registry.image("app:2")).await;
    assert!(fault == Fault::Unreachable && text.contains("more than 5 redirects"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_are_asked_first_and_a_bad_one_is_passed_over() {
    let (bad, good) = (Registry::start().await, Registry::start().await);
    let layer = text_layer("file", "1");
    good.push("hub/busybox:1.35", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    bad.push("hub/busybox:1.35", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    bad.rule(|asked, _| asked.path.contains("blobs").then(|| answer(200, &[], "forged")));
    let yaml = format!(
        "mirrors: {{docker.io: {{endpoint: ['http://127.0.0.1:1', 'http://{}', 'http://{}'], rewrite: {{'^library/(.*)$': 'hub/$1'}}}}}}",
        bad.address, good.address
    );
    let machine = Machine::with_registries(&yaml);
    let secret = keyring("docker.io", "u", "p");
    let pulled = machine.supply.pull("busybox:1.35", &secret).await.unwrap();
    assert_eq!(pulled.image.reference, "docker.io/library/busybox:1.35");
    assert!(pulled.image.shown_id().starts_with("docker.io/library/busybox@sha256:"));
    let first = &good.asked()[0];
    assert_eq!(first.path, "/v2/hub/busybox/manifests/1.35?ns=docker.io");
    assert!(
        bad.asked().iter().chain(&good.asked()).all(|asked| authorization(asked).is_none()),
        "they are for docker.io"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_read_again_when_it_changes_and_its_mistakes_are_told() {
    let registry = Registry::start().await;
    let layer = text_layer("file", "1");
    registry.push("library/busybox:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    let machine = Machine::with_registries("mirrors: {docker.io: {endpoints: []}}");
    let (fault, text) = machine.refused("busybox:1").await;
    assert_eq!(fault, Fault::Local);
    assert!(
        text.ends_with("registries.yaml: mirrors.docker.io.endpoints: no such field (there are endpoint, rewrite)"),
        "{text}"
    );
    assert_eq!(machine.supply.check().unwrap_err().fault, Fault::Local);
    let credentials = format!("configs: {{'{}': {{auth: {{username: u, password: p}}}}}}", registry.address);
    let yaml = format!("mirrors: {{docker.io: {{endpoint: ['http://{}']}}}}\n{credentials}", registry.address);
    registry.rule(|asked, _| {
        let challenge = [("www-authenticate", "Basic realm=\"x\"")];
        (authorization(asked) != Some("Basic dTpw")).then(|| answer(401, &challenge, ""))
    });
    machine.fixture.write("registries.yaml", yaml.as_bytes());
    let pulled = machine.pull("busybox:1").await.unwrap();
    let Origin::Pulled { access, .. } = pulled.image.origin else { panic!("{:?}", pulled.image.origin) };
    assert_eq!(access, Access::Everyone, "it is this machine's own password");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_says_so_in_kubernetes_words() {
    let registry = Registry::start().await;
    let machine = Machine::new();
    let name = registry.image("team/app:nope");
    let (fault, text) = machine.refused(&name).await;
    assert_eq!(fault, Fault::Absent);
    let expect = format!(
        "failed to pull and unpack image \"{name}\": failed to resolve reference \"{name}\": {name}: not found"
    );
    assert_eq!(text, expect);
    for (name, fault) in [("UPPER", Fault::Name), ("kiln/other", Fault::Name)] {
        assert_eq!(machine.refused(name).await.0, fault, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_has_lost_a_layer_is_pulled_anew() {
    let registry = Registry::start().await;
    let layer = text_layer("file", "1");
    registry.push("app:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    let (machine, name) = (Machine::new(), registry.image("app:1"));
    let pulled = machine.pull(&name).await.unwrap();
    fs::remove_dir_all(&pulled.image.rootfs.lower[0]).unwrap();
    assert!(matches!(machine.fixture.store.resolve(&name), Err(ImageError::NotFound(_))));
    machine.pull(&name).await.unwrap();
    assert_eq!(read(&machine.fixture.store.resolve(&name).unwrap(), 0, "file"), "1");
}

fn age(machine: &Machine, image: &Image, seconds: u64) {
    let blob = machine.fixture.store.0.directory.blob(&image.id);
    let time = std::time::SystemTime::now() - Duration::from_secs(seconds);
    fs::File::options().write(true).open(blob).unwrap().set_modified(time).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_takes_the_longest_unused_image_and_none_that_is_in_use() {
    let registry = Registry::start().await;
    let machine = Machine::new();
    let mut images = Vec::new();
    for name in ["used", "newer", "older"] {
        let layer = text_layer(name, name);
        registry.push(&format!("{name}:1"), std::slice::from_ref(&layer), &[gzip(&layer)]);
        images.push(machine.pull(&registry.image(&format!("{name}:1"))).await.unwrap().image);
    }
    machine.fixture.import(&docker_archive(&[text_layer("mine", "mine")], &["mine:1"])).unwrap();
    let imported = machine.fixture.store.resolve("mine:1").unwrap();
    let held = hold(&images[0].rootfs.lower).unwrap();
    for (image, seconds) in images.iter().chain([&imported]).zip([9_000, 1_000, 2_000, 9_000]) {
        age(&machine, image, seconds);
    }
    let store = &machine.fixture.store;
    let now = jiff::Timestamp::now();
    let usual = collect::Thresholds::default();
    let disk = |available_bytes| collect::Usage { capacity_bytes: 1000, available_bytes };
    assert_eq!(store.collect(disk(500), usual, now).unwrap(), collect::Collected::default(), "there is room");
    let collected = store.collect(disk(196), collect::Thresholds { high_percent: 80, ..usual }, now).unwrap();
    let expect = collect::Collected { names: vec![registry.image("older:1")], wanted_bytes: 4, freed_bytes: 5 };
    assert_eq!(collected, expect, "as much as is needed");
    assert!(!images[2].rootfs.lower[0].exists() && images[1].rootfs.lower[0].exists());
    let collected = store.collect(disk(0), usual, now).unwrap();
    assert_eq!(collected.names, [registry.image("newer:1")]);
    assert!(store.resolve(&registry.image("used:1")).is_ok() && store.resolve("mine:1").is_ok());
    drop(held);
    assert!(store.collect(disk(0), usual, now).unwrap().names.is_empty(), "it was used just now: it has been resolved");
    age(&machine, &images[0], 300);
    assert_eq!(store.collect(disk(0), usual, now).unwrap().names, [registry.image("used:1")]);
    assert_eq!(machine.fixture.names_in("layers").len(), 1, "the imported one");
    assert_eq!(machine.fixture.names_in("tmp"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_in_use_is_removed_only_by_force() {
    let registry = Registry::start().await;
    let layer = text_layer("f", "1");
    registry.push("app:1", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    registry.push("app:2", std::slice::from_ref(&layer), std::slice::from_ref(&layer));
    let machine = Machine::new();
    let (one, two) = (registry.image("app:1"), registry.image("app:2"));
    let image = machine.pull(&one).await.unwrap().image;
    machine.pull(&two).await.unwrap();
    let store = &machine.fixture.store;
    let held = hold(&image.rootfs.lower).unwrap();
    store.remove(&two, Force::UnlessUsed).unwrap();
    let error = store.remove(&one, Force::UnlessUsed).unwrap_err();
    assert_eq!(error.to_string(), format!("image {one:?} is in use by a running container"));
    assert!(store.resolve(&one).is_ok(), "it has kept its name");
    store.remove(&one, Force::EvenIfUsed).unwrap();
    assert!(image.rootfs.lower[0].is_dir(), "the container still needs it");
    drop(held);
    machine.pull(&one).await.unwrap();
    store.remove(&one, Force::UnlessUsed).unwrap();
    assert!(!image.rootfs.lower[0].exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_pull_left_is_swept_and_its_whole_layers_are_used() {
    let registry = Registry::start().await;
    let (first, second) = (text_layer("a", "a"), text_layer("b", "b"));
    registry.push("app:1", &[first.clone(), second.clone()], &[gzip(&first), gzip(&second)]);
    let machine = Machine::new();
    let name = registry.image("app:1");
    let whole = machine.pull(&name).await.unwrap().image;
    // As kill -9 leaves it: one layer in its place, no name, half of another in a directory that nobody holds.
    let directory = machine.fixture.dir.path().join("images");
    fs::remove_file(directory.join("images.json")).unwrap();
    fs::remove_dir_all(&whole.rootfs.lower[0]).unwrap();
    fs::create_dir_all(directory.join("tmp/abandoned/unpacking/half")).unwrap();
    let store = ImageStore::open(&directory).unwrap();
    assert!(machine.fixture.names_in("tmp").is_empty());
    assert!(matches!(store.resolve(&name), Err(ImageError::NotFound(_))));
    let pulled = Supply::new(store, "/nowhere".into()).pull(&name, &Keyring::default()).await.unwrap();
    assert_eq!(pulled.downloaded_bytes, gzip(&second).len() as u64);
    assert_eq!(read(&pulled.image, 0, "b"), "b");
}
