# 自分のアカウント

account-title = アカウント
account-passkeys = パスキー
account-passkeys-lead = いずれかのパスキーでサインインできます。別々の機器に二つ以上登録しておいてください。
account-passkey-name = 名前
account-passkey-added = 登録日
account-passkey-used = 最終使用
account-acts = 操作
account-change = 変更
account-add-title = パスキーの追加
account-add-lead = この機器、近くのスマートフォン、またはセキュリティーキーに作成します。
account-add-button = パスキーを追加
account-sessions = セッション
account-sessions-lead = サインイン中のブラウザーの一覧です。心当たりのないものは終了し、パスキーも確認してください。
account-session-browser = ブラウザー
account-session-network = ネットワーク
account-session-seen = 最終使用
account-session-ends = 終了予定
account-session-current = このブラウザー
account-end = 終了
account-end-others = ほかをすべて終了
account-preferences = 言語と表示
account-language = 言語
account-theme = 配色
account-zone = タイムゾーン
account-zone-hint = すべてのページの時刻に使います。
account-save = 保存
account-passkey-title = パスキー「{ $name }」
account-rename-title = 名前の変更
account-rename-button = 名前を変更
account-remove-title = このパスキーの削除
account-remove-effect-signin = このパスキーではサインインできなくなります。
account-remove-effect-sessions = 開いているセッションは続きます。アカウントのページで終了してください。
account-remove-effect-device = 機器側のパスキーは残ります。機器からも削除してください。
account-remove-button = パスキーを削除

ui-breadcrumbs = 現在の位置

notice-passkey-added = パスキーを追加しました。
notice-passkey-renamed = パスキーの名前を変更しました。
notice-passkey-removed = パスキーを削除しました。
notice-session-ended = セッションを終了しました。
notice-sessions-ended = ほかのセッションをすべて終了しました。
