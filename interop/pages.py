"""The pages that the browser tests and `cargo xtask screens` visit: one line each.

(name, path, signed in). A page that lands adds its line.
"""

PAGES = [
    ("sign-in", "/sign-in", False),
    ("not-found", "/no-such-page", False),
    ("guide", "/guide", True),
    ("glossary", "/glossary", True),
    ("account", "/account", True),
    ("confirm", "/confirm", True),
]
