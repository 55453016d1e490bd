use api::client::{Call, Client, ClientError, Settings};
use ledger::witness::RESPONSE_BYTES_MAX;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

/// A witness that is asked over plain HTTP: what it answers is signed.
pub struct HttpWitness {
    key: String,
    client: Client,
    /// A runtime of its own: the caller is the integrator's thread, which has none.
    runtime: Mutex<Runtime>,
}

impl HttpWitness {
    /// The witness with this verifier key at `base` (`http://host:port`).
    ///
    /// # Errors
    /// [`ClientError::Address`]; [`ClientError::Connect`] where no thread can be had.
    pub fn new(key: &str, base: &str) -> Result<Self, ClientError> {
        let settings = Settings {
            connect_time: Duration::from_secs(2),
            answer_time: Duration::from_secs(5),
            answer_bytes_max: RESPONSE_BYTES_MAX,
            ..Settings::default()
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| ClientError::Connect { address: base.to_owned(), cause })?;
        Ok(Self {
            key: key.to_owned(),
            client: Client::public(base, settings)?,
            runtime: Mutex::new(runtime),
        })
    }
}

impl service::WitnessClient for HttpWitness {
    fn key(&self) -> &str {
        &self.key
    }

    fn add_checkpoint(&self, body: &[u8]) -> Result<(u16, Vec<u8>), String> {
        let call = Call::post("/add-checkpoint", "text/plain; charset=utf-8", body.to_vec());
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = runtime.block_on(self.client.send(call)).map_err(|error| error.to_string())?;
        Ok((answer.status.as_u16(), answer.body.to_vec()))
    }
}
