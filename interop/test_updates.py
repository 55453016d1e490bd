"""Software in a browser: a release, a campaign that two people bring about and that is watched and
paused, a vulnerability that becomes a campaign, a duty to report; with script and without; axe."""

import json
import ssl
import urllib.request

from browser import PHONE, Browser
from console import WithConsole
from lib import OUT, case, finish, require
from pages import SOFTWARE, address, examine
from tegata import credential

DEVICES = 12


class Software(WithConsole):
    """Twelve devices that run 1.0, one of which asks; releases, one vulnerability, one duty."""

    def populate(self):
        super().populate()
        image = OUT / "firmware.img"
        image.write_bytes(b"one image for all\n" * 1000)
        self.old = self.release("1.0", "1.0.0", image)
        self.new = self.release("2.0", "1.0.1", image)
        self.draft = self.call(
            "release", "create", self.MAKER, self.PRODUCT, "3.0", "--security-version", "1",
            "--hardware-id", "gate-bg1", by=self.MAKER,
        )["id"]
        self.devices = [self.register(f"S-{number}") for number in range(1, DEVICES + 1)]
        self.doors = []
        for number, device in enumerate(self.devices[:3], 1):
            out = OUT / f"device-{number}.pem"
            self.enrol(device, f"S-{number}", out)
            certificates, key = credential(OUT, f"device-{number}", out.read_text())
            context = ssl.create_default_context(cafile=str(self.roots))
            context.load_cert_chain(certificates, key)
            self.doors.append(context)
            self.poll(number - 1, "1.0")
        known = OUT / "known"
        known.mkdir(exist_ok=True)
        (known / "osv.json").write_text(json.dumps({
            "schema_version": "1.7.0", "id": "CVE-2026-1", "modified": "2026-11-01T00:00:00Z",
            "summary": "serde is broken",
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N"}],
            "affected": [{"package": {"ecosystem": "crates.io", "name": "serde"}, "ranges": [
                {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.0.1"}]}]}],
        }))
        (known / "kev.json").write_text(json.dumps({
            "catalogVersion": "1", "dateReleased": "2026-11-01T00:00:00Z",
            "vulnerabilities": [{"cveID": "CVE-2026-1", "dateAdded": "2026-10-01"}],
        }))
        self.tegata("vulnerability", "import", "platform", known)

    def release(self, version, serde, image):
        made = self.call(
            "release", "create", self.MAKER, self.PRODUCT, version, "--security-version", "1",
            "--hardware-id", "gate-bg1", by=self.MAKER,
        )["id"]
        sbom = OUT / f"gate-{version}.cdx.json"
        sbom.write_text(json.dumps({
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "metadata": {"component": {"type": "firmware", "name": self.PRODUCT, "version": version}},
            "components": [{"type": "library", "name": "serde", "version": serde,
                            "purl": f"pkg:cargo/serde@{serde}"}],
        }))
        self.tegata("release", "add", made, image, by=self.MAKER)
        self.tegata("release", "attach", made, "sbom", sbom, by=self.MAKER)
        self.tegata("release", "publish", made, by=self.MAKER)
        return made

    def ask(self, door, path, body):
        request = urllib.request.Request(
            f"{self.url}{path}", data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, context=self.doors[door], timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def runs(self, version):
        return {"hardware_id": "gate-bg1", "version": version, "security_version": 1,
                "release_counter": {"1.0": 1, "2.0": 2}[version], "confirmed": True}

    def poll(self, door, version):
        return self.ask(door, "/v1/update/poll", self.runs(version))

    def says(self, door, action, execution, **more):
        self.ask(door, "/v1/update/feedback", {"action": action, "execution": execution, **more})


def press(browser, words):
    """A button or a link of the page, by its words."""
    def pressed():
        for one in browser.all("main button, main a.button"):
            if one.text.strip() == words:
                one.click()
                return True
        return False

    browser.until(pressed, f"there is no {words}")


def fill(browser, **fields):
    for name, value in fields.items():
        browser.fill(name, value)


def story(platform, first, second, name):
    """A campaign proposed by one person, approved by another, seen, paused; its id."""
    first.open(f"/releases/{platform.new}?lang=en")
    press(first, "Propose a campaign")
    first.until_says("New campaign")
    fill(first, name=name, share1="90", share2="10", share3="")
    press(first, "Preview")
    first.until_says(f"{DEVICES} devices would get version 2.0")
    first.until_says("Another administrator must approve")
    press(first, "Propose")
    first.until_says(f"{DEVICES} devices are chosen")
    campaign = first.path.split("?")[0].split("#")[0].rsplit("/", 1)[1]
    press(first, "Start")
    first.until_says("Start this campaign?")
    press(first, "Start")
    first.until(lambda: first.path.startswith("/approvals/"), "no second person is asked")
    second.open(f"{first.path.split('?')[0]}?lang=en")
    second.until_says(name)
    press(second, "Approve")
    second.until_says("Approved")
    first.open(f"/campaigns/{campaign}?lang=en")
    first.until_says("Stage 1, open")
    return campaign


with Software(OUT / "platform") as platform:
    links = [platform.invite(platform.MAKER, handle, name, "administrator", "operator", "auditor")
             for handle, name in [("hanako", "山田 花子"), ("taro", "田中 太郎")]]
    with Browser(platform.console_url) as hanako, Browser(platform.console_url) as taro, \
            Browser(platform.console_url, script=False) as plain:
        for browser, link, name, handle in [
            (hanako, links[0], "山田 花子", "hanako"), (taro, links[1], "田中 太郎", "taro"),
        ]:
            browser.authenticator()
            browser.register(link, name, handle)
        plain.carry(taro)

        with case("a campaign is proposed, approved by a second person, started"):
            campaign = story(platform, hanako, taro, "November")

        with case("what a device does is seen without loading the page again"):
            # Lots leave one of the twelve to the second stage: of three at least two are told.
            told = [(door, platform.poll(door, "1.0")) for door in range(3)]
            told = [(door, poll["install"]["action"]) for door, poll in told if poll.get("install")]
            require(len(told) >= 2, f"{len(told)} of three are told")
            platform.says(*told[0], "failed", detail="no space left")
            hanako.open(f"/campaigns/{campaign}?lang=en")
            hanako.until_says("no space left")
            hanako.until_says("It reported a failure.")
            hanako.spotless("a campaign that runs")

        with case("and without script behind a link"):
            plain.open(f"/campaigns/{campaign}?lang=en")
            plain.until_says("Load again")
            plain.click(f'.under-title a[href^="/campaigns/{campaign}"]')
            plain.until_says(", open")

        with case("it is paused, without script, and the other browser sees it by itself"):
            hanako.open(f"/campaigns/{campaign}?lang=en")
            state = hanako.texts(".page-head .badge")[0]
            if state == "running":
                press(plain, "Pause")
                plain.until_says("Pause this campaign?")
                press(plain, "Pause")
                plain.until_says("The campaign is paused")
            hanako.until(lambda: hanako.texts(".page-head .badge")[0] == "paused", "it is not seen")

        with case("a vulnerability becomes a campaign over exactly its devices"):
            hanako.open("/vulnerabilities?lang=en")
            hanako.until_says("CVE-2026-1")
            hanako.click('main tbody a[href="/vulnerabilities/CVE-2026-1"]')
            hanako.until_says("3 devices run 1.0")
            hanako.show_passkey("/vulnerabilities/CVE-2026-1")
            press(hanako, "Draft a campaign")
            hanako.until_says("3 devices are chosen")
            proposed = hanako.path.split("?")[0].rsplit("/", 1)[1]

        with case("a duty to report has opened by itself, and its early warning goes on record"):
            plain.open("/cases?lang=en")
            plain.until_says("Early warning")
            plain.click('main tbody th a[href^="/cases/"]')
            plain.until_says("Draft: Early warning")
            duty = plain.path.split("?")[0].rsplit("/", 1)[1]
            press(plain, "It was submitted")
            plain.until_says("Draft: Notification")

        names = {"draft": platform.draft, "release": platform.new, "campaign": campaign,
                 "proposed": proposed, "vulnerability": "CVE-2026-1", "duty": duty}
        examine(SOFTWARE, ["en", "ja"], ["light", "dark"], lambda _: hanako, case, **names)

        with case("nothing is wider than a phone"):
            hanako.resize(PHONE)
            for page, path, _ in SOFTWARE:
                for language in ["en", "ja"]:
                    hanako.open(address(path, language, **names))
                    wide = hanako.driver.execute_script(
                        "return document.documentElement.scrollWidth - window.innerWidth")
                    require(wide <= 0, f"{page} ({language}) is {wide} pixels too wide")

        for page, path, _ in SOFTWARE:
            for size, device in [((1360, 900), "desktop"), (PHONE, "phone")]:
                for language in ["en", "ja"]:
                    hanako.resize(size)
                    hanako.prefer("light")
                    hanako.open(address(path, language, **names))
                    hanako.screenshot(OUT / f"{page}-{language}-{device}.png")

finish()
