//! mosquitto, where it is installed: mutual TLS and an access list, as our door has them.

use super::super::world::World;
use anyhow::Context as _;
use crypto::{KeyAlgorithm, SoftwareKey};
use pki::{AlternativeName, Certificate, CsrBuilder, Subject};
use policy::Caller;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Where Debian puts it.
const PROGRAM: &str = "/usr/sbin/mosquitto";
/// Longest start.
const START_MAX: Duration = Duration::from_secs(20);

/// A broker that runs until it is dropped.
pub struct Broker {
    child: Child,
    /// where it listens
    pub address: SocketAddr,
}

impl Broker {
    /// Starts one with a certificate of the world's platform; `None` where there is no mosquitto.
    pub async fn start(world: &World, dir: &Path) -> anyhow::Result<Option<Self>> {
        if !Path::new(PROGRAM).exists() {
            return Ok(None);
        }
        let dir = dir.join("mosquitto");
        std::fs::create_dir_all(&dir)?;
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?;
        let csr = CsrBuilder { subject: Subject::named("mosquitto"), ..CsrBuilder::default() };
        let csr = csr.build(&key)?;
        let service = world.service();
        let platform = service.trust_store().await?.platform;
        let caller = Caller::Platform { task: "a broker to measure against" };
        let names = vec![AlternativeName::Dns("localhost".to_owned())];
        let chain = service.issue_service_certificate(&caller, &platform, &csr, names).await?;
        let pem = |list: &[Certificate]| list.iter().map(Certificate::to_pem).collect::<String>();
        let file = |name: &str, text: &str| -> anyhow::Result<String> {
            let path = dir.join(name);
            std::fs::write(&path, text)?;
            Ok(path.display().to_string())
        };
        let root = file("root.pem", &world.root().to_pem())?;
        let own = file("own.pem", &pem(&chain))?;
        let key = file("own.key", &key.to_pem()?)?;
        // As our own-space rule: below one's own name, and nowhere else.
        let access = file("access", "pattern readwrite d/%c/#\n")?;
        // Freed again: nobody else takes it in the moment before the broker does.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let configuration = format!(
            "user root\nlistener {port} 127.0.0.1\ncafile {root}\ncertfile {own}\nkeyfile {key}\n\
             require_certificate true\nallow_anonymous true\nacl_file {access}\n\
             max_connections -1\nlog_dest none\npersistence false\n"
        );
        let configuration = file("mosquitto.conf", &configuration)?;
        let child = Command::new(PROGRAM)
            .args(["-c", &configuration])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .context("cannot start mosquitto")?;
        let broker = Self { child, address: (Ipv4Addr::LOCALHOST, port).into() };
        let start = super::super::machine::clock();
        while TcpStream::connect(broker.address).is_err() {
            anyhow::ensure!(start.elapsed() < START_MAX, "mosquitto does not listen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Some(broker))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
