"""pkilint has nothing to say about any certificate, chain, CRL or OCSP answer that we make.

`crates/pki/examples/profiles.rs` writes one of everything: a folder per algorithm, in it
certificates as `PROFILE.pem`, CRLs as `*.crl` and OCSP answers as `ocsp-*.der`.
"""

from cryptography import x509
from lib import OUT, PROFILES, case, finish, require, run
from pkilint import loader, pkix
from pkilint.pkix import certificate, crl, extension, name, ocsp
from pkilint.bin import lint_pkix_signer_signee_cert_chain as chain
from pkilint.validation import ValidationFindingSeverity

# What is not a fault, as (finding, the files it is about, reason).
NOT_APPLICABLE = [
    (
        "pkix.subject_key_identifier_rfc7093_method_1_identified",
        "*",
        "a remark on which of the methods of RFC 7093 was used, as intended",
    ),
    (
        "pkix.unsupported_algorithm",
        "ml-dsa-*/*",
        "pkilint cannot verify ML-DSA signatures; the tests of crates/pki do",
    ),
    (
        "pkix.aki_absent_self_issued_and_unsupported_algorithm",
        "ml-dsa-*/root.pem",
        "a self-signed root may omit it (RFC 5280 section 4.2.1.1); pkilint cannot see that it is",
    ),
]

CERTIFICATE = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(
        name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
    ),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)
CRL = crl.create_pkix_crl_validator_container(
    [
        pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
        pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
    ],
    [
        crl.create_issuer_validator_container([]),
        crl.create_validity_validator_container([]),
        crl.create_extensions_validator_container([]),
    ],
)
OCSP = ocsp.create_pkix_ocsp_response_validator_container(
    [
        ocsp.create_response_decoder(),
        pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
        pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
    ],
    [],
)
CHAIN_DECODER = chain.create_decoder_validation_container()
CHAIN_ISSUER = chain.create_issuer_validation_container()
CHAIN_SUBJECT = chain.create_subject_validation_container()


def nothing_found(path, *results):
    findings = {
        f"{described.finding.severity.name} {described.finding.code} {described.message or ''}"
        for result in sum(results, [])
        for described in result.finding_descriptions
        # Smaller is worse.
        if described.finding.severity <= ValidationFindingSeverity.INFO
        and not any(
            described.finding.code == code and path.match(pattern)
            for code, pattern, _reason in NOT_APPLICABLE
        )
    }
    require(not findings, "; ".join(sorted(findings)))


def lint_chain(path, issuer_path):
    documents = {}
    kind = loader.RFC5280CertificateDocumentLoader()
    for name_, file in [("issuer", issuer_path), ("subject", path)]:
        documents[name_] = kind.load_pem_document(file.read_text(), name_, str(file), documents)
    nothing_found(
        path,
        CHAIN_DECODER.validate(documents["issuer"].root),
        CHAIN_DECODER.validate(documents["subject"].root),
        CHAIN_ISSUER.validate(documents["issuer"].root),
        CHAIN_SUBJECT.validate(documents["subject"].root),
    )


def lint(path):
    if path.suffix == ".pem":
        document = loader.RFC5280CertificateDocumentLoader().load_pem_document(path.read_text())
        nothing_found(path, CERTIFICATE.validate(document.root))
    elif path.suffix == ".crl":
        document = loader.RFC5280CertificateListDocumentLoader().load_der_document(path.read_bytes())
        nothing_found(path, CRL.validate(document.root))
    else:
        document = loader.RFC6960OCSPResponseDocumentLoader().load_der_document(path.read_bytes())
        nothing_found(path, OCSP.validate(document.root))


run(PROFILES, OUT)
folders = sorted(path for path in OUT.iterdir() if path.is_dir())
with case("the example writes every algorithm"):
    require(len(folders) == 9, f"{len(folders)} folders")
for folder in folders:
    certificates = [path for path in folder.glob("*.pem") if not path.stem.endswith("-chain")]
    lists, answers = list(folder.glob("*.crl")), list(folder.glob("ocsp-*.der"))
    answers.remove(folder / "ocsp-signer.der")
    with case(f"{folder.name}: eleven profiles, CRLs, OCSP answers"):
        require(len(certificates) == 11, f"{len(certificates)} certificates")
        require(lists and answers, "no CRLs or OCSP answers")
    for path in sorted(certificates + lists + answers):
        with case(path.relative_to(OUT)):
            lint(path)
    subjects = {
        x509.load_pem_x509_certificate(path.read_bytes()).subject: path for path in certificates
    }
    for path in sorted(certificates):
        certificate_ = x509.load_pem_x509_certificate(path.read_bytes())
        # What stands above a self-signed root is nothing.
        if certificate_.issuer != certificate_.subject:
            with case(f"{path.relative_to(OUT)} under its issuer"):
                lint_chain(path, subjects[certificate_.issuer])
finish()
