"""Revocation status as OpenSSL sees it: OCSP, CRLs, and chains checked against all of them."""

import base64
import re
import urllib.parse
import urllib.request

from lib import OUT, case, finish, require, run
from tegata import Platform

ISSUER = OUT / "issuer.pem"


def answer(platform, *arguments):
    """What `openssl ocsp` says, once it has verified our answer."""
    done = run("openssl", "ocsp", "-issuer", ISSUER, *arguments,
               "-url", f"{platform.public_url}/ocsp", "-CAfile", platform.roots)
    require("Response verify OK" in done.text, done.text)
    return done.text


def status(platform, certificate, *arguments):
    text = answer(platform, *arguments, "-cert", certificate)
    return re.search(rf"{re.escape(str(certificate))}: (\w+)", text).group(1)


def crl(platform, certificate, issuer, name):
    """The CRL that a certificate points to: fetched, verified and read by OpenSSL."""
    text = run("openssl", "x509", "-in", certificate, "-noout", "-text").text
    url = re.search(r"CRL Distribution Points:.*?URI:(\S+)", text, re.DOTALL).group(1)
    require(url.startswith(platform.public_url), f"the certificate points to {url}")
    with urllib.request.urlopen(url, timeout=10) as got:
        require(got.headers["Content-Type"] == "application/pkix-crl", got.headers["Content-Type"])
        der = got.read()
    (OUT / f"{name}.crl").write_bytes(der)
    pem = OUT / f"{name}.crl.pem"
    done = run("openssl", "crl", "-inform", "DER", "-in", OUT / f"{name}.crl", "-out", pem,
               "-CAfile", issuer)
    require("verify OK" in done.text, done.text)
    return pem


def certificates(text):
    pattern = r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n"
    return re.findall(pattern, text, re.DOTALL)


with Platform(OUT / "platform") as platform:
    devices, leaves = [], []
    for number in range(3):
        device = platform.register(f"SN-REVOKE-{number}")
        out = OUT / f"device-{number}.pem"
        platform.enrol(device, f"SN-REVOKE-{number}", out)
        leaf, issuer, *_ = certificates(out.read_text())
        certificate = OUT / f"leaf-{number}.pem"
        certificate.write_text(leaf)
        ISSUER.write_text(issuer)
        devices.append(device)
        leaves.append(certificate)
    good, revoked, suspended = leaves
    platform.tegata("device", "revoke", devices[1], "--cause", "key-compromise", by=platform.MAKER)
    platform.tegata("device", "suspend", devices[2], "--cause", "anomaly", by=platform.MAKER)

    with case("openssl ocsp: good"):
        require(status(platform, good) == "good", "not good")

    with case("openssl ocsp: good, asked by SHA-256"):
        text = answer(platform, "-sha256", "-cert", good)
        require(f"{good}: good" in text, text)

    with case("openssl ocsp: good, without a nonce"):
        require(status(platform, good, "-no_nonce") == "good", "not good")

    with case("openssl ocsp: the nonce comes back"):
        require("no nonce" not in answer(platform, "-cert", good), "no nonce in the answer")

    with case("openssl ocsp: revoked, with time and reason"):
        text = answer(platform, "-cert", revoked)
        require(f"{revoked}: revoked" in text, text)
        require("Reason: keyCompromise" in text and "Revocation Time:" in text, text)

    with case("openssl ocsp: suspended is certificateHold, and released is good again"):
        text = answer(platform, "-cert", suspended)
        require("Reason: certificateHold" in text, text)
        platform.tegata("device", "release", devices[2], by=platform.MAKER)
        require(status(platform, suspended) == "good", "not released")
        platform.tegata("device", "suspend", devices[2], "--cause", "anomaly", by=platform.MAKER)

    with case("openssl ocsp: a serial that was never issued is unknown"):
        text = answer(platform, "-serial", "0x7777777777777777")
        require("0x7777777777777777: unknown" in text, text)

    with case("openssl ocsp: another issuer's certificate with our serial is not good"):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", OUT / "stranger.key", "-out", OUT / "stranger.pem",
            "-subj", "/CN=Stranger")
        done = run("openssl", "ocsp", "-issuer", OUT / "stranger.pem", "-cert", good,
                   "-url", f"{platform.public_url}/ocsp", "-CAfile", platform.roots, expect=None)
        require(f"{good}: good" not in done.text, done.text)

    with case("OCSP by GET: cacheable, and OpenSSL reads it"):
        run("openssl", "ocsp", "-issuer", ISSUER, "-cert", good, "-no_nonce",
            "-reqout", OUT / "request.der")
        text = base64.b64encode((OUT / "request.der").read_bytes()).decode()
        url = f"{platform.public_url}/ocsp/{urllib.parse.quote(text, safe='')}"
        with urllib.request.urlopen(url, timeout=10) as got:
            require(got.headers["Content-Type"] == "application/ocsp-response", "content type")
            cache = got.headers["Cache-Control"] or ""
            require("max-age=" in cache, f"Cache-Control {cache!r}")
            require(got.headers["ETag"] and got.headers["Expires"], "no ETag or Expires")
            (OUT / "response.der").write_bytes(got.read())
        done = run("openssl", "ocsp", "-respin", OUT / "response.der", "-issuer", ISSUER,
                   "-cert", good, "-CAfile", platform.roots)
        require(f"{good}: good" in done.text, done.text)

    def root_crl(name, *revoked):
        """The root's CRL, made in a ceremony; as PEM."""
        der, pem = OUT / f"{name}.crl", OUT / f"{name}.crl.pem"
        platform.tegata("ca", "crl", "--root", platform.root, "--passphrase-file",
                        platform.passphrase, "--out", der, *revoked)
        done = run("openssl", "crl", "-inform", "DER", "-in", der, "-out", pem, "-CAfile",
                   platform.roots)
        require("verify OK" in done.text, done.text)
        return pem

    with case("openssl crl and verify -crl_check_all: good, revoked, suspended"):
        issuers = crl(platform, good, ISSUER, "issuer").read_text()
        bundle = OUT / "all.crl.pem"
        bundle.write_text(issuers + root_crl("root").read_text())
        verify = ["openssl", "verify", "-crl_check_all", "-CAfile", platform.roots,
                  "-untrusted", ISSUER, "-CRLfile", bundle]
        run(*verify, good)
        for certificate in [revoked, suspended]:
            done = run(*verify, certificate, expect=2)
            require("certificate revoked" in done.text, done.text)

    with case("openssl verify -crl_check_all: an issuing CA that the root revoked"):
        bundle.write_text(issuers + root_crl("root-revoked", "--revoked", ISSUER).read_text())
        done = run(*verify, good, expect=2)
        require("certificate revoked" in done.text, done.text)

    with case("a revoked certificate opens no TLS connection any more, a good one does"):
        for number, wanted in [(0, True), (1, False)]:
            done = run("curl", "--silent", "--show-error", "--max-time", "20", "--cacert",
                       platform.roots, "--cert", OUT / f"device-{number}.pem", "--write-out",
                       "%{http_code}", "--output", "/dev/null",
                       f"{platform.url}/v1/whoami", expect=None)
            status_code = done.stdout.decode()
            require((status_code == "200") == wanted, f"device {number}: status {status_code}")
finish()
