//! Bridges, pairs of virtual interfaces, addresses and routes, by netlink. Decides nothing.

use super::plan::Range;
use futures::TryStreamExt;
use nix::sched::{CloneFlags, unshare};
use rtnetlink::packet_core::ErrorMessage;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute};
use rtnetlink::{Error, Handle, LinkBridge, LinkUnspec, LinkVeth, RouteMessageBuilder, new_connection};
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};

/// Its interface's name in a pod.
const IN_POD: &str = "eth0";

/// What a pod's namespace is to have.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The bridge's index.
    pub bridge: u32,
    /// The name of the interface's other end, on the host.
    pub host_end: String,
    /// The pod's address.
    pub address: Ipv4Addr,
    /// Its range, with the gateway.
    pub range: Range,
}

/// Runs netlink requests in the network namespace that the thread is in. Blocking, and possible where a runtime is at work: it is done in
/// a thread of its own.
fn in_this_namespace<T: Send>(requests: impl AsyncFnOnce(Handle) -> Result<T, Error> + Send) -> io::Result<T> {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let (connection, handle, _) = new_connection()?;
            tokio::spawn(connection);
            requests(handle).await.map_err(io_error)
        })
    };
    let died = |_| Err(io::Error::other("the thread that asks the kernel has died"));
    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(died))
}

fn io_error(error: Error) -> io::Error {
    match &error {
        Error::NetlinkError(ErrorMessage { code: Some(code), .. }) => io::Error::from_raw_os_error(-code.get()),
        _ => io::Error::other(error.to_string()),
    }
}

/// The ranges that this machine has addresses in or routes to; the default route is not one. `but`: not those of this interface.
pub fn taken(but: &str) -> io::Result<Vec<Range>> {
    in_this_namespace(async |handle| {
        let own = index(&handle, but).await?;
        let mut taken = Vec::new();
        let mut addresses = handle.address().get().execute();
        while let Some(message) = addresses.try_next().await? {
            for attribute in &message.attributes {
                if let AddressAttribute::Address(IpAddr::V4(address)) = attribute
                    && Some(message.header.index) != own
                {
                    taken.push(Range::of(*address, message.header.prefix_len));
                }
            }
        }
        let mut routes = handle.route().get(RouteMessageBuilder::<Ipv4Addr>::new().build()).execute();
        while let Some(message) = routes.try_next().await? {
            let leads_there = message
                .attributes
                .iter()
                .any(|attribute| matches!(attribute, RouteAttribute::Oif(to) if Some(*to) == own));
            for attribute in &message.attributes {
                if let RouteAttribute::Destination(RouteAddress::Inet(base)) = attribute
                    && 0 < message.header.destination_prefix_length
                    && !leads_there
                {
                    taken.push(Range::of(*base, message.header.destination_prefix_length));
                }
            }
        }
        Ok(taken)
    })
}

async fn index(handle: &Handle, name: &str) -> Result<Option<u32>, Error> {
    let mut links = handle.link().get().match_name(name).execute();
    match links.try_next().await {
        Ok(link) => Ok(link.map(|link| link.header.index)),
        Err(Error::NetlinkError(ErrorMessage { code: Some(code), .. })) if code.get() == -libc::ENODEV => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the bridge, if it is not there, with the gateway's address, and gives its index. `whose` is noted on it.
pub fn bridge(name: &str, range: Range, whose: &str) -> io::Result<u32> {
    in_this_namespace(async |handle| {
        let index = match index(&handle, name).await? {
            Some(index) => index,
            None => {
                handle.link().add(LinkBridge::new(name).build()).execute().await?;
                index(&handle, name).await?.ok_or(Error::RequestFailed)?
            }
        };
        handle.address().add(index, range.gateway().into(), range.prefix).replace().execute().await?;
        // The kernel takes the note from those who change an interface, not from those who make it.
        handle.link().set(LinkUnspec::new_with_index(index).alias(whose).up().build()).execute().await?;
        Ok(index)
    })
}

/// Removes an interface; one that is not there is removed already.
pub fn remove(name: &str) -> io::Result<()> {
    in_this_namespace(async |handle| {
        if let Some(index) = index(&handle, name).await? {
            handle.link().del(index).execute().await?;
        }
        Ok(())
    })
}

/// Makes a network namespace whose interface is connected to the bridge. Blocking; the thread is in that namespace afterwards, and
/// must end.
pub fn connected_namespace(wanted: &Wanted) -> io::Result<OwnedFd> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let (connection, host, _) = new_connection()?;
        tokio::spawn(connection);
        unshare(CloneFlags::CLONE_NEWNET)?;
        let namespace = OwnedFd::from(File::open("/proc/thread-self/ns/net")?);
        let (connection, pod, _) = new_connection()?;
        tokio::spawn(connection);
        connect(&host, &pod, &namespace, wanted).await.map_err(io_error)?;
        Ok(namespace)
    })
}

async fn connect(host: &Handle, pod: &Handle, namespace: &OwnedFd, wanted: &Wanted) -> Result<(), Error> {
    // The kernel brings the inner end up only when it has its outer one.
    let inner = LinkUnspec::new_with_name(IN_POD).setns_by_fd(namespace.as_raw_fd()).build();
    let pair = || {
        LinkVeth::new(&wanted.host_end, IN_POD)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(inner.clone())))
            .controller(wanted.bridge)
            .up()
            .build()
    };
    match host.link().add(pair()).execute().await {
        // Of a pod that had the address before, and whose namespace the kernel has not taken down yet.
        Err(Error::NetlinkError(ErrorMessage { code: Some(code), .. })) if code.get() == -libc::EEXIST => {
            if let Some(index) = index(host, &wanted.host_end).await? {
                host.link().del(index).execute().await?;
            }
            host.link().add(pair()).execute().await?;
        }
        other => other?,
    }
    let lo = index(pod, "lo").await?.ok_or(Error::RequestFailed)?;
    let eth0 = index(pod, IN_POD).await?.ok_or(Error::RequestFailed)?;
    for index in [lo, eth0] {
        pod.link().set(LinkUnspec::new_with_index(index).up().build()).execute().await?;
    }
    pod.address().add(eth0, wanted.address.into(), wanted.range.prefix).execute().await?;
    let default = RouteMessageBuilder::<Ipv4Addr>::new().gateway(wanted.range.gateway()).build();
    pod.route().add(default).execute().await
}

/// The interfaces whose names begin so, and whose they are, where that is noted.
pub fn named(begin: &str) -> io::Result<Vec<(String, Option<String>)>> {
    in_this_namespace(async |handle| {
        let mut links = handle.link().get().execute();
        let mut found = Vec::new();
        while let Some(link) = links.try_next().await? {
            let (mut name, mut whose) = (String::new(), None);
            for attribute in link.attributes {
                match attribute {
                    LinkAttribute::IfName(text) => name = text,
                    LinkAttribute::IfAlias(text) => whose = Some(text),
                    _ => {}
                }
            }
            if name.starts_with(begin) {
                found.push((name, whose));
            }
        }
        Ok(found)
    })
}
