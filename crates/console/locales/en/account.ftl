# The account page.
