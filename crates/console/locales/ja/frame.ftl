# 各ページの共通部分と部品の文言

frame-brand = Tegata
frame-skip = 本文へ移動
frame-navigation = コンソール
frame-menu = メニュー
frame-theme = 配色
frame-theme-system = システムに合わせる
frame-theme-light = ライト
frame-theme-dark = ダーク
frame-signed-in-as = <strong>{ $name }</strong> としてサインイン中
frame-sign-out = サインアウト
frame-footer = 工場からリサイクルまで、機器の身元を証明する
frame-onward = 続ける
frame-time-never = 無期限
frame-time-now = たった今

ago-minutes = { $count }分前
ago-hours = { $count }時間前
ago-days = { $count }日前
ago-months = { $count }か月前
ago-years = { $count }年前
ahead-minutes = { $count }分後
ahead-hours = { $count }時間後
ahead-days = { $count }日後
ahead-months = { $count }か月後
ahead-years = { $count }年後

nav-group-help = ヘルプ
nav-guide = はじめに
nav-account = アカウント

ui-command = コマンド
ui-copy = コピー
ui-copied = コピーしました
ui-confirm = 確定
ui-cancel = 取り消す
ui-will-happen = 実行すると次のようになります。
ui-pages = 一覧のページ
ui-first-page = 最初のページ
ui-next-page = 次のページ
ui-optional = （任意）
ui-chart-data = データ

error-code = コード:
error-home = トップページへ
error-title-bad-request = リクエストを読み取れません
error-title-forbidden = この操作は許可されていません
error-title-not-found = ページが見つかりません
error-title-conflict = 今はこの操作ができません
error-title-too-many = リクエストが多すぎます
error-title-unavailable = 一時的に利用できません
error-title-internal = サーバー側で問題が発生しました
error-hint-bad-request = 前のページに戻り、再読み込みしてからやり直してください。
error-hint-forbidden = 必要なロールを、所属組織の管理者に依頼してください。
error-hint-not-found = 存在しないか、別の組織のものです。トップページから探してください。
error-hint-conflict = ページを再読み込みし、現在の状態を確かめてからやり直してください。
error-hint-too-many = 数秒待ってから再読み込みしてください。
error-hint-unavailable = データは失われていません。数秒後に再読み込みし、変更をやり直す前に現在の状態を確かめてください。
error-hint-internal = 記録されました。再読み込みしても続く場合は、発生した時刻を運用担当者に伝えてください。

notice-preferences-saved = 保存しました。
notice-signed-out = サインアウトしました。
