//! What problems of diagnoses say in Japanese, by their code.

/// The text of a code.
pub(crate) fn of(code: &str) -> Option<&'static str> {
    Some(match code {
        "answer" => {
            "この回答は受け付けられません。対象外には理由が必要です。証跡の日付と、製品にない機能との矛盾も確認してください"
        }
        "diagnosis-changed" => {
            "表示した後に内容が変更されています。最新の内容を確認してやり直してください"
        }
        "diagnosis-file" => "診断ファイルとして読み取れません。形式と内容を確認してください",
        "diagnosis-signed" => {
            "この診断は署名済みのため変更できません。新しい診断を開始してください"
        }
        "diagnosis-unsigned" => "この診断はまだ署名されていません。先に署名してください",
        "needs-second-person" => "この操作には二人目の承認が必要です",
        "no-earlier-diagnosis" => {
            "この製品には、以前に署名された診断がありません。比較する診断を指定してください"
        }
        "other-diagnosis" => {
            "ファイルの製品または対象バージョンが、この診断と異なります。書き出したファイルから始めてください"
        }
        "sheet-changed" => {
            "診断の開始後にチェックシートが更新されています。先に新しいチェックシートを適用してください"
        }
        "subject" => "対象のバージョンを1〜100文字で指定してください",
        "too-many-diagnoses" => "進行中の診断が上限に達しています。署名するか破棄してください",
        "topic" => "チェックシートの項目、カタログの条項、機能のいずれかを指定してください",
        _ => return None,
    })
}
