guide-title = はじめに
guide-lead = 空の状態から、最初の機器を登録するまで。
