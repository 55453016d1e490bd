use crate::ConsoleCertificate;
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

/// Longest file read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// A certificate of somebody else's CA, from files that whoever renews it writes anew.
#[derive(Debug)]
pub(crate) struct PemCertificate {
    files: ConsoleCertificate,
    current: RwLock<Arc<CertifiedKey>>,
}

impl PemCertificate {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with them, as a sentence.
    pub(crate) fn load(files: &ConsoleCertificate) -> Result<Self, String> {
        let current = RwLock::new(Arc::new(read(files)?));
        Ok(Self { files: files.clone(), current })
    }

    /// Reads them again; what cannot be used leaves the one in use.
    ///
    /// # Errors
    /// What is wrong with them, as a sentence.
    pub(crate) fn reload(&self) -> Result<(), String> {
        let new = Arc::new(read(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

fn read(files: &ConsoleCertificate) -> Result<CertifiedKey, String> {
    let named = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let chain_pem = contents(&files.chain)?;
    let chain = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| named(&files.chain, &error))?;
    if chain.is_empty() {
        return Err(named(&files.chain, &"holds no certificate in PEM"));
    }
    let key_pem = crypto::Secret::new(contents(&files.key)?);
    let key = PrivateKeyDer::from_pem_slice(key_pem.expose())
        .map_err(|error| named(&files.key, &format!("holds no private key in PEM ({error})")))?;
    let key = CertifiedKey::from_der(chain, key, &api::tls::provider())
        .map_err(|error| named(&files.key, &error))?;
    // `from_der` passes over keys whose public half it cannot see.
    key.keys_match()
        .map_err(|error| named(&files.key, &format!("is not the certificate's key ({error})")))?;
    Ok(key)
}

fn contents(path: &Path) -> Result<Vec<u8>, String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let size = std::fs::metadata(path).map_err(|error| named(&error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(named(&format!("{size} bytes are too many; {FILE_BYTES_MAX} are read")));
    }
    std::fs::read(path).map_err(|error| named(&error))
}

impl ResolvesServerCert for PemCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
