# はじめに（コマンドは docs/quickstart.md から取り込む）

guide-title = はじめに
guide-lead = 空の状態から最初の機器の登録まで、約10分です。空のフォルダーで、一つのターミナルから順に実行してください。

guide-title-shell = 接続先を決める
guide-text-shell = コマンドラインは、サーバーのアドレスと信頼するルートをこの変数から読み取ります。
guide-title-install = システムを作り、起動する
guide-text-install = ルート鍵を生成し、専用のパスフレーズで封印します。終わったら root フォルダーをオフラインに移してください。最初の起動時にリンクが表示されます。開いてパスキーを作成すると、このコンソールに入れます。
guide-title-join = 組織を登録する
guide-text-join = プラットフォームの管理者として、機器メーカーとその担当者を登録します。担当者の鍵はここで生成され、外には出ません。
guide-title-maker = 製造ラインを準備する
guide-text-maker = メーカーとして、日々の作業に使うステーション、ライフイベントに署名する鍵、製品、ルートが認証する専用の認証局を用意します。
guide-title-device = 最初の機器を登録する
guide-text-device = 機器を登録して履歴を開始し、その機器だけに使えるワンタイムコードを発行して、EST で証明書を受け取ります。ここではコマンドラインが機器の役をします。
guide-title-verify = 真正かどうかを確かめる
guide-text-verify = 機器は、その場で作られたチャレンジに応答して、鍵を持っていることを証明します。
guide-title-passport = パスポートを持ち出す
guide-text-passport = 誰でもオフラインで検証できる一つのファイルと、信頼する対象を書いたファイルです。
guide-title-console = コンソールで確認する
guide-text-console = 組織の一員としてコンソールにサインインすると、一覧に機器が現れ、パスポートと履歴を確認できます。
