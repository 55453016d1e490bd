# サインイン、再確認、招待

sign-in-title = サインイン
sign-in-lead = パソコン、スマートフォン、またはセキュリティーキーに保存したパスキーを使います。
sign-in-button = パスキーでサインイン
sign-in-no-script = パスキーには JavaScript が必要です。このサイトで有効にして、ページを再読み込みしてください。サインインした後は、無効のままでもすべての機能を使えます。
sign-in-help = パスキーがない場合
sign-in-help-new = 初めての方は、組織の管理者から受け取った招待リンクを開いてください。
sign-in-help-lost = パスキーをなくした場合は、管理者に復旧リンクを依頼してください。別の管理者の承認も必要です。

passkey-cancelled = キャンセルされたか、時間切れになりました。準備ができたら、もう一度お試しください。
passkey-failed = 処理できませんでした。接続が切れたか、この機器が拒否しました。もう一度試し、続く場合は別の機器かブラウザーを使ってください。
passkey-known = この機器には、このアカウントのパスキーがすでにあります。別の機器かセキュリティーキーを使ってください。
passkey-unsupported = このブラウザーはパスキーに対応していません。最新のブラウザーで開いてください。

again-title = パスキーの再確認
again-lead = この操作には、直前のパスキー確認が必要です。確認すると元のページに戻ります。その後、操作をやり直してください。
again-button = パスキーで確認
again-back = 確認せずに戻る

invitation-title = Tegata へようこそ
invitation-recovery-title = アカウントの復旧
invitation-lead-first = あなたはこのシステムの最初の管理者です。名前を決めて、パスキーを作成してください。
invitation-lead-invited = { $name } さん、{ $organisation } に招待されています。パスキーを作成して開始してください。
invitation-lead-recovery = { $name } さん、新しいパスキーを作成すると、{ $organisation } のアカウントに戻れます。
invitation-organisation = 組織
invitation-roles = ロール
invitation-until = リンクの期限
invitation-handle = ハンドル
invitation-handle-hint = 監査ログに載る短い名前です（例: hanako）。英小文字、数字、ピリオド、ハイフンが使えます。後から変更できません。
invitation-name = 氏名
invitation-passkey = このパスキーの名前
invitation-passkey-hint = 後で見分けるための名前です（例: 会社のノートパソコン）。
invitation-passkey-value = 最初のパスキー
invitation-button = パスキーを作成して開始
invitation-what = パスキーは機器の中に保存され、画面ロックで開きます。推測される、盗まれる、忘れるといったパスワードの心配がありません。

role-administrator = 管理者
role-operator = オペレーター
role-station = 製造ステーション
role-auditor = 監査者
role-reader = 閲覧者
