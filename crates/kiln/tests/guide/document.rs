//! Reads a document whose blocks are executed: what is to be done, in its order. How blocks are written stands in CONTRIBUTING.md.

/// One thing that the document has its reader do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Keeps this text in a file of this name.
    Save {
        name: String,
        text: String,
    },
    Run(Command),
}

/// A command and what the document shows of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// The document's line, from 1.
    pub line: usize,
    pub text: String,
    pub shown: Vec<String>,
    /// Whether it is interrupted once it has printed that much: the last line shown is `^C`.
    pub is_interrupted: bool,
}

/// Every step. A block of a language that nobody executes is a mistake, so that none is passed over.
pub fn steps(document: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut lines = document.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((begin, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<(usize, &str)> = lines.by_ref().take_while(|(_, line)| !line.starts_with("```")).collect();
        match language {
            "console" => steps.extend(commands(&block)?.into_iter().map(Step::Run)),
            "yaml" | "sh" => steps.push(file(begin, &block)?),
            "text" => {}
            _ => return Err(format!("line {begin}: no meaning for blocks of {language:?}")),
        }
    }
    Ok(steps)
}

/// `# NAME` is the first line of a file.
fn file(begin: usize, block: &[(usize, &str)]) -> Result<Step, String> {
    let name = block.first().and_then(|(_, line)| line.strip_prefix("# "));
    let name = name.filter(|name| name.contains('.') && !name.contains([' ', '/']));
    let name = name.ok_or_else(|| format!("line {begin}: the block does not begin with `# NAME`"))?.to_owned();
    let text = block.iter().map(|(_, line)| format!("{line}\n")).collect();
    Ok(Step::Save { name, text })
}

/// `$ ` begins a command, `> ` goes on with it, everything else is shown of it.
fn commands(block: &[(usize, &str)]) -> Result<Vec<Command>, String> {
    let mut commands: Vec<Command> = Vec::new();
    for &(line, text) in block {
        if let Some(command) = text.strip_prefix("$ ") {
            let text = command.to_owned();
            commands.push(Command { line, text, shown: Vec::new(), is_interrupted: false });
            continue;
        }
        let last = commands.last_mut().ok_or_else(|| format!("line {line}: output of no command"))?;
        match text.strip_prefix("> ") {
            Some(more) if last.shown.is_empty() => last.text = format!("{}\n{more}", last.text),
            _ if text == "^C" => last.is_interrupted = true,
            _ => last.shown.push(text.to_owned()),
        }
    }
    Ok(commands)
}

/// With every word `kubectl` made `kiln`.
pub fn with_kilns_verbs(text: &str) -> String {
    let is_part = |char: char| char.is_alphanumeric() || ['.', '-', '_', '/'].contains(&char);
    let mut out = String::new();
    for (at, piece) in text.split("kubectl").enumerate() {
        if 0 < at {
            let is_word = !out.ends_with(is_part) && !piece.starts_with(is_part);
            out += if is_word { "kiln" } else { "kubectl" };
        }
        out += piece;
    }
    out
}

#[test]
fn blocks_are_files_to_save_and_commands_with_what_they_print() {
    let document = "\
# A title
```yaml
# job.yaml
kind: Job
```
text, `code`
```console
$ kubectl get jobs \\
> -o name
job.batch/…

$ kubectl get -w
a
^C
```
";
    let command = |line, text: &str, shown: &[&str], is_interrupted| {
        let shown = shown.iter().map(|&line| line.to_owned()).collect();
        Step::Run(Command { line, text: text.to_owned(), shown, is_interrupted })
    };
    let expect = [
        Step::Save { name: "job.yaml".into(), text: "# job.yaml\nkind: Job\n".into() },
        command(8, "kubectl get jobs \\\n-o name", &["job.batch/…", ""], false),
        command(12, "kubectl get -w", &["a"], true),
    ];
    assert_eq!(steps(document).unwrap(), expect);
    let mistake = |text: &str| steps(text).unwrap_err();
    assert_eq!(mistake("```bash\nls\n```"), "line 1: no meaning for blocks of \"bash\"");
    assert_eq!(mistake("```yaml\nkind: Job\n```"), "line 1: the block does not begin with `# NAME`");
    assert_eq!(mistake("\n```console\nls\n```"), "line 3: output of no command");
}

#[test]
fn only_the_word_kubectl_is_replaced() {
    for (text, expect) in [
        ("kubectl get", "kiln get"),
        ("echo $(kubectl get) | kubectl x", "echo $(kiln get) | kiln x"),
        ("kubectl.kubernetes.io/a kubectl-kiln /bin/kubectl", "kubectl.kubernetes.io/a kubectl-kiln /bin/kubectl"),
    ] {
        assert_eq!(with_kilns_verbs(text), expect);
    }
}
