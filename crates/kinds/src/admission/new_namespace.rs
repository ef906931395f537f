//! NewNamespace: a namespace begins with its `default` ServiceAccount and `kube-root-ca.crt`, in the transaction that
//! makes it. Kubernetes has controllers make them a moment later, and pods that come in between fail and are tried again;
//! controllers here only put back what was lost.

use super::{Operation, Plugin, Request, Verdict, Write};
use crate::namespace;
use meta::object;
use meta::status::Status;
use serde_json::Value;

pub(super) struct NewNamespace;

impl Plugin for NewNamespace {
    fn name(&self) -> &'static str {
        "NewNamespace"
    }

    fn validate(&self, request: &Request<'_>, object: &Value) -> Result<Verdict, Box<Status>> {
        if request.operation != Operation::Create || !request.is_about("", "namespaces") {
            return Ok(Verdict::pass());
        }
        let mut verdict = Verdict::pass();
        for (plural, mut wanted) in namespace::furniture(object::name(object), request.world.root_ca()) {
            if request.world.get("", plural, object::name(object), object::name(&wanted)).is_some() {
                continue;
            }
            let second = jiff::Timestamp::from_second(request.now.as_second()).unwrap_or(request.now);
            let fields = object::metadata(&mut wanted);
            fields.insert("uid".into(), meta::names::uid(request.entropy).into());
            fields.insert("creationTimestamp".into(), second.to_string().into());
            verdict.writes.push(Write { group: "", plural, object: wanted });
        }
        Ok(verdict)
    }
}
