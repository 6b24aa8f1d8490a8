//! Certificates that we sign ourselves, and requests for those of an authority.

use instant_acme::KeyAuthorization;
use rcgen::{
    CertificateParams, CertificateSigningRequest, CustomExtension, DistinguishedName, DnType,
    KeyPair,
};

use super::error::OrderError;
use crate::tls::{Challenges, ServerCertificate};

/// The certificate that clients get as long as there is no other. None of them takes it.
pub(super) fn placeholder(names: &[String]) -> Result<ServerCertificate, OrderError> {
    let mut parameters = parameters(names)?;
    parameters
        .distinguished_name
        .push(DnType::CommonName, "wsgate: no certificate yet");
    let key = KeyPair::generate().map_err(OrderError::Making)?;
    let made = parameters.self_signed(&key).map_err(OrderError::Making)?;
    let (chain, key) = (made.pem(), key.serialize_pem());
    ServerCertificate::new("", chain.as_bytes(), key.as_bytes()).map_err(OrderError::Certificate)
}

/// Has the listeners prove that they have this name (RFC 8737 §3).
pub(super) fn prove(
    name: &str,
    proof: &KeyAuthorization,
    challenges: &Challenges,
) -> Result<(), OrderError> {
    let mut parameters = parameters(&[name.to_owned()])?;
    let proof = CustomExtension::new_acme_identifier(proof.digest().as_ref());
    parameters.custom_extensions = vec![proof];
    let key = KeyPair::generate().map_err(OrderError::Making)?;
    let made = parameters.self_signed(&key).map_err(OrderError::Making)?;
    (challenges.add(name, made.into(), &key.into())).map_err(OrderError::Certificate)
}

/// A request for a certificate (RFC 2986), and its private key in PEM.
pub(super) fn request(names: &[String]) -> Result<(CertificateSigningRequest, String), OrderError> {
    let key = KeyPair::generate().map_err(OrderError::Making)?;
    let request = parameters(names)?.serialize_request(&key);
    Ok((request.map_err(OrderError::Making)?, key.serialize_pem()))
}

fn parameters(names: &[String]) -> Result<CertificateParams, OrderError> {
    let mut parameters = CertificateParams::new(names).map_err(OrderError::Making)?;
    parameters.distinguished_name = DistinguishedName::new();
    Ok(parameters)
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::config::AcmeOrder;
    use crate::tls::{ApplicationProtocol, ClientFiles, ClientTls};

    /// An order with the name `le`.
    pub(in crate::acme) fn an_order(folder: &Path, names: &[&str]) -> AcmeOrder {
        let (ca, _) = a_chain_and_its_key(&["ca.test"], Duration::from_secs(60));
        let files = ClientFiles {
            ca: Some(ca.into_bytes()),
            identity: None,
        };
        AcmeOrder {
            name: "le".to_owned(),
            directory: "https://ca.test/directory".to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            contact: Vec::new(),
            profile: None,
            state_dir: folder.to_owned(),
            tls: ClientTls::new(files, None, ApplicationProtocol::Http1).unwrap(),
            certificate: Arc::default(),
        }
    }

    /// A certificate that holds so long from now on, in PEM.
    pub(in crate::acme) fn a_chain_and_its_key(
        names: &[&str],
        holds: Duration,
    ) -> (String, String) {
        a_chain_and_its_key_since(SystemTime::now(), names, holds)
    }

    /// A certificate that holds so long from this time on, in PEM.
    pub(in crate::acme) fn a_chain_and_its_key_since(
        begin: SystemTime,
        names: &[&str],
        holds: Duration,
    ) -> (String, String) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = parameters(&names).unwrap();
        parameters.not_before = begin.into();
        parameters.not_after = parameters.not_before + holds;
        let key = KeyPair::generate().unwrap();
        let made = parameters.self_signed(&key).unwrap();
        (made.pem(), key.serialize_pem())
    }

    #[test]
    fn clients_are_told_that_there_is_no_certificate_yet() {
        let names = ["a.test".to_owned(), "b.test".to_owned()];
        let placeholder = placeholder(&names).unwrap();
        assert_eq!(placeholder.facts().names, names);
    }
}
