//! `-o custom-columns=NAME:.metadata.name,…`. Pure.

use serde_json::Value;

use meta::patch::go_text;

use super::jsonpath::{Template, relaxed};

/// A column: its heading, and the path to its value.
#[derive(Debug)]
struct Column {
    heading: String,
    path: Template,
}

/// Columns of somebody's own.
#[derive(Debug)]
pub struct Columns(Vec<Column>);

impl std::str::FromStr for Columns {
    type Err = String;
    /// `HEADING:PATH,…`
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("custom-columns format specified but no custom columns given".into());
        }
        let column = |part: &str| {
            let (heading, path) = part
                .split_once(':')
                .ok_or_else(|| format!("unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"))?;
            Ok(Column { heading: heading.into(), path: relaxed(path)?.parse()? })
        };
        text.split(',').map(column).collect::<Result<_, String>>().map(Self)
    }
}

impl Columns {
    /// Reads a file of two lines: headings, and paths beneath them.
    pub fn from_template(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let (Some(headings), Some(paths)) = (lines.next(), lines.next()) else {
            return Err("a custom-columns file has two lines: headings, and paths beneath them".into());
        };
        let (headings, paths): (Vec<&str>, Vec<&str>) =
            (headings.split_whitespace().collect(), paths.split_whitespace().collect());
        if headings.len() != paths.len() {
            return Err(format!(
                "number of headers ({}) and field specifications ({}) don't match",
                headings.len(),
                paths.len()
            ));
        }
        let parts: Vec<String> =
            headings.iter().zip(paths).map(|(heading, path)| format!("{heading}:{path}")).collect();
        parts.join(",").parse()
    }

    /// The headings' line, for `tabs::align`.
    pub fn headings(&self) -> String {
        let headings: Vec<&str> = self.0.iter().map(|column| column.heading.as_str()).collect();
        format!("{}\n", headings.join("\t"))
    }

    /// An object's line.
    pub fn row(&self, object: &Value) -> Result<String, String> {
        let cells = self.0.iter().map(|column| {
            let values = column.path.values(object)?;
            let texts: Vec<String> = values.into_iter().map(|value| super::printable(&go_text(value))).collect();
            Ok(if texts.is_empty() { "<none>".to_owned() } else { texts.join(",") })
        });
        Ok(format!("{}\n", cells.collect::<Result<Vec<String>, String>>()?.join("\t")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_show_what_their_paths_find() {
        let columns: Columns =
            "NAME:.metadata.name,IMAGES:{.spec.containers[*].image},ALL:spec,NONE:.x".parse().unwrap();
        let object = json!({ "metadata": { "name": "a" }, "spec": { "containers": [{ "image": "x" }, { "image": "y" }], "b": null } });
        assert_eq!(columns.headings(), "NAME\tIMAGES\tALL\tNONE\n");
        let expect = "a\tx,y\tmap[b:<nil> containers:[map[image:x] map[image:y]]]\t<none>\n";
        assert_eq!(columns.row(&object).as_deref(), Ok(expect));
    }

    #[test]
    fn a_file_has_headings_and_paths() {
        let columns = Columns::from_template("NAME   AGE\n.metadata.name  .age\n").unwrap();
        assert_eq!(columns.row(&json!({ "age": 3 })).as_deref(), Ok("<none>\t3\n"));
        assert!(Columns::from_template("A B\n.a\n").unwrap_err().contains("don't match"));
        assert!(Columns::from_template("A B\n").is_err());
    }

    #[test]
    fn mistakes_are_told() {
        for (text, says) in
            [("", "no custom columns"), ("NAME", "<header>:<json-path-expr>"), ("A:{.x}{.y}", "unexpected path")]
        {
            let error = text.parse::<Columns>().unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
