"""The console in a real browser: passkeys, sessions, both languages and themes, without script."""

import re
import time
import urllib.error
import urllib.request

from browser import Browser, PHONE
from lib import OUT, Failure, case, finish, require
from pages import PAGES
from tegata import Platform


def link_of(platform):
    """The first link in the server's log; it is printed once the doors are open."""
    until = time.monotonic() + 20
    while True:
        log = (platform.folder / "server.log").read_text()
        links = re.findall(r"http://localhost:\d+/invitation/\S+", log)
        if links:
            return links[-1]
        require(time.monotonic() < until, f"the server printed no link:\n{log}")
        time.sleep(0.1)


def status(request):
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class WithConsole(Platform):
    CONSOLE = True

    def populate(self):
        """The console needs nobody of the platform's other people here."""


with WithConsole(OUT / "platform") as platform:
    origin = platform.console_url
    link = link_of(platform)
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

        with case("a second passkey, renamed; the last one stays"):
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

        for language in ["ja", "en"]:
            for theme in ["light", "dark"]:
                browser.prefer(theme)
                stranger.prefer(theme)
                for name, path, signed in PAGES:
                    with case(f"axe and policy: {name}, {language}, {theme}"):
                        visitor = browser if signed else stranger
                        joint = "&" if "?" in path else "?"
                        visitor.complaints()
                        visitor.open(f"{path}{joint}lang={language}")
                        if name == "not-found":
                            visitor.complaints()  # the browser notes the 404 that we asked for
                        visitor.spotless(name)

        with case("on a phone nothing is wider than the window"):
            browser.resize(PHONE)
            for name, path, _signed in PAGES:
                browser.open(path)
                width = browser.driver.execute_script(
                    "return document.documentElement.scrollWidth"
                )
                require(width <= PHONE[0], f"{name} is {width} pixels wide")

        with case("without script: pages, forms and signing out"):
            session = browser.driver.get_cookie("tegata")
            with Browser(origin, script=False) as plain:
                plain.open("/sign-in")
                require("JavaScript" in plain.text(), "it does not say that it needs script")
                plain.driver.add_cookie({"name": "tegata", "value": session["value"],
                                         "path": "/", "httpOnly": True, "sameSite": "Strict"})
                for name, path, signed in PAGES:
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
            browser.sign_in("/account")
            time.sleep(platform.IDLE_SECONDS + 5)
            browser.open("/account")
            require(browser.path.startswith("/sign-in"), browser.path)
finish()
