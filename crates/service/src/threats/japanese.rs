//! What problems of threat models say in Japanese, by their code.

/// The text of a code.
pub(crate) fn of(code: &str) -> Option<&'static str> {
    Some(match code {
        "threat-model" => "脅威モデルとして読み取れません。形式と内容を確認してください",
        "threat-model-changed" => {
            "表示した後にモデルが変更されています。最新の内容を確認してやり直してください"
        }
        "threat-model-large" => {
            "このモデルから生じる脅威が多すぎます。製品を分けてモデル化してください"
        }
        "impact-answer" => "この回答は受け付けられません。選択肢と文字数を確認してください",
        "impact-changed" => {
            "表示した後に回答が変更されています。最新の内容を確認してやり直してください"
        }
        "impact-open" => {
            "未回答の質問、または脅威モデルと矛盾する回答があるため、評価を完了できません"
        }
        "threat-note" => "変更の説明は1行200文字までで入力してください",
        "threat-decision" => {
            "この決定は受け付けられません。理由(1行500文字まで)、期限、対策を確認してください"
        }
        "threat-decided" => {
            "表示した後に別の決定が行われています。最新の内容を確認してやり直してください"
        }
        "too-many-decisions" => "決定できる脅威の数が上限に達しています",
        _ => return None,
    })
}
