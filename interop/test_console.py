"""The console in a real browser: passkeys, sessions, both languages and themes, without script."""

import time
import urllib.error
import urllib.request

from browser import PHONE, Browser
from console import WithConsole
from lib import OUT, case, finish, require
from pages import PAGES, PLATFORM, examine


def status(request):
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Alone(WithConsole):
    """Nobody but the platform's own people, and no device: every list shows that it is empty."""

    def populate(self):
        pass


class Impatient(Alone):
    IDLE_MINUTES = 1


def start_idling(platform, browser):
    """Signs somebody in who does nothing afterwards; gives the moment after that."""
    browser.authenticator()
    browser.register(platform.link(), "留守 番", "rusu")
    browser.open("/account")
    browser.until_says("留守 番")
    return time.monotonic()


with Alone(OUT / "platform") as platform, Impatient(OUT / "impatient") as impatient, \
        Browser(impatient.console_url) as idle:
    origin = platform.console_url
    link = platform.link()
    # Its minute passes while the others work.
    idle_since = start_idling(impatient, idle)
    with Browser(origin) as browser, Browser(origin) as stranger:
        browser.authenticator()

        with case("without a session every page asks to sign in"):
            for path in ["/account", "/confirm"]:
                browser.open(path)
                require(browser.path.startswith("/sign-in"), f"{path} gave {browser.path}")

        with case("first run: the one-time link, a passkey, signed in"):
            browser.open(link)
            browser.until_at("/invitation")
            browser.until_says("first administrator")
            browser.spotless("the invitation")
            browser.register(link, "山田 花子", "hanako")
            browser.open("/account")
            browser.until_says("山田 花子")

        with case("the link cannot be used again"):
            with Browser(origin) as other:
                other.open(link)
                require("/invitation/" in other.path, "it was taken again")
                require("first administrator" not in other.text(), other.text())

        with case("sign out, and in again"):
            browser.sign_out()
            browser.until_says("signed out")
            browser.open("/account")
            require(browser.path.startswith("/sign-in"), browser.path)
            browser.sign_in("/account")
            browser.until_says("山田 花子")

        with case("a browser without the passkey is not let in"):
            with Browser(origin) as other:
                other.authenticator()
                other.open("/sign-in")
                other.ceremony()
                other.until(
                    lambda: other.find("[data-problem]").is_displayed(), "it says nothing"
                )
                other.open("/account")
                require(other.path.startswith("/sign-in"), other.path)

        with case("show the passkey again; the session has a new secret"):
            before = browser.driver.get_cookie("tegata")["value"]
            browser.open("/confirm?to=/account")
            browser.ceremony()
            browser.until_at("/account")
            after = browser.driver.get_cookie("tegata")["value"]
            require(before != after, "the secret stayed the same")

        with case("a second passkey on a new device; the first is removed and opens nothing"):
            old = browser.driver.get_credentials()
            browser.open("/account")
            browser.driver.remove_virtual_authenticator()
            browser.authenticator()
            browser.fill("name", "新しい電話")
            browser.ceremony()
            browser.until(lambda: len(browser.all("#passkeys tbody tr")) == 2, "it is not added")
            browser.sign_out()
            browser.sign_in("/account")
            first = browser.texts("#passkeys tbody th").index("Test")
            browser.until(lambda: browser.all("#passkeys tbody a")[first].click() or True, "no link")
            browser.click('form[action$="/remove"] button.danger')
            browser.until(lambda: browser.texts("#passkeys tbody th") == ["新しい電話"],
                          "it is not removed")
            with Browser(origin) as other:
                other.authenticator()
                for credential in old:
                    other.driver.add_credential(credential)
                other.open("/sign-in")
                other.ceremony()
                other.until(
                    lambda: other.find("[data-problem]").is_displayed(), "it says nothing"
                )
                other.open("/account")
                require(other.path.startswith("/sign-in"), "the removed passkey opens")

        with case("a passkey is renamed; the last one stays"):
            browser.open("/account")
            require(len(browser.all("#passkeys tbody tr")) == 1, "there is more than one")
            browser.click("#passkeys tbody a")
            browser.fill("name", "改名した鍵")
            browser.click('form[action$="/rename"] button')
            browser.until_at("/account")
            browser.until_says("改名した鍵")
            browser.until_says("renamed")
            browser.click("#passkeys tbody a")
            browser.click('form[action$="/remove"] button.danger')
            browser.until_says("last passkey")

        with case("a form from another site, or without its token, changes nothing"):
            cookie = browser.driver.get_cookie("tegata")["value"]
            headers = {"Cookie": f"tegata={cookie}",
                       "Content-Type": "application/x-www-form-urlencoded"}
            for more, body in [
                ({"Origin": "https://evil.example"}, b"csrf=x"),
                ({"Sec-Fetch-Site": "cross-site"}, b"csrf=x"),
                ({}, b"csrf=x"),
                ({"Origin": origin, "Sec-Fetch-Site": "same-origin"}, b"csrf=x"),
                ({"Origin": origin, "Sec-Fetch-Site": "same-origin"}, b""),
            ]:
                request = urllib.request.Request(
                    f"{origin}/sign-out", data=body, headers={**headers, **more}, method="POST"
                )
                require(status(request) == 403, f"{more} was taken")
            browser.open("/account")
            require(browser.path == "/account", "the session is gone")

        with case("language and theme are switched and stay"):
            browser.open("/guide")
            browser.click('header button[name="language"]')
            browser.until(
                lambda: browser.find("html").get_attribute("lang") == "ja", "not in Japanese"
            )
            browser.click("details.menu > summary")
            browser.click('button[name="theme"][value="dark"]')
            browser.until(
                lambda: browser.find("html").get_attribute("data-theme") == "dark", "not dark"
            )
            browser.open("/account")
            require(browser.find("html").get_attribute("lang") == "ja", "forgot the language")
            ground = browser.find("body").value_of_css_property("background-color")
            require(ground != "rgb(246, 247, 249)", f"the ground is {ground}")
            browser.click("details.menu > summary")
            browser.click('button[name="theme"][value="system"]')

        examine(PAGES + PLATFORM, ["ja", "en"], ["light", "dark"],
                lambda signed: browser if signed else stranger, case)

        with case("on a phone nothing is wider than the window"):
            browser.resize(PHONE)
            for name, path, _signed in PAGES + PLATFORM:
                browser.open(path)
                browser.fits(name)

        with case("without script: pages, forms and signing out"):
            with Browser(origin, script=False) as plain:
                plain.open("/sign-in")
                require("JavaScript" in plain.text(), "it does not say that it needs script")
                plain.carry(browser)
                for name, path, signed in PAGES + PLATFORM:
                    plain.open(path)
                    require(plain.find("main").text.strip(), f"{name} is empty")
                    if signed:
                        require(not plain.path.startswith("/sign-in"), f"{name} asks to sign in")
                plain.open("/account")
                plain.click("#passkeys tbody a")
                plain.fill("name", "without script")
                plain.click('form[action$="/rename"] button')
                plain.until_at("/account")
                plain.until_says("without script")
                plain.click('header button[name="language"]')
                plain.click("header details.menu:last-of-type > summary")
                plain.click('header form[action="/sign-out"] button')
                plain.until_at("/sign-in")
            browser.open("/account")
            require(browser.path.startswith("/sign-in"), "the session goes on")

    with case("a session that nobody uses ends"):
        # The one place where time itself is what is tested.
        left = impatient.IDLE_MINUTES * 60 + 2 - (time.monotonic() - idle_since)
        time.sleep(max(left, 0))
        idle.open("/account")
        require(idle.path.startswith("/sign-in"), idle.path)
        idle.sign_in("/account")
        idle.until_says("留守 番")
finish()
