"""Schemas of payloads at the doors (docs/schemas.md): mosquitto, paho-mqtt and curl as devices, payloads made by cbor2 and
protobuf, and second opinions of jsonschema, zcbor and protobuf about the same tables."""

import contextlib
import io
import json
import random
import sys
import time

import cbor2
import jsonschema
import zcbor
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lib import OUT, case, finish, require, run
from mqtt_device import Device, Gate, eventually

# What the doors promise: what is activated is in force within that.
FORCE_SECONDS_MAX = 1.0

READING = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["celsius"],
    "properties": {"celsius": {"type": "number", "minimum": -40, "maximum": 125}},
    "additionalProperties": False,
}

CDDL = """
reading = { celsius: float / int, ? at: time, * tstr => tstr }
"""

PROTO = """
syntax = "proto3";
package plant;
enum State { OFF = 0; ON = 1; }
message Reading {
  double celsius = 1;
  State state = 2;
  repeated Reading children = 3;
  map<string, int32> counts = 4;
  oneof source { string name = 5; uint32 number = 6; }
  repeated sint64 samples = 7;
}
"""

# Schemas of JSON, and payloads of each; whether they fit is for both to say.
JSON_TABLE = [
    ({"type": ["integer", "null"]}, ["1", "1.0", "1.5", "null", '"1"', "true", "1e2", "1e400"]),
    ({"enum": [1, "a", {"b": [1, None]}, False]}, ["1", "1.0", '"a"', '{"b":[1,null]}', '{"b":[null,1]}', "0", "false"]),
    # Fractions that doubles have exactly: theirs says that 4.02 is no multiple of 0.01.
    ({"multipleOf": 0.25}, ["0.75", "4.1", "-1.25", "3", "1e300", "0"]),
    ({"minLength": 2, "maxLength": 3, "pattern": "^[a-zé]+$"}, ['"ab"', '"é"', '"éa"', '"abcd"', '"AB"', "1"]),
    ({"uniqueItems": True, "contains": {"minimum": 5}}, ["[1,5]", "[1,1.0,5]", "[]", '[5,"5"]', "[[5],[5],6]"]),
    ({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}, "minItems": 1}, ['["a",1]', '["a"]', "[]", '["a","b"]', "[1]"]),
    ({"properties": {"a": {"type": "integer"}}, "patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": {"type": "boolean"}},
     ['{"a":1}', '{"a":"1"}', '{"x-b":"c"}', '{"x-b":1}', '{"d":true}', '{"d":1}', "[]"]),
    ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "not": {"required": ["c"]}}, ['{"a":1}', '{"b":1,"c":2}', "{}", "3"]),
    ({"oneOf": [{"multipleOf": 3}, {"multipleOf": 5}]}, ["3", "5", "15", "7", '"a"']),
    ({"if": {"properties": {"k": {"const": 1}}, "required": ["k"]}, "then": {"required": ["x"]}, "else": {"required": ["y"]}},
     ['{"k":1,"x":0}', '{"k":1,"y":0}', '{"k":2,"y":0}', "{}"]),
    ({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"kids": {"items": {"$ref": "#/$defs/tree"}}}, "required": ["v"]}}},
     ['{"v":1}', '{"v":1,"kids":[{"v":2}]}', '{"v":1,"kids":[{}]}', '{"v":1,"kids":[{"v":1,"kids":[3]}]}']),
    ({"allOf": [{"properties": {"a": True}}], "unevaluatedProperties": False}, ['{"a":1}', '{"b":1}', "{}"]),
    ({"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"maxProperties": 1}}, "propertyNames": {"maxLength": 2}},
     ['{"a":1}', '{"a":1,"b":2}', '{"c":1}', '{"c":1,"d":2}', '{"abc":1}']),
]

# Rules of CDDL, and values of each.
CDDL_TABLE = [
    ("a = int", [0, -5, 2**63, 1.5, "1", None]),
    # Theirs takes -1 for that, which is no uint.
    ("a = uint .size 1", [0, 255, 256, "a"]),
    ("a = 1..5", [1, 5, 6, 0]),
    ("a = tstr .size (1..3)", ["a", "abc", "abcd", "", 1]),
    ("a = bstr", [b"", b"a", "a"]),
    ("a = bool / nil", [True, None, 0, "x"]),
    ('a = "on" / "off"', ["on", "off", "of", 1]),
    ("a = [* int]", [[], [1, 2], [1, "a"], {}]),
    ("a = [int, ? tstr]", [[1], [1, "a"], [], [1, 2], [1, "a", "b"]]),
    ("a = [+ (int, tstr)]", [[1, "a"], [1, "a", 2, "b"], [], [1], [1, "a", 2]]),
    ('a = {"a": int, ? "b": tstr}', [{"a": 1}, {"a": 1, "b": "c"}, {}, {"a": "1"}, {"a": 1, "c": 2}]),
    ("a = {* tstr => int}", [{}, {"a": 1}, {"a": "b"}, {1: 1}]),
    ('a = {"a": int, * tstr => any}', [{"a": 1, "x": []}, {"x": 1}]),
    ('a = [b, tstr]\nb = {"x": int} / int', [[{"x": 1}, "a"], [1, "a"], ["a"], [{"x": "y"}, "a"]]),
    ('a = {("a": int // "b": int), "c": int}', [{"a": 1, "c": 1}, {"b": 1, "c": 1}, {"c": 1}, {"d": 1, "c": 1}]),
    ("a = #6.32(tstr)", [cbor2.CBORTag(32, "x"), cbor2.CBORTag(33, "x"), "x", cbor2.CBORTag(32, 1)]),
    ("a = tree\ntree = [int, * tree]", [[1], [1, [2], [3, [4]]], [[1]], [1, 2]]),
    ("a = float", [1.5, 1, "a"]),
]


def files(name, source, cases):
    binary = isinstance(source, bytes)
    suffix = "pb" if binary else "cddl" if "=" in source else "json"
    written = OUT / f"{name}.{suffix}", OUT / f"{name}.yaml"
    written[0].write_bytes(source) if binary else written[0].write_text(source)
    written[1].write_text(json.dumps({"cases": cases}))
    return written


def accepted(name, **payload):
    return {"name": name, **payload, "expect": "accepted"}


def refused(name, **payload):
    return {"name": name, **payload, "expect": "refused"}


def descriptors():
    """What protoc makes of the message."""
    folder = OUT / "proto"
    folder.mkdir(exist_ok=True)
    (folder / "reading.proto").write_text(PROTO)
    made = folder / "reading.pb"
    run(sys.executable, "-m", "grpc_tools.protoc", "-I", folder, "--include_imports", f"--descriptor_set_out={made}", "reading.proto", cwd=folder)
    return made.read_bytes()


def reading_class(raw):
    """The message as the protobuf of Google reads it."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(raw).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("plant.Reading"))


def verdicts(platform, name, schema, payloads, *arguments):
    """Ours, without a server."""
    paths = []
    for at, payload in enumerate(payloads):
        path = OUT / f"{name}-{at}.bin"
        path.write_bytes(payload)
        paths += ["--payload", path]
    done = platform.tegata("--json", "schema", "test", schema, *arguments, *paths, expect=None)
    require(done.returncode in (0, 2), done.text)
    return [one["accepted"] for one in json.loads(done.stdout)["cases"]]


def by_jsonschema(schema, text):
    if "e400" in text:
        return False  # beyond every double: no reader of ours takes it
    value = json.loads(text)
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def by_zcbor(schema, payload):
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what does not fit
            zcbor.DataTranslator.from_cddl(cddl_string=schema, default_max_qty=1000).my_types["a"].validate_str(payload)
    except zcbor.CddlValidationError:
        return False
    return True


def main():
    with Gate(OUT / "platform") as platform:
        device = Device(platform, "BG1-0001")
        base = f"https://localhost:{platform.port}/v1/messages"

        def http(topic, payload, media_type):
            """The status of a message by curl."""
            body = OUT / "body.bin"
            body.write_bytes(payload)
            done = run("curl", "--silent", "--show-error", "--cacert", platform.roots, "--cert", device.certificates,
                       "--key", device.key, "-H", f"Content-Type: {media_type}", "--data-binary", f"@{body}",
                       "-o", OUT / "answer.json", "-w", "%{http_code}", f"{base}?topic={topic}")
            return int(done.stdout), (OUT / "answer.json").read_text() if (OUT / "answer.json").exists() else ""

        def mqtt(topic, payload, media_type=None, version="5"):
            """Whether mosquitto_pub has it acknowledged."""
            body = OUT / "body.bin"
            body.write_bytes(payload)
            kind = ["-D", "publish", "content-type", media_type] if media_type else []
            done = device.publish("-t", topic, "-q", "1", "-f", body, *kind, version=version, expect=None)
            return done.returncode == 0 and "failed" not in done.text.lower(), done.text

        def put(name, schema, cases, topic, *arguments):
            made = platform.call("schema", "put", name, *files(name, schema, cases), "--topic", topic, "--reason", "a test", *arguments, by="maker")
            tested = platform.call("schema", "test", name, "--version", made["version"], by="maker")
            require(tested["report"]["passed"], tested)
            return made["version"]

        def activate(name, version, *arguments):
            platform.call("schema", "activate", name, version, "--reason", "a test", *arguments, by="maker")

        good = json.dumps({"celsius": 21.5})
        hot = json.dumps({"celsius": 900})
        warm_cases = [accepted("warm", text=good), refused("hot", text=hot, at="/celsius")]

        with case("schemas are tried offline: exit codes, places, hints"):
            report = json.loads(platform.tegata("--json", "schema", "test", *files("reading", json.dumps(READING), warm_cases)).text)
            require(report["passed"] and report["cases"][1]["why"] == "/celsius: /properties/celsius/maximum", report)
            wrong = files("wrong", json.dumps(READING), [accepted("hot", text=hot), refused("x", text="1")])
            done = platform.tegata("schema", "test", *wrong, expect=None)
            require(done.returncode == 2 and "FAILED" in done.text, done.text)
            broken = files("broken", json.dumps({"properties": {"a": {"$ref": "https://example.org/a.json"}}}), warm_cases)
            done = platform.tegata("schema", "test", *broken, expect=None)
            require(done.returncode == 1 and "/properties/a/$ref" in done.text and "nothing outside" in done.text, done.text)

        with case("what was not tested, or failed its cases, is not put in force"):
            made = platform.call("schema", "put", "reading", *wrong, "--topic", "up/json", "--reason", "wrong", by="maker")
            done = platform.tegata("schema", "activate", "reading", made["version"], "--reason", "x", by="maker", expect=None)
            require("schema-untested" in done.text, done.text)
            done = platform.tegata("schema", "test", "reading", "--version", made["version"], by="maker", expect=None)
            require(done.returncode == 2, done.text)
            done = platform.tegata("schema", "activate", "reading", made["version"], "--reason", "x", by="maker", expect=None)
            require("schema-failed" in done.text, done.text)
            require(mqtt("me/up/json", hot.encode())[0], "refused without a schema in force")

        json_version = put("reading", json.dumps(READING), warm_cases, "up/json")

        with case("observed: what does not follow is taken and counted"):
            activate("reading", json_version, "--mode", "observe")
            require(mqtt("me/up/json", hot.encode())[0], "refused though observed")
            require(http("me/up/json", hot.encode(), "application/json")[0] == 204, "refused though observed")

            def counted():
                found = platform.call("schema", "show", "reading", json_version, by="maker")["found"]
                return {row.get("rule"): row["count"] for row in found}.get("/properties/celsius/maximum") == 2

            eventually(counted, "the violations are not counted")

        with case("JSON by mosquitto (5 and 3.1.1), paho in an open session and curl: taken or refused, and the owner reads where"):
            client = device.client(client_id="open-session")
            client.connect()
            activate("reading", json_version)
            began = time.monotonic()
            client.client.publish("me/up/json", hot, qos=1)
            require(client.wait("published")[1] == 0x99, "an open session's message was taken")
            require(time.monotonic() - began < FORCE_SECONDS_MAX + 5, "it took too long")
            client.client.publish("me/up/json", good, qos=1)
            require(client.wait("published")[1] < 0x80, "a good message was refused")
            properties = Properties(PacketTypes.PUBLISH)
            properties.ContentType = "application/cbor"
            client.client.publish("me/up/json", good, qos=1, properties=properties)
            require(client.wait("published")[1] == 0x99, "another media type was taken")
            client.end()
            require(mqtt("me/up/json", good.encode())[0], "5: refused")
            require(mqtt("me/up/json", good.encode(), "application/json")[0], "5 with its type: refused")
            before = len(device.messages())
            require(not mqtt("me/up/json", hot.encode())[0], "5: taken")
            mqtt("me/up/json", hot.encode(), version="4")
            mqtt("me/up/json", good.encode(), version="4")
            require(len(device.messages()) == before + 1, "3.1.1: not one message more")
            status, answer = http("me/up/json", hot.encode(), "application/json")
            require(status == 400 and "celsius" not in answer and "maximum" not in answer, answer)
            require(http("me/up/json", good.encode(), "application/json")[0] == 204, "curl: refused")
            require(http("me/up/json", good.encode(), "text/plain")[0] == 400, "curl: another type taken")
            require(http("me/up/other", hot.encode(), "application/json")[0] == 204, "another topic: refused")

            def told():
                lines = [line for line in device.listed("refused-messages") if line["reason"] == "schema"]
                return lines and all(line.get("detail", "").startswith(f"reading v{json_version}: ") for line in lines)

            eventually(told, "the owner does not read why")

        with case("CBOR made by cbor2 against CDDL: taken or refused"):
            fits, not_so = cbor2.dumps({"celsius": 21.5, "room": "a"}), cbor2.dumps({"celsius": "hot"})
            version = put("compact", CDDL, [accepted("fits", hex=fits.hex()), refused("not so", hex=not_so.hex(), at="/celsius")], "up/cbor/+")
            activate("compact", version)
            for payload, taken in [(fits, True), (not_so, False), (cbor2.dumps([1]), False), (b"\xa1\x67", False), (b"", False),
                                   (cbor2.dumps({"celsius": 3, "at": cbor2.CBORTag(1, 1700000000)}), True)]:
                require(mqtt("me/up/cbor/a", payload)[0] == taken, payload.hex())
                status = http("me/up/cbor/a", payload, "application/cbor")[0]
                require((status == 204) == taken and status in (204, 400), f"{payload.hex()}: {status}")

        raw = descriptors()
        Reading = reading_class(raw)
        message_ = Reading(celsius=21.5, state=1, name="a", counts={"x": 1}, samples=[1, -1], children=[Reading(celsius=2)])

        with case("Protobuf made by protobuf against what protoc made: taken or refused"):
            fits, unknown = message_.SerializeToString(), b"\xa0\x06\x01"
            version = put("proto", raw, [accepted("fits", hex=fits.hex()), refused("unknown", hex=unknown.hex())], "up/proto", "--root", "plant.Reading")
            activate("proto", version)
            twice = Reading(celsius=1).SerializeToString() * 2
            for payload, taken in [(fits, True), (b"", True), (unknown, False), (twice, False), (fits[:-1], False), (b"\x10\x07", False)]:
                require(mqtt("me/up/proto", payload)[0] == taken, payload.hex())
                for media_type in ["application/protobuf", "application/x-protobuf"]:
                    status = http("me/up/proto", payload, media_type)[0]
                    require((status == 204) == taken and status in (204, 400), f"{payload.hex()}: {status}")
            done = platform.tegata("schema", "put", "proto", *files("none", raw, [accepted("a", text=""), refused("b", text="x")]),
                                   "--topic", "up/proto", "--root", "plant.None", "--reason", "x", by="maker", expect=None)
            require(done.returncode != 0 and "plant.Reading" in done.text, done.text)

        with case("strict: topics without a schema are refused, and taken again"):
            platform.call("schema", "strict", "--set", "on", "--reason", "a test", by="maker")
            require(not mqtt("me/up/other", b"1")[0] and mqtt("me/up/json", good.encode())[0], "not so")
            platform.call("schema", "strict", "--set", "off", "--reason", "a test", by="maker")
            require(mqtt("me/up/other", b"1")[0], "refused")

        with case("retired: anything is taken, and the history says who"):
            platform.call("schema", "retire", "reading", "--reason", "a test", by="maker")
            require(mqtt("me/up/json", hot.encode())[0], "refused")
            history = platform.call("schema", "history", "reading", by="maker")
            require([line.get("version") for line in history] == [None, json_version, json_version], history)

        with case("jsonschema agrees about a table"):
            count = 0
            for at, (schema, payloads) in enumerate(JSON_TABLE):
                path = OUT / f"table-{at}.json"
                path.write_text(json.dumps(schema))
                ours = verdicts(platform, f"json-{at}", path, [text.encode() for text in payloads])
                theirs = [by_jsonschema(schema, text) for text in payloads]
                require(ours == theirs, f"{schema}: {list(zip(payloads, ours, theirs))}")
                count += len(ours)
            print(f"   {count} verdicts", flush=True)

        with case("zcbor agrees about a table"):
            count = 0
            for at, (schema, values) in enumerate(CDDL_TABLE):
                path = OUT / f"table-{at}.cddl"
                path.write_text(schema + "\n")
                payloads = [cbor2.dumps(value) for value in values]
                ours = verdicts(platform, f"cddl-{at}", path, payloads)
                theirs = [by_zcbor(schema + "\n", payload) for payload in payloads]
                require(ours == theirs, f"{schema}: {list(zip(values, ours, theirs))}")
                count += len(ours)
            print(f"   {count} verdicts", flush=True)

        with case("what protobuf does not read, we do not take, and what it writes we do"):
            dice = random.Random(7)
            path = OUT / "proto.pb"
            path.write_bytes(raw)

            def made(depth):
                one = Reading(celsius=dice.choice([0, 1.5, -40]), state=dice.choice([0, 1]))
                for _ in range(dice.randrange(3)):
                    one.samples.append(dice.randrange(-2**63, 2**63))
                    one.counts[dice.choice("abc")] = dice.randrange(-2**31, 2**31)
                if dice.random() < 0.5:
                    one.name = dice.choice(["", "温度", "a" * 200])
                else:
                    one.number = dice.randrange(2**32)
                if depth:
                    one.children.extend(made(depth - 1) for _ in range(dice.randrange(3)))
                return one

            written = [made(3).SerializeToString() for _ in range(60)]
            require(all(verdicts(platform, "written", path, written, "--root", "plant.Reading")), "what protobuf writes is refused")
            broken = []
            for payload in written:
                bytes_ = bytearray(payload)
                for _ in range(dice.randrange(1, 4)):
                    bytes_[dice.randrange(len(bytes_))] = dice.randrange(256)
                broken.append(bytes(bytes_))
            taken = verdicts(platform, "broken", path, broken, "--root", "plant.Reading")
            for payload, ours in zip(broken, taken):
                try:
                    read = Reading.FromString(payload)
                except message.DecodeError:
                    read = None
                require(not ours or read is not None, f"taken, and protobuf does not read it: {payload.hex()}")
            print(f"   {sum(taken)} of {len(taken)} changed messages are messages still", flush=True)
    finish()


main()
