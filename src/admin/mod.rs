//! The admin HTTP server: metrics, liveness, readiness and status. A GET never changes anything; the one change there is,
//! to drain, is a POST and needs the token.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::watch;

mod token;

use self::token::Verdict;
use crate::config::plan::Parameter;
use crate::metrics::{Exporter, Gauge};

/// What the server shows; every answer is asked for anew.
pub trait View: Send + Sync + 'static {
    /// The values of all gauges.
    fn gauges(&self) -> Vec<Gauge>;
    /// Whether the node takes new calls, and what it lacks.
    fn readiness(&self) -> Readiness;
    /// The node in a few facts.
    fn status(&self) -> Status;
    /// Every address of a neighbour, in the order of the configuration.
    fn neighbours(&self) -> Vec<NeighbourAddress>;
    /// The feature's parameters, as the running configuration has them.
    fn parameters(&self) -> Vec<Parameter>;
    /// Takes no new calls but emergencies from now on, and ends the process when the others are over.
    fn drain(&self);
}

/// Answer of `/ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether new calls are taken.
    pub ready: bool,
    /// What stands against it, or what is worth knowing beside it.
    pub because: Vec<&'static str>,
}

/// Answer of `/api/v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Version of the program.
    pub version: &'static str,
    /// Id of the cluster it serves.
    pub cluster: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Calls that live.
    pub calls: u64,
    /// Whether it only waits for them to end.
    pub draining: bool,
}

/// One row of the answer of `/api/v1/neighbours`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NeighbourAddress {
    /// Name of the peer or id of the remote cluster.
    pub neighbour: String,
    /// As the configuration writes addresses.
    pub address: String,
    /// `up`, `probing`, `down`, or `resting` as a 503 asked.
    pub state: &'static str,
    /// Seconds left of the rest a 503 asked for.
    pub rests_s: Option<u64>,
}

/// Why the server could not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AdminError {
    /// The address can be reached from other hosts, and this version serves neither TLS nor a token.
    #[error(
        "admin on {0} could be reached from other hosts, which needs TLS and a token: listen on a loopback address"
    )]
    Public(SocketAddr),
    /// The address cannot be used.
    #[error("admin on {address}: cannot listen ({kind})")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// Its thread or reactor could not be made.
    #[error("cannot start the admin server ({0})")]
    Thread(io::ErrorKind),
}

/// A running server with a thread of its own, so that a scrape never delays a call. Dropping it stops it.
pub struct Admin {
    local: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Binds and serves. Without `token_file` nothing can be changed; it is read at each change, so that a token may be
    /// replaced while the node runs. The histogram's samples are folded on the same thread.
    ///
    /// # Errors
    /// [`AdminError`]; a public address is refused.
    pub fn start(
        address: SocketAddr,
        exporter: Exporter,
        view: Arc<dyn View>,
        token_file: Option<PathBuf>,
    ) -> Result<Self, AdminError> {
        if !address.ip().to_canonical().is_loopback() {
            return Err(AdminError::Public(address));
        }
        let listen = |error: io::Error| AdminError::Listen { address, kind: error.kind() };
        let socket = TcpListener::bind(address).map_err(listen)?;
        socket.set_nonblocking(true).map_err(listen)?;
        let local = socket.local_addr().map_err(listen)?;
        let failed = |error: io::Error| AdminError::Thread(error.kind());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let socket = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(socket).map_err(failed)?
        };
        let (stop, mut stopped) = watch::channel(false);
        let exporter = Arc::new(exporter);
        let app = router(Arc::clone(&exporter), view, token_file.map(Arc::from));
        let thread = thread::Builder::new().name("admin".to_owned()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    // Never ends by itself: it goes on after every error of a connection.
                    _ = axum::serve(socket, app) => {}
                    () = exporter.upkeep() => {}
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            });
        });
        Ok(Self { local, stop, thread: Some(thread.map_err(failed)?) })
    }

    /// Where it listens.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Stops the server and waits for its thread; answers under way are cut off.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked is gone already, and said so.
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Shown {
    exporter: Arc<Exporter>,
    view: Arc<dyn View>,
    token_file: Option<Arc<Path>>,
}

fn router(exporter: Arc<Exporter>, view: Arc<dyn View>, token_file: Option<Arc<Path>>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/live", get(|| async { "live" }))
        .route("/ready", get(ready))
        .route("/api/v1/status", get(status))
        .route("/api/v1/neighbours", get(neighbours))
        .route("/api/v1/parameters", get(parameters))
        .route(DRAIN, post(drain))
        .layer(middleware::from_fn(only_known_methods))
        .with_state(Shown { exporter, view, token_file })
}

const DRAIN: &str = "/api/v1/drain";

/// Before any route: HEAD too is no GET here, and a path that does not exist is no reason to accept a POST.
async fn only_known_methods(request: Request, next: Next) -> Response {
    let (wanted, name) = if request.uri().path() == DRAIN { (Method::POST, "POST") } else { (Method::GET, "GET") };
    if request.method() == wanted {
        next.run(request).await
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, name)]).into_response()
    }
}

async fn drain(State(shown): State<Shown>, headers: HeaderMap) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| token::of_header(value.as_bytes()));
    match token::judge(shown.token_file.as_deref(), given) {
        Verdict::Right => {
            shown.view.drain();
            Json(shown.view.status()).into_response()
        }
        Verdict::Wrong => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
        Verdict::NoToken => {
            (StatusCode::FORBIDDEN, "no readable admin.token_file: nothing can be changed\n").into_response()
        }
    }
}

async fn metrics(State(shown): State<Shown>) -> impl IntoResponse {
    let text = shown.exporter.render(&shown.view.gauges());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

async fn ready(State(shown): State<Shown>) -> impl IntoResponse {
    let readiness = shown.view.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

async fn status(State(shown): State<Shown>) -> Json<Status> {
    Json(shown.view.status())
}

async fn neighbours(State(shown): State<Shown>) -> Json<Vec<NeighbourAddress>> {
    Json(shown.view.neighbours())
}

async fn parameters(State(shown): State<Shown>) -> Json<Vec<Parameter>> {
    Json(shown.view.parameters())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::Duration;

    #[derive(Default)]
    struct Shows {
        is_draining: AtomicBool,
    }

    impl View for Shows {
        fn gauges(&self) -> Vec<Gauge> {
            vec![Gauge { name: "emcc_calls", labels: Vec::new(), value: 3.0 }]
        }
        fn readiness(&self) -> Readiness {
            let ready = !self.is_draining.load(Relaxed);
            Readiness { ready, because: if ready { Vec::new() } else { vec!["draining"] } }
        }
        fn neighbours(&self) -> Vec<NeighbourAddress> {
            let (neighbour, address) = ("gw".to_owned(), "udp:127.0.0.1:5060".to_owned());
            vec![NeighbourAddress { neighbour, address, state: "resting", rests_s: Some(9) }]
        }
        fn parameters(&self) -> Vec<Parameter> {
            let text = "[cluster]\nid = \"HQ\"\n[sip]\nlisten = [\"udp:127.0.0.1:5060\"]\n";
            crate::config::load_text("test", text).unwrap().plan.parameters().into()
        }
        fn drain(&self) {
            self.is_draining.store(true, Relaxed);
        }
        fn status(&self) -> Status {
            let draining = self.is_draining.load(Relaxed);
            Status { version: "0.1.0", cluster: "HQ".to_owned(), uptime_s: 7, calls: 3, draining }
        }
    }

    fn started() -> (Admin, Arc<Shows>) {
        let shows = Arc::new(Shows::default());
        let (exporter, _counters) = Exporter::new();
        let view = Arc::clone(&shows);
        (Admin::start("127.0.0.1:0".parse().unwrap(), exporter, view, None).unwrap(), shows)
    }

    #[test]
    fn to_drain_needs_the_token_of_the_moment_and_a_post() {
        let shows = Arc::new(Shows::default());
        let file = std::env::temp_dir().join(format!("emcc-token-{}", std::process::id()));
        let admin = Admin::start(
            "127.0.0.1:0".parse().unwrap(),
            Exporter::new().0,
            Arc::<Shows>::clone(&shows),
            Some(file.clone()),
        )
        .unwrap();
        let post = |authorization: &str| {
            let more =
                if authorization.is_empty() { String::new() } else { format!("Authorization: {authorization}\r\n") };
            ask_with(&admin, "POST", DRAIN, &more).0
        };
        assert_eq!(post("Bearer 0123456789abcdef"), 403, "there is no such file");
        std::fs::write(&file, "short\n").unwrap();
        assert_eq!(post("Bearer short"), 403, "one that is guessed soon is none");
        std::fs::write(&file, " 0123456789abcdef\n").unwrap();
        for wrong in ["", "Bearer", "Bearer 0123456789abcdeX", "Bearer 0123456789abcdef0", "Basic 0123456789abcdef"] {
            assert_eq!(post(wrong), 401, "{wrong}");
        }
        assert_eq!(ask(&admin, "GET", DRAIN).0, 405, "a GET never changes anything");
        assert!(!shows.is_draining.load(Relaxed));
        assert_eq!(post("bearer 0123456789abcdef"), 200);
        assert!(shows.is_draining.load(Relaxed));
        std::fs::remove_file(file).unwrap();
    }

    fn ask(admin: &Admin, method: &str, path: &str) -> (u16, String, String) {
        ask_with(admin, method, path, "")
    }

    fn ask_with(admin: &Admin, method: &str, path: &str, more: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(admin.local()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: admin\r\n{more}Connection: close\r\nContent-Length: 0\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }

    #[test]
    fn metrics_are_prometheus_text_with_the_gauges_of_the_moment() {
        let (admin, _) = started();
        let (status, head, body) = ask(&admin, "GET", "/metrics");
        assert_eq!(status, 200);
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        assert!(body.contains("# TYPE emcc_calls gauge\nemcc_calls 3\n"), "{body}");
        assert!(body.contains("# HELP emcc_calls_total "));
        admin.shutdown();
    }

    #[test]
    fn a_draining_node_lives_and_is_not_ready() {
        let (admin, shows) = started();
        assert_eq!(ask(&admin, "GET", "/live").0, 200);
        let (status, _, body) = ask(&admin, "GET", "/ready");
        assert_eq!((status, body.as_str()), (200, r#"{"ready":true,"because":[]}"#));
        shows.is_draining.store(true, Relaxed);
        let (status, _, body) = ask(&admin, "GET", "/ready");
        assert_eq!((status, body.as_str()), (503, r#"{"ready":false,"because":["draining"]}"#));
        assert_eq!(ask(&admin, "GET", "/live").2, "live");
        let (status, _, body) = ask(&admin, "GET", "/api/v1/status");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["cluster"], &body["draining"]), (200, &"HQ".into(), &true.into()));
    }

    #[test]
    fn the_addresses_of_neighbours_are_shown_with_their_state() {
        let (admin, _) = started();
        let (status, _, body) = ask(&admin, "GET", "/api/v1/neighbours");
        assert_eq!(status, 200);
        assert_eq!(body, r#"[{"neighbour":"gw","address":"udp:127.0.0.1:5060","state":"resting","rests_s":9}]"#);
    }

    #[test]
    fn every_parameter_of_table_2_is_shown() {
        let (admin, _) = started();
        let (status, _, body) = ask(&admin, "GET", "/api/v1/parameters");
        let shown: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
        assert_eq!((status, shown.len()), (200, 13));
        let keepalive = shown.iter().find(|row| row["key"] == "feature.rsvp_keepalive_s").unwrap();
        let want = serde_json::json!({
            "name": "RSVP SIP Trunk KeepAlive Timer", "key": "feature.rsvp_keepalive_s", "value": 15, "default": 15,
            "range": "1-600 s", "acts": "keepalives of the RSVP trunk"
        });
        assert_eq!(keepalive, &want);
        // What nothing acts on, nobody is told anything does.
        let idle = shown.iter().find(|row| row["key"] == "feature.stale_device_interval_min").unwrap();
        assert_eq!((&idle["value"], &idle["acts"]), (&1_440.into(), &serde_json::Value::Null));
    }

    #[test]
    fn nothing_but_get_is_served_but_for_the_one_change() {
        let (admin, _) = started();
        assert_eq!(ask(&admin, "POST", DRAIN).0, 403, "without a token file nothing can be changed");
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            for path in ["/metrics", "/api/v1/status", "/nowhere"] {
                let (status, head, _) = ask(&admin, method, path);
                assert_eq!(status, 405, "{method} {path}");
                assert!(head.contains("allow: get"), "{method} {path}: {head}");
            }
        }
        assert_eq!(ask(&admin, "HEAD", "/live").0, 405);
        assert_eq!(ask(&admin, "GET", "/nowhere").0, 404);
    }

    #[test]
    fn a_public_address_is_refused_and_one_in_use_is_named() {
        let refuse = |address: SocketAddr| {
            let error = Admin::start(address, Exporter::new().0, Arc::new(Shows::default()), None).err().unwrap();
            assert!(error.to_string().contains(&address.to_string()), "{error}");
            error
        };
        for address in ["0.0.0.0:0", "192.0.2.1:9411", "[::]:0"] {
            let address = address.parse().unwrap();
            assert_eq!(refuse(address), AdminError::Public(address));
        }
        let (admin, _) = started();
        let address = admin.local();
        assert_eq!(refuse(address), AdminError::Listen { address, kind: io::ErrorKind::AddrInUse });
    }
}
