//! The supervisor alone, for tests of the runtime; `kiln` itself is one under the name `kiln-supervisor`.
//! `agent-supervisor STATE_DIR FILE` is a server to kill: it starts the sandbox and the container of FILE, says so, and waits.

use agent::runtime::builtin::BuiltIn;
use agent::runtime::{Container, Runtime, Sandbox};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    if args.next().is_some_and(|name| name == agent::supervisor::ARGV0) {
        return agent::supervisor::main();
    }
    let (Some(state_dir), Some(file)) = (args.next(), args.next()) else {
        return ExitCode::from(2);
    };
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be made");
    tokio.block_on(serve(state_dir.into(), file.into()))
}

async fn serve(state_dir: PathBuf, file: PathBuf) -> ExitCode {
    let text = std::fs::read(file).expect("the file is there");
    let (sandbox, container): (Sandbox, Container) =
        serde_json::from_slice(&text).expect("the file is what tests write");
    let runtime = BuiltIn::new(state_dir).expect("the state directory can be used");
    let pod = runtime.create(sandbox, None).await.expect("the sandbox can be made");
    pod.start(container).await.expect("the container can be started");
    println!("started");
    std::future::pending().await
}
