//! What problems of vulnerabilities say in Japanese, by their code.

/// The text of a code.
pub(crate) fn of(code: &str) -> Option<&'static str> {
    Some(match code {
        "aware" => {
            "認知した日時は、現在より前で、提出済みの報告より前でなければなりません。日時を確認してください"
        }
        "case-closed" => "この案件は終了しています。新しい案件を登録してください",
        "case-open" => "この脆弱性の案件がすでにあります。その案件で対応を続けてください",
        "case-order" => "報告は順に積み重なります。先の報告の提出を先に記録してください",
        "case-submitted" => "この報告は、すでに提出済みとして記録されています",
        "change" => "変更する項目を指定してください",
        "no-fixed-release" => {
            "直したリリースがありません。脆弱性のページで理由を確認し、修正版を公開してください"
        }
        "expires" => "有効期限には、これから先の日時を指定してください",
        "sbom" => "SBOMとして読み取れません。形式と内容を確認してください",
        "sbom-name" => {
            "SBOMの名前が使えません。release/ で始まる名前はリリース用です。リリースに添付してください"
        }
        "submitted" => "提出日時は、認知した日時と現在との間で指定してください",
        "too-many-cases" => "対応中の案件が上限に達しています。完了した案件を終了してください",
        "too-many-documents" => "一度に送れる文書の数を超えています。残りは分けて送信してください",
        "too-many-sboms" => {
            "一つのバージョンに登録できるSBOMの数を超えています。同じ名前で置き換えてください"
        }
        "vex" => "VEX文書として読み取れません。形式と内容を確認してください",
        "vex-component" => {
            "この脆弱性を含む部品が分かりません。部品をpackage URLで指定するか、脆弱性情報を取り込んでください"
        }
        "vex-empty" => "使える記述がありません。脆弱性への判断を記した文書を確認してください",
        "vex-refused" => "この判断は受け付けられません。理由または影響の説明を加えてください",
        "vex-status" => {
            "状態は not_affected、affected、fixed、under_investigation のいずれか、理由はOpenVEXの語で指定してください"
        }
        "vulnerability" => "脆弱性は CVE-2026-12345 のような識別子で指定してください",
        "withdrawn" => "この判断はすでに取り下げられています。操作は必要ありません",
        _ => return None,
    })
}
