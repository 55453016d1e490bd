"""Security events in OCSF (docs/audit.md, docs/ocsf-extension) against models that others wrote:
py-ocsf-models for the base event, metadata and findings; our extension's files for our own classes."""

import json

from py_ocsf_models.events.base_event import BaseEvent
from py_ocsf_models.events.findings.detection_finding import DetectionFinding

from device_log import Log, encoded
from lib import OUT, ROOT, case, finish, require
from mqtt_device import Device, Gate, eventually

FOLDER = ROOT / "docs/ocsf-extension"
CATEGORIES = {"system": 1, "application": 6}
# What the generic class of the category requires (OCSF 1.8).
REQUIRED = {"system": {"actor", "device"}, "application": set()}


def extension():
    """The classes of the extension, by their number in events."""
    number = json.loads((FOLDER / "extension.json").read_text())["uid"]
    classes = {}
    for file in FOLDER.glob("events/*/*.json"):
        one = json.loads(file.read_text())
        classes[number * 100_000 + CATEGORIES[one["extends"]] * 1_000 + one["uid"]] = one
    return classes


def main():
    classes = extension()
    with Gate(OUT / "platform") as platform:
        device = Device(platform, "BG1-0001")
        log = Log(bytes(8))
        # Every kind, with each outcome; some without anything else, some with all of it.
        for kind in range(16):
            for outcome in range(3):
                more = {1: "root", 2: "case", 3: {"port": "ttyS0"}} if outcome else None
                log.add(1_795_000_000 + kind, kind, 1 + kind % 5, outcome, more)
        other = Log(b"another!")
        other.add(7, 0, 1, 0, {0: 3})

        def tell(item):
            file = OUT / "tell.cbor"
            file.write_bytes(item if isinstance(item, bytes) else encoded(item))
            return device.publish("-t", "me/up/log", "-q", "1", "-f", file, expect=None)

        tell(log.segment(1, 20))
        tell(log.segment(31, 48, dropped=5))
        tell(log.segment(24, 25))
        tell(log.segment(28, 28))
        changed = Log(bytes(8))
        changed.add(1, 0, 1, 0)
        tell(changed.segment(1, 1))
        tell(other.segment(1, 1))
        tell(b"\0")
        eventually(lambda: device.refused().get("schema", 0) == 1, device.refused())
        platform.tegata("audit", "stream", "begin", "all", "--to", "file", "--from-beginning")
        file = platform.dir / "streams/all.jsonl"

        def events():
            text = file.read_text() if file.exists() else ""
            return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

        # One for each entry that was heard, five breaks, one refusal.
        told = lambda code: [event for event in events() if event["metadata"]["event_code"] == code]
        eventually(lambda: len(told("device-log")) >= 43 and told("malformed-message"), len(events()))
        seen = events()

        with case("py-ocsf-models: every event is a base event, with its metadata"):
            for event in seen:
                read = BaseEvent.model_validate(event)
                require(read.metadata.version == "1.8.0" and read.metadata.sequence, event)
                own = event["class_uid"] in classes
                require(bool(read.metadata.extensions) == own, event)
                if own:
                    require((read.metadata.extensions[0].name, read.metadata.extensions[0].uid) == ("tegata", "999"), event)

        with case("py-ocsf-models: findings are findings"):
            found = [event for event in seen if event["class_uid"] == 2004]
            for event in found:
                DetectionFinding.model_validate({**event, "time": event["time"] // 1000})

        with case("the extension's files: classes, activities and what they require"):
            met = set()
            for event in seen:
                one = classes.get(event["class_uid"])
                if not one:
                    require(event["class_uid"] < 100_000, event)
                    continue
                activity = one["attributes"]["activity_id"]["enum"][str(event["activity_id"])]
                require(event["class_name"] == one["caption"], event)
                require(event["activity_name"] == activity["caption"], event)
                require(event["type_uid"] == event["class_uid"] * 100 + event["activity_id"], event)
                needed = {name for name, it in one["attributes"].items() if it["requirement"] == "required"}
                missing = (needed | REQUIRED[one["extends"]]) - event.keys()
                require(not missing, f"{missing}: {event}")
                met.add((one["name"], event["activity_id"]))
            all_ = {(one["name"], int(number)) for one in classes.values()
                    for number in one["attributes"]["activity_id"]["enum"]}
            require(met == all_, f"never met: {all_ - met}")

        with case("what a device told is marked as told by it, in every class"):
            for event in told("device-log"):
                require(event["unmapped"]["door"] == "device", event)
                require(event["metadata"]["log_provider"] == device.id, event)
                require(event["metadata"]["log_name"] == "device-log", event)
            for event in told("device-log-broken"):
                require(event["is_reported_by_device"] is False and event["severity_id"] in (1, 4), event)


main()
finish()
