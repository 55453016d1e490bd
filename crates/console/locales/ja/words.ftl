# 多くのページに現れる値の言葉。

words-no-phase = 履歴なし
words-and = 、
words-member-only = 一般の参加組織
words-expired = 期限切れ
words-ends-soon = まもなく期限切れ
words-valid = 有効
words-all = すべて

weight-note = 参考
weight-suspect = 疑いあり
weight-reject = 拒否の理由


registered-as-maker = 製造者
registered-as-recycler = リサイクル事業者
registered-as-authority = 当局
registered-as-platform = プラットフォーム

device-kind-chip = チップ
device-kind-module = モジュール
device-kind-board = 基板
device-kind-device = 完成品

root-of-trust-tpm = TPM 2.0チップ
root-of-trust-secure-element = セキュアエレメント
root-of-trust-dice = DICE方式
root-of-trust-puf = PUF方式
root-of-trust-software = ソフトウェア鍵

certificate-status-good = 有効
certificate-status-suspended = 一時停止中
certificate-status-revoked = 失効

profile-root = ルート認証局
profile-issuing-ca = 発行認証局
profile-chip = チップの証明書
profile-idevid = 製造者が与えた証明書（IDevID）
profile-ldevid = 所有者が与えた証明書（LDevID）
profile-service = サーバー・アプリケーション
profile-organisation-signer = イベント署名鍵
profile-software-signer = ソフトウェア署名鍵
profile-operator = 担当者・製造設備
profile-ocsp-signer = OCSPレスポンダー
profile-message-recipient = メッセージ暗号鍵
