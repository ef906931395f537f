//! `kiln doctor`: what this machine has of what containers need, what each missing thing costs, and how to get it.

mod facts;
mod verdict;

use std::path::PathBuf;

use agent::userns::Refused;
use serde_json::json;

use crate::output::{self, Exit, Problem, paint};
use verdict::{Finding, Grade};

/// Say what this machine can do for containers
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where the server keeps or will keep everything [default: /var/lib/kiln as root, else $XDG_DATA_HOME/kiln]
    #[arg(long, value_name = "DIR", env = "KILN_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// json: for programs
    #[arg(short, long, value_name = "FORM", value_parser = ["json"])]
    output: Option<String>,
}

/// Looks, judges and tells. `refused`: why an ordinary user got no user namespace.
pub fn run(arguments: Arguments, refused: Option<Refused>) -> Result<Exit, Problem> {
    let data_dir = arguments.data_dir.unwrap_or_else(super::default_data_dir);
    let findings = verdict::judge(&facts::gather(&data_dir, refused));
    match arguments.output {
        Some(_) => output::print(&output::json::indented(&findings.iter().map(as_json).collect()))?,
        None => output::print(&text(&findings, paint::wanted()))?,
    }
    let fails = findings.iter().any(|finding| finding.grade == Grade::Fails);
    Ok(if fails { Exit::Failed } else { Exit::Success })
}

fn text(findings: &[Finding], is_coloured: bool) -> String {
    let mut text = String::new();
    for Finding { grade, topic, what, cost, remedy } in findings {
        let (word, more) = (format!("{:<6}", grade.word()), " ".repeat(26));
        text.push_str(&format!("{} {topic:<18} {what}\n", grade.paint(word, is_coloured)));
        for (label, line) in [("cost", cost), ("to do", remedy)] {
            if let Some(line) = line {
                text.push_str(&format!("{more}{label}: {line}\n"));
            }
        }
    }
    let n = |grade| findings.iter().filter(|finding| finding.grade == grade).count();
    let sum = match (n(Grade::Fails), n(Grade::Costs)) {
        (0, 0) => "everything is there".to_owned(),
        (0, costs) => format!("containers run; {costs} of {} have a cost", findings.len()),
        (fails, _) => format!("containers do not run here: {fails} of {} fail", findings.len()),
    };
    text + "\n" + &sum + "\n"
}

fn as_json(finding: &Finding) -> serde_json::Value {
    json!({"topic": finding.topic, "grade": finding.grade.word(), "what": finding.what, "cost": finding.cost, "remedy": finding.remedy})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_read_as_what_it_costs_and_what_to_do() {
        let finding = |grade, cost: Option<&str>, remedy: Option<&str>| Finding {
            grade,
            topic: "overlay",
            what: "as it is".into(),
            cost: cost.map(str::to_owned),
            remedy: remedy.map(str::to_owned),
        };
        let good = finding(Grade::Good, None, None);
        assert_eq!(
            text(std::slice::from_ref(&good), false),
            "ok     overlay            as it is\n\neverything is there\n"
        );
        let costs = finding(Grade::Costs, Some("time"), Some("wait"));
        let expect = "\
ok     overlay            as it is
costs  overlay            as it is
                          cost: time
                          to do: wait

containers run; 1 of 2 have a cost
";
        assert_eq!(text(&[good, costs], false), expect);
        let fails = finding(Grade::Fails, None, None);
        let painted = text(&[fails], true);
        assert_eq!(
            painted,
            "\u{1b}[31mfails \u{1b}[0m overlay            as it is\n\ncontainers do not run here: 1 of 1 fail\n"
        );
    }

    /// Every topic has its row there: what kiln uses it for, and what happens without.
    #[test]
    fn the_documentation_has_every_topic() {
        let document = include_str!("../../../../../docs/machine.md");
        for topic in verdict::TOPICS {
            assert!(document.contains(&format!("\n| {topic} |")), "docs/machine.md has no row for {topic}");
        }
    }
}
