//! A registry of one's own: Debian's docker-registry on a free port of the loopback, its storage in a directory that goes with
//! it, and images pushed into it. In front of it, if need be, a gate that lets bytes through when it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{repository, stderr, stdout, wait_for};

/// `user` with the password `secret`, as `htpasswd -B` writes it.
const HTPASSWD: &str = "user:$2y$05$L1CXkHFLIX.VQLsux9l/UOBHZajF2BJkSnZZakUjNdXIDnrZwrfBq\n";

/// How it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Plain HTTP, open to everybody.
    Http,
    /// HTTPS with a certificate of its own authority, for `user` with the password `secret`.
    HttpsWithPassword,
}

/// Killed when dropped.
pub struct Registry {
    child: Child,
    pub address: SocketAddr,
    directory: Arc<tempfile::TempDir>,
    log: PathBuf,
}

impl Registry {
    /// An empty one.
    pub fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("kiln-registry-").tempdir().unwrap();
        Self::serve(Arc::new(directory), Door::Http)
    }

    /// Another door to the same images.
    pub fn with_door(&self, door: Door) -> Self {
        Self::serve(self.directory.clone(), door)
    }

    fn serve(directory: Arc<tempfile::TempDir>, door: Door) -> Self {
        // A port that was free a moment ago may be taken: then another one is tried.
        for _ in 0..20 {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let (config, log) = write_config(directory.path(), door, address);
            let output = std::fs::File::create(&log).unwrap();
            let mut command = Command::new("docker-registry");
            command.arg("serve").arg(&config).env("OTEL_TRACES_EXPORTER", "none");
            command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
            let mut child = command.spawn().expect("docker-registry is installed: ./test does it");
            let is_up = wait_for("the registry to listen or to end", || {
                if child.try_wait().unwrap().is_some() {
                    return Some(false);
                }
                TcpStream::connect(address).ok().map(|_| true)
            });
            if is_up {
                return Self { child, address, directory, log };
            }
        }
        panic!("no registry came up");
    }

    /// The certificate of the authority that vouches for the HTTPS door.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// `127.0.0.1:PORT/NAME`
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Requests that match `what`, from the access log: `GET /v2/`.
    pub fn requests(&self, what: &str) -> usize {
        std::fs::read_to_string(&self.log).unwrap().lines().filter(|line| line.contains(what)).count()
    }

    /// Pushes the image of `tests/images/build.sh` through the HTTP door, its layer compressed by `pack`.
    pub fn push_built(&self, image: &str, name: &str, pack: impl Fn(&[u8]) -> Vec<u8>) -> Value {
        let output = Command::new(repository().join("tests/images/build.sh")).arg(image).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let files = untar(Path::new(stdout(&output).trim()));
        let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        let config = &files[manifest[0]["Config"].as_str().unwrap()];
        let layers = manifest[0]["Layers"].as_array().unwrap();
        let layers = layers.iter().map(|layer| pack(&files[layer.as_str().unwrap()])).collect::<Vec<_>>();
        self.push(name, config, &layers)
    }

    /// Pushes an image as `name:tag`.
    pub fn push(&self, name: &str, config: &[u8], layers: &[Vec<u8>]) -> Value {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let descriptor = |media_type: &str, bytes: &[u8]| {
            let digest = self.push_blob(repository, bytes);
            json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
        };
        let packed = |layer: &Vec<u8>| {
            let is_zstd = layer.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
            let kind = if is_zstd { "tar+zstd" } else { "tar+gzip" };
            descriptor(&format!("application/vnd.oci.image.layer.v1.{kind}"), layer)
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": layers.iter().map(packed).collect::<Vec<_>>(),
        });
        self.push_manifest(repository, tag, MANIFEST, &manifest)
    }

    /// Pushes a manifest or index and gives its descriptor.
    pub fn push_manifest(&self, repository: &str, tag: &str, media_type: &str, manifest: &Value) -> Value {
        let body = manifest.to_string().into_bytes();
        let headers = format!("Content-Type: {media_type}\r\n");
        self.request("PUT", &format!("/v2/{repository}/manifests/{tag}"), &headers, &body, "201");
        json!({"mediaType": media_type, "digest": digest(&body), "size": body.len()})
    }

    fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let head = self.request("POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"", "202");
        let location = head.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap();
        let path = &location[location.find("/v2/").unwrap()..];
        let digest = digest(bytes);
        let headers = "Content-Type: application/octet-stream\r\n";
        self.request("PUT", &format!("{path}&digest={digest}"), headers, bytes, "201");
        digest
    }

    /// One request over the HTTP door; gives the head of its answer.
    fn request(&self, method: &str, path: &str, headers: &str, body: &[u8], expect: &str) -> String {
        let mut socket = TcpStream::connect(self.address).unwrap();
        let (host, length) = (self.address, body.len());
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        )
        .unwrap();
        socket.write_all(body).unwrap();
        let mut answer = String::new();
        BufReader::new(socket).read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expect}")), "{method} {path}: {answer}");
        answer.split("\r\n\r\n").next().unwrap().replace("\r\n", "\n")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn untar(path: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(std::fs::File::open(path).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
    });
    entries.collect()
}

fn write_config(directory: &Path, door: Door, address: SocketAddr) -> (PathBuf, PathBuf) {
    let log = directory.join(format!("{}.log", address.port()));
    let mut config = json!({
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": false}},
        "storage": {"filesystem": {"rootdirectory": directory.join("storage")}},
        "http": {"addr": address.to_string(), "secret": "one for all doors"},
    });
    if door == Door::HttpsWithPassword {
        let (certificate, key) = write_certificates(directory);
        config["http"]["tls"] = json!({"certificate": certificate, "key": key});
        let htpasswd = directory.join("htpasswd");
        std::fs::write(&htpasswd, HTPASSWD).unwrap();
        config["auth"] = json!({"htpasswd": {"realm": "kiln's tests", "path": htpasswd}});
    }
    // JSON is YAML.
    let path = directory.join(format!("{}.yml", address.port()));
    std::fs::write(&path, config.to_string()).unwrap();
    (path, log)
}

/// An authority, and a certificate of it for the loopback.
fn write_certificates(directory: &Path) -> (PathBuf, PathBuf) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    std::fs::write(directory.join("ca.pem"), ca.pem()).unwrap();
    let paths = (directory.join("certificate.pem"), directory.join("key.pem"));
    std::fs::write(&paths.0, leaf.pem()).unwrap();
    std::fs::write(&paths.1, key.serialize_pem()).unwrap();
    paths
}

/// Stands before a registry and lets so many bytes of its answers through; more when it is told to. Ends with its registry:
/// threads end when either side does.
pub struct Gate {
    pub address: SocketAddr,
    allowed: Arc<AtomicU64>,
}

impl Gate {
    pub fn before(registry: SocketAddr, allowed_bytes: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Self { address: listener.local_addr().unwrap(), allowed: Arc::new(AtomicU64::new(allowed_bytes)) };
        let allowed = gate.allowed.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let allowed = allowed.clone();
                let Ok(server) = TcpStream::connect(registry) else { return };
                let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from_client, &mut to_server);
                    let _ = to_server.shutdown(std::net::Shutdown::Both);
                });
                std::thread::spawn(move || trickle(server, client, &allowed));
            }
        });
        gate
    }

    /// Everything may pass.
    pub fn open(&self) {
        self.allowed.store(u64::MAX, Ordering::SeqCst);
    }
}

fn trickle(server: TcpStream, mut client: TcpStream, allowed: &AtomicU64) {
    let mut reader = BufReader::new(server);
    while let Ok(bytes) = reader.fill_buf() {
        if bytes.is_empty() {
            break;
        }
        let take = |left: u64| match left {
            0 => None,
            u64::MAX => Some(left),
            _ => Some(left.saturating_sub(bytes.len() as u64)),
        };
        let Ok(left) = allowed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) else {
            std::thread::sleep(std::time::Duration::from_millis(5));
            continue;
        };
        let n = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if client.write_all(&bytes[..n]).is_err() {
            break;
        }
        reader.consume(n);
    }
    let _ = client.shutdown(std::net::Shutdown::Both);
}
