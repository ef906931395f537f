//! pods/NAME/exec, attach, portforward: checks what is asked for, opens it at the node, and makes the connection its carrier.

use crate::auth::Attributes;
use crate::error::Failure;
use crate::handlers::Call;
use crate::node::{AttachRequest, ExecRequest, Session, Target, Wanted};
use crate::query::Query;
use crate::respond::Answer;
use crate::route::Verb;
use crate::storage;
use crate::streams::channels::{self, Dialect};
use crate::streams::upgrade::{self, Handshake, Wish};
use crate::streams::{port_forward, remote_command};
use crate::subresources::container::container;
use futures::FutureExt as _;
use hyper::upgrade::OnUpgrade;
use meta::status::Status;

pub(crate) async fn exec(call: &mut Call<'_>, verb: Verb) -> Result<Answer, Failure> {
    check_create(call, verb)?;
    let target = target(call, true)?;
    let wish = upgrade::wish(&call.headers)?.ok_or_else(upgrade::required)?;
    let wanted = wanted(&call.query)?;
    let command: Vec<String> = call.query.all("command").map(String::from).collect();
    if command.is_empty() {
        return Err(Status::bad_request("you must specify at least one command for the container").into());
    }
    let carrier = Carrier::choose(call, &wish)?;
    let request = ExecRequest { target, command: command.clone(), wanted };
    let opened = call.server.node.exec(request).await;
    carrier.serve(call, wanted, opened, Some(command))
}

pub(crate) async fn attach(call: &mut Call<'_>, verb: Verb) -> Result<Answer, Failure> {
    check_create(call, verb)?;
    let target = target(call, true)?;
    let wish = upgrade::wish(&call.headers)?.ok_or_else(upgrade::required)?;
    let wanted = wanted(&call.query)?;
    let carrier = Carrier::choose(call, &wish)?;
    let opened = call.server.node.attach(AttachRequest { target, wanted }).await;
    carrier.serve(call, wanted, opened, None)
}

pub(crate) async fn port_forward(call: &mut Call<'_>, verb: Verb) -> Result<Answer, Failure> {
    check_create(call, verb)?;
    let pod = target(call, false)?;
    let wish = upgrade::wish(&call.headers)?.ok_or_else(upgrade::required)?;
    let Wish::WebSocket(handshake) = wish else {
        return Err(no_spdy("port-forward"));
    };
    if handshake.protocols.iter().any(|name| name.starts_with("SPDY/3.1+")) {
        return Err(no_spdy("port-forward"));
    }
    let ports = port_forward::ports(call.query.all("ports"))?;
    let chosen = handshake.choose(channels::PORT_FORWARD)?;
    let on_upgrade = call.upgrade.take().ok_or_else(upgrade::impossible)?;
    let (name, dialect) = chosen.map_or((None, channels::OLDEST), |(name, dialect)| (Some(name), dialect));
    let (node, stop) = (call.server.node.clone(), call.server.stop.clone());
    call.server.sessions.spawn(async move {
        if let Some(socket) = upgrade::web_socket(on_upgrade).await {
            port_forward::serve(socket, dialect, node, pod, ports, stop).await;
        }
    });
    Ok(handshake.accept(name))
}

/// A WebSocket's request is a GET, which must not be less than the POST it stands for (K: KEP-4006,
/// AuthorizePodWebsocketUpgradeCreatePermission, on by default since 1.35).
fn check_create(call: &Call<'_>, verb: Verb) -> Result<(), Failure> {
    if verb == Verb::Create {
        return Ok(());
    }
    let path = &call.path;
    call.server.authorize(
        &call.user,
        &Attributes {
            verb: Verb::Create.name(),
            group: &path.group,
            resource: &path.resource,
            subresource: &path.subresource,
            namespace: &path.namespace,
            name: &path.name,
            path: "",
        },
    )
}

/// The pod, which must be on a node, and its container if one is meant (K: streamLocation).
fn target(call: &Call<'_>, with_container: bool) -> Result<Target, Failure> {
    let record = call.record()?;
    let pod = storage::object(call.kind, &record)?;
    let container = match with_container {
        true => container(&pod, call.query.text("container"))?,
        false => String::new(),
    };
    if pod["spec"]["nodeName"].as_str().unwrap_or("").is_empty() {
        let text = format!("pod {} does not have a host assigned", call.path.name);
        return Err(Status::bad_request(text).into());
    }
    Ok(Target {
        namespace: call.path.namespace.clone(),
        pod: call.path.name.clone(),
        pod_uid: meta::object::uid(&pod).to_owned(),
        container,
    })
}

/// K:kubelet/pkg/cri/streaming/remotecommand NewOptions
fn wanted(query: &Query) -> Result<Wanted, Failure> {
    let tty = query.flag("tty");
    let wanted = Wanted {
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        // A terminal has one output.
        stderr: query.flag("stderr") && !tty,
        tty,
    };
    if !wanted.stdin && !wanted.stdout && !wanted.stderr {
        return Err(Status::bad_request("you must specify at least 1 of stdin, stdout, stderr").into());
    }
    Ok(wanted)
}

/// What brings a session to its client.
struct Carrier {
    on_upgrade: OnUpgrade,
    handshake: Handshake,
    name: Option<&'static str>,
    dialect: Dialect,
}

impl Carrier {
    fn choose(call: &mut Call<'_>, wish: &Wish) -> Result<Self, Failure> {
        let Wish::WebSocket(handshake) = wish else {
            return Err(no_spdy(&call.path.subresource));
        };
        let chosen = handshake.choose(channels::REMOTE_COMMAND)?;
        let (name, dialect) = chosen.map_or((None, channels::OLDEST), |(name, dialect)| (Some(name), dialect));
        let on_upgrade = call.upgrade.take().ok_or_else(upgrade::impossible)?;
        Ok(Self { on_upgrade, handshake: handshake.clone(), name, dialect })
    }

    fn serve(
        self,
        call: &Call<'_>,
        wanted: Wanted,
        opened: Result<Session, Status>,
        command: Option<Vec<String>>,
    ) -> Result<Answer, Failure> {
        let session = match opened {
            Ok(session) => session,
            // The API server has upgraded by then, the kubelet not yet (K: StreamTranslatorHandler).
            Err(status) if 5 <= self.dialect.version => {
                ended(format!("unable to upgrade connection: {}", status.message))
            }
            Err(status) => return Ok(plain(&status)),
        };
        let stop = call.server.stop.clone();
        let (on_upgrade, dialect) = (self.on_upgrade, self.dialect);
        call.server.sessions.spawn(async move {
            if let Some(socket) = upgrade::web_socket(on_upgrade).await {
                remote_command::serve(socket, dialect, wanted, session, command, stop).await;
            }
        });
        Ok(self.handshake.accept(self.name))
    }
}

/// A session that never began.
fn ended(why: String) -> Session {
    Session {
        stdin: None,
        stdout: None,
        stderr: None,
        resize: None,
        ends_with_input: false,
        end: futures::future::ready(Err(why)).boxed(),
    }
}

/// A kubelet's answer: text, not a Status.
fn plain(status: &Status) -> Answer {
    let code = http::StatusCode::from_u16(status.code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    Answer::text(code, format!("{}\n", status.message))
}

fn no_spdy(what: &str) -> Failure {
    let text = match what {
        "port-forward" => "port-forward over SPDY is not supported by this version of kiln".to_owned(),
        _ => format!("{what} over SPDY is not supported by this version of kiln: use kubectl 1.30 or later"),
    };
    Status::bad_request(text).into()
}
