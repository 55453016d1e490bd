"""The pages that the browser tests and `cargo xtask screens` visit: one line each.

(name, path, signed in). A page that lands adds its line. Names in braces stand for what the visitor
has at hand: the test or the demo fills them in.
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
]
