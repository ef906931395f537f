//! The verbs, each for every kind: create, get, list, watch, update, patch, delete.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod managed;
pub(crate) mod patch;
pub(crate) mod update;
pub(crate) mod watch;

mod apply;
mod decode;
mod options;
mod review;
mod select;

use crate::auth::User;
use crate::error::{Failure, what};
use crate::negotiate::{Form, Shape};
use crate::query::Query;
use crate::respond::{self, Answer};
use crate::route::ResourcePath;
use crate::server::ApiServer;
use crate::storage;
use http::{HeaderMap, StatusCode};
use hyper::upgrade::OnUpgrade;
use kinds::Kind;
use meta::status::{GroupResource, Status};
use serde_json::Value;
use std::sync::Arc;
use store::Record;

/// One request for a resource, understood and allowed.
pub(crate) struct Call<'a> {
    pub server: &'a Arc<ApiServer>,
    pub user: User,
    pub kind: &'static dyn Kind,
    pub path: ResourcePath,
    pub query: Query,
    pub headers: HeaderMap,
    /// What its connection can become; nothing on HTTP/2 and in process.
    pub upgrade: Option<OnUpgrade>,
    pub form: Form,
    pub pretty: bool,
    /// Texts for Warning headers.
    pub warnings: Vec<String>,
}

impl Call<'_> {
    pub(crate) fn what(&self) -> GroupResource<'static> {
        what(self.kind.names())
    }

    pub(crate) fn key(&self) -> String {
        storage::key(self.kind, &self.path.namespace, &self.path.name)
    }

    pub(crate) fn not_found(&self) -> Failure {
        Status::not_found(self.what(), &self.path.name).into()
    }

    /// The object the path names.
    pub(crate) fn record(&self) -> Result<Arc<Record>, Failure> {
        self.server.store.get(&self.key()).ok_or_else(|| self.not_found())
    }

    /// A stored object as an answer, in the form asked for.
    pub(crate) fn answer_record(&self, code: StatusCode, record: &Record) -> Result<Answer, Failure> {
        if respond::is_plain(self.form, self.pretty) {
            let view = storage::view(self.kind, record)?;
            let mut bytes = Vec::with_capacity(view.len());
            view.write_object(&mut bytes, record.revision);
            bytes.push(b'\n');
            return Ok(Answer::whole(code, "application/json", bytes));
        }
        self.answer_object(code, storage::object(self.kind, record)?)
    }

    /// An object as an answer, in the form asked for.
    pub(crate) fn answer_object(&self, code: StatusCode, object: Value) -> Result<Answer, Failure> {
        let value = match self.form.shape {
            Shape::Object => object,
            Shape::Partial => respond::partial(self.form, &object),
            Shape::Table => {
                let include = crate::table::Include::of(&self.query)?;
                let revision = object["metadata"]["resourceVersion"].clone();
                let row = crate::table::row(self.kind, object, include, self.form, &self.server.clock.local_now());
                crate::table::table(
                    self.form,
                    serde_json::json!({"resourceVersion": revision}),
                    crate::table::columns(self.kind),
                    vec![row],
                )
            }
        };
        respond::value(self.form, code, &value, self.pretty)
    }

    pub(crate) fn answer_status(&self, status: &Status) -> Answer {
        respond::status(self.form, status, self.pretty)
    }
}

/// What the options of a list and of a watch come to, for `fuzzing`.
pub(crate) fn options_in_words(query: &Query) -> Result<String, Failure> {
    let start = options::start(query);
    options::check_list(query)?;
    Ok(format!("{:?} {:?}", options::wanted(query)?, start?))
}
