//! A node whose programs are a few words, for what the server does with their streams.
//!
//! | command | what it does |
//! |---|---|
//! | `cat` | gives back its input, in capitals to stderr too; ends with it |
//! | `exit N` | says `bye` and ends with N |
//! | `hold` | runs until it is dropped |
//! | `size` | prints what its terminal is resized to, first time only |
//! | `missing` | cannot be executed |

use apiserver::node::{AttachRequest, Connection, ExecRequest, LogRequest, NodeConnection, Session, Target};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use meta::status::Status;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// What was asked of it, and how many of its programs run.
#[derive(Default)]
pub struct FakeNode {
    pub execs: Mutex<Vec<ExecRequest>>,
    pub attaches: Mutex<Vec<AttachRequest>>,
    pub running: Arc<()>,
}

impl FakeNode {
    /// Programs that have not been dropped.
    pub fn n_running(&self) -> usize {
        Arc::strong_count(&self.running) - 1
    }

    fn session(&self, program: impl FnOnce(Streams) -> Program, tty: bool) -> Session {
        let (stdin, stdin_end) = duplex(1024);
        let (stdout, stdout_end) = duplex(1024);
        let (stderr, stderr_end) = duplex(1024);
        let (sizes, resized) = tokio::sync::mpsc::unbounded_channel();
        let running = self.running.clone();
        let program = program(Streams { stdin: stdin_end, stdout: stdout_end, stderr: stderr_end, resized });
        let task = tokio::spawn(program);
        let end = async move {
            let _running = running;
            let mut task = Aborting(task);
            (&mut task.0).await.unwrap()
        };
        Session {
            stdin: Some(Box::new(stdin)),
            stdout: Some(Box::new(stdout)),
            stderr: (!tty).then(|| Box::new(stderr) as _),
            resize: tty.then(|| {
                let resize = move |columns, rows| {
                    let _ = sizes.send((columns, rows));
                };
                Arc::new(resize) as Arc<dyn Fn(u16, u16) + Send + Sync>
            }),
            ends_with_input: false,
            end: end.boxed(),
        }
    }
}

/// A program that dies when it is let go of.
struct Aborting<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Aborting<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Program = futures::future::BoxFuture<'static, Result<i32, String>>;

struct Streams {
    stdin: DuplexStream,
    stdout: DuplexStream,
    stderr: DuplexStream,
    resized: tokio::sync::mpsc::UnboundedReceiver<(u16, u16)>,
}

async fn cat(mut streams: Streams) -> Result<i32, String> {
    let mut piece = [0; 100];
    loop {
        let length = streams.stdin.read(&mut piece).await.unwrap_or(0);
        if length == 0 || streams.stdout.write_all(&piece[..length]).await.is_err() {
            return Ok(0);
        }
        let _ = streams.stderr.write_all(&piece[..length].to_ascii_uppercase()).await;
    }
}

fn program(command: &[String]) -> Result<fn(Streams) -> Program, Program> {
    match command[0].as_str() {
        "cat" => Ok(|streams| cat(streams).boxed()),
        "hold" => Ok(|streams| {
            async move {
                let _streams = streams;
                std::future::pending().await
            }
            .boxed()
        }),
        "size" => Ok(|mut streams| {
            async move {
                let (columns, rows) = streams.resized.recv().await.unwrap();
                streams.stdout.write_all(format!("{columns}x{rows}").as_bytes()).await.unwrap();
                Ok(0)
            }
            .boxed()
        }),
        _ => Err(async { Ok(0) }.boxed()),
    }
}

#[async_trait::async_trait]
impl NodeConnection for FakeNode {
    /// Answers every log request with the request.
    async fn logs(&self, request: LogRequest) -> Result<BoxStream<'static, std::io::Result<Bytes>>, Status> {
        let text =
            format!("{} {} tail={:?} follow={}", request.pod, request.container, request.tail_lines, request.follow);
        Ok(futures::stream::iter([Ok(Bytes::from(text))]).boxed())
    }

    async fn exec(&self, request: ExecRequest) -> Result<Session, Status> {
        self.execs.lock().push(request.clone());
        if request.target.container == "stopped" || request.command[0] == "nobody" {
            let mut status = Status::internal("");
            status.message = format!("container not found (\"{}\")", request.target.container);
            return Err(status);
        }
        let tty = request.wanted.tty;
        Ok(match request.command[0].as_str() {
            "missing" => {
                self.session(|_| async { Err("error executing command in container: not there".into()) }.boxed(), tty)
            }
            "exit" => {
                let code = request.command[1].parse().unwrap();
                let program = move |mut streams: Streams| {
                    async move {
                        streams.stdout.write_all(b"bye").await.unwrap();
                        Ok(code)
                    }
                    .boxed()
                };
                self.session(program, tty)
            }
            _ => match program(&request.command) {
                Ok(program) => self.session(program, tty),
                Err(program) => self.session(|_| program, tty),
            },
        })
    }

    async fn attach(&self, request: AttachRequest) -> Result<Session, Status> {
        let tty = request.wanted.tty;
        let ends_with_input = request.target.container == "b";
        self.attaches.lock().push(request);
        let program = match ends_with_input {
            // Goes on whatever the client does.
            true => program(&["hold".into()]),
            false => program(&["cat".into()]),
        };
        let mut session = self.session(program.ok().unwrap(), tty);
        session.ends_with_input = ends_with_input;
        Ok(session)
    }

    /// Port 7 gives back what it gets, port 9 is closed by its program at once; nobody listens on others.
    async fn connect(&self, _: &Target, port: u16) -> Result<Box<dyn Connection>, String> {
        let (ours, theirs) = duplex(1024);
        match port {
            7 => {
                tokio::spawn(async move {
                    let (mut reader, mut writer) = tokio::io::split(theirs);
                    let _ = tokio::io::copy(&mut reader, &mut writer).await;
                    let _ = writer.shutdown().await;
                });
                Ok(Box::new(ours))
            }
            9 => Ok(Box::new(ours)),
            _ => Err("connection refused".into()),
        }
    }
}
