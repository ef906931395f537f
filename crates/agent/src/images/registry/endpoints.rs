//! Where to ask for an image, in which order, under which name. Pure. The rules are k3s': a registry's mirrors first, as they
//! stand in the file, then the registry itself.

use super::super::reference::Reference;
use super::configuration::{Endpoint, Registries, Scheme};

/// One place to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub endpoint: Endpoint,
    /// The repository's name there.
    pub repository: String,
    /// Tells a mirror whose image is meant; absent for the registry itself.
    pub mirrored: Option<String>,
}

/// All places, the first to be asked first.
pub(super) fn places(reference: &Reference, registries: &Registries) -> Vec<Place> {
    let itself = Place {
        endpoint: own_endpoint(&reference.domain, registries),
        repository: reference.path.clone(),
        mirrored: None,
    };
    let mut places = Vec::new();
    if let Some(mirror) = registries.mirror(&reference.domain) {
        let rewrite = mirror.rewrites.iter().find(|(pattern, _)| pattern.is_match(&reference.path));
        let repository = match rewrite {
            Some((pattern, target)) => pattern.replace_all(&reference.path, target.as_str()).into_owned(),
            None => reference.path.clone(),
        };
        for endpoint in &mirror.endpoints {
            let is_itself = *endpoint == itself.endpoint && repository == itself.repository;
            let mirrored = (!is_itself).then(|| reference.domain.clone());
            places.push(Place { endpoint: endpoint.clone(), repository: repository.clone(), mirrored });
        }
    }
    if places.iter().all(|place| place.mirrored.is_some()) {
        places.push(itself);
    }
    places
}

/// The registry's own. On this machine's loopback it is asked without encryption, unless certificates are set for it.
fn own_endpoint(domain: &str, registries: &Registries) -> Endpoint {
    let authority = if domain == "docker.io" { "registry-1.docker.io" } else { domain };
    let has_tls = registries.host(authority).is_some_and(|host| host.tls.is_some());
    let scheme = if is_loopback(authority) && !has_tls { Scheme::Http } else { Scheme::Https };
    Endpoint { scheme, authority: authority.to_owned(), path: "/v2".into() }
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::super::reference::{Name, parse};
    use super::*;

    fn check(image: &str, registries: &str, expect: &[&str]) {
        let Name::Image(reference) = parse(image).unwrap() else { panic!("{image}") };
        let registries = Registries::parse(registries).unwrap();
        let shown = |place: Place| {
            let ns = place.mirrored.map(|domain| format!("?ns={domain}")).unwrap_or_default();
            format!("{}/{}{ns}", place.endpoint.base(), place.repository)
        };
        let actual: Vec<String> = places(&reference, &registries).into_iter().map(shown).collect();
        assert_eq!(actual, expect, "{image}");
    }

    #[test]
    fn without_a_file_the_registry_itself_is_asked() {
        check("busybox", "", &["https://registry-1.docker.io/v2/library/busybox"]);
        check("quay.io/a/b:1", "", &["https://quay.io/v2/a/b"]);
        check("localhost:5000/a", "", &["http://localhost:5000/v2/a"]);
        check("127.0.0.1:5000/a", "", &["http://127.0.0.1:5000/v2/a"]);
        check("[::1]:5000/a", "", &["http://[::1]:5000/v2/a"]);
        let with_tls = "configs: {'127.0.0.1:5000': {tls: {ca_file: /x}}}";
        check("127.0.0.1:5000/a", with_tls, &["https://127.0.0.1:5000/v2/a"]);
        check("127.0.0.1.example/a", "", &["https://127.0.0.1.example/v2/a"]);
    }

    #[test]
    fn mirrors_come_first_and_the_registry_last() {
        let file =
            "mirrors: {docker.io: {endpoint: ['http://a', 'https://b:1/v2/hub'], rewrite: {'^library/(.*)': 'm/$1'}}}";
        let expect = [
            "http://a/v2/m/busybox?ns=docker.io",
            "https://b:1/v2/hub/m/busybox?ns=docker.io",
            "https://registry-1.docker.io/v2/library/busybox",
        ];
        check("busybox:1.35", file, &expect);
        check("quay.io/a", file, &["https://quay.io/v2/a"]);
    }

    #[test]
    fn a_star_stands_for_every_other_registry() {
        let file = "mirrors: {'*': {endpoint: ['http://all']}, quay.io: {endpoint: ['http://q']}}";
        check("quay.io/a", file, &["http://q/v2/a?ns=quay.io", "https://quay.io/v2/a"]);
        check("gcr.io/a", file, &["http://all/v2/a?ns=gcr.io", "https://gcr.io/v2/a"]);
    }

    #[test]
    fn a_registry_that_stands_among_its_mirrors_is_not_asked_twice() {
        let file = "mirrors: {quay.io: {endpoint: ['https://quay.io', 'http://q']}}";
        check("quay.io/a", file, &["https://quay.io/v2/a", "http://q/v2/a?ns=quay.io"]);
    }
}
