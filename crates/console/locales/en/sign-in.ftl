sign-in-title = Sign in
sign-in-lead = Sign in with the passkey of your computer, phone or security key.
sign-in-button = Sign in with a passkey
sign-in-no-script = Signing in with a passkey needs JavaScript. Switch it on for this site, sign in, and switch it off again if you like: everything else works without it.
