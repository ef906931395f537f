use super::*;
use serde_json::{Value, json};

#[test]
fn paths_are_sent_as_go_sends_them() {
    for (path, expect) in [
        ("/", "/"),
        ("", "/"),
        ("healthz", "/healthz"),
        ("/a b?c=d e#f", "/a%20b?c=d%20e"),
        ("/%20/é", "/%20/%C3%A9"),
        ("/a\r\nX: y", "/a%0D%0AX:%20y"),
    ] {
        assert_eq!(clean(path), expect);
        assert!(expect.parse::<::http::Uri>().is_ok());
    }
    assert_eq!(Url::new(true, "fd00::1", 8443, "x").shown, "https://[fd00::1]:8443/x");
}

#[test]
fn redirects_lead_where_they_say() {
    let url = Url::new(false, "10.0.0.1", 8080, "/a/b?c");
    for (location, expect) in [
        ("/x?y", Some((false, "10.0.0.1", 8080, "/x?y"))),
        ("x", Some((false, "10.0.0.1", 8080, "/a/x"))),
        ("//other/x", Some((false, "other", 80, "/x"))),
        ("https://10.0.0.1/x", Some((true, "10.0.0.1", 443, "/x"))),
        ("HTTP://10.0.0.1:81", Some((false, "10.0.0.1", 81, "/"))),
        ("http://[fd00::1]:82?q", Some((false, "fd00::1", 82, "/?q"))),
        ("ftp://10.0.0.1/", None),
        ("http://a b/", None),
    ] {
        let found = url.follow(location);
        let found = found.as_ref().map(|url| (url.is_https, url.host.as_str(), url.port, url.path.as_str()));
        assert_eq!(found, expect, "{location}");
    }
}

#[test]
fn headers_of_ones_own_take_the_place_of_the_usual_ones() {
    let sent = |own: Value| {
        let action = serde_json::from_value(json!({"port": 80, "httpHeaders": own})).unwrap();
        let headers = headers(&action, "probe", "10.0.0.1:80");
        let pairs = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let mut pairs: Vec<String> = pairs.collect();
        pairs.sort();
        pairs.join("\n")
    };
    let usual = "accept: */*\nconnection: close\nhost: 10.0.0.1:80\nuser-agent: kube-probe/1.36";
    assert_eq!(sent(json!([])), usual);
    let own = json!([{"name": "Host", "value": "me"}, {"name": "Accept", "value": ""}, {"name": "User-Agent", "value": "x"},
        {"name": "X-A", "value": "1"}, {"name": "X-A", "value": "2"}, {"name": "X-B", "value": "a\nb"}]);
    assert_eq!(sent(own), "connection: close\nhost: me\nuser-agent: x\nx-a: 1\nx-a: 2");
}
