"""A headless Chromium with a virtual authenticator, and what it complains about."""

import importlib.resources
import base64
import json
import pathlib
import tempfile

from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from selenium.webdriver.support.ui import WebDriverWait

from lib import Failure, require
from tegata import free_port

# Conditions are waited for, never times: this only bounds how long a failure takes.
WAIT_SECONDS_MAX = 90
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--force-device-scale-factor=1", "--hide-scrollbars",
]
DESKTOP, PHONE = (1360, 900), (390, 844)
AXE = (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text()
# What WCAG 2.2 AA asks for, and what axe calls good practice.
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Browser:
    def __init__(self, origin, language="en", size=DESKTOP, script=True):
        self.origin = origin
        self.script = script
        self.folder = tempfile.TemporaryDirectory(prefix="tegata-browser-")
        self.downloads = pathlib.Path(self.folder.name, "downloads")
        self.downloads.mkdir()
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in [*FLAGS, f"--user-data-dir={self.folder.name}", f"--lang={language}",
                     f"--window-size={size[0]},{size[1]}"]:
            options.add_argument(flag)
        prefs = {"intl.accept_languages": language, "credentials_enable_service": False,
                 "download.default_directory": str(self.downloads)}
        if not script:
            prefs["profile.managed_default_content_settings.javascript"] = 2
        options.add_experimental_option("prefs", prefs)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver", port=free_port()))
        # What is not there is not there: whoever expects something to come uses `until`.
        self.driver.implicitly_wait(0)
        self.resize(size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()
        self.folder.cleanup()

    def resize(self, size):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size[0], "height": size[1], "deviceScaleFactor": 1,
            "mobile": size[0] < 600,
        })

    def prefer(self, scheme):
        """What the system prefers: light or dark."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}],
        })

    def authenticator(self):
        options = VirtualAuthenticatorOptions(
            transport=VirtualAuthenticatorOptions.Transport.INTERNAL,
            has_resident_key=True, has_user_verification=True, is_user_verified=True,
            is_user_consenting=True,
        )
        self.driver.add_virtual_authenticator(options)

    def carry(self, other):
        """Takes over the session of another browser: signing in itself needs script."""
        self.open("/sign-in")
        session = other.driver.get_cookie("tegata")
        self.driver.add_cookie({"name": "tegata", "value": session["value"], "path": "/",
                                "httpOnly": True, "sameSite": "Strict"})

    # ---- going places

    def open(self, path):
        self.driver.get(path if "://" in path else self.origin + path)

    @property
    def path(self):
        return self.driver.current_url.removeprefix(self.origin)

    def until(self, holds, what):
        try:
            # While a page gives way to the next one, its elements are gone.
            wait = WebDriverWait(self.driver, WAIT_SECONDS_MAX, 0.05, [WebDriverException])
            return wait.until(lambda _: holds())
        except TimeoutException as error:
            raise Failure(f"{what}; at {self.driver.current_url}\n{self.text()[:1500]}") from error

    def until_at(self, *paths):
        self.until(lambda: self.path in paths, f"did not come to {paths}")

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def click(self, selector):
        def clicked():
            self.find(selector).click()
            return True

        self.until(clicked, f"cannot click {selector}")

    def fill(self, name, value):
        def filled():
            field = self.find(f'main [name="{name}"]')
            field.clear()
            field.send_keys(value)
            return field.get_attribute("value") == value

        self.until(filled, f"cannot fill in {name}")

    def choose(self, name, value):
        """Fills in a field of any kind."""
        field = self.find(f'main [name="{name}"]')
        if field.tag_name == "select":
            self.click(f'main [name="{name}"] option[value="{value}"]')
        else:
            self.fill(name, value)

    def texts(self, selector):
        """The texts of all elements that fit, in one call."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])]"
            ".map((one) => one.innerText.trim())", selector,
        )

    def source(self):
        return self.driver.page_source

    def fits(self, what):
        """Nothing is wider than the window."""
        width, window = self.driver.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        require(width <= window, f"{what} is {width} pixels wide, the window {window}")

    def download(self, selector):
        """Clicks a link to a file; gives its bytes once it is whole."""
        before = set(self.downloads.iterdir())
        self.click(selector)

        def whole():
            new = [file for file in set(self.downloads.iterdir()) - before
                   if file.suffix not in (".crdownload", ".tmp") and not file.name.startswith(".")]
            return new[0] if new else None

        return self.until(whole, f"{selector} brought no file").read_bytes()

    def text(self):
        return self.find("body").text

    def until_says(self, words):
        self.until(lambda: words in self.text(), f"it does not say {words!r}")

    # ---- the ceremony

    def ceremony(self):
        self.click("form[data-passkey] button[data-ceremony]")

    def register(self, link, name, handle, passkey="Test"):
        self.open(link)
        self.until_at("/invitation")
        if self.all('main [name="handle"]'):
            self.fill("name", name)
            self.fill("handle", handle)
        self.fill("passkey", passkey)
        self.ceremony()
        self.until(lambda: "/invitation" not in self.path, "was not let in")

    def sign_in(self, to="/guide"):
        self.open(f"/sign-in?to={to}")
        self.ceremony()
        self.until_at(to)

    def show_passkey(self, to="/guide"):
        """What sensitive acts want: a passkey shown lately."""
        self.open(f"/confirm?to={to}")
        self.ceremony()
        self.until_at(to)

    def sign_out(self):
        self.open("/guide")
        self.click("details.menu:last-of-type > summary")
        self.click('form[action="/sign-out"] button')
        self.until_at("/sign-in")

    # ---- what it complains about

    def complaints(self):
        """Entries of the console since the last call that are errors: refusals of the policy,
        scripts that broke, files that are not there."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def axe(self):
        """Violations on the page as it is."""
        if not self.driver.execute_script("return !!window.axe"):
            self.driver.execute_script(AXE)
        found = self.driver.execute_async_script(
            """const done = arguments[arguments.length - 1];
            axe.run(document, {runOnly: {type: "tag", values: arguments[0]}})
              .then((result) => done(JSON.stringify(result.violations)))
              .catch((error) => done(JSON.stringify([{id: String(error), nodes: []}])));""",
            AXE_TAGS,
        )
        return [
            f"{one['id']}: {one.get('help')}: "
            + "; ".join(
                f"{node['html'][:160]} {(node.get('failureSummary') or '')[:200]}"
                for node in one["nodes"][:3]
            )
            for one in json.loads(found)
        ]

    def spotless(self, what):
        violations = self.axe()
        require(not violations, f"{what}: axe finds\n" + "\n".join(violations))
        complaints = self.complaints()
        require(not complaints, f"{what}: the browser says\n" + "\n".join(complaints))

    def screenshot(self, file):
        """The whole page."""
        size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": size["width"],
                     "height": min(size["height"], 6000), "scale": 1},
        })
        file.write_bytes(base64.b64decode(picture["data"]))
