"""A platform with a door for people, and the ways in which a test looks at its pages."""

import csv
import io
import re
import time
import urllib.error
import urllib.parse
import urllib.request

from browser import WAIT_SECONDS_MAX
from lib import Failure, require
from tegata import Platform


class WithConsole(Platform):
    CONSOLE = True

    def link(self):
        """The first link in the server's log; it is printed once the doors are open."""
        until = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            log = (self.folder / "server.log").read_text()
            links = re.findall(r"http://localhost:\d+/invitation/\S+", log)
            if links:
                return links[-1]
            require(time.monotonic() < until, f"the server printed no link:\n{log}")
            time.sleep(0.1)

    def invite(self, organisation, handle, name, *roles):
        """A person's one-time link."""
        roles = [word for role in roles for word in ["--role", role]]
        made = self.call("person", "invite", organisation, handle, "--name", name, *roles,
                         by=organisation)
        return made["link"]


class Refusing(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def ask(browser, path, form=None, **headers):
    """Status, headers and body of a request with the browser's session but without the browser."""
    cookie = browser.driver.get_cookie("tegata")
    if cookie:
        headers["Cookie"] = f"tegata={cookie['value']}"
    body = None
    if form is not None:
        body = urllib.parse.urlencode(form).encode()
        headers = {"Origin": browser.origin, "Sec-Fetch-Site": "same-origin", **headers}
    request = urllib.request.Request(browser.origin + path, data=body, headers=headers)
    try:
        answer = urllib.request.build_opener(Refusing).open(request, timeout=WAIT_SECONDS_MAX)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read()


def rows(text):
    """A CSV file with a byte order mark, as spreadsheets get it: one dictionary per line."""
    require(text.startswith(b"\xef\xbb\xbf"), "the byte order mark is missing")
    return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline="")))


def serials(browser):
    """The serial numbers in the list, in order."""
    return browser.texts("#results tbody th a")


def asked(browser):
    """The filters in the address."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(browser.driver.current_url).query))


def never_given(browser, number, variant=0):
    """A number with a right check character that nobody was given, and how it is answered: a slip
    is told (400) before anything is looked up, so that only the right character gets further."""
    symbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    other = symbols[(symbols.index(number[10]) + 1 + variant) % len(symbols)]
    for last in symbols:
        changed = number[:10] + other + number[11:-1] + last
        status, _, _ = ask(browser, f"/p/{changed}")
        if status != 400:
            return changed, status
    raise Failure(f"no check character fits {changed}")
