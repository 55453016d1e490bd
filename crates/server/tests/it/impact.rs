//! Impact assessments through the doors.

use crate::world::{World, id, product};
use api::wire::{AnswerImpact, ConcludeImpact, PageQuery};

fn code<T: std::fmt::Debug>(outcome: Result<T, api::ClientError>) -> String {
    outcome.unwrap_err().problem().unwrap().code.clone()
}

fn said(version: u64, answers: &[(&str, Option<&str>)]) -> AnswerImpact {
    let answers = answers
        .iter()
        .map(|(question, answer)| ((*question).to_owned(), answer.map(str::to_owned)))
        .collect();
    AnswerImpact { version, answers }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assessment_from_the_first_answer_to_its_conclusion() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let (rest, of, line) = (world.rest(&maker.admin), id("maker"), product("gate"));
    assert_eq!(code(rest.impact(&of, &line, "taste").await), "not-found");
    let empty = rest.impact(&of, &line, "privacy").await.unwrap();
    assert_eq!(
        (empty.version, empty.model_version, empty.concluded_by.as_deref()),
        (0, None, None)
    );
    assert_eq!(usize::try_from(empty.open).unwrap(), empty.questions.len());
    assert!(empty.duties.iter().all(|one| one.state == "open"));
    let wrong = said(0, &[("personal", Some("perhaps"))]);
    assert_eq!(code(rest.answer_impact(&of, &line, "privacy", &wrong).await), "impact-answer");
    let new =
        said(0, &[("personal", Some("some")), ("regions", Some("eu")), ("cases", Some("public"))]);
    let made = rest.answer_impact(&of, &line, "privacy", &new).await.unwrap();
    assert_eq!(made.version, 1);
    assert_eq!(code(rest.answer_impact(&of, &line, "privacy", &new).await), "impact-changed");
    let found = rest.impact(&of, &line, "privacy").await.unwrap();
    let dpia = found.duties.iter().find(|one| one.id == "gdpr-dpia").unwrap();
    assert_eq!(dpia.state, "applies");
    assert!(!dpia.document.ja.is_ascii());
    assert!(!found.duties.iter().any(|one| one.id == "appi-purpose"), "nobody lives in Japan");
    assert!(found.requirements.iter().any(|one| one == "csa-13-steps:4"));
    let read = ConcludeImpact { version: 1 };
    assert_eq!(code(rest.conclude_impact(&of, &line, "privacy", &read).await), "impact-open");
    let none = said(1, &[("personal", Some("none"))]);
    rest.answer_impact(&of, &line, "privacy", &none).await.unwrap();
    let read = ConcludeImpact { version: 2 };
    let done = rest.conclude_impact(&of, &line, "privacy", &read).await.unwrap();
    assert!(done.concluded_by.is_some() && !done.reopened && done.duties.is_empty());
    let all = rest.impact_history(&of, &line, "privacy", &PageQuery::default()).await.unwrap();
    assert_eq!(all.items.len(), 4);
    assert_eq!(all.items[0].answer.as_deref(), Some("none"));
}
