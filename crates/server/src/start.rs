use crate::{
    Config,
    admission::admit,
    alerts,
    app::App,
    console_door,
    datagrams::{Datagrams, ShownKeys},
    ddi, director, est,
    listener::{Listener, Messages, Tls},
    ocsp,
    outward::reach::Reach,
    public,
    rest::{self, problem::Fault},
    routes, streams,
    tls::{
        ClientTrust, OwnCertificate, PemCertificate, RENEWAL_CHECK, messages_config, server_config,
    },
    tuf,
};
use api::problem::Code;
use axum::{Router, middleware::from_fn_with_state, routing::get};
use console::Origin;
use crypto::dtls::RawKey;
use gateway::told_to_stop;
use service::Service;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket, UdpSocket},
    sync::watch,
    task::JoinSet,
    time::sleep,
};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {cause}; stop what listens there or choose another port")]
    Listen {
        /// where
        address: SocketAddr,
        /// what the operating system says
        cause: std::io::Error,
    },
    /// There is no certificate for the server.
    #[error("the server has no certificate: {0}")]
    Certificate(String),
    /// The console cannot be offered as it is configured.
    #[error("the console: {0}")]
    Console(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// DTLS cannot be set up.
    #[error("DTLS cannot be set up: {0}")]
    Dtls(String),
}

/// Connections that wait to be accepted; the kernel may allow less.
const BACKLOG: u32 = 1024;

/// Starts servers.
#[derive(Debug, Clone, Copy)]
pub struct Server;

impl Server {
    /// Listens and serves in the background until the [`RunningServer`] is shut down or dropped.
    /// Needs a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config, service: Service) -> Result<RunningServer, StartError> {
        let own = Arc::new(
            OwnCertificate::load(&service, &config.names)
                .await
                .map_err(|error| StartError::Certificate(error.to_string()))?,
        );
        let trust = Arc::new(ClientTrust::new(service.clone()));
        let https = Arc::new(server_config(&trust, own.clone())?);
        let tls = Tls { config: https, trust: trust.clone() };
        let raw_keys = config.coap.is_some() && config.coap_raw_keys;
        let app = App::new(service.clone(), config.limits, raw_keys);
        let (rest, _description) = rest::router();
        let signed = public::router().merge(ocsp::router()).merge(tuf::router());
        let everything = rest
            .merge(est::router())
            .merge(ddi::router())
            .merge(director::router())
            .merge(signed.clone());
        let public = signed.route("/v1/health", get(rest::health));

        let secure = listen(config.tls).await?;
        let plain = listen(config.public).await?;
        let running_at = (address(&secure, config.tls), address(&plain, config.public));
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let doors = [(secure, Some(tls), everything), (plain, None, public)];
        for (socket, tls, router) in doors {
            let router = finish(router, &app);
            let app = app.clone();
            let gateway = None;
            let listener =
                Listener { socket, tls, router, ocsp: true, proxied: false, app, gateway };
            tasks.spawn(listener.serve(stopped.clone(), config.grace));
        }
        let gateway = gateway::Gateway::new(service.clone(), config.gateway);
        let _once = app.gateway.set(gateway.clone());
        let reach = Reach::Open(config.route_networks.clone().into());
        tasks.spawn(alerts::run(service.clone(), reach.clone(), stopped.clone()));
        let delivering = routes::run(service.clone(), gateway.clone(), reach, stopped.clone());
        tasks.spawn(delivering);
        tasks.spawn(gateway.clone().keep(stopped.clone()));
        let mut coap_at = None;
        if let Some(wanted) = config.coap {
            let failed = |cause| StartError::Listen { address: wanted, cause };
            let socket = UdpSocket::bind(wanted).await.map_err(failed)?;
            coap_at = Some(socket.local_addr().map_err(failed)?);
            let raw = match raw_keys {
                true => Some(raw_keys_shown(&service).await?),
                false => None,
            };
            let (app, gateway, trust) = (app.clone(), gateway.clone(), trust.clone());
            let door = Datagrams { socket, app, gateway, trust, grace: config.grace };
            tasks.spawn(door.serve(own.clone(), raw, stopped.clone()).map_err(StartError::Dtls)?);
        }
        let origins = gateway::Origins {
            own: config.names.clone(),
            others: config.websocket_origins.clone(),
        };
        let websocket = Messages::Websocket(gateway.clone(), Arc::new(origins));
        let mut messages_at = [None, None];
        let doors = [
            (config.mqtt, Messages::Mqtt(gateway), "mqtt"),
            (config.mqtt_websocket, websocket, "http/1.1"),
        ];
        for ((wanted, messages, protocol), at) in doors.into_iter().zip(&mut messages_at) {
            let Some(wanted) = wanted else { continue };
            let socket = listen(wanted).await?;
            *at = Some(address(&socket, wanted));
            let spoken = Arc::new(messages_config(&trust, own.clone(), protocol)?);
            let tls = Some(Tls { config: spoken, trust: trust.clone() });
            let (app, gateway, router) = (app.clone(), Some(messages), Router::new());
            let listener =
                Listener { socket, tls, router, ocsp: false, proxied: false, app, gateway };
            tasks.spawn(listener.serve(stopped.clone(), config.grace));
        }
        let [mqtt_at, websocket_at] = messages_at;
        let mut console_at = None;
        if let Some(door) = &config.console {
            let socket = listen(door.address).await?;
            let at = address(&socket, door.address);
            let origin = console_door::origin(door, at)?;
            let _once = app.console.set(origin.clone());
            let sessions = Arc::new(console::ServiceSessions(service.clone()));
            let opened = console_door::open(door, origin.clone(), &app, &service, sessions).await?;
            let (tls, router) = (opened.tls, opened.router);
            let app = app.clone();
            let gateway = None;
            let listener =
                Listener { socket, tls, router, ocsp: false, proxied: true, app, gateway };
            tasks.spawn(listener.serve(stopped.clone(), config.grace));
            if let Some(own) = opened.own {
                tasks.spawn(keep_certificate(own, service.clone(), stopped.clone()));
            }
            if let Some(pem) = opened.pem {
                tasks.spawn(keep_files(pem, stopped.clone()));
            }
            console_at = Some((at, origin));
        }
        tasks.spawn(streams::run(service.clone(), own.clone(), stopped.clone()));
        tasks.spawn(keep_certificate(own, service, stopped));
        Ok(RunningServer {
            tls: running_at.0,
            public: running_at.1,
            console_at,
            mqtt_at,
            websocket_at,
            coap_at,
            stop,
            tasks,
        })
    }
}

/// A server that runs. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct RunningServer {
    tls: SocketAddr,
    public: SocketAddr,
    console_at: Option<(SocketAddr, Origin)>,
    mqtt_at: Option<SocketAddr>,
    websocket_at: Option<SocketAddr>,
    coap_at: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl RunningServer {
    /// Where the TLS door listens.
    pub fn tls_address(&self) -> SocketAddr {
        self.tls
    }

    /// Where the door for public data listens.
    pub fn public_address(&self) -> SocketAddr {
        self.public
    }

    /// Where the MQTT door listens, where there is one.
    pub fn mqtt_address(&self) -> Option<SocketAddr> {
        self.mqtt_at
    }

    /// Where the door for MQTT over WebSocket listens, where there is one.
    pub fn websocket_address(&self) -> Option<SocketAddr> {
        self.websocket_at
    }

    /// Where the door for CoAP listens, where there is one.
    pub fn coap_address(&self) -> Option<SocketAddr> {
        self.coap_at
    }

    /// Where the door for people listens, where there is one.
    pub fn console_address(&self) -> Option<SocketAddr> {
        self.console_at.as_ref().map(|(address, _)| *address)
    }

    /// What people type to come to the console, where there is one.
    pub fn console_origin(&self) -> Option<&Origin> {
        self.console_at.as_ref().map(|(_, origin)| origin)
    }

    /// Takes no more connections, lets open requests end, and returns. The service goes on: close
    /// it after.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The key that is shown to devices that take no certificate, as it is replaced.
async fn raw_keys_shown(service: &Service) -> Result<ShownKeys, StartError> {
    let key = service.raw_server_key().await;
    let key = key.map_err(|error| StartError::Certificate(error.to_string()))?;
    RawKey::new(key).ok_or_else(|| StartError::Dtls("the kept key is of another kind".into()))?;
    Ok(service.raw_server_keys())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit it.
        socket.set_nodelay(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|cause| StartError::Listen { address, cause })
}

fn address(listener: &TcpListener, wanted: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(wanted)
}

fn finish(router: Router<App>, app: &App) -> Router {
    router
        .fallback(async || {
            Fault::new(Code::NotFound).hint("the interface is described at /v1/openapi.json")
        })
        .method_not_allowed_fallback(async || Fault::new(Code::MethodNotAllowed))
        .layer(from_fn_with_state(app.clone(), admit))
        .with_state(app.clone())
}

/// Has the certificate renewed in good time.
async fn keep_certificate(
    own: Arc<OwnCertificate>,
    service: Service,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = told_to_stop(&mut stop) => return,
            () = sleep(RENEWAL_CHECK) => {}
        }
        // What is in use works for a third of its life still: try again until it does not.
        if let Err(error) = own.renew(&service).await {
            tracing::error!(%error, "the server's certificate could not be renewed");
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Has the console's certificate read again: whoever renews it writes the files anew.
async fn keep_files(pem: Arc<PemCertificate>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = told_to_stop(&mut stop) => return,
            () = sleep(RENEWAL_CHECK) => {}
        }
        let read = pem.clone();
        match tokio::task::spawn_blocking(move || read.reload()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(error, "the console's certificate cannot be read again");
            }
            Err(error) => tracing::error!(%error, "the console's certificate was not read again"),
        }
    }
}
