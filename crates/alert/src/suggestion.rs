/// Declares the suggestions once.
macro_rules! suggestions {
    ($($variant:ident $name:literal $en:literal $ja:literal,)+) => {
        /// What somebody should do about an alert.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Suggestion {
            $(#[doc = $en] $variant,)+
        }

        impl Suggestion {
            /// Every suggestion, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What to do, in English.
            pub fn english(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }

            /// What to do, in Japanese.
            pub fn japanese(self) -> &'static str {
                match self { $(Self::$variant => $ja,)+ }
            }
        }
    };
}

suggestions! {
    Quarantine "quarantine"
        "Put the device in quarantine, find out why it behaves like this, then release or revoke it."
        "機器を隔離し、原因を調べてから、解除または失効してください。",
    RevokeAndReissue "revoke-and-reissue"
        "Somebody else may hold the device's key: quarantine the device at once, revoke its certificate, and enrol it again with a new key."
        "機器の鍵が他者の手にあるおそれがあります。直ちに隔離し、証明書を失効させ、新しい鍵で登録し直してください。",
    ReduceTraffic "reduce-traffic"
        "See whether the device is broken or hijacked; quarantine it if it goes on."
        "故障か乗っ取りかを確かめ、続くようであれば隔離してください。",
    InspectDevice "inspect-device"
        "Have somebody look at the device where it stands; keep it in quarantine until then."
        "現地で機器を点検してください。それまでは隔離してください。",
    UpdateFirmware "update-firmware"
        "Find out who put the older firmware on the device, and start a campaign that brings it back."
        "古いファームウェアを入れた者を調べ、更新キャンペーンで元に戻してください。",
    CheckFormat "check-format"
        "See whether a new firmware speaks another format; if none was released, quarantine the device."
        "新しいファームウェアで形式が変わっていないか確かめ、心当たりがなければ隔離してください。",
    BlockSource "block-source"
        "Block the network at the firewall, and see whether anybody signed in from there."
        "その発信元をファイアウォールで遮断し、そこからサインインした人がいないか確かめてください。",
    CheckPerson "check-person"
        "Ask the person; end the person's sessions and change the roles if it was somebody else."
        "本人に確認し、心当たりがなければセッションを終了し、役割を見直してください。",
    CheckDevices "check-devices"
        "Many devices at once: look for a common cause before more of them are cut off."
        "多くの機器で同時に起きています。隔離を増やす前に共通の原因を調べてください。",
    CheckProfile "check-profile"
        "See whether the change is meant; if it is, accept it as ordinary in the profile, else quarantine the device."
        "意図した変更か確かめてください。意図したものならプロファイルで通常として受け入れ、そうでなければ機器を隔離してください。",
    CheckLog "check-log"
        "Stop changing anything, keep the store as it is, and find out why the log and the store disagree."
        "操作を止め、データを保全し、ログとデータが食い違う原因を調べてください。",
}

impl Suggestion {
    /// Reads a stable code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.code() == code)
    }

    /// Whether quarantine is part of what is suggested.
    pub fn quarantines(self) -> bool {
        matches!(
            self,
            Self::Quarantine
                | Self::RevokeAndReissue
                | Self::ReduceTraffic
                | Self::InspectDevice
                | Self::CheckFormat
                | Self::CheckProfile
        )
    }
}
