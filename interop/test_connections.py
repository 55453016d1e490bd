"""What an owner looks at in a browser: connections outside makers' files (docs/mud.md) and trust between devices
(docs/device-to-device.md); both languages and themes, without script, axe on every page; bundles that a browser
downloads are read by the command line."""

import json

from browser import PHONE, Browser
from console import WithConsole
from lib import OUT, case, finish, require
from pages import examine

LINE = "maker/gate"


class Connected(WithConsole):
    """Two devices of the maker's own, a file that its maker keeps, and connections outside of it."""

    def populate(self):
        super().populate()
        self.devices = [self.register(f"BG1-{number:04}") for number in (1, 2)]
        for port in (1883, 8883):
            file = self.folder / "gate.json"
            made = self.tegata("mud", "suggest", "--url", "https://maker.example/gate.json", "--maker", "maker", "--model",
                               "BG-1", "--systeminfo", "Barrier gate", "--to", f"gate.example:{port}")
            file.write_bytes(made.stdout)
            self.tegata("mud", "put", LINE, file, "--reason", f"port {port}", by=self.MAKER)
        first, second = self.devices
        self.observe([{"device": first, "to": "gate.example:8883"}, {"device": first, "to": "gate.example:1883"},
                      {"device": first, "to": "spy.example:443", "count": 12},
                      {"device": first, "from": "[2001:db8::66]:23", "count": 3},
                      *[{"device": second, "to": f"scan.example:{port}"} for port in range(1, 61)]], expect=1)

    def observe(self, flows, expect=0):
        file = self.folder / "flows.jsonl"
        file.write_text("\n".join(json.dumps(flow) for flow in flows))
        self.tegata("mud", "observe", file, "--organisation", "maker", by=self.MAKER, expect=expect)


with Connected(OUT / "platform") as platform:
    origin, (device, other) = platform.console_url, platform.devices
    maker = lambda *words: platform.call(*words, by="maker")
    with Browser(origin) as browser, Browser(origin) as owner:
        browser.authenticator()
        browser.register(platform.invite("maker", "hanako", "川村 花子", "administrator", "operator"), "川村 花子", "hanako")
        owner.authenticator()
        owner.register(platform.invite("owner", "taro", "山田 太郎", "administrator"), "山田 太郎", "taro")

        with case("before anything is chosen devices are given no bundles, and the page says so"):
            browser.open("/policies?lang=en")
            browser.click('main a[href="/peer-trust"]')
            browser.until_says("Nothing is chosen")
            require("never given one" in browser.text(), browser.text())
            browser.spotless("trust between devices, off")

        with case("what the next bundle holds is what the command line says"):
            maker("trust-bundle", "set", "--hours", "2")
            said = maker("trust-bundle", "contents")
            require(said["devices"]["without"] == 2 and len(said["authorities"]) == 1, said)
            maker("trust-bundle", "make", device, "--out", platform.folder / "made.bundle")
            browser.open("/peer-trust?lang=en")
            browser.until_says("What the next bundle holds")
            text = browser.text()
            require("2 hours after it is made" in text and "newest, not fetched" in text, text)
            require(said["digest"].replace(":", "")[:8] in text.replace(" ", "").replace("\n", ""), (said["digest"], text))

        with case("the bundle that a browser downloads is the one that the command line makes"):
            saved = browser.download('main form[action^="/peer-trust/bundles/"] button')
            file = platform.folder / "downloaded.bundle"
            file.write_bytes(saved)
            held = maker("trust-bundle", "show", file)
            require(held["device"] == device and held["number"] == 1, held)
            require(file.read_bytes() == (platform.folder / "made.bundle").read_bytes(), "another bundle")

        with case("connections outside the file: from the alerts to the list, to the device, to its alerts"):
            browser.open("/alerts?lang=en")
            browser.click('main a[href="/outside-mud"]')
            browser.until_at("/outside-mud")
            require(browser.all("svg.over-time"), "no picture")
            seen = browser.texts("main tbody td code")
            require(len(seen) == 50 and "does not allow it" in browser.text(), browser.text())
            browser.click('main a[href*="after="]')
            browser.until(lambda: len(browser.all("main tbody th a")) == 13, "not the rest of them")
            seen += browser.texts("main tbody td code")
            require((seen.count("scan.example"), seen.count("spy.example")) == (60, 1), seen)
            browser.open(f"/devices/{device}?lang=en")
            browser.click(f'main a[href="/devices/{device}/outside-mud"]')
            browser.until_says("Version 1 allowed it")
            text = browser.text()
            for words in ["2001:db8::66", "TCP 443", "told by your organisation", "may send to gate.example"]:
                require(words in text, (words, text))
            require("scan.example" not in text and browser.all("svg.bars"), text)
            browser.click('main a[href^="/alerts?"]')
            browser.until_says("outside")
            require(browser.all("main tbody tr"), "no alert")

        with case("another organisation sees none of it"):
            for path in ["/outside-mud", "/outside-mud?line=maker%2Fgate", "/peer-trust"]:
                owner.open(f"{path}{'&' if '?' in path else '?'}lang=en")
                text = owner.text()
                require("spy.example" not in text and device not in text, text)
            owner.open(f"/devices/{device}/outside-mud?lang=en")
            require("spy.example" not in owner.text(), owner.text())

        with case("a file is suggested of what devices did, and a browser downloads it"):
            third = platform.register("BG1-0003")
            platform.observe([{"device": one, "to": "cloud.example:443"} for one in [device, other, third]], expect=1)
            browser.open("/products/maker/gate/mud?lang=en")
            browser.click('main a[href="/outside-mud/maker/gate/suggestion"]')
            browser.until_says("3 devices were looked at, and none")
            require(not browser.all("#suggested"), "a file of too little")
            browser.fill("days", "1")
            browser.fill("url", "https://maker.example/gate.json")
            browser.click('main form[action$="/suggestion"] button')
            browser.until_says("An entry has what 3 of them did")
            file = platform.folder / "suggested.json"
            file.write_bytes(browser.download("#suggested"))
            said = platform.tegata("mud", "show", file).stdout.decode()
            require("cloud.example" in said and "spy.example" not in said, said)

        pages = [("outside-mud", "/outside-mud", True), ("outside-mud-line", "/outside-mud?line=maker%2Fgate", True),
                 ("outside-mud-device", "/devices/{device}/outside-mud", True), ("peer-trust", "/peer-trust", True),
                 ("mud", "/products/maker/gate/mud", True),
                 ("suggestion", "/outside-mud/maker/gate/suggestion?days=1&url=https%3A%2F%2Fmaker.example%2F", True)]
        examine(pages, ["ja", "en"], ["light", "dark"], lambda _signed: browser, case, device=device)

        with case("on a phone nothing is wider than the window; without script everything is there"):
            for name, path, _ in pages:
                browser.open(f"{path.format(device=device)}{'&' if '?' in path else '?'}lang=ja")
                browser.screenshot(OUT / f"{name}.png")
            browser.resize(PHONE)
            for name, path, _ in pages:
                browser.open(path.format(device=device))
                browser.fits(name)
                browser.screenshot(OUT / f"{name}-phone.png")
            with Browser(origin, script=False) as plain:
                plain.open("/sign-in")
                plain.carry(browser)
                for name, path, _ in pages:
                    plain.open(path.format(device=device))
                    require(plain.find("main").text.strip() and not plain.path.startswith("/sign-in"), name)
finish()
