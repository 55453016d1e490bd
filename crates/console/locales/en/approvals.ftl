approvals-title = Approvals
approvals-lead = Sensitive acts that wait for a second administrator.
approvals-open = Open
approvals-all = All
approvals-policy = Policy
approvals-what = What
approvals-act = Act
approvals-state = State
approvals-requester = Asked by
approvals-asked = Asked
approvals-expires = Expires
approvals-decided = Decided
approvals-outcome = What stood in the way
approvals-where = Where you are
approvals-one = Request for a second person
approvals-empty = Nothing waits for approval
approvals-empty-hint = When somebody starts an act that needs a second person, it appears here.
approvals-arguments = Exactly what is asked for
approvals-devices = { $count ->
    [one] One device
   *[other] { $count } devices
 }
approvals-devices-first = These are the first 50. The file has them all.
approvals-devices-file = The whole list as a file (CSV)
approvals-device-number = Management number
approvals-device-serial = Serial number
approvals-device-id = Device
approvals-approve = Approve
approvals-reject = Reject
approvals-withdraw = Take it back
approvals-own = Another administrator has to decide. You cannot approve your own request; the same page shows the decision to you.
approvals-goes-on = It is approved. Whoever asked repeats the act now, and gets the link or file.
approvals-policy-title = Acts that need a second person
approvals-policy-lead = Each organisation chooses. Whoever changes this needs a second person where any act does.
approvals-needed = second person needed
approvals-not-needed = one person is enough
approvals-default = as it comes
approvals-change = Change
approvals-want = Want a second person
approvals-want-none = One person is enough

approval-state-waiting = waiting
approval-state-approved = approved
approval-state-done = done
approval-state-failed = failed
approval-state-rejected = rejected
approval-state-withdrawn = taken back
approval-state-expired = expired

approvals-reason = Reason

approvals-yours-goes-on = Another administrator approved this. Go on with it: nothing has to be selected or typed again.
approvals-continue = Go on
approvals-continue-title = Go on with what was approved
approvals-continue-devices = { $count ->
    [one] { $count } device was approved; it alone is done.
   *[other] { $count } devices were approved; these alone are done.
}
approvals-continue-once = The approval is used up by this.
approvals-continue-changed = Something has changed since the approval: some of these devices do not qualify any more. They are refused one by one; the others are done.
approvals-continue-refused = Do not qualify any more
approvals-continue-more = The first 50. The job’s result has all of them.
