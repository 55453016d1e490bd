//! What problems say in Japanese, by their code: the same code is always the same trouble. Where a
//! use case knows more, it says so itself ([`crate::ServiceError`]).

/// The text of a code; `None` for what nobody is shown: failures of ours, and of the machine when a
/// service starts.
pub(crate) fn of(code: &str) -> Option<&'static str> {
    Some(match code {
        "act" => {
            "この一括操作は実行できません。操作の種類と、コードの有効期間(60秒〜30日)を確認してください"
        }
        "approval" | "ceremony" | "passkey" | "random" => {
            "いま処理できませんでした。何も変更されていません。1分ほど待ってからやり直してください"
        }
        "approval-damaged" => "この承認依頼は読み取れません。依頼し直してください",
        "approval-decided" => "この依頼はすでに判断されています。最新の状態を確認してください",
        "approval-expired" => "この依頼は期限切れです。依頼した人が、もう一度依頼できます",
        "approval-used" => "この承認は使用済みか期限切れです。依頼の状態を確認してください",
        "batch-undone" | "intent-gone" => "処理が取り消されました。もう一度実行してください",
        "ca-certified" => "この認証局には証明書が登録済みです。申請は完了しています",
        "ca-exists" => {
            "この認証局はすでに申請されています。証明書を登録するか、使用を終了してください"
        }
        "ca-kind" => {
            "発行対象と組織・製品ラインの組み合わせが正しくありません。機器用は製品ライン、所有者用は組織、\
             プラットフォーム用はプラットフォームを指定してください"
        }
        "ca-request" => "証明書要求として読み取れません。もう一度ダウンロードしてください",
        "key-rotating" => {
            "プラットフォームの鍵を交換中です。少し待ってからもう一度実行してください"
        }
        "no-owner-ca" => {
            "所有者には機器用の認証局がまだありません。認証局を申請し、署名を受けてください"
        }
        "operational-identity" => {
            "機器は現在の所有者の証明書を提示する必要があります。その所有者のもとで登録してください"
        }
        "ca-retired" => "この認証局は使用を終了しており、発行できません",
        "ca-untrusted" => {
            "信頼されたルート認証局が発行した認証局証明書ではありません。ルート証明書の登録と、\
             ファイルの内容を確認してください"
        }
        "certificate-expired" => {
            "クライアント証明書が有効期間外です。証明書の更新と、端末の時計を確認してください"
        }
        "certificate-not-suspended" => "この証明書は一時停止されていません",
        "certificate-refused" => "証明書を作成できません。名称や有効期間を確認してください",
        "certificate-revoked" => "この証明書は失効しています",
        "certificate-suspended" => "この証明書は一時停止中です。先に解除するか失効させてください",
        "certificate-unknown" => {
            "このクライアント証明書は登録されていません。このシステムが発行した証明書を使ってください"
        }
        "channel-binding" => {
            "証明書要求が、この接続と結び付いていません。接続し直してやり直してください"
        }
        "code" => "登録コードがこの機器には使えません。コードと機器を確認してください",
        "code-refused" => "登録コードを発行できません。有効期間と対象の機器を確認してください",
        "code-used" => "この登録コードは使用済みか取り消し済みです。新しいコードを発行してください",
        "crl-malformed" => "失効リストとして読み取れません。ファイルを確認してください",
        "crl-refused" => "失効リストを受け付けられません。番号と日時が新しいものか確認してください",
        "crl-untrusted" => {
            "この失効リストは、登録されたルート認証局の署名ではありません。先にルート証明書を登録してください"
        }
        "csr" | "csr-malformed" => "証明書要求に誤りがあります。作り直してください",
        "days" => "日数は1〜3650の範囲で指定してください",
        "device-exists" => "この識別子またはシリアル番号の機器は登録済みです",
        "device-suspended" => "機器が一時停止中です。先に機器の一時停止を解除してください",
        "disk-full" => {
            "ディスクに空きがなく、記録できませんでした。空き容量を確保してやり直してください"
        }
        "enrolment-refused" => "この機器は登録できません。機器の状態と証明書要求を確認してください",
        "event-malformed" => "イベントとして読み取れません。形式を確認してください",
        "event-signature" => "イベントの署名が正しくありません",
        "firmware" => "ファームウェアのバージョンは、前後に空白のない1〜64文字で入力してください",
        "handle" => {
            "アカウント名は英小文字で始まる1〜32文字で、a-z 0-9 . - _ が使えます。機器IDの形は使えません"
        }
        "history-long" => {
            "履歴が長いため、試験の記録は追加できません。必要な記録のための余裕を残しています"
        }
        "job-over" => "この一括処理はすでに終了しています",
        "key-destroyed" => "この鍵は破棄済みです。新しい認証局を申請してください",
        "key-generation" => "鍵を生成できませんでした。アルゴリズムを確認してやり直してください",
        "key-in-use" => "この公開鍵には証明書が発行済みです。新しい鍵を作成してください",
        "key-rotated" => "ちょうど署名鍵が交換されました。もう一度実行してください",
        "label" => {
            "セキュリティラベルは8件までです。「その他の制度」では、レベルの欄に制度の名称を入力してください。\
             各項目は1〜64文字です"
        }
        "ldevid-validity" => "所有者の証明書の有効期間は2秒以上にしてください",
        "locked" => "鍵を開けません。パスフレーズまたは鍵ファイルを確認してください",
        "log-behind" | "log-unavailable" | "tiles" => {
            "ログの処理が追いついていません。数秒待ってからやり直してください"
        }
        "log-request" => "ログへの問い合わせが正しくありません。範囲を確認してください",
        "member-removed" => "このメンバーはすでに削除されています",
        "name" => {
            "名称は、前後に空白のない1〜64文字(購入者向けの名称は100文字まで)にしてください。\
             制御文字や表示方向を変える文字は使えません"
        }
        "no-ca" => "発行に使う認証局がまだありません。製造者または所有者が申請してください",
        "no-console" => {
            "コンソールのアドレスが設定されていません。アドレスを指定してサーバーを起動してください"
        }
        "no-label" => "製造設備は、製品ラインのラベルを指定して登録してください",
        "no-person" => "この操作は、パスキーでサインインした人だけが行えます",
        "no-platform-ca" => {
            "プラットフォームの認証局がまだ使えません。申請し、キーセレモニーで証明書を発行してください"
        }
        "no-product" => "製品ラインが登録されていません。先に製品ラインを作成してください",
        "no-role" => "ロールを1つ以上選んでください",
        "no-serial-number" => "証明書要求のサブジェクトに、機器のシリアル番号がありません",
        "not-a-chip" => "チップ用の証明書はチップだけに発行できます",
        "not-a-maker" => "製品ラインを作成できるのは、製造者として登録された組織だけです",
        "not-as-registered" => "イベントの種類または製品ラインが、登録時の内容と異なります",
        "not-begun" => "この機器の履歴はまだ始まっていません。最初に製造者が製造を報告します",
        "not-chosen" => "この操作に承認が必要かどうかは変更できません",
        "not-first-administrator" => {
            "プラットフォームが招待・追加できるのは最初の管理者だけです。以後は組織の管理者が行ってください"
        }
        "not-found" => "見つからないか、閲覧する権限がありません。識別子を確認してください",
        "not-registered" => "復旧できるのは登録済みの人だけです。まだの場合は招待し直してください",
        "not-vouched" => {
            "この機器はまだ所有者に確認されていません。所有者が導入(オンボーディング)を報告してください"
        }
        "not-yours-to-erase" => "自組織の所有になる前に、他組織が報告した内容は消去できません",
        "nothing-proposed" => "この組織は、当局としての確認待ちではありません",
        "nothing-to-change" => "変更する項目がありません",
        "nothing-to-erase" => "消去できる内容がありません",
        "organisation-exists" => "この識別子の組織はすでにあります。別の識別子を入力してください",
        "other-key" => "証明書要求の鍵が、製造時に登録された鍵と異なります",
        "other-product" => "この機器は別の製品ラインのものです",
        "other-reporter" => "このイベントは別の組織の名義になっています",
        "own-account" => "サインイン中です。自分のアカウントのページからパスキーを追加してください",
        "owner-changed" => "処理中に所有者が変わりました。新しい所有者が登録を許可してください",
        "page" => "一覧の位置が正しくありません。最初のページから表示し直してください",
        "search" => "検索条件のバージョンが多すぎます。分けて検索してください",
        "part-duplicated" => "このチップは複数の機器に記録されています。先に原因を解消してください",
        "passkey-known" => "このパスキーは登録済みです。サインインに使ってください",
        "passkey-response" => {
            "パスキーの応答を読み取れません。ページを再読み込みしてやり直してください"
        }
        "person-changed" => "アカウントの状態が変わりました。確認してからやり直してください",
        "person-removed" => "この利用者はすでに削除されています",
        "platform-role" => "プラットフォームの役割は、プラットフォーム自身の組織だけのものです",
        "platform-signer" => {
            "プラットフォーム名義のイベントは、プラットフォームの鍵だけが署名します"
        }
        "product-exists" => "この識別子の製品ラインはすでにあります。別の識別子を入力してください",
        "raw-key-ambiguous" => {
            "この公開鍵の証明書が複数の対象に発行されているため、特定できません。証明書を提示し、鍵を別々にしてください"
        }
        "raw-key-former" => {
            "この機器には、その後、別の鍵の証明書が発行されています。最新の証明書の鍵を使ってください"
        }
        "raw-key-unknown" => {
            "この公開鍵の証明書を持つ機器は登録されていません。機器を登録するか、証明書を提示してください"
        }
        "reason" => "この理由は使えません。別の理由を選ぶか、1行200文字以内で入力してください",
        "registered" => {
            "この人は登録済みです。パスキーをすべて失った場合は、アクセスの復旧を依頼してください"
        }
        "requester-gone" => "依頼した人は、すでにこの組織のメンバーではありません",
        "role" => "この操作に必要なロールがありません。組織の管理者に依頼してください",
        "root-refused" => {
            "ルート証明書として登録できません。有効期間内の自己署名の認証局証明書が必要です"
        }
        "second-person" => {
            "当局の確認は、登録した人とは別の、登録時にすでに管理者だったプラットフォームの管理者が行ってください"
        }
        "selection" => "機器が選択されていません",
        "selection-too-large" => {
            "一度に処理できるのは、選択した機器は10,000台、検索結果は100,000台までです。対象を絞ってください"
        }
        "serial-number" => "シリアル番号は1〜64文字で、英数字と -./+=?()',: が使えます",
        "signer-exists" => {
            "この鍵は別の組織で登録済みか、使用を終了しています。新しい鍵を作成してください"
        }
        "signer-key" | "signer-proof" => {
            "署名鍵として登録できません。鍵と、所持の証明を確認してください"
        }
        "signer-unknown" => {
            "イベントが、報告する組織の有効な署名鍵で署名されていません。鍵を登録してください"
        }
        "signing-failed" => "署名できませんでした。しばらく待ってからやり直してください",
        "starter-gone" => "この一括処理を始めた人の権限がなくなりました",
        "stopped" => "サービスを停止しています。処理されたかどうかは、後で状態を確認してください",
        "oscal-model" => {
            "OSCALの出力は assessment-results、plan-of-action-and-milestones、component-definition のいずれか、\
             またはカタログを一つ指定した profile です"
        }
        "report-font" => {
            "PDFに使う日本語フォントがサーバーにありません。管理者に、フォント(Debianでは fonts-noto-cjk)の追加を依頼するか、HTMLの報告書を使ってください"
        }
        "stream-authorization" => {
            "Authorizationヘッダーの値が正しくありません。httpsの宛先にだけ、4096バイト以内のASCII文字で指定してください"
        }
        "stream-exists" => "同じ名前の送信先があります。別の名前にするか、先に終了してください",
        "stream-name" => {
            "送信先の名前は、英小文字で始まる英小文字・数字・ハイフン(32文字以内)にしてください"
        }
        "stream-roots" => "受信側の認証局証明書を、PEM形式で16枚まで指定してください",
        "stream-target" => {
            "送信先は syslog-tls://ホスト:ポート、https://ホスト/パス、file のいずれかで指定してください"
        }
        "too-many-streams" => "送信先は16件までです。使わないものを先に終了してください",
        "store-busy" => "混み合っています。数秒待ってからやり直してください",
        "store-conflict" => {
            "同じ名称または番号のものがすでにあります。確認してからやり直してください"
        }
        "text" => "検索する文字は200文字以内にしてください。制御文字は使えません",
        "token" | "token-refused" => "トークンを使えません。発行し直してください",
        "too-many" | "too-many-devices" => "一度に扱える台数を超えています。分けて実行してください",
        "too-many-challenges" => "確認の要求が多すぎます。1分ほど待ってからやり直してください",
        "too-many-events" => "一度に扱えるイベントの数を超えています。分けて実行してください",
        "too-many-jobs" => {
            "未完了の一括処理が10件あります。完了を待つか、いずれかを中止してください"
        }
        "too-many-lookups" => {
            "このネットワークからの照会が多すぎます。少し待ってからやり直してください"
        }
        "too-many-passkeys" => "パスキーの登録数が上限です。使っていないものを削除してください",
        "too-many-requests-waiting" => "承認待ちの依頼が多すぎます。不要な依頼を取り下げてください",
        "too-many-searches" => "検索が混み合っています。少し待ってからやり直してください",
        "too-many-views" => "保存できる検索条件は50件までです。不要なものを削除してください",
        "too-much-at-once" => "承認する人が確認できる量を超えています。分けて依頼してください",
        "unauthenticated" => "サインインが必要です",
        "url" => {
            "リンクは「https://」で始まるホスト名付きのアドレスにしてください。空白や日本語の文字、\
             ユーザー名は使えません(500文字以内)"
        }
        "view-name" => "検索条件の名称は1〜80文字にしてください。制御文字は使えません",
        "view-query" => "検索条件が長すぎます。条件を減らしてください",
        "witness-key" => "ウィットネスの検証鍵として読み取れません",
        "witnesses-missing" => {
            "ウィットネスの連署が必要数に達していません。ウィットネスの状態を確認してやり直してください"
        }
        code => {
            return crate::updates::japanese(code)
                .or_else(|| crate::vulnerabilities::japanese(code))
                .or_else(|| crate::diagnoses::japanese(code))
                .or_else(|| crate::threats::japanese(code));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    /// Codes of failures that only the machine's operator meets, on its terminal.
    const OPERATORS: &[&str] = &[
        "advisories-folder",
        "console-url",
        "data-directory",
        "in-use",
        "no-store",
        "people-config",
        "places",
        "root-exists",
        "store-exists",
        "store-unfinished",
    ];

    fn codes(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                codes(&path, found);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap();
            for kind in ["malformed", "refused", "conflict", "forbidden", "too_many", "unavailable"]
            {
                for call in source.split(&format!("::{kind}(")).skip(1) {
                    // A code in a variable is somebody else's, and has its own text; so have those
                    // that are said in Japanese where they are raised.
                    let Some(rest) = call.trim_start().strip_prefix('"') else { continue };
                    if call.split("ServiceError").next().unwrap().contains(".in_japanese(") {
                        continue;
                    }
                    found.push(rest.split('"').next().unwrap().to_owned());
                }
            }
        }
    }

    #[test]
    fn every_problem_that_people_meet_is_said_in_japanese() {
        let mut found = Vec::new();
        codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.len() > 150, "{}", found.len());
        let mut missing = std::collections::BTreeSet::new();
        for code in found {
            if of(&code).is_none() && !OPERATORS.contains(&code.as_str()) {
                missing.insert(code.clone());
            }
            if let Some(text) = of(&code) {
                assert!(!text.is_ascii() && !text.ends_with('。'), "{code}: {text}");
            }
        }
        assert!(missing.is_empty(), "no text in Japanese: {missing:?}");
    }
}
