threats-title = Threats
threats-of = Threats to { $product }
threats-empty = No threat model yet
threats-empty-hint = A model says what the product consists of, what flows, and what is worth protecting. Rules propose threats from it.
threats-begin = Begin a model
threats-edit = Change the model
threats-edit-of = Threat model of { $product }
threats-edit-lead = The model is a text (YAML). Look at what a change does before you keep it.
threats-too-long = This model is too long for the page. Change it with the command line: tegata threat put.
threats-text = Model
threats-note = What the change is about
threats-preview = Show what changes
threats-keep = Keep
threats-shown = What this change does
threats-same = { $count ->
    [one] One threat stands as before.
   *[other] { $count } threats stand as before.
}
threats-assumptions = { $count ->
    [one] One thing is not said, so the worst is assumed.
   *[other] { $count } things are not said, so the worst is assumed.
}
threats-ignored = { $count ->
    [one] One decision in the file does not count: people decide here, under their own name.
   *[other] { $count } decisions in the file do not count: people decide here, under their own name.
}
threats-appear = Threats that appear
threats-vanish = Threats that vanish
threats-move = Threats that stand otherwise
threats-without = Decisions that find no threat any more; they count again when it comes back
threats-version = version { $version } by { $by },
threats-version-head = Version
threats-model-version = Model version { $version }
threats-history = History
threats-history-of = Versions of the threat model of { $product }
threats-when = When
threats-who = Who
threats-drawn = The model drawn
threats-drawn-hint = Zones from the least to the most trusted; each part with its worst open risk; dashed flows are not encrypted. The list below says the same in words.
threats-trees = Attack trees:
threats-matrix = Residual risk
threats-likelihood-impact = Likelihood ↓, impact →
threats-states = Treatment
threats-list = All threats
threats-none = No threat fits this choice.
threats-one = Threat
threats-id = Id
threats-subject = What is threatened
threats-kind = Kind
threats-rule = Rule
threats-actors = Who may do it
threats-risk = Risk
threats-inherent = Without measures
threats-residual = Now
threats-target = Target
threats-state = Treatment of a threat
threats-against = What silences it
threats-found-by-people = People found this threat; no rule says what silences it.
threats-in-place = in place
threats-planned = planned
threats-missing = missing
threats-tree = Attack tree
threats-left-out = { $count ->
    [one] One more is not drawn.
   *[other] { $count } more are not drawn.
}
threats-gone = The model has no such threat any more. What was decided stays, and counts again when it comes back.
threats-decide = Decide
threats-decide-on = Decide: { $threat }
threats-decide-lead = The decision is kept under your name beside the model. It survives changes of the model, and ends by itself.
threats-decide-do = Decide
threats-decision = Decision
threats-decisions = What was decided
threats-taken-back = taken back
threats-take-back = Take the decision back
threats-reason = Reason
threats-until = Until
threats-until-hint = At most a year. Who accepts or transfers a threat says until when.
threats-until-day = until { $day }
threats-measures = Measures
threats-measures-hint = With "treat by measures": those that are decided.
threats-as-rule = as the rule says
threats-likelihood = Likelihood
threats-impact = Impact
threats-impact-hint = It never falls below the rating for safety.
threats-choose = Choose one of these.
threats-no-day = Type a day, such as 2027-01-31.
threats-trace = Trace to verdicts
threats-trace-of = From threats to verdicts: { $product }
threats-trace-lead = What the model says is shown only by checks that are met today. What has no next link stands below.
threats-diagnosis-of = checks answered for { $subject }
threats-no-diagnosis = no diagnosis yet: nothing is shown
threats-verdict = Verdict
threats-requirements = Requirements
threats-control = Control
threats-check = Checks and evidence
threats-gaps = Missing links: { $count }
threats-no-gaps = Every link is there.
threats-more-gaps = { $count } more; the command line lists all: tegata threat trace --gaps.
threats-way = The way to the verdict
threats-in-words = The same in words
