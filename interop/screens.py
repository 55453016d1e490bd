"""Pictures of every page: both languages and themes, desktop and phone. `cargo xtask screens`.

A demo with its devices runs; browsers with virtual authenticators come in by its one-time links.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from browser import DESKTOP, PHONE, Browser
from console import never_given
from lib import OUT, TEGATA, Failure, run
from pages import ABOUT, ASSESSMENT, PAGES, PLATFORM, address

START_SECONDS_MAX = 300
DEVICES = os.environ.get("DEVICES", "200")
ONLY = sys.argv[1:]
LANGUAGES, THEMES = ["ja", "en"], ["light", "dark"]


def links(log):
    """Organisation to one-time link, once the demo has played."""
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until:
        text = log.read_text()
        found = re.findall(r"^  (\S+) +(http://localhost:\d+/invitation/\S+)$", text, re.MULTILINE)
        if found and "Running until" in text:
            return dict(found)
        if demo.poll() is not None:
            break
        time.sleep(0.5)
    raise Failure(f"the demo did not come up:\n{log.read_text()[-4000:]}")


def site(log):
    """Where the demo keeps its data, and the address of its interface."""
    text = log.read_text()
    folder = re.search(r"^  credentials +(\S+)/\*\.pem$", text, re.MULTILINE)[1]
    server = re.search(r"^  REST, EST +(\S+)$", text, re.MULTILINE)[1]
    return pathlib.Path(folder), server


class Demo:
    """Commands in the name of those who take part in the demo."""

    def __init__(self, log):
        self.credentials, self.server = site(log)
        self.roots = self.credentials.parent / "root.pem"

    def call(self, *arguments, by="kawa-waterworks-operator", expect=0):
        done = run(TEGATA, "--json", *arguments, expect=expect, env={
            "TEGATA_SERVER": self.server, "TEGATA_ROOTS": str(self.roots),
            "TEGATA_CREDENTIAL": str(self.credentials / f"{by}.pem"),
        })
        return [json.loads(line) for line in done.stdout.decode().splitlines() if line]

    def find(self, *filters):
        return self.call("device", "search", "--most", "40", *filters)

    def act(self, device, *act, by="kawa-waterworks-operator"):
        self.call("device", "act", device, *act, by=by)


def at_hand(demo):
    """What the pages about something in particular are about."""
    admin = "kawa-waterworks-administrator"
    working = [line["device"] for line in demo.find("--phase", "operation", "--standing", "good")]
    working = [device for device in working if device["product"] == "gate-7"]
    ids = [device["id"] for device in working]
    # A verdict of most, as in a fleet that is looked at every day.
    for device in ids:
        demo.call("device", "verify", device)
    main, suspended, offered, arriving, retired = ids[:5]
    demo.act(suspended, "suspend", "--cause", "lost")
    demo.act(offered, "offer-transfer", "--to", "hoshi-rail")
    demo.act(arriving, "offer-transfer", "--to", "hoshi-rail")
    demo.act(arriving, "accept-transfer", by="hoshi-rail-operator")
    demo.act(arriving, "offer-transfer", "--to", "kawa-waterworks", by="hoshi-rail-operator")
    demo.act(retired, "retire", "--cause", "end-of-life")
    named = [word for device in ids[5:25] for word in ["--device", device]]
    demo.call("job", "start", "suspend", "--cause", "recall", "--reason", "リコール 2026-11", *named)
    job = demo.call("job", "start", "release", "--reason", "対策済み", *named[:30])[0]["id"]
    revoked = demo.find("--standing", "revoked")[0]["device"]
    demo.call("approval", "policy", "kawa-waterworks", "--require", "revoke-device", by=admin)
    requests = []
    for device in ids[5:7]:
        demo.call("device", "act", device, "revoke", "--cause", "counterfeit", by=admin, expect=None)
    requests = demo.call("approval", "list", "kawa-waterworks", by=admin)
    unborn = demo.call("device", "register", "yamato-devices", "tag-1", "TAG-1-NEW",
                       by="yamato-devices-operator")[0]["id"]
    diagnosis = demo.call("diagnosis", "list", "yamato-devices", by="yamato-devices-administrator")[0]
    return {
        "diagnosis": diagnosis["id"], "item": "DEV-SWD-01", "line": "gate-7",
        "device": main, "suspended": suspended, "offered": offered, "arriving": arriving,
        "retired": retired, "revoked": revoked["id"], "unborn": unborn, "job": job,
        "other": "hoshi-rail", "own": "kawa-waterworks", "product": "yamato-devices/gate-7",
        "waiting": requests[0]["id"], "decided": requests[1]["id"],
        "number": working[0]["management_number"], "gone": revoked["management_number"],
    }


log = OUT / "demo.log"
demo = subprocess.Popen(
    [TEGATA, "demo", "--stay", "--devices", DEVICES],
    stdin=subprocess.DEVNULL, stdout=open(log, "wb"), stderr=subprocess.STDOUT,
)
try:
    found = links(log)
    link = found["kawa-waterworks"]
    origin = re.match(r"http://localhost:\d+", link)[0]
    with Browser(origin) as member, Browser(origin) as stranger, Browser(origin) as platform, \
            Browser(origin) as maker:
        # Most pages are the operator's; product lines are the maker's, the platform has pages of its own.
        stranger.open(link)
        stranger.until_at("/invitation")
        member.authenticator()
        member.register(link, "川村 花子", "hanako")
        # A second person is wanted where there are two.
        names = at_hand(Demo(log))
        platform.authenticator()
        platform.register(found["platform"], "管理 太郎", "taro")
        maker.authenticator()
        maker.register(found["yamato-devices"], "大和 彰", "akira")
        member.open("/people")
        person = member.find('main tbody a[href^="/people/"]').get_attribute("href")
        names |= {"person": person.rsplit("/", 1)[1], "unknown": never_given(stranger, names["number"])[0]}

        def of(page):
            if "product" in page[0]:
                return maker
            if page[0].startswith("organisation-"):
                return platform
            return member if page[2] else stranger

        pages = [
            *[(page, of(page)) for page in PAGES + ABOUT],
            *[(page, maker) for page in ASSESSMENT],
            *[(page, platform) for page in PLATFORM],
            (("platform-overview", "/", True), platform),
            (("organisation-administrator", "/organisations/{other}/administrator", True), platform),
            (("report-other-language", "/devices/{device}/report", True), member),
            (("platform-organisations", "/organisations", True), platform),
            (("invitation", "/invitation", False), stranger),
        ]
        shots = 0
        for (name, path, _), browser in pages:
            if ONLY and name not in ONLY:
                continue
            for language in LANGUAGES:
                for theme in THEMES:
                    for size, device in [(DESKTOP, "desktop"), (PHONE, "phone")]:
                        browser.resize(size)
                        browser.prefer(theme)
                        browser.open(address(path, language, **names))
                        browser.screenshot(OUT / f"{name}-{language}-{theme}-{device}.png")
                        shots += 1
        print(f"{shots} pictures in {OUT}")
finally:
    demo.send_signal(signal.SIGINT)
    try:
        demo.wait(30)
    except subprocess.TimeoutExpired:
        demo.kill()
