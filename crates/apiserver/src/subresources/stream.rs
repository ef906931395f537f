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
use crate::streams::{FINISHING, port_forward, remote_command, spdy};
use crate::subresources::container::container;
use bytes::{Bytes, BytesMut};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _, TryStreamExt as _};
use hyper::upgrade::OnUpgrade;
use meta::status::Status;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Connections at once that are no longer HTTP, whatever they have become. Each costs two file descriptors or more.
const MAX_SESSIONS: usize = 5000;

pub(crate) async fn exec(call: &mut Call<'_>, verb: Verb) -> Result<Answer, Failure> {
    check_create(call, verb)?;
    let target = target(call, true)?;
    let wish = upgrade::wish(&call.headers)?.ok_or_else(upgrade::required)?;
    let wanted = wanted(&call.query)?;
    let command: Vec<String> = call.query.all("command").map(String::from).collect();
    if command.is_empty() {
        return Err(Status::bad_request("you must specify at least one command for the container").into());
    }
    let carrier = Carrier::choose(call, wish)?;
    let request = ExecRequest { target, command: command.clone(), wanted };
    let opened = call.server.node.exec(request).await;
    carrier.serve(call, wanted, opened, Some(command))
}

pub(crate) async fn attach(call: &mut Call<'_>, verb: Verb) -> Result<Answer, Failure> {
    check_create(call, verb)?;
    let target = target(call, true)?;
    let wish = upgrade::wish(&call.headers)?.ok_or_else(upgrade::required)?;
    let wanted = wanted(&call.query)?;
    let carrier = Carrier::choose(call, wish)?;
    let opened = call.server.node.attach(AttachRequest { target, wanted }).await;
    carrier.serve(call, wanted, opened, None)
}

pub(crate) async fn port_forward(call: &mut Call<'_>, verb: Verb) -> Result<Answer, Failure> {
    check_create(call, verb)?;
    let pod = target(call, false)?;
    let wish = upgrade::wish(&call.headers)?.ok_or_else(upgrade::required)?;
    let handshake = match wish {
        Wish::Spdy(protocols) => return port_forward_by_spdy(call, pod, &protocols),
        Wish::WebSocket(handshake) => handshake,
    };
    if handshake.protocols.iter().any(|name| name == spdy::port_forward::TUNNEL) {
        return port_forward_by_tunnel(call, pod, &handshake);
    }
    let ports = port_forward::ports(call.query.all("ports"))?;
    let chosen = handshake.choose(channels::PORT_FORWARD)?;
    let on_upgrade = take_connection(call)?;
    let (name, dialect) = chosen.map_or((None, channels::OLDEST), |(name, dialect)| (Some(name), dialect));
    let (node, stop) = (call.server.node.clone(), call.server.stop.clone());
    call.server.sessions.spawn(async move {
        if let Some(socket) = upgrade::web_socket(on_upgrade).await {
            port_forward::serve(socket, dialect, node, pod, ports, stop).await;
        }
    });
    Ok(handshake.accept(name))
}

fn port_forward_by_spdy(call: &mut Call<'_>, pod: Target, protocols: &[String]) -> Result<Answer, Failure> {
    let (name, ()) = upgrade::choose_spdy(protocols, &[(spdy::port_forward::NAME, ())], ())?;
    let on_upgrade = take_connection(call)?;
    let (node, stop) = (call.server.node.clone(), call.server.stop.clone());
    call.server.sessions.spawn(stop.run_until_cancelled_owned(async move {
        if let Some(connection) = upgrade::bytes(on_upgrade).await {
            let (writer, reader) = connection.split();
            let reader = reader.map_ok(BytesMut::freeze);
            let protocol = |client| spdy::port_forward::run(client, node, pod);
            spdy::connection::serve(reader, writer, FINISHING, protocol).await;
        }
    }));
    Ok(upgrade::accept_spdy(name))
}

/// SPDY in the binary messages of a WebSocket (KEP-4006).
fn port_forward_by_tunnel(call: &mut Call<'_>, pod: Target, handshake: &Handshake) -> Result<Answer, Failure> {
    let on_upgrade = take_connection(call)?;
    let (node, stop) = (call.server.node.clone(), call.server.stop.clone());
    call.server.sessions.spawn(stop.run_until_cancelled_owned(async move {
        if let Some(socket) = upgrade::web_socket(on_upgrade).await {
            let (writer, reader) = socket.split();
            let reader = reader.map_ok(|message| match message {
                Message::Binary(bytes) => bytes,
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {
                    Bytes::new()
                }
            });
            let writer = writer.with(async |bytes| Ok::<_, Error>(Message::Binary(bytes)));
            let protocol = |client| spdy::port_forward::run(client, node, pod);
            spdy::connection::serve(reader, std::pin::pin!(writer), FINISHING, protocol).await;
        }
    }));
    Ok(handshake.accept(Some(spdy::port_forward::TUNNEL)))
}

/// The connection, of which only so many may be something else than HTTP.
fn take_connection(call: &mut Call<'_>) -> Result<OnUpgrade, Failure> {
    if MAX_SESSIONS <= call.server.sessions.len() {
        return Err(Status::too_many_requests("Too many sessions, please try again later.", 1).into());
    }
    call.upgrade.take().ok_or_else(upgrade::impossible)
}

/// A WebSocket's request is a GET, which must not be less than the POST it stands for (K: KEP-4006,
/// AuthorizePodWebsocketUpgradeCreatePermission, on by default since 1.35).
fn check_create(call: &Call<'_>, verb: Verb) -> Result<(), Failure> {
    if verb == Verb::Create {
        return Ok(());
    }
    let path = &call.path;
    call.server.authorizer.require(
        &call.user,
        &Attributes {
            verb: Verb::Create.name(),
            group: &path.group,
            resource: &path.resource,
            subresource: &path.subresource,
            namespace: &path.namespace,
            name: &path.name,
            path: None,
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
    way: Way,
}

enum Way {
    WebSocket { handshake: Handshake, name: Option<&'static str>, dialect: Dialect },
    Spdy { name: Option<&'static str>, version: u8 },
}

impl Carrier {
    fn choose(call: &mut Call<'_>, wish: Wish) -> Result<Self, Failure> {
        let way = match wish {
            Wish::WebSocket(handshake) => {
                let chosen = handshake.choose(channels::REMOTE_COMMAND)?;
                let (name, dialect) = chosen.map_or((None, channels::OLDEST), |(name, dialect)| (Some(name), dialect));
                Way::WebSocket { handshake, name, dialect }
            }
            Wish::Spdy(protocols) => {
                let (name, version) = upgrade::choose_spdy(&protocols, spdy::remote_command::VERSIONS, 1)?;
                Way::Spdy { name, version }
            }
        };
        Ok(Self { on_upgrade: take_connection(call)?, way })
    }

    fn serve(
        self,
        call: &Call<'_>,
        wanted: Wanted,
        opened: Result<Session, Status>,
        command: Option<Vec<String>>,
    ) -> Result<Answer, Failure> {
        let session = match (opened, &self.way) {
            (Ok(session), _) => session,
            // The API server has upgraded by then, the kubelet not yet (K: StreamTranslatorHandler).
            (Err(status), Way::WebSocket { dialect: Dialect { version: 5.., .. }, .. }) => {
                ended(format!("unable to upgrade connection: {}", status.message))
            }
            (Err(status), _) => return Ok(plain(&status)),
        };
        let stop = call.server.stop.clone();
        let on_upgrade = self.on_upgrade;
        match self.way {
            Way::WebSocket { handshake, name, dialect } => {
                call.server.sessions.spawn(async move {
                    if let Some(socket) = upgrade::web_socket(on_upgrade).await {
                        remote_command::serve(socket, dialect, wanted, session, command, stop).await;
                    }
                });
                Ok(handshake.accept(name))
            }
            Way::Spdy { name, version } => {
                call.server.sessions.spawn(stop.run_until_cancelled_owned(async move {
                    if let Some(connection) = upgrade::bytes(on_upgrade).await {
                        let (writer, reader) = connection.split();
                        let reader = reader.map_ok(BytesMut::freeze);
                        let protocol = |client| spdy::remote_command::run(client, version, wanted, session, command);
                        spdy::connection::serve(reader, writer, FINISHING, protocol).await;
                    }
                }));
                Ok(upgrade::accept_spdy(name))
            }
        }
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
