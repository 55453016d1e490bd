"""SBOMs, versions, package URLs and scores against other people's programs: each makes or orders
what we read, and every answer is compared. All that is drawn is drawn from fixed seeds."""

import json
import random
import re
import shutil
import subprocess
import sys

from lib import OUT, TEGATA, case, finish, require, run, skipped

PAIRS = 4000


def ours(scheme, pairs):
    """Our signs for pairs of versions, all in one run."""
    text = "".join(f"{left}\t{right}\n" for left, right in pairs)
    done = run(TEGATA, "advisory", "order", scheme, input=text)
    signs = done.stdout.decode().splitlines()
    require(len(signs) == len(pairs), f"{len(signs)} answers for {len(pairs)} pairs")
    return signs


def sign(order):
    return "<" if order < 0 else ">" if order > 0 else "="


def compare(scheme, pairs, theirs, known=lambda left, right: False):
    """Every pair that they order must be ordered so by us, except where `known` says why not."""
    differ, both, apart = [], 0, 0
    for (left, right), mine in zip(pairs, ours(scheme, pairs)):
        try:
            other = theirs(left, right)
        except Exception:  # no version for them; what we make of it is ours to say
            continue
        if other is None:
            continue
        if mine == other:
            both += 1
        elif known(left, right):
            apart += 1
        else:
            differ.append(f"{left} {right}: {mine}, they say {other}")
    require(not differ, f"{len(differ)} of {len(pairs)} differ:\n" + "\n".join(differ[:12]))
    require(both > len(pairs) // 3, f"only {both} pairs were ordered by both: the test is empty")
    print(f"   {scheme}: {both} pairs agree, {apart} differ for a reason that is written down")


def drawn(seed, parts, length=(1, 6), start=None):
    """Pairs of texts made of parts; every third pair is a small change, so that equality and
    nearness happen."""
    draw = random.Random(f"tegata {seed}")

    def text():
        body = "".join(draw.choice(parts) for _ in range(draw.randint(*length)))
        return (draw.choice(start) if start else "") + body

    pairs = []
    while len(pairs) < PAIRS:
        left = text()
        right = text() if draw.random() < 0.6 else left + draw.choice(parts)
        pairs.append((left, right))
    return pairs


NUMBERS = ["0", "1", "2", "9", "10", "11", "01"]

with case("PEP 440 by packaging"):
    from packaging.version import Version

    parts = [".0", ".1", ".10", "a1", "b2", "rc1", ".post1", ".dev0", "-1", "+local.1", "alpha", ".9", "c3"]
    pairs = drawn("pep440", parts, (0, 4), ["0", "1", "1!2", "v1", "2.0"])
    compare("pep440", pairs, lambda a, b: sign((Version(a) > Version(b)) - (Version(a) < Version(b))))

with case("dpkg --compare-versions"):
    parts = NUMBERS + [".", ".", "-", "+", "~", "a", "b", "rc", "deb", "ubuntu"]
    # A process for each comparison: fewer pairs.
    pairs = drawn("dpkg", parts, (0, 6), ["0", "1", "1:2", "2.0"])[:600]

    def dpkg(left, right):
        for word, mark in [("lt", "<"), ("eq", "="), ("gt", ">")]:
            done = subprocess.run(["dpkg", "--compare-versions", left, word, right],
                                  capture_output=True, check=False)
            if done.stderr:
                return None
            if done.returncode == 0:
                return mark
        return None

    compare("dpkg", pairs, dpkg)

if shutil.which("rpm"):
    with case("rpm --eval"):
        parts = NUMBERS + [".", ".", "-", "+", "~", "^", "a", "b", "rc", "el9", "_"]
        draw = drawn("rpm", parts, (0, 6), ["0", "1", "1:2", "2.0", "a"])
        # rpm compares in its Lua: one run for many. Its function knows no releases.
        pairs = [(a, b) for a, b in draw if "-" not in a + b]
        signs = []
        for start in range(0, len(pairs), 200):
            chunk = pairs[start:start + 200]
            lua = " ".join(f'print(rpm.vercmp("{a}", "{b}") .. " ")' for a, b in chunk)
            text = run("rpm", "--eval", "%{lua: " + lua + "}").stdout.decode()
            signs += [sign(int(word)) for word in text.split()]
        table = dict(zip(pairs, signs))
        require(len(signs) == len(pairs), f"{len(signs)} answers for {len(pairs)} pairs")
        compare("rpm", pairs, lambda a, b: table[(a, b)])
else:
    skipped("rpm --eval", "rpm is not installed")

def by(kind):
    """The order of a class of univers, which is loaded when it is needed."""
    def order(left, right):
        from univers import versions

        a, b = (getattr(versions, kind)(text) for text in (left, right))
        return sign((a > b) - (a < b))
    return order


DISTRIBUTION = NUMBERS + [".", ".", "-", "~", "a", "b", "rc", "el9"]
# Scheme, class of univers, parts, beginnings, what is a version at all, and where both may differ
# (docs/advisory.md). What is no version is not compared; what is one, we must order.
ORDERS = [
    ("semver", "SemverVersion", [".0", ".1", ".10", "-alpha", "-rc.1", ".beta", "-1", ".2"],
     ["1.0.0-x", "0.0.1-1", "1.2.3-rc", "1.2.3-rc.1", "10.0.0-0"], r".*", None),
    ("rpm", "RpmVersion", DISTRIBUTION, ["0", "1", "1:2", "2.0"], r"[^-]+(-[^-]+)?",
     # rpm of Debian 12, the oracle above, knows no releases; univers takes a missing one for any.
     lambda a, b: ("-" in a) != ("-" in b)),
    ("dpkg", "DebianVersion", DISTRIBUTION + ["+"], ["0", "1", "1:2"], r".*[^-]", None),
    ("rubygems", "RubygemsVersion", [".0", ".1", ".10", ".a", ".b2", ".rc1", "-1", ".pre"],
     ["0", "1", "1.0", "2.10"], r".*", None),
    ("maven", "MavenVersion",
     [".0", ".1", "-1", "-alpha", "-beta-2", "-rc1", "-SNAPSHOT", ".Final", "-sp", ".10", "-foo", "-m3"],
     ["0", "1", "1.0", "2"], r".*", lambda a, b: re.search("Final.", f"{a} {b}")),
    ("nuget", "NugetVersion", [".0", ".1", ".10", "-alpha", "-Beta.2", "-rc1"], ["1.0.0", "1.2", "2.0.0.1"],
     r"\d+(\.\d+){0,3}(-.*)?", None),
    ("apk", "AlpineLinuxVersion", [".0", ".1", ".10", "_rc1", "_alpha", "_p1", "a", "-r0", "-r10", "_git2020"],
     ["0", "1", "1.2", "2.10"], r"\d+(\.\d+)*[a-z]?(_(rc|alpha|p|git)\d*)*(-r\d+)?",
     # apk-tools: a revision, even 0, is after none; univers takes Gentoo's order.
     lambda a, b: ("-r" in a) != ("-r" in b)),
    ("composer", "ComposerVersion", [".0", ".1", ".10", "-alpha1", "-beta2", "-rc1", "-patch1"],
     ["1.0", "v1.2", "0", "2"], r"v?\d+(\.\d+){0,3}(-(alpha|beta|rc|patch)\d+)?",
     # Composer and PHP: a patch is after its version, and four numbers count; univers takes semver.
     lambda a, b: "patch" in a + b or max(a.count("."), b.count(".")) > 2),
]
for scheme, kind, parts, start, version, known in ORDERS:
    with case(f"{scheme} by univers"):
        pairs = [pair for pair in drawn(f"univers {scheme}", parts, (0, 3), start)
                 if all(re.fullmatch(version, text) for text in pair)]
        require(len(pairs) > 500, f"only {len(pairs)} pairs of versions")
        compare(scheme, pairs, by(kind), known or (lambda left, right: False))

with case("package URLs by packageurl-python"):
    from packageurl import PackageURL

    draw = random.Random("tegata purl")
    words = ["a", "Ab", "a_b", "a.b", "a-b", "a+b", "ä", "a b", "a%b", "@x", "1:2", "x~y"]
    purls, texts = [], []
    for kind in ["cargo", "npm", "pypi", "maven", "deb", "rpm", "generic", "nuget", "gem", "github"]:
        for _ in range(60):
            namespace = draw.choice([None, "org", "Org", "a/b"]) if kind not in ("pypi", "cargo") else None
            if kind in ("maven", "github") and not namespace or kind in ("deb", "rpm"):
                namespace = "org"
            name = draw.choice(words)
            if kind == "deb":
                name = name.lower()  # as the specification wants it; packageurl-python keeps case
            try:
                made = PackageURL(kind, namespace, name, draw.choice([None, "1.0", "1:2-3~4", "1+b"]),
                                  draw.choice([None, {"arch": "x86", "distro": "debian-12"}]),
                                  draw.choice([None, None, "a/b"]))
            except ValueError:
                continue
            purls.append(made)
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "x", "bom-ref": str(index), "purl": made.to_string()}
        for index, made in enumerate(purls)]}
    path = OUT / "purls.json"
    path.write_text(json.dumps(document))
    shown = json.loads(run(TEGATA, "sbom", "show", path, "--json").stdout)
    differ = []
    for made, component in zip(purls, shown["components"], strict=True):
        if component["purl"] is None:
            differ.append(f"{made.to_string()} is not read")
        elif PackageURL.from_string(component["purl"]) != made:
            differ.append(f"{made.to_string()} becomes {component['purl']}")
    require(not differ, f"{len(differ)} of {len(purls)}:\n" + "\n".join(differ[:12]))
    require(len(purls) > 300, f"{len(purls)} package URLs")

with case("scores by cvss"):
    import cvss

    draw = random.Random("tegata cvss")

    def vector(prefix, metrics):
        return prefix + "/".join(f"{name}:{draw.choice(values)}" for name, values in metrics)

    v2 = [("AV", "LAN"), ("AC", "HML"), ("Au", "MSN"), ("C", "NPC"), ("I", "NPC"), ("A", "NPC")]
    v3 = [("AV", "NALP"), ("AC", "LH"), ("PR", "NLH"), ("UI", "NR"), ("S", "UC"), ("C", "HLN"), ("I", "HLN"),
          ("A", "HLN")]
    v4 = [("AV", "NALP"), ("AC", "LH"), ("AT", "NP"), ("PR", "NLH"), ("UI", "NPA"), ("VC", "HLN"), ("VI", "HLN"),
          ("VA", "HLN"), ("SC", "HLN"), ("SI", "HLN"), ("SA", "HLN")]
    made = []
    for _ in range(500):
        made.append((text := vector("", v2), cvss.CVSS2(text).base_score))
        made.append((text := vector(draw.choice(["CVSS:3.0/", "CVSS:3.1/"]), v3), cvss.CVSS3(text).base_score))
        made.append((text := vector("CVSS:4.0/", v4), cvss.CVSS4(text).base_score))
    records = [{"id": f"T-{index}", "severity": [{"type": "CVSS", "score": text}]}
               for index, (text, _) in enumerate(made)]
    path = OUT / "scores.json"
    path.write_text(json.dumps(records))
    lines = run(TEGATA, "advisory", "show", path, "--json").stdout.decode().splitlines()
    differ = []
    for (text, score), line in zip(made, lines, strict=True):
        found = json.loads(line)["scores"]
        if not found or abs(found[0]["score"] - float(score)) > 0.001:
            differ.append(f"{text}: {found}, they say {score}")
    require(not differ, f"{len(differ)} of {len(made)}:\n" + "\n".join(differ[:12]))

with case("CycloneDX by cyclonedx-python-lib"):
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion
    from packageurl import PackageURL

    bom = Bom()
    root = Component(name="gate", version="2.4.1", type=ComponentType.FIRMWARE, bom_ref="gate")
    bom.metadata.component = root
    parts = []
    for number in range(40):
        part = Component(
            name=f"part-{number}", version=f"1.{number}.0", type=ComponentType.LIBRARY,
            bom_ref=f"part-{number}", purl=PackageURL("cargo", None, f"part-{number}", f"1.{number}.0"),
            cpe=f"cpe:2.3:a:v:part-{number}:1.{number}.0:*:*:*:*:*:*:*",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=f"{number:064x}")])
        bom.components.add(part)
        parts.append(part)
    bom.register_dependency(root, parts)
    bom.register_dependency(parts[0], parts[1:3])
    versions = [SchemaVersion.V1_3, SchemaVersion.V1_4, SchemaVersion.V1_5, SchemaVersion.V1_6]
    versions += [version for name in ["V1_7"] if (version := getattr(SchemaVersion, name, None))]
    for version in versions:
        for form in [OutputFormat.JSON, OutputFormat.XML]:
            path = OUT / f"bom-{version.to_version()}.{form.name.lower()}"
            path.write_text(make_outputter(bom, form, version).output_as_string())
            shown = json.loads(run(TEGATA, "sbom", "show", path, "--json").stdout)
            require(shown["remarks"]["count"] == 0, f"{path.name}: {shown['remarks']}")
            require(len(shown["components"]) == 41 and shown["identified"] == 40, f"{path.name}: {shown}")
            require(shown["components"][shown["subject"]]["name"] == "gate", path.name)
            needs = {shown["components"][a]["name"]: len(on) for a, on in shown["dependencies"] if on}
            require(needs == {"gate": 40, "part-0": 2}, f"{path.name}: {needs}")
            for component in shown["components"]:
                if component["name"] != "gate":
                    number = int(component["name"].split("-")[1])
                    require(component["hashes"] == [["sha-256", f"{number:064x}"]], f"{path.name}: {component}")
                    require(len(component["cpes"]) == 1, f"{path.name}: {component}")

with case("our CycloneDX VEX by cyclonedx-python-lib"):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    for status, more in [("not_affected", ["--justification", "protected_at_runtime", "--impact", "not built"]),
                         ("affected", ["--action", "update"]), ("fixed", []), ("under_investigation", [])]:
        made = run(TEGATA, "vex", "new", "--vulnerability", "CVE-2026-1", "--alias", "GHSA-aaaa-bbbb-cccc",
                   "--product", "pkg:generic/gate@2.4.1", "--product", "cpe:2.3:o:maker:gate:2.4.1:*:*:*:*:*:*:*",
                   "--status", status, *more, "--format", "cyclonedx", "--author", "Maker").stdout.decode()
        errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(made)
        require(errors is None, f"{status}: {errors}\n{made}")

with case("our CSAF VEX by csaf"):
    # Another program's schema and mandatory tests (CSAF 2.0 section 6.1), profile 5 included.
    def mandatory(path, expect=0):
        return run(sys.executable, "-m", "csaf", "validate", "--spec-version", "v20", "--no-network", path,
                   expect=expect).text

    products = ["--product", "pkg:generic/gate@2.4.1", "--product", "cpe:2.3:o:maker:gate:2.4.1:*:*:*:*:*:*:*"]
    for number, (name, status, more) in enumerate([
            ("CVE-2026-0001", "not_affected", ["--justification", "component_not_present", "--impact", "not built"]),
            ("CVE-2026-0001", "not_affected", ["--impact", "not called"]),
            ("CVE-2026-0001", "affected", ["--action", "update"]), ("CVE-2026-0001", "affected", []),
            ("CVE-2026-0001", "fixed", []), ("CVE-2026-0001", "under_investigation", []),
            # No CVE for CSAF, whatever it begins with.
            ("CVE-2026-1", "fixed", []), ("GHSA-aaaa-bbbb-cccc", "fixed", [])]):
        for source in ["new", "convert"]:
            path, first = OUT / f"vex-{number}-{source}.csaf.json", OUT / f"vex-{number}.openvex.json"
            made = ["vex", "new", "--vulnerability", name, "--alias", "OSV-2026-7", *products, "--status", status,
                    *more, "--author", "Maker"]
            if source == "new":
                run(TEGATA, *made, "--format", "csaf", "--out", path)
            else:
                run(TEGATA, *made, "--format", "openvex", "--out", first)
                run(TEGATA, "vex", "convert", first, "--format", "csaf", "--author", "Maker", "--out", path)
            text = mandatory(path)
            require("34 passed" in text, f"{path.name}: {text}")
    # And it does refuse what is wrong.
    broken = json.loads(path.read_text())
    broken["vulnerabilities"][0]["product_status"]["fixed"] = ["nobody"]
    path.write_text(json.dumps(broken))
    mandatory(path, expect=1)

with case("SPDX 2.3 by spdx-tools"):
    from datetime import datetime

    from spdx_tools.spdx.model import (
        Actor, ActorType, Checksum, ChecksumAlgorithm, CreationInfo, Document, ExternalPackageRef,
        ExternalPackageRefCategory, Package, Relationship, RelationshipType, SpdxNoAssertion)
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
    from spdx_tools.spdx.writer.write_anything import write_file

    def package(name, version, **more):
        return Package(spdx_id=f"SPDXRef-{name}", name=name, download_location=SpdxNoAssertion(),
                       version=version, files_analyzed=False, **more)

    packages = [package("image", "1")]
    for number in range(30):
        reference = ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl",
                                       f"pkg:generic/part-{number}@1.{number}")
        name = ExternalPackageRef(ExternalPackageRefCategory.SECURITY, "cpe23Type",
                                  f"cpe:2.3:a:v:part-{number}:1.{number}:*:*:*:*:*:*:*")
        packages.append(package(
            f"part-{number}", f"1.{number}", external_references=[reference, name],
            supplier=Actor(ActorType.ORGANIZATION, "Maker"),
            checksums=[Checksum(ChecksumAlgorithm.SHA256, f"{number:064x}")]))
    relations = [Relationship("SPDXRef-DOCUMENT", RelationshipType.DESCRIBES, "SPDXRef-image")]
    relations += [Relationship("SPDXRef-image", RelationshipType.CONTAINS, p.spdx_id) for p in packages[1:]]
    document = Document(
        CreationInfo("SPDX-2.3", "SPDXRef-DOCUMENT", "image", "https://maker.example/image",
                     [Actor(ActorType.TOOL, "test")], datetime(2026, 11, 20)),
        packages=packages, relationships=relations)
    require(not validate_full_spdx_document(document), "the document itself is not valid")
    for suffix in ["spdx.json", "spdx"]:
        path = OUT / f"image.{suffix}"
        write_file(document, str(path), validate=False)
        shown = json.loads(run(TEGATA, "sbom", "show", path, "--json").stdout)
        require(shown["remarks"]["count"] == 0, f"{suffix}: {shown['remarks']}")
        require(len(shown["components"]) == 31 and shown["identified"] == 30, f"{suffix}: {shown}")
        require(shown["components"][shown["subject"]]["name"] == "image", suffix)
        require(all(c["parent"] == 0 for c in shown["components"][1:]), suffix)

with case("the whole way"):
    sbom = OUT / "way.json"
    sbom.write_text(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "a", "purl": "pkg:cargo/a@1.0.0"}, {"type": "library", "name": "b"}]}))
    folder = OUT / "advisories"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps({"id": "CVE-2026-1", "modified": "2026-01-01T00:00:00Z",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N"}],
        "affected": [{"package": {"ecosystem": "crates.io", "name": "a"}, "ranges": [
            {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.0.1"}]}]}]}))
    check = ["sbom", "check", sbom, "--advisories", folder]
    done = run(TEGATA, *check, "--json", expect=2)
    report = json.loads(done.stdout)
    require([f["id"] for f in report["findings"]] == ["CVE-2026-1"], report)
    require(report["findings"][0]["fixed"] == ["1.0.1"], report)
    require([b["why"] for b in report["blind"]] == ["not-identified"], report)
    run(TEGATA, *check, "--fail-on", "high", expect=0)
    run(TEGATA, *check, "--fail-on", "medium", expect=2)
    vex = OUT / "ours.json"
    run(TEGATA, "vex", "new", "--vulnerability", "CVE-2026-1", "--product", "pkg:cargo/a@1.0.0", "--status",
        "not_affected", "--author", "Maker", "--out", vex, expect=1)
    run(TEGATA, "vex", "new", "--vulnerability", "CVE-2026-1", "--product", "pkg:cargo/a@1.0.0", "--status",
        "not_affected", "--impact", "not called", "--author", "Maker", "--out", vex)
    run(TEGATA, *check, "--vex", vex, expect=0)
    for form in ["cyclonedx", "csaf"]:
        other = OUT / f"ours.{form}.json"
        run(TEGATA, "vex", "convert", vex, "--format", form, "--author", "Maker", "--out", other)
        run(TEGATA, *check, "--supplier-vex", other, expect=0)
    (folder / "two.json").write_text("{")
    require("hint:" in run(TEGATA, "sbom", "show", folder / "two.json", expect=1).text, "no hint")
    run(TEGATA, *check, "--vex", vex, expect=1)
    run(TEGATA, *check, "--vex", vex, "--skip-unreadable", expect=0)
    done = run(TEGATA, "advisory", "match", folder / "one.json", sbom, expect=2)
    require("a@1.0.0" in done.text, done.text)

finish()
