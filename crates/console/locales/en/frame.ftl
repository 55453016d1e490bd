# What stands around every page, and what components say.

frame-brand = Tegata
frame-skip = Skip to content
frame-navigation = Console
frame-menu = Menu
frame-theme = Theme
frame-theme-system = Like the system
frame-theme-light = Light
frame-theme-dark = Dark
frame-signed-in-as = Signed in as <strong>{ $name }</strong>
frame-sign-out = Sign out
frame-footer = Device identities, from factory to recycling
frame-onward = Go on
frame-time-never = no end
frame-time-now = just now

ago-minutes = { $count ->
    [one] { $count } minute ago
   *[other] { $count } minutes ago
}
ago-hours = { $count ->
    [one] { $count } hour ago
   *[other] { $count } hours ago
}
ago-days = { $count ->
    [one] { $count } day ago
   *[other] { $count } days ago
}
ago-months = { $count ->
    [one] { $count } month ago
   *[other] { $count } months ago
}
ago-years = { $count ->
    [one] { $count } year ago
   *[other] { $count } years ago
}
ahead-minutes = { $count ->
    [one] in { $count } minute
   *[other] in { $count } minutes
}
ahead-hours = { $count ->
    [one] in { $count } hour
   *[other] in { $count } hours
}
ahead-days = { $count ->
    [one] in { $count } day
   *[other] in { $count } days
}
ahead-months = { $count ->
    [one] in { $count } month
   *[other] in { $count } months
}
ahead-years = { $count ->
    [one] in { $count } year
   *[other] in { $count } years
}

nav-group-fleet = Devices
nav-group-trust = Trust
nav-group-who = Who
nav-overview = Overview
nav-devices = Devices
nav-jobs = Jobs
nav-people = People
nav-approvals = Approvals
nav-products = Product lines
nav-authorities = CAs and keys
nav-log = Log
nav-audit = Audit log
nav-organisations = Organisations
nav-group-help = Help
nav-guide = First steps
nav-account = Account

ui-command = Commands
ui-copy = Copy
ui-copy-this = Copy { $what }
ui-copied = Copied
ui-confirm = Confirm
ui-cancel = Cancel
ui-will-happen = This will happen:
ui-pages = Pages of the list
ui-first-page = First page
ui-next-page = Next page
ui-previous-page = Previous page
ui-optional = (optional)
ui-chart-data = Data

error-code = Code:
error-home = To the start page
error-title-bad-request = This request cannot be read
error-title-forbidden = You may not do this
error-title-not-found = Nothing is here
error-title-conflict = This is not possible now
error-title-too-many = Too many requests
error-title-unavailable = Not available at the moment
error-title-internal = Something went wrong on our side
error-hint-bad-request = Go back, load the page again and repeat.
error-hint-forbidden = Ask an administrator of your organisation for the role that this needs.
error-hint-not-found = It does not exist, or it belongs to another organisation. Look for it from the start page.
error-hint-conflict = Load the page again and look at the present state before you repeat it.
error-hint-too-many = Wait a few seconds, then load the page again.
error-hint-unavailable = Nothing is lost. Load the page again in a few seconds and look at the present state before you repeat a change.
error-hint-internal = It was recorded. Load the page again; if it stays, tell whoever runs this installation when it happened.

notice-preferences-saved = Saved.
notice-signed-out = You are signed out.
notice-share-set = The device is shared.
notice-share-ended = The share has ended.
notice-act-done = Done. It is in the life of the device.
notice-view-saved = The search is saved.
notice-view-deleted = The saved search is deleted.
notice-job-started = The job is started.
notice-job-cancelled = The job is cancelled. What was done before stays done.
notice-nothing-selected = Select at least one device first.
notice-approval-requested = The act needs a second person. Your request waits for another administrator.
notice-roles-changed = The roles are changed.
notice-person-removed = The person is removed.
notice-approved = Approved.
notice-rejected = Rejected.
notice-withdrawn = The request is taken back.
notice-organisation-created = The organisation is created. Invite its first administrator now.
notice-organisation-suspended = The organisation is suspended.
notice-organisation-resumed = The organisation works again.
notice-organisation-renamed = The name was changed.
notice-authority-confirmed = The organisation is an authority from now on.
notice-product-created = The product line is created. Enter what buyers see, then request its CA.
notice-product-changed = Published. Buyers see it within a minute.
notice-nothing-changed = Nothing was different, so nothing was changed.
notice-ca-requested = The CA is requested. It waits for the ceremony.
notice-ca-installed = The certificate is here: the CA issues from now on.
notice-ca-retired = The CA is retired. It certifies nothing more.

nav-group-software = Software
nav-releases = Releases
nav-campaigns = Campaigns
nav-vulnerabilities = Vulnerabilities
nav-cases = Duty to report
notice-release-published = The release is published. Sign the targets of the image repository next.
notice-release-withdrawn = The release is withdrawn. Sign the targets of the image repository next.
notice-release-discarded = The draft is discarded.
notice-campaign-proposed = The campaign is proposed. Nobody gets anything until it is started.
notice-campaign-start = The campaign is started.
notice-campaign-pause = The campaign is paused. Devices that have begun go on.
notice-campaign-resume = The campaign goes on.
notice-campaign-roll-back = The devices go back to the release before.
notice-campaign-cancel = The campaign is cancelled.
notice-impact-saved = The answers are saved.
notice-impact-concluded = The assessment is concluded.
notice-threat-model-kept = The threat model is kept.
notice-threat-decided = The decision is on record.
notice-statement-made = The statement is on record. What it concerns is judged anew.
notice-statement-withdrawn = The statement is withdrawn. What it silenced stands again.
notice-case-opened = The case is open. Its clocks run.
notice-case-changed = Saved. It is in the case's record.
nav-group-assessment = Assessment
nav-diagnoses = Diagnoses
nav-operation = Operation
nav-policies = Policies
nav-schemas = Schemas
nav-traffic = Doors
notice-diagnosis-opened = The diagnosis is open. Answer its items; several people can do it at a time.
notice-diagnosis-signed = The diagnosis is signed.
notice-diagnosis-discarded = The diagnosis is discarded.
notice-sheet-adopted = The diagnosis goes on against the check sheet of now.
notice-answer-saved = Saved. What stood there before is in the history.
notice-answers-imported = The changes of the file are applied.
notice-evidence-added = The evidence is added.
notice-evidence-removed = The evidence is removed; it stays in the history.
notice-evidence-collected = The platform was looked at just now.
notice-operation-entered = The product line is in operation.
notice-operation-left = The product line is out of operation.
notice-operation-overruled = The product line is in operation by exception.
notice-operation-policy-set = What is asked for before operation is saved.
