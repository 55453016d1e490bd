"""Manufacturers' usage descriptions (docs/mud.md): what is suggested is signed and verified by OpenSSL as RFC 8520
section 13 asks, lets the device reach its doors and nothing else; a description by another hand is read. A platform
takes what OpenSSL signed, curl fetches it, and OpenSSL verifies what was fetched."""

import json
import time

from lib import OUT, TEGATA, case, finish, require, run
from tegata import Platform

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

    served()


class Served(Platform):
    CONSOLE = True


def signer(folder, name, *more, ca=None):
    """A key with its certificate, of its own or below a CA, by OpenSSL."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    below = ["-CA", ca[1], "-CAkey", ca[0]] if ca else []
    extensions = [word for text in more for word in ["-addext", text]]
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
        "-out", certificate, "-days", "2", "-subj", f"/CN={name}", *below, *extensions)
    return key, certificate


def served():
    with Served(OUT / "platform") as platform:
        folder, line, device = platform.folder, "maker/gate", platform.register("BG1-0001")
        base = f"{platform.console_url}/mud/maker/gate"
        root = signer(folder, "root", "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign")
        middle = signer(folder, "middle", "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign", ca=root)
        leaf = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature"]
        good, other = signer(folder, "good", *leaf, ca=middle), signer(folder, "other", *leaf)

        def description(port, signature=True):
            text = run(TEGATA, "mud", "suggest", "--url", "https://maker.example/gate.json", "--maker", "maker", "--model",
                       "BG-1", "--systeminfo", "Barrier gate", "--to", f"gate.example:{port}").stdout
            parsed = json.loads(text)
            if signature:
                parsed["ietf-mud:mud"]["mud-signature"] = f"{base}.p7s"
            file = folder / "gate.json"
            file.write_text(json.dumps(parsed, indent=1))
            return file

        def sign(file, by, *more):
            out = folder / "gate.p7s"
            run("openssl", "cms", "-sign", "-signer", by[1], "-inkey", by[0], *more, "-in", file, "-binary", "-outform",
                "DER", "-out", out)
            return out

        def put(file, *more, expect=0):
            words = ["--json", "mud", "put", line, file, "--reason", "a test", *more]
            done = platform.tegata(*words, by="maker", expect=expect)
            return json.loads(done.stdout) if expect == 0 else done.text

        def fetch(url, *more):
            head, body = folder / "head", folder / "body"
            status = run("curl", "--silent", "--show-error", "-D", head, "-o", body, "-w", "%{http_code}", *more, url)
            return status.stdout.decode(), head.read_text().lower(), body

        with case("a platform takes what OpenSSL signed below the CA that the maker names, and nothing else"):
            file = description(8883)
            certified = ["-certfile", middle[1]]
            for by, more, anchor in [(other, [], root), (good, [], root), (good, certified, other), (good, [*certified, "-noattr"], root),
                                     (good, [*certified, "-nodetach"], root), (good, [*certified, "-nocerts"], root)]:
                said = put(file, "--signature", sign(file, by, *more), "--anchor", anchor[1], expect=1)
                require("signature" in said or "signer" in said, said)
            signature = sign(description(23), good, *certified)
            said = put(description(8883), "--signature", signature, "--anchor", root[1], expect=1)
            require("another content" in said, said)
            require(fetch(f"{base}.json")[0] == "404", "something is served")
            made = put(file, "--signature", sign(file, good, *certified), "--anchor", root[1])
            require(made["version"] == 1 and "good" in made["signer"], made)
            require(put(file, "--signature", folder / "gate.p7s", "--anchor", root[1])["version"] == 1, "the same is another")

        with case("curl fetches file and signature without login, and OpenSSL verifies what was fetched"):
            status, head, body = fetch(f"{base}.json")
            require(status == "200" and "content-type: application/mud+json" in head, head)
            require("cache-control: public, no-cache" in head and "set-cookie" not in head, head)
            fetched = folder / "fetched.json"
            fetched.write_bytes(body.read_bytes())
            require(fetched.read_bytes() == file.read_bytes(), "other bytes")
            tag = [line for line in head.splitlines() if line.startswith("etag:")][0].split(": ", 1)[1]
            require(fetch(f"{base}.json", "-H", f"If-None-Match: {tag}")[0] == "304", tag)
            require(fetch(f"{base}.json", "--head")[0] == "200", "HEAD")
            status, head, body = fetch(json.loads(fetched.read_text())["ietf-mud:mud"]["mud-signature"])
            require(status == "200" and "content-type: application/pkcs7-signature" in head, head)
            run("openssl", "cms", "-verify", "-inform", "DER", "-in", body, "-CAfile", root[1], "-purpose", "any", "-binary",
                "-content", fetched, "-out", "/dev/null")
            require(fetch(f"{platform.console_url}/mud/maker/other.json")[0] == "404", "a product that there is not")

        with case("what an owner saw is held against it, and raises an alert"):
            flows = folder / "flows.jsonl"
            flows.write_text("\n".join(json.dumps({"device": device, **flow}) for flow in [
                {"to": "gate.example:8883/tcp"}, {"to": "192.0.2.1:8883"}, {"to": "spy.example:443", "count": 3},
                {"from": "192.0.2.66:23"}]))
            words = ["--json", "mud", "observe", flows, "--organisation", "maker"]
            judged = json.loads(platform.tegata(*words, by="maker", expect=1).stdout)
            found = [it["connection"] for it in judged["outside"]]
            require((judged["allowed"], judged["unknown"]) == (1, 1), judged)
            require(found == ["from 192.0.2.66:23/tcp", "to spy.example:443/tcp"], judged)
            rows = platform.call("mud", "outside", device, by="maker")
            require({it["connection"]: it["times"] for it in rows}["to spy.example:443/tcp"] == 3, rows)
            said = platform.tegata("mud", "observe", flows, "--organisation", "owner", by="owner", expect=1).text
            require("not yours" in said or "no such" in said.lower() or "not found" in said.lower(), said)

            def raised():
                alerts = platform.call("alert", "list", "--organisation", "maker", by="maker")
                return [it for it in (alerts if isinstance(alerts, list) else [alerts]) if it["rule"] == "outside-mud"]

            until = time.monotonic() + 30
            while not raised() and time.monotonic() < until:
                time.sleep(0.25)
            require(len(raised()) == 1, "no alert")

        with case("openssl reads what an IDevID says of the file; another certificate's is read here"):
            set_ = platform.call("mud", "url", line, "--set", f"{base}.json".replace("http:", "https:"), "--signer", good[1], by="maker")
            require("good" in set_["signer"], set_)
            second = platform.register("BG1-0002")
            platform.enrol(second, "BG1-0002", folder / "second.pem")
            text = run("openssl", "x509", "-in", folder / "second.pem", "-noout", "-text").stdout.decode()
            require(f"{set_['url']}" in text and "1.3.6.1.5.5.7.1.25" in text and "1.3.6.1.5.5.7.1.30" in text, text)
            run("openssl", "x509", "-in", folder / "second.pem", "-outform", "DER", "-out", folder / "second.der")
            parsed = run("openssl", "asn1parse", "-inform", "DER", "-in", folder / "second.der").stdout.decode().splitlines()
            for oid, inner in [("1.3.6.1.5.5.7.1.25", "IA5STRING"), ("1.3.6.1.5.5.7.1.30", "SEQUENCE")]:
                at = next(number for number, row in enumerate(parsed) if oid in row)
                octets = parsed[at + 1]
                require("OCTET STRING" in octets, octets)
                offset, length = int(octets.split(":")[0]), int(octets.split("hl=")[1].split()[0])
                value = run("openssl", "asn1parse", "-inform", "DER", "-in", folder / "second.der", "-strparse", offset).stdout.decode()
                require(inner in value.splitlines()[0] and length == 2, value)
            for file in [folder / "second.pem", folder / "second.der"]:
                said = json.loads(run(TEGATA, "--json", "mud", "certificate", file).stdout)
                require(said["mud_url"] == set_["url"] and "good" in said["mud_signer"], said)
            # By another hand, by the syntax of the RFC.
            foreign = signer(folder, "foreign", "1.3.6.1.5.5.7.1.25=ASN1:IA5STRING:https://elsewhere.example/lamp.json")
            said = json.loads(run(TEGATA, "--json", "mud", "certificate", foreign[1]).stdout)
            require(said == {"subject": said["subject"], "mud_url": "https://elsewhere.example/lamp.json"}, said)
            malformed = signer(folder, "malformed", "1.3.6.1.5.5.7.1.25=ASN1:UTF8String:https://elsewhere.example/")
            said = json.loads(run(TEGATA, "--json", "mud", "certificate", malformed[1]).stdout)
            require("mud_url" not in said and "id-pe-mud-url" in said["malformed"], said)
            require("names no" in run(TEGATA, "mud", "certificate", good[1]).stdout.decode(), "a URL out of nothing")
            platform.tegata("mud", "url", line, "--off", by="maker")

        with case("a file is suggested of what devices were seen to do, and openssl signs it"):
            said = platform.tegata("mud", "suggest", line, "--url", "https://maker.example/gate.json", by="maker", expect=1).text
            require("too-little-seen" in said or "none was seen" in said, said)
            devices = [device, second, platform.register("BG1-0003")]
            flows.write_text("\n".join(json.dumps({"device": one, "to": to}) for one in devices
                                       for to in ["gate.example:8883", "cloud.example:443", "192.168.0.9:1883"]))
            platform.tegata("mud", "observe", flows, "--organisation", "maker", by="maker", expect=1)
            words = ["mud", "suggest", line, "--days", "1", "--url", f"{base}.json".replace("http:", "https:")]
            made = platform.tegata(*words, by="maker")
            suggested = json.loads(made.stdout)
            require(platform.tegata(*words, by="maker").stdout == made.stdout, "another file of the same")
            require("too-few: spy.example:443/tcp" in made.stderr.decode(), made.stderr)
            text = json.dumps(suggested)
            require("cloud.example" in text and "local-networks" in text and "spy.example" not in text, text)
            names = [ace["name"] for acl in suggested["ietf-access-control-list:acls"]["acl"] for ace in acl["aces"]["ace"]]
            require(all(1 <= len(name) <= 64 for name in names) and any("3 devices, 1 day" in name for name in names), names)
            suggested["ietf-mud:mud"]["mud-signature"] = f"{base}.p7s"
            file = folder / "suggested.json"
            file.write_text(json.dumps(suggested))
            put(file, "--signature", sign(file, good, *certified), "--anchor", root[1])
            judged = json.loads(platform.tegata("--json", "mud", "observe", flows, "--organisation", "maker", by="maker").stdout)
            require((judged["allowed"], judged["unknown"], judged["outside"]) == (6, 3, []), judged)
            said = platform.tegata("mud", "suggest", line, "--organisation", "owner", "--days", "1", "--url", "https://maker.example/gate.json",
                                   by="owner", expect=1).text
            require("none was seen" in said, said)

        with case("the maker withdraws it, and nobody reads it any more"):
            require(put(description(9000, signature=False))["version"] == 3, "not another version")
            require(fetch(f"{base}.p7s")[0] == "404", "an older version's signature is served")
            platform.tegata("mud", "withdraw", line, "--reason", "a test", by="maker")
            require(fetch(f"{base}.json")[0] == "404", "it is served still")
            require(len(platform.call("mud", "history", line, by="maker")) == 4, "versions are gone")


main()
finish()
