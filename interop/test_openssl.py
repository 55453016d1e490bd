"""OpenSSL accepts our certificates, chains, CRLs and OCSP answers, of every algorithm it knows.

The files come from `crates/pki/examples/profiles.rs`. Debian 12's OpenSSL does not know ML-DSA.
"""

import re

from lib import OUT, PROFILES, case, finish, require, run

ALGORITHMS = ["ed25519", "p256", "p384", "rsa-2048", "rsa-3072", "rsa-4096"]
LEAVES = ["chip", "idevid", "ldevid", "ocsp-signer", "operator", "organisation-signer", "service",
          "software-signer"]
# Moments around which the example's certificates live: one minute after they were made.
NOT_BEFORE = re.compile(r"notBefore=(.*)")

run(PROFILES, OUT)
for algorithm in ALGORITHMS:
    folder = OUT / algorithm
    root, issuer = folder / "root.pem", folder / "issuing-ca.pem"
    not_before = run("openssl", "x509", "-in", folder / "ldevid.pem", "-noout", "-startdate")
    made = NOT_BEFORE.search(not_before.text).group(1)
    at = int(run("date", "--utc", "--date", made, "+%s").text) + 3600
    verify = ["openssl", "verify", "-x509_strict", "-attime", at, "-CAfile", root]

    for leaf in LEAVES:
        with case(f"{algorithm}: openssl verify {leaf}"):
            run(*verify, "-untrusted", issuer, folder / f"{leaf}.pem")

    with case(f"{algorithm}: openssl verify, for the purpose of each profile"):
        for purpose, leaf in [("sslserver", "service"), ("sslclient", "operator"),
                              ("sslclient", "ldevid"), ("ocsphelper", "ocsp-signer"),
                              ("smimesign", "software-signer")]:
            run(*verify, "-purpose", purpose, "-untrusted", issuer, folder / f"{leaf}.pem")
        for purpose, leaf in [("sslserver", "ldevid"), ("sslclient", "organisation-signer"),
                              ("sslclient", "software-signer")]:
            run(*verify, "-purpose", purpose, "-untrusted", issuer, folder / f"{leaf}.pem",
                expect=2)

    with case(f"{algorithm}: openssl pkcs7 reads the CA certificates"):
        done = run("openssl", "pkcs7", "-inform", "DER", "-in", folder / "cacerts.p7",
                   "-print_certs")
        require(done.text.count("BEGIN CERTIFICATE") == 2, done.text)

    for path in sorted(folder.glob("*.crl")):
        with case(f"{algorithm}: openssl crl {path.name}"):
            signer = root if path.name.startswith("root") else issuer
            done = run("openssl", "crl", "-inform", "DER", "-in", path, "-noout", "-CAfile",
                       signer)
            require("verify OK" in done.text, done.text)

    for path in sorted(folder.glob("ocsp-sha*.der")):
        with case(f"{algorithm}: openssl ocsp {path.stem}"):
            _, digest, status = path.stem.split("-")
            done = run("openssl", "ocsp", "-respin", path, f"-{digest}", "-issuer", issuer,
                       "-cert", folder / "chip.pem", "-CAfile", root, "-attime", at)
            require("Response verify OK" in done.text, done.text)
            # The answer is of the example's time, so OpenSSL may add that it is not of today.
            said = re.search(r"chip\.pem: .*?\b(good|revoked|unknown)$", done.text, re.M | re.S)
            require(said and said.group(1) == status, done.text)
finish()
