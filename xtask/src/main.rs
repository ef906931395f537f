//! Chores of this repository: `cargo run -p xtask -- schema` writes the schema table.

mod schema;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["schema"] => schema::write(None, None),
        ["schema", definitions] => schema::write(Some(definitions.into()), None),
        ["schema", definitions, tags] => schema::write(Some(definitions.into()), Some(tags.into())),
        _ => anyhow::bail!("usage: cargo run -p xtask -- schema [UNPACKED-kubernetes-validate-WHEEL [k8s-pb-SOURCES]]"),
    }
}
