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


def subject_of(certificate):
    """The subject as `openssl req -subj` takes it."""
    done = run("openssl", "x509", "-in", certificate, "-noout", "-subject", "-nameopt", "compat")
    return done.text.strip().removeprefix("subject=").strip()


def swan(*arguments, expect=0):
    """`pki --est`; gives the certificate that it prints."""
    done = run("pki", "--est", *arguments, "--outform", "pem", expect=expect)
    if expect:
        return done.text
    pem = re.search(rb"-----BEGIN CERT.*END CERTIFICATE-----\n", done.stdout, re.DOTALL)
    require(pem, f"no certificate: {done.text}")
    return pem.group(0)


def with_curl(platform, label, cacerts):
    device = platform.register("SN-CURL-1")
    code = platform.code(device)
    key, csr = request("curl", "/serialNumber=SN-CURL-1")

    with case("curl: an enrolment without authentication is asked for it"):
        answer = est(platform, "simpleenroll", *post(csr), label=label)
        expect(answer, 401)
        require("www-authenticate" in answer[1], "no WWW-Authenticate")

    with case("curl: a wrong code is refused"):
        wrong = f"{device}:AAAAA-AAAAA-AAAAA-AAAAA-AAAAA"
        expect(est(platform, "simpleenroll", "--user", wrong, *post(csr), label=label), 401)

    with case("curl: a request whose proof of possession fails is refused"):
        broken = OUT / "broken.csr"
        der = bytearray(csr.read_bytes())
        der[-1] ^= 1
        broken.write_bytes(der)
        answer = est(platform, "simpleenroll", "--user", f"{device}:{code}", *post(broken),
                     label=label)
        expect(answer, 400)

    with case("curl: a request signed with SHA-1 is refused with the reason"):
        _, weak = request("weak", "/serialNumber=SN-CURL-1", "-sha1")
        answer = est(platform, "simpleenroll", "--user", f"{device}:{code}", *post(weak),
                     label=label)
        expect(answer, 400)
        require(b"SHA1" in answer[2] and b"SHA-256" in answer[2], answer[2][:400])

    with case("curl: a request for another device is refused"):
        _, other = request("other", "/serialNumber=SN-OTHER")
        answer = est(platform, "simpleenroll", "--user", f"{device}:{code}", *post(other),
                     label=label)
        require(answer[0] in (400, 403), f"status {answer[0]}")

    with case("curl: simpleenroll with the maker's one-time code gives the IDevID"):
        answer = est(platform, "simpleenroll", "--user", f"{device}:{code}", *post(csr),
                     label=label)
        idevid = expect(answer, 200, "idevid")
        same_key(idevid, key)
        verifies(platform, idevid, cacerts)
        text = run("openssl", "x509", "-in", idevid, "-noout", "-enddate", "-subject").text
        require("Dec 31 23:59:59 9999" in text and "SN-CURL-1" in text, text)

    with case("curl: the code works once"):
        _, again = request("again", "/serialNumber=SN-CURL-1")
        answer = est(platform, "simpleenroll", "--user", f"{device}:{code}", *post(again),
                     label=label)
        expect(answer, 401)

    with case("curl: simpleenroll with the IDevID gives the LDevID, once the owner vouches"):
        work_key, work_csr = request("work", "/serialNumber=SN-CURL-1")
        shown = ["--cert", OUT / "idevid.pem", "--key", key]
        answer = est(platform, "simpleenroll", *shown, *post(work_csr))
        require(answer[0] == 403, f"status {answer[0]} before anybody vouched")
        code = platform.code(device)
        answer = est(platform, "simpleenroll", "--user", f"{device}:{code}", *post(work_csr))
        ldevid = expect(answer, 200, "ldevid")
        same_key(ldevid, work_key)
        verifies(platform, ldevid, platform.folder / "maker-owner.pem")

    with case("curl: simplereenroll with the LDevID and a new key"):
        new_key, new_csr = request("renewed", subject_of(OUT / "ldevid.pem"))
        shown = ["--cert", OUT / "ldevid.pem", "--key", OUT / "work.key"]
        answer = est(platform, "simplereenroll", *shown, *post(new_csr))
        renewed = expect(answer, 200, "renewed")
        same_key(renewed, new_key)
        verifies(platform, renewed, platform.folder / "maker-owner.pem")
        require(subject_of(renewed) == subject_of(OUT / "ldevid.pem"), "the subject changed")

    with case("curl: simplereenroll for another device is refused"):
        platform.register("SN-OTHER")
        shown = ["--cert", OUT / "renewed.pem", "--key", OUT / "renewed.key"]
        subject = subject_of(OUT / "renewed.pem").replace("SN-CURL-1", "SN-OTHER")
        _, other = request("thief", subject)
        answer = est(platform, "simplereenroll", *shown, *post(other))
        require(answer[0] in (400, 403), f"status {answer[0]}")

    with case("curl: serverkeygen gives a key and its certificate"):
        keyless = platform.register("SN-KEYGEN")
        _, keygen = request("keygen", "/serialNumber=SN-KEYGEN")
        answer = est(platform, "serverkeygen", "--user", f"{keyless}:{platform.code(keyless)}",
                     *post(keygen), label=label)
        require(answer[0] == 200, f"status {answer[0]}: {answer[2][:400]!r}")
        message = email.message_from_bytes(
            b"Content-Type: " + answer[1]["content-type"].encode() + b"\r\n\r\n" + answer[2]
        )
        parts = message.get_payload()
        kinds = [part.get_content_type() for part in parts]
        require(kinds == ["application/pkcs8", "application/pkcs7-mime"], f"parts {kinds}")
        (OUT / "made.key.der").write_bytes(base64.b64decode(parts[0].get_payload()))
        run("openssl", "pkey", "-inform", "DER", "-in", OUT / "made.key.der",
            "-out", OUT / "made.key")
        made = certificates(parts[1].get_payload(), "made")
        same_key(made, OUT / "made.key")
        verifies(platform, made, cacerts)


def with_strongswan(platform, label):
    with case("strongSwan pki --estca: the CA certificates"):
        run("pki", "--estca", "--url", f"{platform.url}/{label}", "--cacert", platform.roots,
            "--caout", OUT / "swan-ca.pem", "--outform", "pem", "--force")
        found = sorted(OUT.glob("swan-ca*.pem"))
        require(len(found) >= 2, f"it wrote {found}")
        (OUT / "swan-issuers.pem").write_text("".join(path.read_text() for path in found))

    device = platform.register("SN-SWAN-1")
    roots = ["--cacert", platform.roots]
    with case("strongSwan pki --est: first enrolment with the one-time code"):
        key, csr = request("swan", "/serialNumber=SN-SWAN-1")
        idevid = OUT / "swan.pem"
        idevid.write_bytes(
            swan("--url", f"{platform.url}/{label}", "--in", csr, *roots,
                 "--userpass", f"{device}:{platform.code(device)}")
        )
        same_key(idevid, key)
        verifies(platform, idevid, OUT / "swan-issuers.pem")

    with case("strongSwan pki --est: a wrong code is refused"):
        swan("--url", f"{platform.url}/{label}", "--in", OUT / "swan.csr", *roots,
             "--userpass", f"{device}:AAAAA-AAAAA-AAAAA-AAAAA-AAAAA", expect=1)

    owners = platform.folder / "maker-owner.pem"
    with case("strongSwan pki --est: the LDevID, and its renewal with the certificate"):
        work_key, work_csr = request("swan-work", "/serialNumber=SN-SWAN-1")
        ldevid = OUT / "swan-ldevid.pem"
        ldevid.write_bytes(
            swan("--url", platform.url, "--in", work_csr, *roots,
                 "--userpass", f"{device}:{platform.code(device)}")
        )
        verifies(platform, ldevid, owners)
        new_key, new_csr = request("swan-renewed", subject_of(ldevid))
        renewed = OUT / "swan-renewed.pem"
        renewed.write_bytes(
            swan("--url", platform.url, "--in", new_csr, *roots, "--cacert", owners,
                 "--cert", ldevid, "--key", work_key)
        )
        same_key(renewed, new_key)
        verifies(platform, renewed, owners)


with Platform(OUT / "platform") as platform:
    label = platform.PRODUCT
    cacerts = OUT / "cacerts.pem"

    with case("curl: cacerts, without authentication"):
        expect(est(platform, "cacerts", label=label), 200, "cacerts")
        run("openssl", "verify", "-CAfile", platform.roots, cacerts)

    with case("curl: csrattrs"):
        status, headers, body = est(platform, "csrattrs", label=label)
        require(status in (200, 204), f"status {status}")
        if status == 200:
            (OUT / "csrattrs.der").write_bytes(base64.b64decode(body))
            run("openssl", "asn1parse", "-inform", "DER", "-in", OUT / "csrattrs.der")

    with_curl(platform, label, cacerts)
    for version in ["1.2", "1.3"]:
        with case(f"curl: TLS {version}"):
            only = [f"--tlsv{version}", "--tls-max", version]
            expect(est(platform, "cacerts", *only, label=label), 200)

    with case("openssl s_client: TLS 1.1, and suites without forward secrecy, are refused"):
        at = f"localhost:{platform.port}"
        for arguments in [["-tls1_1"], ["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"]]:
            run("openssl", "s_client", "-connect", at, *arguments, expect=1)

    with_strongswan(platform, label)
finish()
