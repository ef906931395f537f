//! `kiln api-resources`: the kinds that a server has.

use serde_json::Value;

use super::calls::{self, Refusal};
use super::session::Place;
use crate::output::{self, Exit, Problem, tabs};

/// List the kinds that the server has
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only those of this API group; "" is the core group
    #[arg(long, value_name = "GROUP")]
    api_group: Option<String>,
    /// Only those with namespaces, or with =false those without
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    namespaced: Option<bool>,
    /// Only those with all of these verbs: list,get
    #[arg(long, value_name = "VERB", value_delimiter = ',')]
    verbs: Vec<String>,
    /// Only those in all of these categories: all
    #[arg(long, value_name = "CATEGORY", value_delimiter = ',')]
    categories: Vec<String>,
    /// Sort by name or kind
    #[arg(long, value_name = "FIELD", value_parser = ["name", "kind"])]
    sort_by: Option<String>,
    /// Form: wide or name
    #[arg(short, long, value_name = "FORM", value_parser = ["wide", "name"])]
    output: Option<String>,
    /// No headings
    #[arg(long)]
    no_headers: bool,
    #[command(flatten)]
    place: Place,
}

/// One kind as the server tells of it.
struct Resource {
    group: String,
    version: String,
    name: String,
    kind: String,
    is_namespaced: bool,
    short: Vec<String>,
    verbs: Vec<String>,
    categories: Vec<String>,
}

/// Asks and prints.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    let session = arguments.place.connect().await?;
    let get = async |path: &str| calls::get(&session.client, path).await.map_err(Refusal::problem);
    let mut resources = resources_of(&get("/api/v1").await?);
    let groups = get("/apis").await?;
    for group in groups["groups"].as_array().into_iter().flatten() {
        let version = group["preferredVersion"]["groupVersion"].as_str().unwrap_or_default();
        resources.extend(resources_of(&get(&format!("/apis/{version}")).await?));
    }
    resources.retain(|resource| arguments.wants(resource));
    match arguments.sort_by.as_deref() {
        Some("name") => resources.sort_by(|a, b| a.name.cmp(&b.name)),
        Some(_) => resources.sort_by(|a, b| a.kind.cmp(&b.kind)),
        None => resources.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name))),
    }
    output::print(&arguments.text(&resources))?;
    Ok(Exit::Success)
}

/// Those of an APIResourceList, without their parts (`pods/log`) and those that cannot be called.
fn resources_of(list: &Value) -> Vec<Resource> {
    let group_version = list["groupVersion"].as_str().unwrap_or_default();
    let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let one = |resource: &Value| Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        name: resource["name"].as_str().unwrap_or_default().to_owned(),
        kind: resource["kind"].as_str().unwrap_or_default().to_owned(),
        is_namespaced: resource["namespaced"] == true,
        short: texts(&resource["shortNames"]),
        verbs: texts(&resource["verbs"]),
        categories: texts(&resource["categories"]),
    };
    let resources = list["resources"].as_array().into_iter().flatten().map(one);
    resources.filter(|resource| !resource.name.contains('/') && !resource.verbs.is_empty()).collect()
}

impl Arguments {
    fn wants(&self, resource: &Resource) -> bool {
        self.api_group.as_ref().is_none_or(|group| *group == resource.group)
            && self.namespaced.is_none_or(|namespaced| namespaced == resource.is_namespaced)
            && self.verbs.iter().all(|verb| resource.verbs.contains(verb))
            && self.categories.iter().all(|category| resource.categories.contains(category))
    }

    fn text(&self, resources: &[Resource]) -> String {
        let is_wide = match self.output.as_deref() {
            Some("name") => return resources.iter().map(|resource| resource.full_name() + "\n").collect(),
            output => output == Some("wide"),
        };
        let mut text = String::new();
        if !self.no_headers {
            let wide = if is_wide { "\tVERBS\tCATEGORIES" } else { "" };
            text.push_str(&format!("NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND{wide}\n"));
        }
        for resource in resources {
            let Resource { name, kind, is_namespaced, short, verbs, categories, .. } = resource;
            let api_version = resource.api_version();
            let wide = if is_wide { format!("\t{}\t{}", verbs.join(","), categories.join(",")) } else { String::new() };
            text.push_str(&format!("{name}\t{}\t{api_version}\t{is_namespaced}\t{kind}{wide}\n", short.join(",")));
        }
        tabs::align(&text, tabs::TABLE)
    }
}

impl Resource {
    fn full_name(&self) -> String {
        if self.group.is_empty() { self.name.clone() } else { format!("{}.{}", self.name, self.group) }
    }

    fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}
