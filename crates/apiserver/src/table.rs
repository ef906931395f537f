//! Tables as `kubectl get` prints them, of any kind's columns and rows.

use crate::error::Failure;
use crate::negotiate::Form;
use crate::query::Query;
use crate::respond::{meta_version, partial};
use jiff::Zoned;
use kinds::Kind;
use meta::status::Status;
use serde_json::{Value, json};

/// What each row carries of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    Nothing,
    Metadata,
    Object,
}

impl Include {
    pub(crate) fn of(query: &Query) -> Result<Self, Failure> {
        match query.text("includeObject") {
            "None" => Ok(Self::Nothing),
            "" | "Metadata" => Ok(Self::Metadata),
            "Object" => Ok(Self::Object),
            other => {
                Err(Status::bad_request(format!("unrecognized includeObject value: {}", meta::field::quote(other)))
                    .into())
            }
        }
    }
}

/// One row.
pub(crate) fn row(kind: &dyn Kind, object: Value, include: Include, form: Form, now: &Zoned) -> Value {
    let row = kind.local_row(&object, now);
    let object = match include {
        Include::Nothing => Value::Null,
        Include::Metadata => partial(form, &object),
        Include::Object => object,
    };
    let mut out = json!({"cells": row.cells});
    if !row.conditions.is_empty() {
        out["conditions"] = row.conditions.into();
    }
    out["object"] = object;
    out
}

/// Definitions of all columns, wide ones too: the client chooses.
pub(crate) fn columns(kind: &dyn Kind) -> Value {
    kind.columns()
        .iter()
        .map(|column| {
            json!({
                "name": column.name,
                "type": column.kind,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            })
        })
        .collect()
}

/// A whole table; `columns` is null in all but the first event of a watch.
pub(crate) fn table(form: Form, metadata: Value, columns: Value, rows: Vec<Value>) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": meta_version(form),
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    })
}
