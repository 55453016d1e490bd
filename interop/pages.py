"""The pages that the browser tests and `cargo xtask screens` visit: one line each.

(name, path, signed in). A page that lands adds its line.
"""

PAGES = [
    ("sign-in", "/sign-in", False),
    ("not-found", "/no-such-page", False),
    ("overview", "/", True),
    ("devices", "/devices", True),
    ("jobs", "/jobs", True),
    ("organisations", "/organisations", True),
    ("products", "/products", True),
    ("authorities", "/authorities", True),
    ("people", "/people", True),
    ("approvals", "/approvals", True),
    ("audit", "/audit", True),
    ("log", "/log", True),
    ("guide", "/guide", True),
    ("glossary", "/glossary", True),
    ("overview", "/", True),
    ("devices", "/devices", True),
    ("devices-none", "/devices?text=no-such-device", True),
    ("jobs", "/jobs", True),
    ("products", "/products", True),
    ("organisation", "/organisations", True),
    ("authorities", "/authorities", True),
    ("people", "/people", True),
    ("approvals", "/approvals", True),
    ("audit", "/audit", True),
    ("log", "/log", True),
    ("people", "/people", True),
    ("people-invite", "/people/invite", True),
    ("approvals", "/approvals", True),
    ("approvals-policy", "/approvals/policy", True),
    ("account", "/account", True),
    ("confirm", "/confirm", True),
]
