# Words of values that appear on many pages.

words-no-phase = not begun
words-and = { ", " }
words-member-only = participant
words-expired = expired
words-ends-soon = ends soon
words-valid = valid
words-all = all

weight-note = note
weight-suspect = raises suspicion
weight-reject = rejects


registered-as-maker = maker
registered-as-recycler = recycler
registered-as-authority = authority
registered-as-platform = platform

device-kind-chip = chip
device-kind-module = module
device-kind-board = board
device-kind-device = device

root-of-trust-tpm = TPM 2.0
root-of-trust-secure-element = secure element
root-of-trust-dice = DICE
root-of-trust-puf = PUF
root-of-trust-software = software key

certificate-status-good = good
certificate-status-suspended = suspended
certificate-status-revoked = revoked

profile-root = root CA
profile-issuing-ca = issuing CA
profile-chip = chip identity
profile-idevid = maker's identity (IDevID)
profile-ldevid = owner's identity (LDevID)
profile-service = server or application
profile-organisation-signer = signer of events
profile-software-signer = signer of software
profile-operator = person or station
profile-ocsp-signer = OCSP responder
profile-message-recipient = key for messages
