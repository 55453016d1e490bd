//! The closed lists of words that models and rules are written in.

use crate::named::words;

words! {
    /// What a product is for; typical threats and people differ.
    Category {
        /// Wearables, homes, locks, cameras.
        Consumer "consumer" "consumer" "民生",
        /// Medical devices and assistance.
        Health "health" "health" "医療・健康",
        /// Plants, utilities, robots.
        Industrial "industrial" "industrial" "産業",
        /// Streets, traffic, public places, vehicles.
        SmartCity "smart-city" "smart city" "スマートシティ",
    }
}

words! {
    /// What an element of a model is.
    ElementKind {
        /// The thing itself.
        Device "device" "device" "機器",
        /// A chip, module or board of a device.
        Part "part" "part" "部品",
        /// What stands between devices and services.
        Gateway "gateway" "gateway" "ゲートウェイ",
        /// What runs in a data centre or cloud.
        Service "service" "service" "サービス",
        /// What people run on a phone or computer.
        App "app" "app" "アプリ",
        /// Somebody.
        Person "person" "person" "人",
        /// Where data are kept.
        Store "store" "data store" "データ保管",
        /// What others own and run.
        External "external" "external system" "外部システム",
    }
}

words! {
    /// Who can put hands on an element.
    Place {
        /// Anybody, unwatched.
        Public "public" "public place" "公共の場所",
        /// People who do not belong to the owner come by.
        Shared "shared" "shared place" "共用の場所",
        /// The owner's home or premises.
        Private "private" "private place" "私的な場所",
        /// Locked, watched, few people.
        Guarded "guarded" "guarded place" "管理された場所",
    }
}

words! {
    /// What proves that an element is itself.
    Identity {
        /// Nothing.
        None "none" "no identity" "なし",
        /// A credential that many different products have.
        Shared "shared" "shared credential" "共有の認証情報",
        /// One credential for all units of a product.
        PerClass "per-class" "one credential per product line" "製品系列で共通",
        /// One of its own, in ordinary memory.
        Unique "unique" "credential of its own" "個体固有",
        /// One of its own, in hardware that does not give it out.
        Hardware "hardware" "credential of its own in hardware" "ハードウェア保護された個体固有",
    }
}

words! {
    /// What is said about the end of support of an element.
    Support {
        /// Nothing.
        Unknown "unknown" "not stated" "未定",
        /// A day that has not passed.
        Stated "stated" "stated" "期間内",
        /// A day that has passed.
        Ended "ended" "ended" "終了",
    }
}

words! {
    /// What else matters about an element.
    Trait {
        /// Its software can be updated.
        Updatable "updatable" "updatable" "更新可能",
        /// It lives on a battery.
        Battery "battery" "battery" "電池駆動",
        /// It moves, heats, switches or doses something.
        Actuator "actuator" "actuator" "駆動部あり",
        /// It measures the world.
        Sensor "sensor" "sensor" "センサあり",
        /// It sees, hears or locates people.
        Sensing "sensing" "senses people" "人を感知",
        /// Decisions rest on its clock.
        Clock "clock" "relies on its clock" "時刻に依存",
        /// It leaves the factory with a password or code.
        Password "password" "preset password" "初期パスワードあり",
        /// It runs code that comes from outside.
        MobileCode "mobile-code" "runs foreign code" "外部コードを実行",
        /// Its control program can be exchanged.
        Programmable "programmable" "programmable" "制御プログラム変更可",
        /// Its settings can be changed over a network.
        RemoteConfiguration "remote-configuration" "configured remotely" "遠隔設定",
        /// It serves customers that must not see each other.
        MultiTenant "multi-tenant" "multi-tenant" "複数顧客で共用",
        /// It can be reached from the internet.
        InternetFacing "internet-facing" "reachable from the internet" "インターネットに公開",
        /// People administer others from it.
        Administration "administration" "administration" "管理機能",
        /// Somebody else runs it.
        ThirdParty "third-party" "run by others" "第三者が運用",
        /// Devices take updates from it.
        UpdateServer "update-server" "update server" "更新サーバ",
    }
}

words! {
    /// A way into an element.
    InterfaceKind {
        /// JTAG, SWD and relatives.
        Debug "debug" "debug port" "デバッグポート",
        /// UART or other console.
        Serial "serial" "serial console" "シリアルコンソール",
        /// USB.
        Usb "usb" "USB" "USB",
        /// A slot for media.
        Card "card" "media slot" "カードスロット",
        /// Any radio.
        Radio "radio" "radio" "無線",
        /// A wired network.
        Network "network" "network" "有線ネットワーク",
        /// What shows something.
        Display "display" "display" "表示部",
        /// What fingers press.
        Buttons "buttons" "buttons" "操作部",
        /// Anything else.
        Other "other" "other" "その他",
    }
}

words! {
    /// Whether an interface serves the product.
    InterfacePurpose {
        /// It does.
        Used "used" "used" "使用",
        /// It is there and nobody needs it.
        None "none" "not used" "不使用",
    }
}

words! {
    /// What a flow is for.
    Purpose {
        /// Nothing in particular.
        Data "data" "data" "データ",
        /// Somebody makes something act.
        Command "command" "command" "命令",
        /// Measurements and states.
        Telemetry "telemetry" "telemetry" "テレメトリー",
        /// Software.
        Update "update" "update" "更新",
        /// Settings and maintenance.
        Management "management" "management" "管理・保守",
        /// Somebody must come.
        Alarm "alarm" "alarm" "警報",
    }
}

words! {
    /// What a flow speaks. Names are those of the protocols.
    #[expect(missing_docs, reason = "the words are the names of protocols")]
    Protocol {
        Https "https" "HTTPS" "HTTPS",
        Http "http" "HTTP" "HTTP",
        Websocket "websocket" "WebSocket" "WebSocket",
        Mqtt "mqtt" "MQTT" "MQTT",
        Coap "coap" "CoAP" "CoAP",
        Amqp "amqp" "AMQP" "AMQP",
        Dds "dds" "DDS" "DDS",
        OpcUa "opc-ua" "OPC UA" "OPC UA",
        Ble "ble" "Bluetooth LE" "Bluetooth LE",
        Zigbee "zigbee" "Zigbee" "Zigbee",
        Zwave "zwave" "Z-Wave" "Z-Wave",
        Thread "thread" "Thread" "Thread",
        Wifi "wifi" "Wi-Fi" "Wi-Fi",
        Lorawan "lorawan" "LoRaWAN" "LoRaWAN",
        Cellular "cellular" "cellular" "携帯電話網",
        Nfc "nfc" "NFC" "NFC",
        Rfid "rfid" "RFID" "RFID",
        Uwb "uwb" "UWB" "UWB",
        Gnss "gnss" "GNSS" "GNSS",
        Modbus "modbus" "Modbus" "Modbus",
        Can "can" "CAN" "CAN",
        Bacnet "bacnet" "BACnet" "BACnet",
        Knx "knx" "KNX" "KNX",
        Profinet "profinet" "PROFINET" "PROFINET",
        I2cSpi "i2c-spi" "I2C or SPI" "I2C・SPI",
        Uart "uart" "UART" "UART",
        Usb "usb" "USB" "USB",
        Ssh "ssh" "SSH" "SSH",
        Telnet "telnet" "Telnet" "Telnet",
        Ftp "ftp" "FTP" "FTP",
        Tftp "tftp" "TFTP" "TFTP",
        Snmp "snmp" "SNMP" "SNMP",
        Dns "dns" "DNS" "DNS",
        Mdns "mdns" "mDNS" "mDNS",
        Ntp "ntp" "NTP" "NTP",
        Sql "sql" "database protocol" "データベース接続",
        Screen "screen" "screen and keys" "画面・操作",
        Other "other" "other" "その他",
    }
}

words! {
    /// How the sender of a flow proves who it is.
    Authentication {
        /// It does not.
        None "none" "none" "なし",
        /// With a password.
        Password "password" "password" "パスワード",
        /// With a short code.
        Pin "pin" "PIN" "PIN",
        /// With a token that it was given.
        Token "token" "token" "トークン",
        /// With a key that others have, too.
        SharedKey "shared-key" "shared key" "共有鍵",
        /// With a key that only the two ends have.
        UniqueKey "unique-key" "key of the pair" "対ごとの鍵",
        /// By an earlier pairing.
        Pairing "pairing" "pairing" "ペアリング",
        /// With a certificate of one end.
        Certificate "certificate" "certificate" "証明書",
        /// With certificates of both ends.
        MutualCertificate "mutual-certificate" "mutual certificates" "相互証明書",
        /// With several factors.
        MultiFactor "multi-factor" "several factors" "多要素",
    }
}

words! {
    /// How far a flow is encrypted.
    Encryption {
        /// Not.
        None "none" "none" "なし",
        /// On the radio or wire only.
        Link "link" "link" "リンク層",
        /// Between the two ends of the connection.
        Transport "transport" "transport" "トランスポート層",
        /// Between who wrote and who reads, through all that is between.
        EndToEnd "end-to-end" "end to end" "エンドツーエンド",
    }
}

words! {
    /// What an asset is.
    AssetKind {
        /// A key of a device, user or link.
        Key "key" "key" "鍵",
        /// A key that many devices believe.
        SigningKey "signing-key" "signing key" "署名鍵",
        /// A password, code or token.
        Credential "credential" "credential" "認証情報",
        /// Programs.
        Firmware "firmware" "firmware" "ファームウェア",
        /// What makes something act.
        Command "command" "command" "命令",
        /// Settings.
        Configuration "configuration" "configuration" "設定",
        /// What sensors say.
        Measurement "measurement" "measurement" "計測値",
        /// Data about persons.
        Personal "personal" "personal data" "個人データ",
        /// Data about somebody's health.
        Health "health" "health data" "健康データ",
        /// Records of events.
        Log "log" "log" "記録",
        /// Anything else.
        Other "other" "other" "その他",
    }
}

words! {
    /// Who may do it (CSA, appendix).
    Actor {
        /// A state.
        NationState "nation-state" "nation state" "国家",
        /// Somebody who wants fear.
        Terrorist "terrorist" "cyber terrorist" "サイバーテロリスト",
        /// Somebody with a cause.
        Hacktivist "hacktivist" "hacktivist" "ハクティビスト",
        /// Somebody with skill and time.
        Hacker "hacker" "hacker" "ハッカー",
        /// Somebody who wants money.
        OrganisedCrime "organised-crime" "organised crime" "組織犯罪",
        /// Pranksters, thieves, neighbours, former partners.
        Individual "individual" "individual" "個人",
        /// Somebody who belongs there.
        Insider "insider" "insider" "内部者",
    }
}

words! {
    /// What suffers: S-CIA (NISC).
    Harm {
        /// People and things.
        Safety "safety" "safety" "安全",
        /// Secrets.
        Confidentiality "confidentiality" "confidentiality" "機密性",
        /// Correctness.
        Integrity "integrity" "integrity" "完全性",
        /// Being there.
        Availability "availability" "availability" "可用性",
    }
}

words! {
    /// What a rule looks at.
    Scope {
        /// The model as a whole.
        Model "model" "model" "モデル全体",
        /// Each element.
        Element "element" "element" "要素",
        /// Each interface of each element.
        Interface "interface" "interface" "インタフェース",
        /// Each flow.
        Flow "flow" "flow" "フロー",
        /// Each asset with each element that holds it.
        Holding "holding" "asset in an element" "要素が持つ資産",
    }
}

words! {
    /// Where the treatment of a threat is.
    State {
        /// Nothing that is in place or decided silences it.
        Open "open" "open" "未対応",
        /// Measures that would silence it are decided.
        Planned "planned" "planned" "対応予定",
        /// Measures in place silence it.
        Mitigated "mitigated" "mitigated" "対策済み",
        /// Somebody has taken it upon themselves, for a time.
        Accepted "accepted" "accepted" "受容",
        /// Somebody else has taken it upon themselves, for a time.
        Transferred "transferred" "transferred" "移転",
        /// Treated by something that no measure of the list names.
        Handled "handled" "handled otherwise" "別手段で対応",
        /// It does not exist here, for a reason.
        Dismissed "dismissed" "dismissed" "該当なし",
    }
}

words! {
    /// What somebody decided about a threat.
    Verdict {
        /// It stays, until a day.
        Accepted "accepted" "accepted" "受容",
        /// Somebody else bears it, until a day.
        Transferred "transferred" "transferred" "移転",
        /// Measures against it are decided.
        Measures "measures" "treat by measures" "対策を実施",
        /// Treated by something that no measure of the list names.
        Handled "handled" "handled otherwise" "別手段で対応",
        /// It does not exist here.
        Dismissed "dismissed" "dismissed" "該当なし",
        /// Only rated anew.
        Rated "rated" "rated anew" "再評価",
    }
}

impl Verdict {
    /// Whether it counts until a day only: what is accepted or borne by others comes back.
    pub fn ends(self) -> bool {
        matches!(self, Self::Accepted | Self::Transferred)
    }
}
