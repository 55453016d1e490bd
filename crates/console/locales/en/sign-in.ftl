# Signing in, showing the passkey again, opening an invitation.

sign-in-title = Sign in
sign-in-lead = With the passkey of your computer, your phone or a security key.
sign-in-button = Sign in with a passkey
sign-in-no-script = A passkey needs JavaScript: switch it on for this site and load the page again. Once you are signed in, everything else works without it.
sign-in-help = No passkey here?
sign-in-help-new = If you are new, open the invitation link that an administrator of your organisation gave you.
sign-in-help-lost = If you lost your passkeys, ask an administrator for a recovery link. A second administrator has to approve it.

passkey-cancelled = It was cancelled, or it took too long. Try again when you are ready.
passkey-failed = It did not work: the connection broke, or this device refused. Try again; if it stays, use another device or browser.
passkey-known = This device has a passkey for your account already. Use another device or a security key.
passkey-unsupported = This browser cannot use passkeys. Open the page in a current browser.

again-title = Show your passkey again
again-lead = This act needs a passkey that was shown within the last minutes. You return to where you were; then repeat it.
again-button = Continue with a passkey
again-back = Back without it

invitation-title = Welcome to Tegata
invitation-recovery-title = Back to your account
invitation-lead-first = You are the first administrator of this installation. Choose your name and make your passkey.
invitation-lead-invited = { $name }, you are invited to work for { $organisation }. Make your passkey to begin.
invitation-lead-recovery = { $name }, make a new passkey to come back to your account at { $organisation }.
invitation-organisation = Organisation
invitation-roles = Roles
invitation-until = Link works until
invitation-handle = Handle
invitation-handle-hint = Short name in the audit log, such as hanako: small letters, digits, dot, hyphen. It cannot be changed later.
invitation-name = Your name
invitation-passkey = Name of this passkey
invitation-passkey-hint = So that you tell your passkeys apart later, such as “Work laptop”.
invitation-passkey-value = First passkey
invitation-button = Make a passkey and begin
invitation-what = A passkey stays on your device and opens with its screen lock. There is no password that could be guessed, stolen or forgotten.

role-administrator = Administrator
role-operator = Operator
role-station = Station
role-auditor = Auditor
role-reader = Reader
