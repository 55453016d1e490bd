"""Pictures of every page: both languages and themes, desktop and phone. `cargo xtask screens`.

A demo with its devices runs; a browser with a virtual authenticator comes in by its one-time link.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from browser import DESKTOP, PHONE, Browser
from lib import OUT, TEGATA, Failure
from pages import PAGES

START_SECONDS_MAX = 300
DEVICES = os.environ.get("DEVICES", "200")
ONLY = sys.argv[1:]


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


log = OUT / "demo.log"
demo = subprocess.Popen(
    [TEGATA, "demo", "--stay", "--devices", DEVICES],
    stdin=subprocess.DEVNULL, stdout=open(log, "wb"), stderr=subprocess.STDOUT,
)
try:
    link = links(log)["kawa-waterworks"]
    origin = re.match(r"http://localhost:\d+", link)[0]
    with Browser(origin) as member, Browser(origin) as stranger:
        member.authenticator()
        stranger.open(link)
        stranger.until_at("/invitation")
        pages = [("invitation", "/invitation", False), *PAGES]
        shots = 0
        signed_in = False
        for name, path, signed in pages:
            if ONLY and name not in ONLY:
                continue
            if signed and not signed_in:
                member.register(link, "川村 花子", "hanako")
                signed_in = True
            browser = member if signed else stranger
            for language in ["ja", "en"]:
                for theme in ["light", "dark"]:
                    for size, device in [(DESKTOP, "desktop"), (PHONE, "phone")]:
                        browser.resize(size)
                        browser.prefer(theme)
                        joint = "&" if "?" in path else "?"
                        browser.open(f"{path}{joint}lang={language}")
                        browser.screenshot(OUT / f"{name}-{language}-{theme}-{device}.png")
                        shots += 1
        print(f"{shots} pictures in {OUT}")
finally:
    demo.send_signal(signal.SIGINT)
    try:
        demo.wait(30)
    except subprocess.TimeoutExpired:
        demo.kill()
