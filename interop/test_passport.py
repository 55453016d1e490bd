"""A device's passport and its public page in a browser: read in both languages, acted on by one
person and by two, with script and without; axe on every page that is about something in particular."""

import json
import re
import time

from browser import PHONE, Browser
from console import WithConsole, ask, never_given, serials
from lib import OUT, case, finish, require
from pages import ABOUT, address, examine

JAPANESE = re.compile("[ぁ-んァ-ヶ一-龯]")


class Lives(WithConsole):
    """Devices at different points of their lives."""

    def populate(self):
        super().populate()
        self.part = self.register("PART-1")
        self.main = self.begun("MAIN-1", f"part={self.part}")
        self.report(self.MAKER, self.main, "tested", "standard=IEC 62443-4-2")
        self.enrol(self.main, "MAIN-1", OUT / "main.pem")
        self.tegata("device", "verify", self.main, "--prove-with", OUT / "main.pem", by=self.MAKER)
        self.tegata("passport", "trust", "--out", OUT / "trust.json", by=self.MAKER)

    def begun(self, serial_number, *details):
        """A device whose history has begun."""
        device = self.call(
            "device", "register", self.MAKER, self.PRODUCT, serial_number, by=self.MAKER,
        )["id"]
        self.report(self.MAKER, device, "assembled", f"product={self.PRODUCT}", *details)
        return device

    def many(self, name, count):
        return [self.begun(f"{name}-{number}") for number in range(1, count + 1)]

    def number(self, device):
        return self.call("device", "show", device, by=self.MAKER)["management_number"]

    def verdict(self, device):
        return self.call("device", "verify", device, by=self.MAKER)


# ---- reading

def shown(browser):
    """The verdict on the page: its word, and the codes of its reasons."""
    return browser.texts(".verdict h2 .badge")[0], browser.texts(".reasons .source code")


def read(browser, platform, device, language):
    """Everything that a passport shows; gives the verdict's word and codes."""
    browser.open(f"/devices/{device}?lang={language}")
    browser.until(lambda: browser.all(".verdict"), "there is no verdict")
    require(browser.find("html").get_attribute("lang") == language, "another language")
    if language == "ja":
        words = browser.texts("main h2") + browser.texts(".reasons strong") \
            + browser.texts(".timeline .headline") + browser.texts(".evidence li")
        for word in words:
            require(JAPANESE.search(word) or not re.search("[a-z]{4} [a-z]{2}", word),
                    f"left in English: {word}")
    return shown(browser)


def judged_offline(platform, passport, language="en"):
    """Outcome and exit code of `tegata verify` on a passport file."""
    file = OUT / "downloaded.tegata"
    file.write_bytes(passport)
    done = platform.tegata(
        "--json", "verify", "--trust", OUT / "trust.json", "--language", language, file, expect=None,
    )
    require(done.returncode in (0, 2, 3), done.text)
    return json.loads(done.stdout), done.returncode


def same_as_offline(browser, platform, device, passport):
    """The file says what the page says."""
    word, codes = read(browser, platform, device, "en")
    verdict, code = judged_offline(platform, passport)
    require(verdict["outcome"] == word, f"the page says {word}, the file {verdict['outcome']}")
    require({"genuine": 0, "suspect": 2, "rejected": 3}[word] == code, f"{word} ended with {code}")
    weighty = {reason["code"] for reason in verdict["reasons"] if reason["outcome"] != "genuine"}
    require(weighty <= set(codes), f"the page lacks {weighty - set(codes)}")


# ---- acting

def begin(browser, device, act):
    """Opens the page of an act from the passport; gives what it says will happen."""
    browser.open(f"/devices/{device}?lang=en")
    browser.click(f'.acts a[href$="/act/{act}"]')
    browser.until(lambda: browser.path.endswith(f"/act/{act}"), "the page does not open")
    return browser.texts("form.confirm li")


def confirm(browser, device, act, cause=None):
    """An act of one person, up to the passport that shows it."""
    effects = begin(browser, device, act)
    require(effects, f"{act} does not say what will happen: {effects}")
    if cause:
        browser.choose("cause", cause)
    browser.click("form.confirm button[type='submit']")
    browser.until(lambda: browser.path == f"/devices/{device}", f"{act} is not done")
    browser.until_says("It is in the life of the device")
    return effects


def standing(browser):
    return browser.texts(".under-title .badge")[0]


def phase(browser):
    return browser.texts(".under-title > span:not(.badge)")[0]


def live(visitor, other, platform, device):
    """Suspended, released, sold, retired, disposed of: all through pages."""
    effects = confirm(visitor, device, "suspend", "lost")
    require(any("rejected" in effect for effect in effects), f"{effects}")
    require(standing(visitor) == "suspended" and shown(visitor)[0] == "rejected", visitor.text())
    require(not visitor.all('.acts a[href$="/act/suspend"]'), "it can be suspended twice")
    confirm(visitor, device, "release")
    require(standing(visitor) == "good" and shown(visitor)[0] != "rejected", visitor.text())

    visitor.click('.acts a[href$="/act/offer-transfer"]')
    visitor.fill("to", "No Such!")
    visitor.click("main form button[type='submit']")
    visitor.until_says("lower-case letters")
    visitor.fill("to", "owner")
    visitor.click("main form button[type='submit']")
    visitor.until(lambda: visitor.all("form.confirm li"), "no preview")
    require(any("owner" in effect for effect in visitor.texts("form.confirm li")), "to whom?")
    visitor.click("form.confirm button[type='submit']")
    visitor.until_says("It is in the life of the device")
    visitor.until(lambda: visitor.all('.acts a[href$="/act/cancel-transfer"]'), "no way back")

    other.open("/devices?relation=offered&lang=en")
    serial = visitor.texts("h1")[0]
    other.until(lambda: serial in serials(other), "it is not offered")
    effects = confirm(other, device, "accept-transfer")
    require(any("maker" in effect and "loses access" in effect for effect in effects), f"{effects}")
    require(other.texts(".owners code") == ["maker", "owner"], f"{other.texts('.owners li')}")
    confirm(other, device, "retire", "end-of-life")
    require(phase(other) == "retired", phase(other))
    confirm(other, device, "dispose")
    require(phase(other) == "disposed" and shown(other)[0] == "rejected", other.text())
    require(platform.verdict(device)["outcome"] == "rejected", "the command line says otherwise")


# ---- two people

def ask_to_revoke(visitor, device):
    """Up to the request, which its maker cannot approve; gives its path."""
    begin(visitor, device, "revoke")
    visitor.choose("cause", "counterfeit")
    visitor.click("form.confirm button[type='submit']")
    visitor.until(lambda: visitor.path.startswith("/approvals/"), "no request was made")
    visitor.until_says("needs a second person")
    visitor.until_says("You cannot approve your own request")
    request = visitor.path
    require(not visitor.all(f'form[action="{request}/approve"]'), "there is a button for it")
    token = visitor.find('main [name="csrf"]').get_attribute("value")
    status, _, body = ask(visitor, f"{request}/approve", {"csrf": token})
    require(status == 403, f"its own approval was answered {status}: {body[:400]}")
    visitor.open(f"/devices/{device}?lang=en")
    require(standing(visitor) == "good", "it is revoked already")
    return request


def decide(visitor, request, how):
    """The other one finds the request in the list and decides."""
    visitor.open("/approvals?lang=en")
    visitor.click(f'a[href="{request}"]')
    visitor.click(f'form[action="{request}/{how}"] button')
    word = {"approve": "done", "reject": "rejected"}[how]
    visitor.until(lambda: visitor.texts(".page-head .badge") == [word], f"it is not {word}")


def audited(visitor, *words):
    """The audit log tells of a decision with these words in one row."""
    visitor.open("/audit?lang=en")
    found = visitor.texts("tbody tr")
    require(any(all(word in row for word in words) for row in found), f"{words} in\n{found}")


# ---- the public page

def public(visitor, number, language, heading, *says):
    visitor.open(f"/p/{number}?lang={language}")
    visitor.until(lambda: visitor.texts("h1") == [heading], f"it is not {heading!r}")
    for words in says:
        require(words in visitor.text(), f"it does not say {words}:\n{visitor.text()}")
    source = visitor.source()
    for secret in platform.secrets:
        require(secret.lower() not in source.lower(), f"it tells {secret}")
    visitor.fits(f"{number}, {language}")


with Lives(OUT / "platform") as platform:
    began = time.monotonic()
    origin = platform.console_url
    links = {
        "hanako": platform.invite("maker", "hanako", "山田 花子", "administrator", "operator"),
        "jiro": platform.invite("maker", "jiro", "佐藤 次郎", "administrator"),
        "yomu": platform.invite("maker", "yomu", "読夢", "reader"),
        "sora": platform.invite("owner", "sora", "Sora", "administrator", "operator"),
    }
    with Browser(origin) as hanako, Browser(origin) as jiro, Browser(origin) as sora, \
            Browser(origin) as yomu, Browser(origin, script=False) as plain, \
            Browser(origin, script=False) as plain_jiro, \
            Browser(origin, script=False) as plain_sora:
        for browser, name in [(hanako, "hanako"), (jiro, "jiro"), (sora, "sora"), (yomu, "yomu")]:
            browser.authenticator()
            browser.register(links[name], {"yomu": "読夢"}.get(name, name), name)
        plain.carry(hanako)
        plain_jiro.carry(jiro)
        plain_sora.carry(sora)

        for visitor, how in [(hanako, ""), (plain, ", without script")]:
            for language, word in [("en", "genuine"), ("ja", "真正")]:
                with case(f"a passport is read, {language}{how}"):
                    outcome, codes = read(visitor, platform, platform.main, language)
                    verdict = platform.verdict(platform.main)
                    require(outcome == word and verdict["outcome"] == "genuine",
                            f"{outcome}, {verdict}")
                    require(codes == [reason["code"] for reason in verdict["reasons"]], f"{codes}")
                    require(len(visitor.texts(".timeline > li")) == 3, "the life is not whole")
                    require("PART-1" in visitor.texts(".tree")[0], "the part is missing")
                    require(len(visitor.texts("[aria-labelledby=certificates] tbody tr")) == 1,
                            "the certificate is missing")
                    require(visitor.texts(".owners code") == ["maker"], "the owner is missing")
            with case(f"the passport file says what the page says{how}"):
                if visitor.script:
                    visitor.open(f"/devices/{platform.main}?lang=en")
                    passport = visitor.download("#passport-file")
                else:
                    visitor.open(f"/devices/{platform.main}?lang=en")
                    href = visitor.find("#passport-file").get_attribute("href")
                    status, headers, passport = ask(visitor, href.removeprefix(origin))
                    require(status == 200 and platform.main in headers["Content-Disposition"],
                            f"{status}")
                same_as_offline(visitor, platform, platform.main, passport)

            with case(f"a report in a language of its own{how}"):
                # The reader reads the other language, before and after.
                for report, own, word in [("ja", "en", "機器レポート"), ("en", "ja", "Device report")]:
                    visitor.open(f"/devices/{platform.main}?lang={own}")
                    visitor.choose("lang", report)
                    visitor.click(".report-choice button")
                    visitor.until(lambda: visitor.texts("h1") == [word], f"it is not {word}")
                    require(visitor.find("html").get_attribute("lang") == report, "another language")
                    text = visitor.find("main").text
                    codes = [reason["code"] for reason in platform.verdict(platform.main)["reasons"]]
                    for part in ["MAIN-1", "PART-1", platform.main, *codes]:
                        require(part in text, f"{part} is missing in\n{text}")
                    require(len(visitor.texts(".life tbody tr")) == 3, "the life is not whole")
                    visitor.open(f"/devices/{platform.main}")
                    require(visitor.find("html").get_attribute("lang") == own, "it stayed")
            with case(f"the report of the command line is the same{how}"):
                if visitor.script:
                    file = OUT / "report.html"
                    platform.tegata("passport", "report", platform.main, "--lang", "ja",
                                    "--out", file, by="maker")
                    page = file.read_text()
                    require("機器レポート" in page and platform.main in page, page[:2000])
                    require("src=" not in page and "href=\"http" not in page, "it loads something")

        for visitor, other, device, how in [
            (hanako, sora, platform.begun("LIFE-1"), ""),
            (plain, plain_sora, platform.begun("LIFE-2"), ", without script"),
        ]:
            with case(f"suspended, released, sold, retired, disposed of{how}"):
                live(visitor, other, platform, device)
        with case("an act that is not possible says why"):
            hanako.open(f"/devices/{platform.main}/act/release?lang=en")
            hanako.until_says("This cannot be done")
            require(not hanako.all("form.confirm"), "there is a button all the same")
        with case("who may only read is offered nothing"):
            yomu.open(f"/devices/{platform.main}?lang=en")
            require(shown(yomu)[0] == "genuine", "it cannot be read")
            require(not yomu.all(".acts a"), f"{yomu.texts('.acts a')}")
            yomu.open(f"/devices/{platform.main}/act/suspend?lang=en")
            require(not yomu.all("form.confirm"), "there is a form")

        with case("the organisation wants two people to revoke a device"):
            hanako.show_passkey()
            hanako.open("/approvals/policy?lang=en")
            hanako.click('form:has(input[name="act"][value="revoke-device"]) button')
            hanako.until_says("Saved")
            row = 'tr:has(input[name="act"][value="revoke-device"]) .badge'
            require(hanako.texts(row) == ["second person needed"], f"{hanako.texts(row)}")
        for first, second, how in [
            (hanako, jiro, ""),
            (plain, plain_jiro, ", without script"),
        ]:
            name = "with-script" if first.script else "without-script"
            with case(f"revoke with two people{how}"):
                device = platform.begun(f"GONE-{name}")
                # Both acts want a passkey shown lately; showing it needs script.
                for browser, follower in [(hanako, plain), (jiro, plain_jiro)]:
                    browser.show_passkey()
                    follower.carry(browser)
                request = ask_to_revoke(first, device)
                decide(second, request, "approve")
                first.open(f"/devices/{device}?lang=en")
                require(standing(first) == "revoked", standing(first))
                outcome, codes = shown(first)
                require(outcome == "rejected" and "revoked" in codes, f"{outcome} {codes}")
                require(platform.verdict(device)["outcome"] == "rejected", "not on the command line")
                same_as_offline(first, platform, device, ask(first, f"/devices/{device}/passport")[2])
                first.open(f"{request}?lang=en")
                require("hanako maker" in first.text() and "maker/jiro" in first.text(), first.text())
            with case(f"the audit log names both{how}"):
                audited(first, "maker/hanako", device)
                audited(first, "maker/jiro", request.rsplit("/", 1)[1])
            with case(f"refused by the second person{how}"):
                device = platform.begun(f"STAYS-{name}")
                request = ask_to_revoke(first, device)
                decide(second, request, "reject")
                first.open(f"/devices/{device}?lang=en")
                require(standing(first) == "good", standing(first))
                require(shown(first)[0] == "genuine", f"{shown(first)}")
                first.open(f"{request}?lang=en")
                require(first.texts(".page-head .badge") == ["rejected"], first.text())
                require(not first.all("main form button"), "something can still be done with it")
                audited(first, "maker/jiro", request.rsplit("/", 1)[1])
        with case("taken back by who asked"):
            device = platform.begun("STAYS-TOO")
            hanako.show_passkey()
            request = ask_to_revoke(hanako, device)
            hanako.open(request)
            hanako.click(f'form[action="{request}/withdraw"] button')
            hanako.until(lambda: hanako.texts(".page-head .badge") == ["taken back"], "still there")
            jiro.open(request)
            require(not jiro.all(f'form[action="{request}/approve"]'), "it can still be approved")

        # ---- the public page

        sold, lost, gone = platform.begun("SOLD-1"), platform.begun("LOST-1"), platform.begun("GONE-1")
        platform.tegata("device", "act", sold, "offer-transfer", "--to", "owner", by="maker")
        platform.tegata("device", "act", sold, "accept-transfer", by="owner")
        platform.tegata("device", "act", lost, "suspend", "--cause", "lost", by="maker")
        hanako.show_passkey()
        request = ask_to_revoke(hanako, gone)
        jiro.show_passkey()
        decide(jiro, request, "approve")
        numbers = {name: platform.number(device)
                   for name, device in [("sold", sold), ("lost", lost), ("gone", gone)]}
        unknown, _ = never_given(hanako, numbers["sold"])
        # Whose it is, what it is called there, which it is.
        platform.secrets = [">owner<", "Owner", "SOLD-1", "LOST-1", "GONE-1", sold, lost, gone]
        with Browser(origin, size=PHONE) as phone, \
                Browser(origin, size=PHONE, script=False) as plain_phone:
            for visitor, how in [(phone, ""), (plain_phone, ", without script")]:
                for language, name, number, heading, says in [
                    ("en", "genuine", numbers["sold"], "This number belongs to a genuine device",
                     ["fairly sure", "Barrier gate", "Maker"]),
                    ("ja", "genuine", numbers["sold"], "この番号は真正な機器のものです", ["Maker"]),
                    ("en", "suspended", numbers["lost"], "Do not buy or use this device",
                     ["reported lost or stolen"]),
                    ("en", "revoked", numbers["gone"], "Not genuine", ["counterfeit"]),
                    ("ja", "revoked", numbers["gone"], "真正ではありません", ["模倣品"]),
                    ("en", "unknown", unknown, "No such device is on record", ["never given"]),
                    ("ja", "unknown", unknown, "この番号の機器は登録されていません", []),
                ]:
                    with case(f"public page on a phone: {name}, {language}{how}"):
                        public(visitor, number, language, heading, *says)

        # ---- axe on what is about something in particular

        offered, arriving = platform.begun("OFFERED-1"), platform.register("ARRIVING-1")
        platform.tegata("device", "act", offered, "offer-transfer", "--to", "owner", by="maker")
        retired = platform.begun("RETIRED-1")
        platform.tegata("device", "act", retired, "retire", "--cause", "end-of-life", by="maker")
        for act, by, more in [("offer-transfer", "maker", ["--to", "owner"]),
                              ("accept-transfer", "owner", []),
                              ("offer-transfer", "owner", ["--to", "maker"])]:
            platform.tegata("device", "act", arriving, act, *more, by=by)
        unborn = platform.call("device", "register", "maker", "gate", "UNBORN-1", by="maker")["id"]
        job = platform.call("job", "start", "suspend", "--cause", "lost", "--device", lost,
                            "--device", offered, "--reason", "axe", by="maker")["id"]
        hanako.show_passkey()
        waiting = ask_to_revoke(hanako, retired).rsplit("/", 1)[1]
        hanako.open("/people")
        person = hanako.find('main tbody a[href^="/people/"]').get_attribute("href").rsplit("/", 1)[1]
        names = {
            "device": platform.main, "revoked": gone, "suspended": lost, "unborn": unborn,
            "offered": offered, "arriving": arriving, "retired": retired, "other": "owner",
            "own": "maker", "product": "maker/gate", "person": person, "job": job,
            "waiting": waiting, "decided": request.rsplit("/", 1)[1], "number": numbers["sold"],
            "gone": numbers["gone"], "unknown": unknown,
        }
        with Browser(origin) as stranger:
            visitor = lambda signed: hanako if signed else stranger
            examine(ABOUT, ["ja", "en"], ["light", "dark"], visitor, case, **names)
            with case("axe and policy: what a reader may not see"):
                yomu.complaints()
                yomu.open("/people/invite")
                require("403" in yomu.texts(".status"), yomu.text())
                yomu.complaints()
                yomu.spotless("forbidden")
            with case("on a phone nothing is wider than the window"):
                hanako.resize(PHONE)
                for name, path, signed in ABOUT:
                    if signed:
                        hanako.open(address(path, "ja", **names))
                        hanako.fits(name)
            with case("without script every page shows what it is about"):
                plain.carry(hanako)
                for name, path, signed in ABOUT:
                    plain.open(address(path, "ja", **names))
                    require(plain.find("main").text.strip(), f"{name} is empty")
                    require(not plain.path.startswith("/sign-in"), f"{name} asks to sign in")
            with case("who looks up too much is asked to wait"):
                # A guess that finds nothing costs ten look-ups; sixty are there at once.
                tries = (never_given(stranger, numbers["lost"], variant) for variant in range(30))
                tried = next((number for number, status in tries if status == 429), None)
                require(tried, "thirty guesses were all answered")
                stranger.open(f"/p/{tried}")
                require("Too many requests" in stranger.text(), stranger.text())
                stranger.complaints()
                stranger.spotless("too many requests")
    print(f"# {time.monotonic() - began:.0f} s", flush=True)
finish()
