"""Manufacturers' usage descriptions (docs/mud.md): what is suggested is signed and verified by OpenSSL as RFC 8520
section 13 asks, lets the device reach its doors and nothing else; a description by another hand is read."""

import json

from lib import OUT, TEGATA, case, finish, require, run

# After the example of RFC 8520 section 9.
EXAMPLE = {
    "ietf-mud:mud": {
        "mud-version": 1, "mud-url": "https://lighting.example.com/lightbulb2000",
        "last-update": "2019-01-28T11:20:51+01:00", "cache-validity": 48, "is-supported": True,
        "systeminfo": "The BMS Example Light Bulb",
        "from-device-policy": {"access-lists": {"access-list": [{"name": "mud-76100-v6fr"}]}},
        "to-device-policy": {"access-lists": {"access-list": [{"name": "mud-76100-v6to"}]}},
    },
    "ietf-access-control-list:acls": {"acl": [
        {"name": "mud-76100-v6to", "type": "ipv6-acl-type", "aces": {"ace": [{
            "name": "cl0-todev", "matches": {
                "ipv6": {"ietf-acldns:src-dnsname": "test.example.com", "protocol": 6},
                "tcp": {"ietf-mud:direction-initiated": "from-device",
                        "source-port": {"operator": "eq", "port": 443}}},
            "actions": {"forwarding": "accept"}}]}},
        {"name": "mud-76100-v6fr", "type": "ipv6-acl-type", "aces": {"ace": [{
            "name": "cl0-frdev", "matches": {
                "ipv6": {"ietf-acldns:dst-dnsname": "test.example.com", "protocol": 6},
                "tcp": {"ietf-mud:direction-initiated": "from-device",
                        "destination-port": {"operator": "eq", "port": 443}}},
            "actions": {"forwarding": "accept"}}]}},
    ]},
}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    file, example = OUT / "gate-3.json", OUT / "example.json"

    with case("a description is suggested, and lets the device reach its doors"):
        text = run(TEGATA, "mud", "suggest", "--url", "https://acme.example/gate-3.json", "--maker", "acme",
                   "--model", "gate-3", "--systeminfo", "Barrier gate", "--to", "gate.example:8883",
                   "--to", "gate.example:5684/udp").stdout
        file.write_bytes(text)
        require(json.loads(text)["ietf-mud:mud"]["mud-version"] == 1, text)
        run(TEGATA, "mud", "check", file, "--to", "gate.example:8883", "--to", "gate.example:5684/udp")
        refused = run(TEGATA, "mud", "check", file, "--to", "gate.example:22", "--to", "elsewhere.example:8883", expect=1)
        require(b"hint: " in refused.stderr and refused.stdout.count(b"denied") == 2, refused)

    with case("OpenSSL signs it and verifies the signature; a changed file does not verify"):
        key, certificate, signature = OUT / "key.pem", OUT / "certificate.pem", OUT / "gate-3.p7s"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-out", certificate, "-days", "2", "-subj", "/CN=acme MUD",
            "-addext", "keyUsage=critical,digitalSignature", "-addext", "extendedKeyUsage=emailProtection")
        run("openssl", "cms", "-sign", "-signer", certificate, "-inkey", key, "-in", file, "-binary",
            "-outform", "DER", "-out", signature)
        verify = ["openssl", "cms", "-verify", "-inform", "DER", "-in", signature, "-CAfile", certificate, "-binary",
                  "-out", "/dev/null", "-content"]
        run(*verify, file)
        changed = OUT / "changed.json"
        changed.write_bytes(file.read_bytes().replace(b"8883", b"2323"))
        refused = run(*verify, changed, expect=None)
        require(refused.returncode != 0, "a changed file verifies")

    with case("the example of the RFC is read in both languages; what is not understood is refused"):
        example.write_text(json.dumps(EXAMPLE))
        english = run(TEGATA, "mud", "show", example).stdout.decode()
        require("may send to test.example.com by TCP, the peer's port 443" in english, english)
        japanese = run(TEGATA, "--language", "ja", "mud", "show", example).stdout.decode()
        require("機器はtest.example.comへ送信できます" in japanese, japanese)
        shown = json.loads(run(TEGATA, "--json", "mud", "show", example).stdout)
        require(len(shown["allows"]) == 2 and shown["url"] == EXAMPLE["ietf-mud:mud"]["mud-url"], shown)
        strange = json.loads(json.dumps(EXAMPLE))
        strange["ietf-mud:mud"]["extensions"] = ["ol"]
        example.write_text(json.dumps(strange))
        run(TEGATA, "mud", "show", example, expect=1)


main()
finish()
