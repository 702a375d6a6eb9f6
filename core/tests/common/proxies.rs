//! The proxies that companies have, as tests start them: one each, on a free port of loopback.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use pinfold_core::proxy::{NoProxy, Proxies, Proxy};
use pinfold_core::{Client, PinSet, Roots};
use pinfold_testkit::Testkit;

use crate::common::*;
use crate::process::{Process, write};

pub const USER: &str = "alice";
pub const PASSWORD: &str = "s3cret of alice";
pub const LOGIN: &str = "alice:s3cret%20of%20alice@";
pub const WRONG: &str = "alice:wr0ng@";

pub fn proxies(scheme: &str, login: &str, process: &Process) -> Proxies {
    at(scheme, login, process.addr)
}

pub fn at(scheme: &str, login: &str, addr: SocketAddr) -> Proxies {
    let proxy = Proxy::parse(&format!("{scheme}://{login}{addr}")).expect("a proxy");
    Proxies::Fixed { proxy, no_proxy: NoProxy::default() }
}

pub fn roots(kit: &Testkit) -> Roots {
    let roots = ["root", "other_root"].map(|name| kit.pki().certificate(name).to_vec());
    Roots::Only(roots.into())
}

/// One that reaches servers of the testkit as `localhost`, which the proxy looks up.
pub fn behind(kit: &Testkit, pins: PinSet, proxies: Proxies) -> Client {
    let client = Client::builder(pins).roots(roots(kit)).proxies(proxies);
    client.timeout(PATIENCE * 2).build().expect("good settings")
}

/// The entry for `localhost` that `name`'s pin satisfies.
pub fn local(kit: &Testkit, name: &str) -> PinSet {
    set(vec![pinfold_core::pin::HostSpec {
        host: "localhost".into(),
        ..host(pins_at(kit, name, pinfold_core::pin::PinAt::Any))
    }])
}

pub fn local_url(kit: &Testkit, server: &str) -> String {
    format!("https://localhost:{}/bytes/70000", kit.server(server).port())
}

pub enum Auth {
    None,
    /// Nobody is let through.
    Never,
    Basic,
    Digest,
}

pub fn squid(auth: Auth) -> Process {
    squid_at("127.0.0.1", auth)
}

pub fn squid_at(host: &str, auth: Auth) -> Process {
    Process::start_at(host, "squid", |folder, port| {
        let listens = SocketAddr::new(host.parse().expect("an address"), port);
        let at = |name: &str| folder.join(name).display().to_string();
        let helpers = "/usr/lib/squid";
        let access = match &auth {
            Auth::None => "http_access allow all".to_owned(),
            Auth::Never => "http_access deny all".to_owned(),
            Auth::Basic => {
                let hash = Command::new("openssl").args(["passwd", "-apr1", PASSWORD]).output();
                let hash = hash.expect("scripts/setup proxies").stdout;
                let line = [format!("{USER}:").as_bytes(), &hash].concat();
                write(&folder.join("users"), line);
                let users = at("users");
                format!(
                    "auth_param basic program {helpers}/basic_ncsa_auth {users}\n\
                 auth_param basic realm the company's, \"proxy\"\n\
                 acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all"
                )
            }
            Auth::Digest => {
                write(&folder.join("users"), format!("{USER}:{PASSWORD}\n"));
                let users = at("users");
                format!(
                    "auth_param digest program {helpers}/digest_file_auth {users}\n\
                 auth_param digest realm company\n\
                 acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all"
                )
            }
        };
        let config = format!(
            "http_port {listens}\npid_filename none\ncache deny all\ncache_mem 1 MB\n\
         access_log none\ncache_log {}\nvisible_hostname proxy.test\nshutdown_lifetime 0 seconds\n\
         pinger_enable off\ncoredump_dir {}\nnetdb_filename none\n{access}\n",
            at("cache.log"),
            folder.display(),
        );
        write(&folder.join("conf"), config);
        let mut command = Command::new("squid");
        command.args(["-N", "-f", &at("conf")]);
        command
    })
}

pub fn tinyproxy(login: bool) -> Process {
    tinyproxy_at("127.0.0.1", login)
}

pub fn tinyproxy_at(host: &str, login: bool) -> Process {
    Process::start_at(host, "tinyproxy", |folder, port| {
        let login = match login {
            // It has no quotes for a blank.
            true => "BasicAuth alice s3cret",
            false => "",
        };
        let config = format!("Port {port}\nListen {host}\nTimeout 60\nMaxClients 50\n{login}\n");
        let path = folder.join("conf");
        write(&path, config);
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(path);
        command
    })
}

pub fn microsocks(login: bool) -> Process {
    microsocks_at("127.0.0.1", login)
}

pub fn microsocks_at(host: &str, login: bool) -> Process {
    Process::start_at(host, "microsocks", |_, port| {
        let mut command = Command::new("microsocks");
        command.args(["-i", host, "-p", &port.to_string()]);
        if login {
            command.args(["-u", USER, "-P", PASSWORD]);
        }
        command
    })
}

pub fn dante(method: &str) -> Process {
    dante_with(method, |_| Vec::new())
}

/// One whose users are these tests' own: it asks the system for them, which nss_wrapper answers.
pub fn dante_of_users() -> Process {
    dante_with("username", |folder| {
        let hash = Command::new("openssl").args(["passwd", "-6", PASSWORD]).output();
        let hash = String::from_utf8(hash.expect("scripts/setup proxies").stdout).expect("text");
        let system = "root:x:0:0::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n";
        let users = format!("{system}{USER}:x:12345:65534::/:/bin/false\n");
        write(&folder.join("passwd"), users);
        write(&folder.join("group"), "nogroup:x:65534:\n");
        write(&folder.join("shadow"), format!("{USER}:{}:19000:0:99999:7:::\n", hash.trim()));
        ["passwd", "group", "shadow"]
            .map(|file| {
                let variable = format!("NSS_WRAPPER_{}", file.to_uppercase());
                (variable, folder.join(file).display().to_string())
            })
            .into_iter()
            .chain([("LD_PRELOAD".to_owned(), "libnss_wrapper.so".to_owned())])
            .collect()
    })
}

fn dante_with(method: &str, variables: impl Fn(&Path) -> Vec<(String, String)>) -> Process {
    Process::start("dante", |folder, port| {
        let config = format!(
            "internal: 127.0.0.1 port = {port}\nexternal: lo\nclientmethod: none\n\
         socksmethod: {method}\nlogoutput: stderr\n\
         client pass {{ from: 0/0 to: 0/0 }}\nsocks pass {{ from: 0/0 to: 0/0 }}\n"
        );
        let path = folder.join("conf");
        write(&path, config);
        let mut command = Command::new("danted");
        command.arg("-f").arg(path).envs(variables(folder));
        command
    })
}

pub fn mitmproxy(arguments: &[&str]) -> Process {
    Process::start("mitmproxy", |folder, port| {
        let confdir = format!("confdir={}", folder.display());
        let mut command = Command::new("mitmdump");
        command.args(["--listen-host", "127.0.0.1", "--listen-port", &port.to_string()]);
        command.args(["--ssl-insecure", "--set", &confdir]).args(arguments);
        command
    })
}

/// TLS with the certificate of `chain` in front of `behind`.
pub fn tls_in_front(kit: &Testkit, chain: &str, behind: SocketAddr) -> Process {
    Process::start("haproxy", |folder, port| {
        kit.pki().write_to(folder).expect("a folder");
        let read = |kind: &str| {
            let path = folder.join(format!("{chain}.{kind}.pem"));
            std::fs::read_to_string(path).expect("written just now")
        };
        write(&folder.join("server.pem"), read("chain") + &read("key"));
        let config = format!(
            "defaults\n mode tcp\n timeout client 60s\n timeout server 60s\n timeout connect 10s\n\
         listen proxy\n bind 127.0.0.1:{port} ssl crt {}\n server behind {}\n",
            folder.join("server.pem").display(),
            behind,
        );
        let path = folder.join("conf");
        write(&path, config);
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(path);
        command
    })
}
