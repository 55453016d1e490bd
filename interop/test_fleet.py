"""The console over 100,000 devices: search, paging, saved views, CSV, acts on many."""

import time

from browser import WAIT_SECONDS_MAX, Browser
from console import WithConsole, ask, asked, rows, serials
from lib import OUT, case, finish, require, run

DEVICES, LAMPS, PAGE = 100_000, 20_000, 50


class Fleet(WithConsole):
    """100,000 devices of one maker: gates on record only, lamps with a life, and a few that differ."""

    def populate(self):
        super().populate()
        self.call(
            "product", "create", self.MAKER, "lamp", "--name", "Signal lamp", "--model", "SL-1",
            "--root-of-trust", "software", by=self.MAKER,
        )
        # The last ones are entered last, so that nothing is found by being the newest.
        self.needle = self.register("NEEDLE-1")
        self.enrol(self.needle, "NEEDLE-1", OUT / "needle.pem")
        self.sold = self.register("SOLD-1")
        self.tegata("device", "act", self.sold, "offer-transfer", "--to", self.OWNER, by=self.MAKER)
        self.tegata("device", "act", self.sold, "accept-transfer", by=self.OWNER)
        self.held = self.register("HELD-1")
        self.tegata("device", "act", self.held, "suspend", "--cause", "lost", by=self.MAKER)
        self.tegata("device", "verify", self.held, by=self.MAKER)
        self.load("lamp", "LAMP", LAMPS, "--key", self.signer(self.MAKER), "--actor", "line 1")
        self.load("gate", "GATE", DEVICES - LAMPS - 3)

    def load(self, product, name, count, *more):
        file, out = OUT / f"{name}.csv", OUT / f"{name}.out.csv"
        lines = (f"{name}-{number:06}" for number in range(count))
        file.write_text("serial_number\n" + "\n".join(lines) + "\n")
        self.tegata("device", "import", self.MAKER, product, file, "--out", out, *more, by=self.MAKER)


def lamps(numbers):
    return [f"LAMP-{number:06}" for number in numbers]


def find(browser, expected, **filters):
    """Fills in the form; the list shows it, the address holds it, and both survive a reload."""
    browser.open("/devices")
    for name, value in filters.items():
        browser.choose(name, value)
    browser.click('form[role="search"] button[type="submit"]')

    def shown():
        address = asked(browser)
        return all(address.get(name) == value for name, value in filters.items()) \
            and serials(browser) == expected

    browser.until(shown, f"{filters} does not find {expected[:3]}")
    browser.driver.refresh()
    browser.until(shown, f"{filters} is lost after a reload")
    for name, value in filters.items():
        field = browser.find(f'main [name="{name}"]')
        require(field.get_attribute("value") == value, f"{name} is not in its field any more")


def page_through(browser):
    """Three pages on and back again, by the links."""
    first, second, third = (lamps(range(PAGE * at, PAGE * (at + 1))) for at in range(3))
    browser.open("/devices?relation=maker&product=maker%2Flamp&order=serial")
    for relation, expected in [
        (None, first), ("next", second), ("next", third), ("prev", second), ("prev", first),
        ("next", second),
    ]:
        if relation:
            browser.click(f'.pager a[rel="{relation}"]')
        browser.until(lambda: serials(browser) == expected, f"{relation}: not {expected[0]}")
    require(asked(browser).get("product") == "maker/lamp", "paging lost a filter")


def keep_view(browser, name):
    """Saves a search under a name, finds it in the list, uses it, deletes it."""
    browser.open("/devices?text=LAMP-00001&relation=maker&order=serial")
    browser.click("#results details > summary")
    browser.fill("name", name)
    browser.click('form[action="/devices/views"] button')
    browser.until_says(name)
    browser.open("/devices")
    link = f'//nav//a[normalize-space()="{name}"]'
    browser.until(lambda: browser.driver.find_element("xpath", link).click() or True, "no view")
    browser.until(lambda: serials(browser) == lamps(range(10, 20)), "the view shows something else")
    browser.click(f'form[action="/devices/views/delete"] button[aria-label*="{name}"]')
    browser.until(lambda: name not in browser.text(), "the view is still there")


def whole_list(browser):
    """All serial numbers of a search, page by page."""
    all_of_them = []
    while True:
        browser.until(lambda: serials(browser)[:1] != all_of_them[-PAGE:][:1], "it stays")
        all_of_them += serials(browser)
        if not browser.all('.pager a[rel="next"]'):
            return all_of_them
        browser.click('.pager a[rel="next"]')


def many(browser, name, cause, choose):
    """An act on many, from the list to the result file. Gives the lines of the file."""
    choose()
    browser.choose("act", name)
    browser.click('form[action="/devices/bulk"] button[type="submit"]')
    browser.until(lambda: "/devices/bulk" in browser.path, "the preview does not open")
    effects = browser.texts("form.confirm :is(h2, li)")
    require(len(effects) >= 3, f"it does not say what will happen: {effects}")
    if cause:
        browser.choose("cause", cause)
    browser.fill("reason", "a test of many")
    browser.click("form.confirm button[type='submit']")
    browser.until(lambda: browser.path.startswith("/jobs/"), "no job was started")
    return effects


def finished(browser, total):
    """Waits for the job's end: the page follows it by itself, or is loaded again without script."""
    def done():
        if browser.all("#job a[download]"):
            return True
        if browser.all('#job a.button[href^="/jobs/"]') and not browser.script:
            browser.click('#job a.button[href^="/jobs/"]')
        return False

    browser.until(done, "the job does not end")
    require(f"{total} / {total}" in browser.text(), browser.text())


with Fleet(OUT / "platform") as platform:
    began = time.monotonic()
    link = platform.invite("maker", "hanako", "山田 花子", "administrator", "operator")
    with Browser(platform.console_url) as browser, \
            Browser(platform.console_url, script=False) as plain:
        browser.authenticator()
        browser.register(link, "山田 花子", "hanako")
        plain.carry(browser)
        needle = platform.call("device", "show", platform.needle, by="maker")
        number = needle["management_number"]
        key = run(
            "bash", "-c", "openssl x509 -in needle.pem -pubkey -noout |"
            " openssl pkey -pubin -outform der | sha256sum",
        ).stdout.decode().split()[0]
        certificate = run(
            "bash", "-c", "openssl x509 -in needle.pem -outform der | sha256sum",
        ).stdout.decode().split()[0]
        serial = run(
            "openssl", "x509", "-in", "needle.pem", "-noout", "-serial",
        ).stdout.decode().strip().removeprefix("serial=")
        spaced = " ".join(number[at:at + 4] for at in range(0, len(number), 4)).lower()

        with case("there are 100,000 devices"):
            browser.open("/")
            browser.until(lambda: "99,999" in browser.text(), "the overview counts another number")

        # Verdicts are kept a moment behind: the search for them waits until this one is there.
        until = time.monotonic() + WAIT_SECONDS_MAX
        while not platform.call("device", "search", "--verdict", "rejected", by="maker"):
            require(time.monotonic() < until, "the verdict is not kept")
            time.sleep(0.1)

        searches = {
            "serial number": (["NEEDLE-1"], {"text": "NEEDLE-1"}),
            "the beginning of a serial number": (lamps(range(1239, 1229, -1)),
                                                 {"text": "LAMP-00123"}),
            "management number as people type it": (["NEEDLE-1"], {"text": spaced}),
            "device id": (["NEEDLE-1"], {"text": platform.needle[:10]}),
            "key fingerprint": (["NEEDLE-1"], {"text": key}),
            "certificate's fingerprint with colons": (
                ["NEEDLE-1"],
                {"text": ":".join(certificate[at:at + 2] for at in range(0, 64, 2)).upper()},
            ),
            "certificate's serial number": (["NEEDLE-1"], {"text": serial}),
            "owner": (["SOLD-1"], {"relation": "maker", "owner": "owner"}),
            "product line": (lamps(range(PAGE)), {"product": "maker/lamp", "order": "serial"}),
            "standing": (["HELD-1"], {"standing": "suspended"}),
            "last verdict": (["HELD-1"], {"verdict": "rejected"}),
            "what needs attention": (["HELD-1"], {"attention": "suspended"}),
            "phase, product and text at once": (
                lamps([12345]),
                {"phase": "mass-production", "product": "maker/lamp", "text": "LAMP-012345"},
            ),
            "nothing": ([], {"text": "no-such-device"}),
        }
        for visitor, how in [(browser, ""), (plain, ", without script")]:
            for what, (expected, filters) in searches.items():
                with case(f"find by {what}{how}"):
                    find(visitor, expected, **filters)
            with case(f"a search that stopped early goes on{how}"):
                # The newest lamp stands behind 80,000 gates.
                visitor.open("/devices?product=maker%2Flamp")
                for _ in range(DEVICES // 5000):
                    if serials(visitor):
                        break
                    visitor.until_says("The search goes on")
                    here = visitor.path
                    visitor.click(".empty a.button")
                    visitor.until(lambda: visitor.path != here, "it stays where it is")
                require(serials(visitor)[:1] == lamps([LAMPS - 1]), f"found {serials(visitor)[:1]}")
            with case(f"a filter in use is taken away{how}"):
                visitor.open("/devices?text=NEEDLE-1&standing=suspended")
                visitor.until_says("No device fits")
                visitor.click(".applied li:nth-child(2) a")
                visitor.until(lambda: serials(visitor) == ["NEEDLE-1"], "it is not found")
            with case(f"pages onwards and backwards{how}"):
                page_through(visitor)
            with case(f"a saved view{how}"):
                keep_view(visitor, "十番台のランプ" if visitor is browser else "lamps & more")

        with case("an owner that cannot be is said beside its field"):
            browser.open("/devices?relation=maker&owner=No+Such%21")
            browser.until_says("lower-case letters")
            require(serials(browser) == [], "it shows devices")

        # Files and acts on many want a passkey shown lately, however long the searches took.
        browser.show_passkey()
        plain.carry(browser)
        with case("the CSV file holds what the list shows"):
            browser.open("/devices?text=LAMP-0012&relation=maker&order=serial")
            listed = whole_list(browser)
            require(listed == lamps(range(1200, 1300)), f"{len(listed)} are listed")
            # The link follows a search that changed the list alone.
            browser.open("/devices?relation=maker&order=serial")
            browser.choose("text", "LAMP-0012")
            browser.click('form[role="search"] button[type="submit"]')
            browser.until(lambda: serials(browser) == listed[:PAGE], "another list")
            exported = rows(browser.download(".page-head a[download]"))
            require([row["serial_number"] for row in exported] == listed, "another order or others")
            require({row["owner"] for row in exported} == {"maker"}, "another owner")
        with case("the same file without script, and nothing without a session"):
            path = "/devices/export?text=LAMP-0012&relation=maker&order=serial"
            status, headers, body = ask(plain, path)
            require(status == 200 and headers.get_content_type() == "text/csv", f"{status}")
            require(rows(body) == exported, "it is another file")
            with Browser(platform.console_url) as stranger:
                stranger.open("/sign-in")
                status, headers, body = ask(stranger, path)
                require(status == 303 and b"LAMP" not in body, f"a stranger got {status}")
        with case("all 100,000 as a file"):
            status, _, body = ask(plain, "/devices/export?relation=maker")
            require(status == 200 and len(rows(body)) == DEVICES, f"{len(rows(body))} lines")

        browser.show_passkey()
        plain.carry(browser)
        with case("suspend all that a search finds: preview, progress, result file"):
            effects = many(
                browser, "suspend", "recall",
                lambda: (browser.open("/devices?text=LAMP-0150&order=serial"),
                         browser.click('input[name="everything"]')),
            )
            require(any("100 devices" in effect for effect in effects), f"{effects}")
            finished(browser, 100)
            result = rows(browser.download("#job a[download]"))
            require(sorted(row["serial_number"] for row in result) == lamps(range(15000, 15100)),
                    "the file names others")
            require({row["outcome"] for row in result} == {"done"}, "not all are done")
            browser.open("/devices?standing=suspended&text=LAMP-0150")
            require(serials(browser) == lamps(range(15099, 15049, -1)), "they are not suspended")
        with case("release three that are ticked, without script"):
            def tick():
                plain.open("/devices?text=LAMP-01500&standing=suspended&order=serial")
                for box in plain.all('input[name="device"]')[:3]:
                    box.click()

            many(plain, "release", None, tick)
            finished(plain, 3)
            result = rows(ask(plain, plain.path + "/result")[2])
            require(sorted(row["serial_number"] for row in result) == lamps(range(15000, 15003)),
                    f"{result}")
            require({row["outcome"] for row in result} == {"done"}, f"{result}")
        with case("what cannot be done is said beforehand and in the result"):
            effects = many(
                browser, "release", None,
                lambda: (browser.open("/devices?text=LAMP-01500&order=serial"),
                         browser.click('input[name="everything"]')),
            )
            require(any("10" in effect and "7" in effect for effect in effects), f"{effects}")
            finished(browser, 10)
            result = rows(browser.download("#job a[download]"))
            outcomes = [row["outcome"] for row in result]
            require(outcomes.count("refused") == 3 and outcomes.count("done") == 7, f"{outcomes}")
            require(all(row["text"] for row in result if row["outcome"] == "refused"), "no reason")
        with case("nothing ticked does nothing"):
            plain.open("/devices?text=LAMP-01500")
            plain.click('form[action="/devices/bulk"] button[type="submit"]')
            plain.until_says("Select at least one device")
    print(f"# {time.monotonic() - began:.0f} s", flush=True)
finish()
