"""Diagnoses in a browser: an item is answered, evidence added, two people sign; a file is previewed and
applied without script; reports come out of the printer with Japanese in them; axe."""

import base64
import io
import pathlib
import unicodedata

import pypdf
from browser import DESKTOP, Browser
from console import WithConsole
from lib import OUT, case, finish, require
from pages import ASSESSMENT, address, examine

ITEM = "DEV-SWD-01"
# The narrowest phones that are sold.
NARROW = (360, 740)
MODEL = """tegata: threat-model/1
name: 門扉コントローラー
category: [consumer]
zones:
  - {id: street, title: 道路とインターネット, trust: 1}
  - {id: house, title: 住居, trust: 3}
assets:
  - {id: open, title: 開く命令, kind: command, rating: {safety: 3, confidentiality: 2, integrity: 4, availability: 3}}
  - {id: comings, title: 出入りの記録, kind: personal, rating: {safety: 1, confidentiality: 3, integrity: 2, availability: 1}}
elements:
  - {id: gate, title: 門扉, kind: device, zone: house, place: public, identity: unique, traits: [updatable, actuator], holds: [comings], measures: [unique-keys, key-store, signed-updates]}
  - {id: app, title: 所有者のアプリ, kind: app, zone: street}
flows:
  - {id: command, title: 開く, from: app, to: gate, purpose: command, protocol: https, authentication: certificate, encryption: transport, carries: [open, comings]}
"""


class Assessed(WithConsole):
    """A diagnosis with answers of every kind, and one that begins from it."""

    def populate(self):
        super().populate()
        self.diagnosis = self.open("firmware 1.0")
        for item, *how in [
            ("DEV-SWD-02", "--as", "met", "--evidence", "test report T-117", "--on", "2026-01-10"),
            ("DEV-SWD-03", "--as", "partly", "--owner", "佐藤", "--due", "2026-02-01"),
            ("DEV-ARC-12", "--as", "not-met", "--owner", "鈴木", "--due", "2027-02-01"),
            ("NET-SWD-03", "--as", "met"),
            ("NET-SWD-04", "--as", "not-applicable", "--reason", "paired at the factory only"),
        ]:
            self.tegata("diagnosis", "answer", self.diagnosis, item, *how, by=self.MAKER)
        self.tegata("diagnosis", "answer", self.diagnosis, "removable-media", "--as", "absent",
                    "--reason", "the housing has no openings", by=self.MAKER)
        model = OUT / "gate.yaml"
        model.write_text(MODEL)
        self.tegata("threat", "put", self.MAKER, self.PRODUCT, model, by=self.MAKER)
        self.tegata("threat", "impact", "answer", self.MAKER, self.PRODUCT, "safety",
                    "acts=moves,access", "driven=就寝中に第三者が門扉を開く。",
                    "driven-level=severe", "stopped-level=damage", by=self.MAKER)
        self.tegata("operation", "evidence", self.MAKER, self.PRODUCT, "--collect", by=self.MAKER)

    def open(self, subject):
        return self.call("diagnosis", "open", self.MAKER, "--product", self.PRODUCT, "--subject",
                         subject, by=self.MAKER)["id"]


def press(browser, words):
    """A button or a link of the page, by its words."""
    def pressed():
        for one in browser.all("main button, main a.button"):
            if one.text.strip() == words:
                one.click()
                return True
        return False

    browser.until(pressed, f"there is no {words}")


def printed(browser):
    """The page as it comes out of the printer: A4, as its style says."""
    made = browser.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True,
                                                             "printBackground": True})
    return pypdf.PdfReader(io.BytesIO(base64.b64decode(made["data"])))


def text_of(reader):
    """Its text. Chromium's font maps some characters to the radicals that look like them."""
    return unicodedata.normalize("NFKC", "".join(page.extract_text() for page in reader.pages))


with Assessed(OUT / "platform") as platform:
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
        here = f"/diagnoses/{platform.diagnosis}"

        with case("an item is found by its words, answered, and supported by evidence"):
            hanako.open("/diagnoses?lang=en")
            hanako.click(f'main tbody a[href="{here}"]')
            hanako.until_says("Fulfilled by layer and phase")
            hanako.open(f"{here}/items?layer=device&text={ITEM}&lang=en")
            hanako.click(f'main tbody a[href$="/{ITEM}"]')
            hanako.until_says("Answer the item first")
            hanako.click('main input[name="answer"][value="met"]')
            hanako.fill("comment", "two devices from the box")
            press(hanako, "Save the answer")
            hanako.until_says("claimed without evidence")
            hanako.fill("what", "test report T-118")
            press(hanako, "Add evidence")
            hanako.until(lambda: "met" in hanako.texts(".page-head .badge"), "it does not count")
            require("T-118" in hanako.text(), "the evidence is not shown")

        with case("who comes second is told so, without script, and keeps what was typed"):
            plain.open(f"{here}/items/DEV-SWD-05?lang=en")
            hanako.open(f"{here}/items/DEV-SWD-05?lang=en")
            hanako.click('main input[name="answer"][value="partly"]')
            press(hanako, "Save the answer")
            hanako.until_says("What stood there before is in the history")
            plain.click('main input[name="answer"][value="met"]')
            plain.fill("comment", "typed by the second")
            press(plain, "Save the answer")
            plain.until_says("Nothing was saved")
            require(plain.find('main [name="comment"]').get_attribute("value")
                    == "typed by the second", "what was typed is gone")

        with case("a workbook is previewed and applied without script"):
            file = OUT / "answers.xlsx"
            file.unlink(missing_ok=True)
            platform.tegata("diagnosis", "export", platform.diagnosis, "--out", file,
                            by=platform.MAKER)
            # One more answer, as somebody would write it into the sheet, comes as YAML.
            text = OUT / "answers.yaml"
            text.unlink(missing_ok=True)
            platform.tegata("diagnosis", "export", platform.diagnosis, "--out", text,
                            by=platform.MAKER)
            changed = text.read_text().replace(
                "answers:\n", "answers:\n  PLT-PLN-01:\n    answer: not-met\n", 1)
            text.write_text(changed)
            for chosen, says in [(file, "The file changes nothing"), (text, "One topic changes")]:
                plain.open(f"{here}/files?lang=en")
                plain.find("#file").send_keys(str(pathlib.Path(chosen).resolve()))
                press(plain, "Show what would change")
                plain.until_says(says)
            press(plain, "Apply the changes")
            plain.until_says("The changes of the file are applied")

        with case("a clause is answered itself, without script, and only with a reason left out"):
            plain.open(f"{here}/clauses?lang=en")
            plain.click(f'main tbody a[href="{here}/clauses/etsi-en-303-645"]')
            plain.open(f"{here}/clauses/etsi-en-303-645?state=untouched&lang=en")
            plain.click("main tbody th a")
            plain.until_says("answer it here")
            clause = plain.path.split("?")[0]
            plain.click('main input[name="answer"][value="not-applicable"]')
            press(plain, "Save the answer")
            plain.until_says("Nothing was saved")
            plain.fill("reason", "no such interface")
            press(plain, "Save the answer")
            plain.until(lambda: "not applicable" in plain.texts(".page-head .badge"),
                        "the answer does not count")
            require(plain.path.split("?")[0] == clause, "it led elsewhere")

        with case("a privacy impact assessment is answered step by step, without script"):
            impact = f"/products/{platform.MAKER}/{platform.PRODUCT}/impact"
            plain.open(f"{impact}?lang=ja")
            plain.click(f'main tbody a[href="{impact}/privacy"]')
            press(plain, "始める")
            plain.until_at(f"{impact}/privacy/step/data")
            for question, value in [("personal", "some"), ("kinds", "behaviour"),
                                    ("kinds", "health"), ("people", "household")]:
                plain.click(f'main input[name="q-{question}"][value="{value}"]')
            plain.fill("q-data", "誰がいつ門を通ったか。")
            press(plain, "保存して次へ")
            plain.until_at(f"{impact}/privacy/step/purpose")
            press(plain, "保存して次へ")
            plain.until_at(f"{impact}/privacy/step/where")
            for question, value in [("regions", "japan"), ("regions", "eu"), ("sharing", "none"),
                                    ("sharing", "abroad")]:
                plain.click(f'main input[name="q-{question}"][value="{value}"]')
            press(plain, "保存して次へ")
            plain.until_says("同時に選べません")
            plain.click('main input[name="q-sharing"][value="none"]')
            press(plain, "下書きを保存")
            plain.until_at(f"{impact}/privacy")
            for words in ["個人情報保護法 第20条2項", "第28条", "未回答の質問が"]:
                require(words in plain.text(), f"{words} is not said")

        for language, words in [("en", ["Diagnosis for managers", "not ready"]),
                                ("ja", ["診断報告書", "対応が必要", "重みの大きい不足"])]:
            with case(f"the report for managers says it on paper ({language})"):
                hanako.complaints()
                hanako.open(f"{here}/report?audience=managers&lang={language}")
                hanako.spotless(f"report in {language}")
                paper = printed(hanako)
                text = text_of(paper)
                require(len(paper.pages) == 2, f"{len(paper.pages)} pages instead of two: "
                        + " | ".join(page.extract_text()[-300:] for page in paper.pages))
                for word in words:
                    require(word in text, f"{word} is not on paper:\n{text[:800]}")
        with case("the report for engineers has every item"):
            hanako.open(f"{here}/report?audience=engineers&lang=ja")
            # Hundreds of tables: axe takes its time where others work, too.
            hanako.driver.set_script_timeout(300)
            hanako.spotless("report for engineers")
            hanako.driver.set_script_timeout(30)
            text = text_of(printed(hanako))
            for item in [ITEM, "SVC-PLN-01", "DEV-DSP-01", "T-118", "門扉",
                         "個人情報保護法"]:
                require(item in text, f"{item} is not on paper")

        names = {"diagnosis": platform.diagnosis, "item": ITEM,
                 "product": f"{platform.MAKER}/{platform.PRODUCT}", "line": platform.PRODUCT}
        examine(ASSESSMENT, ["en", "ja"], ["light", "dark"], lambda _: hanako, case, **names)

        with case("nothing is wider than a phone"):
            hanako.resize(NARROW)
            for language in ["ja", "en"]:
                for name, path, _ in ASSESSMENT:
                    hanako.open(address(path, language, **names))
                    hanako.fits(f"{name} in {language}")
            hanako.resize(DESKTOP)

        with case("two people sign, and the log holds it"):
            hanako.show_passkey(f"{here}/sign")
            hanako.open(f"{here}/sign?lang=en")
            hanako.until_says("one alone never signs")
            press(hanako, "Ask for the sign-off")
            hanako.until(lambda: hanako.path.startswith("/approvals/"), "no second person is asked")
            # It took a while since taro showed a passkey.
            taro.show_passkey()
            taro.open(f"{hanako.path.split('?')[0]}?lang=en")
            press(taro, "Approve")
            taro.until_says("Approved")
            hanako.open(f"{here}?lang=en")
            hanako.until_says("It does not change any more")
            hanako.spotless("a signed diagnosis")
            proof = platform.call("diagnosis", "proof", platform.diagnosis, by=platform.MAKER)
            require(proof, "there is no proof")

        with case("the next one is compared with it"):
            hanako.open(f"/diagnoses/new?product={platform.PRODUCT}&from={platform.diagnosis}&lang=en")
            hanako.fill("subject", "firmware 1.1")
            press(hanako, "Open")
            hanako.until_says("The diagnosis is open")
            following = hanako.path.split("?")[0]
            hanako.open(f"{following}/comparison?lang=en")
            hanako.until_says("Items that stand differently")
            hanako.spotless("a comparison")

finish()
