//! The supervisor alone, for tests of the runtime; `kiln` itself is one under the name `kiln-supervisor`.

fn main() -> std::process::ExitCode {
    let argv0 = std::env::args_os().next().unwrap_or_default();
    if argv0 == agent::supervisor::ARGV0 {
        return agent::supervisor::main();
    }
    std::process::ExitCode::from(2)
}
