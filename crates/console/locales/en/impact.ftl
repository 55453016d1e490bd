impact-title = Impact assessments
impact-of = Impact assessments of { $product }
impact-lead = What harm the product can do to people, and to their privacy: asked step by step, with examples, and with what follows from each answer.
impact-scia = Safety, confidentiality, integrity, availability
impact-scia-hint = Each is the greatest of what the assets of the threat model are rated and of what the forms say. No answer lowers a rating.
impact-no-model = This product has no threat model yet: there is nothing to hold the answers against.
impact-of-five = { $level } of 5
impact-by-asset = Asset: { $asset }
impact-not-rated = Not rated yet
impact-form = Assessment
impact-state = State
impact-answered = Answered
impact-against = To settle
impact-what-safety = What the product can do to people and things when it is driven, stops, or lies.
impact-what-privacy = Which data about people it handles, what laws ask for, whether a data protection impact assessment is due.
impact-what-framework = What the general framework for secure IoT systems (NISC) wants to be settled.
impact-concluded = Concluded
impact-reopened = Changed since it was concluded
impact-not-begun = Not begun
impact-draft = Draft
impact-begin = Begin
impact-go-on = Go on
impact-open = { $count ->
    [one] One question is open. It can be concluded once it is answered.
   *[other] { $count } questions are open. It can be concluded once they are answered.
}
impact-changed = Changed
impact-history = History
impact-history-of = Answers over time – { $form }
impact-no-history = Nobody has answered here yet.
impact-taken-back = Taken back
impact-duties = What is asked for
impact-duties-hint = Told in our own words, compared with the laws by nobody, and no legal advice: show it to somebody who knows the law.
impact-duty = Duty
impact-law = Law
impact-document = What to have in hand
impact-applies = Applies
impact-may-apply = May apply
impact-follows = What follows from the answers
impact-answers = Answers
impact-answer = Answer
impact-from-file = (from the model’s file)
impact-step-done = Complete
impact-step-open = { $done } of { $asked }
impact-threats = Threats behind the questions
impact-no-threats = The model raises none of the threats that these questions are about.
impact-more-threats = { $count ->
    [one] One more is in the list of threats.
   *[other] { $count } more are in the list of threats.
}
impact-question = Question
impact-requirements = Requirements that it comes down to
impact-denied = The answer is “{ $choice }”, and the threat model has: { $what }. Change the answer or the model.
impact-underrated = The form says { $level }, and no asset of the threat model is rated as high. Raise the rating of what causes the harm, so that its threats are ranked by it.
impact-step-of = Step { $step } of { $steps }
impact-nothing-asked = Nothing is asked here, by what was answered before.
impact-open-answer = Not answered yet
impact-example = For example:
impact-rates = The answer rates:
impact-traced = Traced to:
impact-rules = { $count ->
    [one] one rule of threats
   *[other] { $count } rules of threats
}
impact-then = What follows from a choice
impact-save-next = Save and go on
impact-save-last = Save and see the result
impact-save-draft = Save as a draft
impact-back = Back
impact-conclude = Conclude
impact-conclude-of = Conclude: { $form }
impact-conclude-lead = You stand for these answers under your name, and the audit log says so. When an answer or the threat model changes so that it does not hold any more, the assessment is open again.
