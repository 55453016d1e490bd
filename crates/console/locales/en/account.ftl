# The visitor's own account.

account-title = Your account
account-passkeys = Passkeys
account-passkeys-lead = With any of these you sign in. Keep at least two, on different devices.
account-passkey-name = Name
account-passkey-added = Added
account-passkey-used = Last used
account-acts = Acts
account-change = Change
account-add-title = Add a passkey
account-add-lead = On this device, on a phone near you, or on a security key.
account-add-button = Add a passkey
account-sessions = Sessions
account-sessions-lead = Where you are signed in. End what you do not know, and then look through your passkeys.
account-session-browser = Browser
account-session-network = Network
account-session-seen = Last used
account-session-ends = Ends
account-session-current = This one
account-end = End
account-end-others = End all others
account-preferences = Language and looks
account-language = Language
account-theme = Theme
account-zone = Time zone
account-zone-hint = Of times on all pages.
account-save = Save
account-passkey-title = Passkey “{ $name }”
account-rename-title = Rename
account-rename-button = Rename
account-remove-title = Remove this passkey
account-remove-effect-signin = Nobody can sign in with it any more.
account-remove-effect-sessions = Sessions that are open stay open; end them on your account page.
account-remove-effect-device = The device keeps its copy; delete it there, too.
account-remove-button = Remove passkey

ui-breadcrumbs = Where you are

notice-passkey-added = The passkey was added.
notice-passkey-renamed = The passkey was renamed.
notice-passkey-removed = The passkey was removed.
notice-session-ended = The session was ended.
notice-sessions-ended = All other sessions were ended.
