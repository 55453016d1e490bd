"""Labels as foreign software reads them: QR by ZBar, Data Matrix by libdmtx, sheets by Poppler; and
the link that they hold, followed to the public page."""

import json
import re
import shutil
import struct
import urllib.error
import urllib.request
import zlib

from lib import OUT, case, finish, require, run, skipped
from tegata import Platform

GTIN = "09506000134352"
SHEETS = {"a4-24": 24, "a4-65": 65, "roll-62x29": 1, "roll-50x25": 1, "roll-25x25": 1}


def read(kind, picture):
    """What a foreign decoder reads in a picture: every code in it, in any order."""
    if kind == "qr":
        done = run("zbarimg", "--quiet", "--raw", "--set", "disable", "--set", "qrcode.enable",
                   picture, expect=None)
    else:
        done = run("dmtxread", "--newline", "--milliseconds=20000", picture, expect=None)
    return sorted(line for line in done.stdout.decode().splitlines() if line)


def rasterised(document, dpi):
    """The pages of a PDF as pictures."""
    prefix = document.with_suffix("")
    run("pdftoppm", "-png", "-r", str(dpi), document, prefix)
    return sorted(document.parent.glob(f"{prefix.name}-*.png"))


def pixels_per_metre(png):
    """From the pHYs chunk: how large the picture is in print."""
    at = 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + length]
        require(zlib.crc32(kind + body) == struct.unpack(">I", png[at + 8 + length:at + 12 + length])[0],
                "a chunk's checksum")
        if kind == b"pHYs":
            return struct.unpack(">II", body[:8])
        at += 12 + length
    return None


class WithConsole(Platform):
    """The same, with a door for people."""

    CONSOLE = True

    @property
    def origin(self):
        return f"http://localhost:{self.console_port}"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def ask(url, accept="text/html", language="en"):
    """Status, headers and body, whatever the status; redirects are not followed."""
    request = urllib.request.Request(url, headers={"Accept": accept, "Accept-Language": language})
    try:
        answer = urllib.request.build_opener(NoRedirect).open(request, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read().decode()


missing = [tool for tool in ["zbarimg", "dmtxread", "pdftoppm"] if not shutil.which(tool)]
if missing:
    skipped("labels", f"{', '.join(missing)} missing (zbar-tools, dmtx-utils, poppler-utils)")
    finish()

with WithConsole(OUT / "platform") as platform:
    devices = [platform.register(f"SN-{number:04}") for number in range(7)]
    numbers = [
        platform.call("device", "show", device, by="maker")["management_number"]
        for device in devices
    ]
    platform.call(
        "product", "change", "maker", "gate", "--gtin", "9506000134352", "--name-en", "Barrier gate",
        "--name-ja", "ゲート", "--support-end", "2031-03-31T00:00:00Z", "--firmware", "2.4.1",
        "--contact-url", "https://maker.example/support",
        "--label", "jc-star,★1,4711,https://labels.example/4711,2030-01-01T00:00:00Z", by="maker",
    )
    gs1 = [f"{platform.origin}/01/{GTIN}/21/{number[2:22]}" for number in numbers]
    page = [f"{platform.origin}/p/{number}" for number in numbers]

    for kind in ["qr", "datamatrix"]:
        for link, expected in [("gs1", gs1[0]), ("page", page[0]), ("best", gs1[0])]:
            with case(f"{kind} {link} png"):
                out = OUT / f"{kind}-{link}.png"
                platform.call("device", "label", devices[0], "--format", "png", "--code", kind,
                              "--link", link, "--module-um", "400", "--out", out, by="maker")
                require(read(kind, out) == [expected], f"{read(kind, out)} is not {expected}")
                require(pixels_per_metre(out.read_bytes()) == (20000, 20000), "8 pixels in 0.4 mm")

    for sheet, room in SHEETS.items():
        for kind in ["qr", "datamatrix"]:
            with case(f"{sheet} {kind} pdf"):
                out = OUT / f"{sheet}-{kind}.pdf"
                platform.call("product", "labels", "maker", "gate", "--sheet", sheet, "--code", kind,
                              "--text", "Lot 7 (ABC)", "--out", out, by="maker")
                pages = rasterised(out, 600 if kind == "qr" else 300)
                require(len(pages) == -(-len(devices) // room), f"{len(pages)} pages")
                # libdmtx stops at what it finds in time: it is asked for a page with one label.
                if kind == "qr" or room == 1:
                    found = sorted(code for picture in pages for code in read(kind, picture))
                    require(found == sorted(gs1), f"{found} is not {sorted(gs1)}")
                text = run("pdftotext", "-layout", out, "-").stdout.decode()
                squeezed = re.sub(r"\s", "", text)
                if room != 65 and sheet != "roll-25x25":
                    require(squeezed.count("Lot7(ABC)") == len(devices), f"own line in {text}")
                if room == 1:
                    for number in numbers:
                        require(number in squeezed, f"{number} in {text}")

    with case("svg sheet"):
        out = OUT / "sheet.svg"
        platform.call("product", "labels", "maker", "gate", "--format", "svg", "--skip", "3",
                      "--out", out, by="maker")
        require(out.read_text().count("<path ") == len(devices), "a code for each device")
        run("python3", "-c", f"import xml.dom.minidom as d; d.parse({str(out)!r})")

    with case("refusals"):
        for arguments in [
            ["--sheet", "a5"], ["--module-um", "1900", "--sheet", "roll-25x25"], ["--text", "製造"],
            ["--format", "svg", "--sheet", "roll-62x29"], ["--skip", "24"],
        ]:
            platform.tegata("product", "labels", "maker", "gate", *arguments, "--out", OUT / "no",
                            by="maker", expect=1)
        platform.tegata("device", "label", devices[0], "--out", OUT / "no", by="owner", expect=1)

    with case("the link leads to the page"):
        status, headers, _ = ask(gs1[0])
        require(status == 307 and headers["Location"] == f"/p/{numbers[0]}", f"{status} {headers}")
        status, headers, html = ask(f"{platform.origin}{headers['Location']}")
        require(status == 200, f"{status}")
        require("Set-Cookie" not in headers, "no cookie")
        for shown in ["Barrier gate", "JC-STAR ★1", "can be copied"]:
            require(shown in html, f"no {shown} in {html}")
        require("SN-0000" not in html and devices[0] not in html, "nothing that is not public")
        _, _, html = ask(page[0], language="ja")
        require("ゲート" in html and "複製" in html, html)
        status, headers, text = ask(gs1[0], accept="application/linkset+json")
        links = json.loads(text)["linkset"][0]
        require(links["anchor"] == gs1[0], links)
        require(links["https://gs1.org/voc/defaultLink"][0]["href"] == page[0], links)

    with case("guessing is slow"):
        status = [ask(f"{platform.origin}/p/TG{'0' * 21}")[0] for _ in range(12)]
        require(status[0] == 404 and 429 in status, f"{status}")

    with case("glossary"):
        listed = platform.call("glossary")
        require(len(listed) >= 130, f"{len(listed)} terms")
        found = platform.call("glossary", "OCSP")
        found = found if isinstance(found, list) else [found]
        require(found[0]["id"] == "ocsp", found[0])

finish()
