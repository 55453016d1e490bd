"""The pages that the browser tests and `cargo xtask screens` visit: one line each.

(name, path, signed in). A page that lands adds its line.
"""

PAGES = [
    ("sign-in", "/sign-in", False),
    ("not-found", "/no-such-page", False),
    ("overview", "/", True),
    ("devices", "/devices", True),
    ("devices-none", "/devices?text=no-such-device", True),
    ("jobs", "/jobs", True),
    ("organisations", "/organisations", True),
    ("products", "/products", True),
    ("authorities", "/authorities", True),
    ("people", "/people", True),
    ("people-invite", "/people/invite", True),
    ("approvals", "/approvals", True),
    ("approvals-policy", "/approvals/policy", True),
    ("audit", "/audit", True),
    ("log", "/log", True),
    ("guide", "/guide", True),
    ("glossary", "/glossary", True),
    ("account", "/account", True),
    ("confirm", "/confirm", True),
    ("organisation-new", "/organisations/new", True),
    ("product-new", "/products/new", True),
    ("authority-new", "/authorities/new", True),
    ("authority-install", "/authorities/install", True),
    ("releases", "/releases", True),
    ("campaigns", "/campaigns", True),
    ("campaign-new", "/campaigns/new", True),
    ("vulnerabilities", "/vulnerabilities", True),
    ("vulnerabilities-owner", "/vulnerabilities?side=owner", True),
    ("statements", "/statements", True),
    ("cases", "/cases", True),
    ("case-new", "/cases/new", True),
    ("diagnoses", "/diagnoses", True),
    ("operation", "/operation", True),
    ("operation-policy", "/operation/policy", True),
]

# What only the platform's own administrators see.
PLATFORM = [
    ("authorities-keys", "/authorities/keys", True),
    ("authorities-uses", "/authorities/uses", True),
]

# About something in particular: what is in braces is filled in by the test, or from the demo.
ABOUT = [
    ("passport", "/devices/{device}", True),
    ("report", "/devices/{device}/report", True),
    ("passport-revoked", "/devices/{revoked}", True),
    ("passport-suspended", "/devices/{suspended}", True),
    ("passport-not-begun", "/devices/{unborn}", True),
    ("act-suspend", "/devices/{device}/act/suspend", True),
    ("act-release", "/devices/{suspended}/act/release", True),
    ("act-revoke", "/devices/{device}/act/revoke", True),
    ("act-offer-whom", "/devices/{device}/act/offer-transfer", True),
    ("act-offer-transfer", "/devices/{device}/act/offer-transfer?to={other}", True),
    ("act-cancel-transfer", "/devices/{offered}/act/cancel-transfer", True),
    ("act-accept-transfer", "/devices/{arriving}/act/accept-transfer", True),
    ("act-retire", "/devices/{device}/act/retire", True),
    ("act-dispose", "/devices/{retired}/act/dispose", True),
    ("act-erase", "/devices/{device}/act/erase", True),
    ("act-refused", "/devices/{device}/act/release", True),
    ("traffic", "/traffic", True),
    ("policies", "/policies", True),
    ("policies-new", "/policies/new", True),
    ("peer-trust", "/peer-trust", True),
    ("peer-trust-settings", "/peer-trust/settings", True),
    ("outside-mud", "/outside-mud", True),
    ("outside-mud-device", "/devices/{device}/outside-mud", True),
    ("messages", "/devices/{device}/messages", True),
    ("device-log", "/devices/{device}/log", True),
    ("command-new", "/devices/{device}/commands/new", True),
    ("configuration", "/devices/{device}/configuration", True),
    ("alerts", "/alerts", True),
    ("alert-rules", "/alert-rules", True),
    ("behaviour", "/behaviour", True),
    ("alert-receivers", "/alert-receivers", True),
    ("alert-receiver-new", "/new-alert-receiver", True),
    ("routes", "/routes", True),
    ("route-new", "/new-route", True),
    ("route-trial", "/route-trial?condition=%24.payload", True),
    ("bulk", "/devices/bulk?act=suspend&device={device}&device={suspended}", True),
    ("bulk-refused", "/devices/bulk?act=release&device={device}", True),
    ("labels", "/devices/labels?device={device}", True),
    ("devices-filtered", "/devices?relation=maker&standing=suspended", True),
    ("devices-offered", "/devices?relation=offered", True),
    ("job", "/jobs/{job}", True),
    ("approval-waiting", "/approvals/{waiting}", True),
    ("approval-decided", "/approvals/{decided}", True),
    ("approvals-all", "/approvals?all=yes", True),
    ("audit-filtered", "/audit?kind=account-change", True),
    ("person", "/people/{person}", True),
    ("organisation", "/organisations/{own}", True),
    ("members", "/organisations/{own}/members", True),
    ("signers", "/organisations/{own}/signers", True),
    ("message-keys", "/organisations/{own}/message-keys", True),
    ("product", "/products/{product}", True),
    ("product-public", "/products/{product}/public", True),
    ("product-mud", "/products/{product}/mud", True),
    ("product-mud-url", "/products/{product}/mud/url", True),
    ("glossary-entry", "/glossary/tpm", True),
    ("public-form", "/p", False),
    ("public-mistyped", "/p?number=TG-123", False),
    ("public-genuine", "/p/{number}", False),
    ("public-revoked", "/p/{gone}", False),
    ("public-unknown", "/p/{unknown}", False),
]
# About software: filled in by the test of updates.
SOFTWARE = [
    ("release-draft", "/releases/{draft}", True),
    ("release-published", "/releases/{release}", True),
    ("release-publish", "/releases/{draft}/publish", True),
    ("release-withdraw", "/releases/{release}/withdraw", True),
    ("releases-some", "/releases", True),
    ("campaigns-some", "/campaigns", True),
    ("campaign", "/campaigns/{campaign}", True),
    ("campaign-failed", "/campaigns/{campaign}?outcome=failed", True),
    ("campaign-proposed", "/campaigns/{proposed}", True),
    ("campaign-cancel", "/campaigns/{campaign}/cancel", True),
    ("vulnerabilities-some", "/vulnerabilities", True),
    ("vulnerability", "/vulnerabilities/{vulnerability}", True),
    ("vulnerability-owner", "/vulnerabilities/{vulnerability}?side=owner", True),
    ("vulnerability-say", "/vulnerabilities/{vulnerability}/say", True),
    ("statements-some", "/statements", True),
    ("cases-some", "/cases", True),
    ("case", "/cases/{duty}", True),
    ("case-times", "/cases/{duty}/times", True),
    ("case-close", "/cases/{duty}/close", True),
]
# About a diagnosis: filled in by the test of diagnoses.
ASSESSMENT = [
    ("diagnoses-some", "/diagnoses", True),
    ("diagnoses-of", "/products/{product}/diagnoses", True),
    ("diagnosis-new", "/diagnoses/new?product={line}", True),
    ("diagnosis", "/diagnoses/{diagnosis}", True),
    ("diagnosis-items", "/diagnoses/{diagnosis}/items", True),
    ("diagnosis-items-some", "/diagnoses/{diagnosis}/items?layer=device&state=open", True),
    ("diagnosis-item", "/diagnoses/{diagnosis}/items/{item}", True),
    ("diagnosis-item-live", "/diagnoses/{diagnosis}/items/DEV-OPE-05", True),
    ("diagnosis-gaps", "/diagnoses/{diagnosis}/gaps", True),
    ("diagnosis-evidence", "/diagnoses/{diagnosis}/evidence", True),
    ("diagnosis-features", "/diagnoses/{diagnosis}/features", True),
    ("diagnosis-comparison", "/diagnoses/{diagnosis}/comparison", True),
    ("diagnosis-files", "/diagnoses/{diagnosis}/files", True),
    ("diagnosis-history", "/diagnoses/{diagnosis}/history", True),
    ("diagnosis-clauses", "/diagnoses/{diagnosis}/clauses/etsi-en-303-645", True),
    ("diagnosis-catalogues", "/diagnoses/{diagnosis}/clauses", True),
    ("diagnosis-clause", "/diagnoses/{diagnosis}/clauses/etsi-en-303-645/5.1-1", True),
    ("diagnosis-sign", "/diagnoses/{diagnosis}/sign", True),
    ("diagnosis-discard", "/diagnoses/{diagnosis}/discard", True),
    ("operation-of", "/operation/{product}", True),
    ("operation-overrule", "/operation/{product}/overrule", True),
    ("threats", "/products/{product}/threats", True),
    ("trace", "/products/{product}/trace", True),
    ("impact", "/products/{product}/impact", True),
    ("impact-safety", "/products/{product}/impact/safety", True),
    ("impact-privacy", "/products/{product}/impact/privacy", True),
    ("impact-step", "/products/{product}/impact/privacy/step/data", True),
    ("impact-step-level", "/products/{product}/impact/safety/step/driven", True),
    ("impact-step-criteria", "/products/{product}/impact/privacy/step/threshold", True),
    ("impact-history", "/products/{product}/impact/privacy/history", True),
]
# The server answers these with something else than 200, and the browser notes that.
NOT_OK = {"not-found", "public-mistyped", "public-unknown"}


def address(path, language, **names):
    """A page's path with its names filled in, in a language."""
    path = path.format(**names)
    return f"{path}{'&' if '?' in path else '?'}lang={language}"


def examine(pages, languages, themes, visitor, case, **names):
    """axe and the browser's own log on every page: one case each."""
    for language in languages:
        for theme in themes:
            for name, path, signed in pages:
                with case(f"axe and policy: {name}, {language}, {theme}"):
                    browser = visitor(signed)
                    browser.prefer(theme)
                    browser.complaints()
                    browser.open(address(path, language, **names))
                    if name in NOT_OK:
                        browser.complaints()
                    browser.spotless(name)
