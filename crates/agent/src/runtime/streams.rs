//! What can be asked of a container that runs, and the streams that come of it.

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// Where a container's first process reads from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdin {
    /// /dev/null.
    #[default]
    Null,
    /// A pipe that stays open while the container runs, whoever comes and goes.
    Open,
    /// A pipe that ends with the first who was attached to it.
    Once,
}

/// A further program in a container that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// The container's name.
    pub container: String,
    /// Program and arguments; without a slash the program is looked for in the container's `PATH`.
    pub command: Vec<String>,
    /// Give it a terminal, which then is all of its streams.
    pub terminal: bool,
    /// Which of them are wanted; the others are /dev/null.
    pub stdin: bool,
    /// See `stdin`.
    pub stdout: bool,
    /// See `stdin`.
    pub stderr: bool,
}

/// A look at what a container's first process writes from now on, and perhaps a hand on what it reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// The container's name.
    pub container: String,
    /// Which of its streams are wanted.
    pub stdin: bool,
    /// See `stdin`.
    pub stdout: bool,
    /// See `stdin`.
    pub stderr: bool,
}

/// Takes what a program reads.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;
/// Gives what a program writes.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// Sets a terminal's size: columns, rows.
pub type Resize = Arc<dyn Fn(u16, u16) + Send + Sync>;

/// What was asked for and is there. When all of it is dropped, what `exec` started is killed; what one is attached to goes on.
pub struct Streams {
    /// The exit code, or why there is none. Before the others, and so dropped before them: that the client is gone must be known when
    /// the loss of its terminal ends the program.
    pub exit: BoxFuture<'static, Result<i32, String>>,
    /// Dropping it is the end of the program's input, unless that is a terminal.
    pub stdin: Option<Writer>,
    /// Ends when nobody can write to it any more. A terminal's only output.
    pub stdout: Option<Reader>,
    /// Ends when nobody can write to it any more.
    pub stderr: Option<Reader>,
    /// There if there is a terminal.
    pub resize: Option<Resize>,
    /// The end of the client's input ends the whole session: the container's input outlives it.
    pub ends_with_input: bool,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams")
            .field("stdin", &self.stdin.is_some())
            .field("stdout", &self.stdout.is_some())
            .field("stderr", &self.stderr.is_some())
            .field("resize", &self.resize.is_some())
            .finish_non_exhaustive()
    }
}
