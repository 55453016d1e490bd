"""Enrolment over EST (RFC 7030) by software that knows nothing of us: curl with OpenSSL, strongSwan."""

import base64
import email
import re

from lib import OUT, case, finish, require, run
from tegata import Platform

CURL = ["curl", "--silent", "--show-error", "--max-time", "30"]


def request(name, subject, *digest):
    """A key and a certification request by OpenSSL."""
    key, csr = OUT / f"{name}.key", OUT / f"{name}.csr"
    if not key.exists():
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-out", key)
    run("openssl", "req", "-new", "-key", key, "-subj", subject, "-outform", "DER", "-out", csr,
        *(digest or ["-sha256"]))
    return key, csr


def est(platform, operation, *arguments, label=None):
    """One EST call with curl; gives status, headers and body."""
    path = f"{label}/{operation}" if label else operation
    done = run(*CURL, "--include", "--cacert", platform.roots, *arguments,
               f"{platform.url}/.well-known/est/{path}")
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


def post(csr):
    body = OUT / (csr.name + ".b64")
    body.write_bytes(base64.encodebytes(csr.read_bytes()))
    return ["-H", "Content-Type: application/pkcs10", "--data-binary", f"@{body}"]


def certificates(body, name):
    """Certificates of a certs-only CMS message, read by OpenSSL."""
    der, out = OUT / f"{name}.p7", OUT / f"{name}.pem"
    der.write_bytes(base64.b64decode(body))
    run("openssl", "pkcs7", "-inform", "DER", "-in", der, "-print_certs", "-out", out)
    require("BEGIN CERTIFICATE" in out.read_text(), "no certificate in the answer")
    return out


def expect(answer, status, name=None):
    require(answer[0] == status, f"status {answer[0]}, not {status}: {answer[2][:400]!r}")
    if status == 200 and name:
        media = answer[1].get("content-type", "")
        require(media.startswith("application/pkcs7-mime"), f"content type {media}")
        return certificates(answer[2], name)
    return None


def verifies(platform, certificate, issuers):
    run("openssl", "verify", "-CAfile", platform.roots, "-untrusted", issuers, certificate)


def same_key(certificate, key):
    of_certificate = run("openssl", "x509", "-in", certificate, "-noout", "-pubkey").stdout
    of_key = run("openssl", "pkey", "-in", key, "-pubout").stdout
    require(of_certificate == of_key, "the certificate is for another key")


with Platform(OUT / "platform") as platform:
    label = f"{platform.MAKER}.{platform.PRODUCT}"
    cacerts = None

    with case("curl: cacerts, without authentication"):
        cacerts = expect(est(platform, "cacerts", label=label), 200, "cacerts")
        run("openssl", "verify", "-CAfile", platform.roots, cacerts)

    with case("curl: csrattrs"):
        status, headers, body = est(platform, "csrattrs", label=label)
        require(status in (200, 204), f"status {status}")
        if status == 200:
            (OUT / "csrattrs.der").write_bytes(base64.b64decode(body))
            run("openssl", "asn1parse", "-inform", "DER", "-in", OUT / "csrattrs.der")

    device = platform.register("SN-CURL-1")
    code = platform.code(device)
    key, csr = request("curl", "/serialNumber=SN-CURL-1")

    with case("curl: an enrolment without authentication is asked for it"):
        answer = est(platform, "simpleenroll", *post(csr), label=label)
        expect(answer, 401)
        require("www-authenticate" in answer[1], "no WWW-Authenticate")

    with case("curl: a wrong code is refused"):
        answer = est(platform, "simpleenroll", "--user", f"{device}:WRONG-CODE", *post(csr),
                     label=label)
        expect(answer, 401)

    with case("curl: a request whose proof of possession fails is refused"):
        broken = OUT / "broken.csr"
        der = bytearray(csr.read_bytes())
        der[-1] ^= 1
        broken.write_bytes(der)
        answer = est(platform, "simpleenroll", "--user", f"{device}:{code}", *post(broken),
                     label=label)
        expect(answer, 400)

    with case("curl: a request signed with SHA-1 is refused with a reason"):
        _, weak = request("weak", "/serialNumber=SN-CURL-1", "-sha1")
        answer = est(platform, "simpleenroll", "--user", f"{device}:{code}", *post(weak),
                     label=label)
        expect(answer, 400)
        require(b"sha-1" in answer[2].lower() or b"sha1" in answer[2].lower(), answer[2][:400])

    with case("curl: simpleenroll with the device's one-time code"):
        answer = est(platform, "simpleenroll", "--user", f"{device}:{code}", *post(csr),
                     label=label)
        enrolled = expect(answer, 200, "enrolled")
        same_key(enrolled, key)
        verifies(platform, enrolled, cacerts)

    with case("curl: the code works once"):
        _, again = request("again", "/serialNumber=SN-CURL-1")
        answer = est(platform, "simpleenroll", "--user", f"{device}:{code}", *post(again),
                     label=label)
        expect(answer, 401)

    with case("curl: simplereenroll with the certificate and a new key"):
        new_key, new_csr = request("renewed", "/serialNumber=SN-CURL-1")
        # A request for renewal has the subject of the present certificate (RFC 7030 4.2.2).
        subject = run("openssl", "x509", "-in", OUT / "enrolled.pem", "-noout", "-subject",
                      "-nameopt", "compat").text.strip().removeprefix("subject=")
        new_key, new_csr = request("renewed", subject)
        answer = est(platform, "simplereenroll", "--cert", OUT / "enrolled.pem", "--key", key,
                     *post(new_csr), label=label)
        renewed = expect(answer, 200, "renewed")
        same_key(renewed, new_key)
        verifies(platform, renewed, cacerts)

    with case("curl: a renewal for another device is refused"):
        platform.register("SN-OTHER")
        _, other = request("other", "/serialNumber=SN-OTHER")
        answer = est(platform, "simplereenroll", "--cert", OUT / "enrolled.pem", "--key", key,
                     *post(other), label=label)
        require(answer[0] in (400, 403), f"status {answer[0]}")

    with case("curl: serverkeygen gives a key and its certificate"):
        keyless = platform.register("SN-KEYGEN")
        _, keygen = request("keygen", "/serialNumber=SN-KEYGEN")
        answer = est(platform, "serverkeygen", "--user", f"{keyless}:{platform.code(keyless)}",
                     *post(keygen), label=label)
        expect(answer, 200)
        message = email.message_from_bytes(
            b"Content-Type: " + answer[1]["content-type"].encode() + b"\r\n\r\n" + answer[2]
        )
        parts = message.get_payload()
        require([part.get_content_type() for part in parts]
                == ["application/pkcs8", "application/pkcs7-mime"], "parts of the answer")
        (OUT / "made.key.der").write_bytes(base64.b64decode(parts[0].get_payload()))
        run("openssl", "pkey", "-inform", "DER", "-in", OUT / "made.key.der",
            "-out", OUT / "made.key")
        made = certificates(parts[1].get_payload(), "made")
        same_key(made, OUT / "made.key")
        verifies(platform, made, cacerts)

    for version in ["1.2", "1.3"]:
        with case(f"curl: TLS {version}"):
            answer = est(platform, "cacerts", f"--tlsv{version}", "--tls-max", version,
                         label=label)
            expect(answer, 200)

    with case("openssl s_client: TLS 1.1 and suites without forward secrecy are refused"):
        at = f"localhost:{platform.port}"
        for arguments in [["-tls1_1"], ["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"]]:
            run("openssl", "s_client", "-connect", at, *arguments, expect=1)

    with case("strongSwan pki --estca: the CA's certificates"):
        run("pki", "--estca", "--url", f"{platform.url}/{label}", "--cacert", platform.roots,
            "--caout", OUT / "swan-ca.pem", "--outform", "pem", "--force")
        found = sorted(OUT.glob("swan-ca*.pem"))
        require(found, "it wrote no certificate")
        # strongSwan names them by what they are: root, then sub-CAs with a number.
        issuers = OUT / "swan-issuers.pem"
        issuers.write_text("".join(path.read_text() for path in found))

    swan = platform.register("SN-SWAN-1")
    with case("strongSwan pki --est: first enrolment with the one-time code"):
        key, csr = request("swan", "/serialNumber=SN-SWAN-1")
        done = run("pki", "--est", "--url", f"{platform.url}/{label}", "--in", csr,
                   "--cacert", platform.roots, "--userpass", f"{swan}:{platform.code(swan)}",
                   "--outform", "pem")
        pem = re.search(rb"-----BEGIN CERT.*END CERTIFICATE-----\n", done.stdout, re.DOTALL)
        require(pem, done.text)
        (OUT / "swan.pem").write_bytes(pem.group(0))
        same_key(OUT / "swan.pem", key)
        verifies(platform, OUT / "swan.pem", OUT / "swan-issuers.pem")

    with case("strongSwan pki --est: renewal with the certificate"):
        subject = run("openssl", "x509", "-in", OUT / "swan.pem", "-noout", "-subject",
                      "-nameopt", "compat").text.strip().removeprefix("subject=")
        new_key, csr = request("swan-renewed", subject)
        done = run("pki", "--est", "--url", f"{platform.url}/{label}", "--in", csr,
                   "--cacert", platform.roots, "--cacert", OUT / "swan-issuers.pem",
                   "--cert", OUT / "swan.pem", "--key", key, "--outform", "pem")
        pem = re.search(rb"-----BEGIN CERT.*END CERTIFICATE-----\n", done.stdout, re.DOTALL)
        require(pem, done.text)
        (OUT / "swan-renewed.pem").write_bytes(pem.group(0))
        same_key(OUT / "swan-renewed.pem", new_key)
        verifies(platform, OUT / "swan-renewed.pem", OUT / "swan-issuers.pem")
finish()
