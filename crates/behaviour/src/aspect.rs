use crate::BehaviourError;
use alert::Prefix;

/// Longest topic or version that a person accepts, in bytes: as long as any that is seen.
const VALUE_BYTES_MAX: usize = 256;

/// Declares the aspects once.
macro_rules! aspects {
    ($($variant:ident $name:literal $what:literal $max:literal $in_product:literal $doc:literal,)+) => {
        /// Something that a profile knows of devices.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Aspect {
            $(#[doc = $doc] $variant,)+
        }

        impl Aspect {
            /// Every aspect, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What a deviation from it is called in the audit log.
            pub fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ }
            }

            /// Entries that are kept of one device, and of a product.
            pub fn entries_max(self) -> (usize, usize) {
                match self { $(Self::$variant => ($max, $in_product),)+ }
            }
        }
    };
}

aspects! {
    Rate "rate" "unexpected-rate" 0 0 "messages in an hour of the clock (UTC)",
    Size "size" "unexpected-size" 0 0 "bytes of a message's payload",
    Hour "hour" "unexpected-hour" 24 24 "hours of the day, UTC",
    Place "place" "unexpected-place" 16 512 "networks that connections come from",
    Door "door" "unexpected-door" 8 8 "doors that messages come through",
    Topic "topic" "unexpected-topic" 32 128 "topics that messages go to, by their first levels",
    Firmware "firmware" "unexpected-firmware" 8 32 "versions that the device says it runs",
    Silence "silence" "silent" 0 0 "that something comes each hour",
}

impl Aspect {
    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|aspect| aspect.name() == name)
    }

    /// Reads what a deviation is called.
    pub fn from_what(what: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|aspect| aspect.what() == what)
    }

    /// Values that are told apart of one device at a time, and in an hour: each aspect has its own room,
    /// so that nobody hides one by another. Together they are [`crate::OBSERVED_MAX`].
    pub fn observed_max(self) -> usize {
        match self {
            Self::Topic => 32,
            Self::Place => 16,
            Self::Door => 8,
            Self::Firmware => 4,
            Self::Rate | Self::Size | Self::Hour | Self::Silence => 1,
        }
    }

    /// Whether it is known by its values, not by a bound.
    pub fn has_values(self) -> bool {
        self.entries_max().0 > 0
    }

    /// Checks a value that a person accepts, and gives it as it is kept.
    ///
    /// # Errors
    /// [`BehaviourError::Value`].
    pub fn value(self, text: &str) -> Result<String, BehaviourError> {
        let wrong = |why| BehaviourError::Value { aspect: self.name(), why };
        let text = text.trim();
        let plain = !text.is_empty()
            && text.len() <= VALUE_BYTES_MAX
            && !text.chars().any(char::is_control);
        match self {
            Self::Rate => number(text).ok_or(wrong("messages in an hour, 1 to 4000000000")),
            Self::Size => number(text).ok_or(wrong("bytes, 1 to 4000000000")),
            Self::Hour => {
                let hour = text.parse::<u8>().ok().filter(|hour| *hour < 24);
                hour.map(|hour| format!("{hour:02}")).ok_or(wrong("an hour of the day, 0 to 23"))
            }
            Self::Place => {
                let place: Result<Prefix, ()> = text.parse();
                let why = "a network such as 192.0.2.0/24; bits beyond the length are zero";
                place.map(|place| place.to_string()).map_err(|()| wrong(why))
            }
            Self::Door => ["mqtt", "http", "websocket", "coap"]
                .contains(&text)
                .then(|| text.to_owned())
                .ok_or(wrong("mqtt, http, websocket or coap")),
            Self::Topic => plain
                .then(|| text.to_owned())
                .ok_or(wrong("a topic below the device's space, or its first levels and /#")),
            Self::Firmware => plain.then(|| text.to_owned()).ok_or(wrong("a version")),
            Self::Silence => (text == "any")
                .then(|| text.to_owned())
                .ok_or(wrong("any: nothing is expected of the device each hour")),
        }
    }

    /// What left a profile, in words.
    pub fn explained(self, seen: &str, ordinary: &str, since: &str) -> String {
        let known = |what: &str| match ordinary {
            "" => format!("{what}; none is ordinary of those learned since {since}"),
            _ => format!("{what}; ordinary since {since}: {ordinary}"),
        };
        match self {
            Self::Rate => {
                format!("{seen} messages in one hour; ordinary since {since}: {ordinary} at most")
            }
            Self::Size => {
                format!("a message of {seen} bytes; ordinary since {since}: {ordinary} at most")
            }
            Self::Hour => known(&format!("messages from {seen}:00 on, UTC")),
            Self::Place => known(&format!("a connection from {seen}")),
            Self::Door => known(&format!("messages through the door {seen}")),
            Self::Topic => known(&format!("a message to {seen}")),
            Self::Firmware => known(&format!("the device says that it runs {seen}")),
            Self::Silence => format!(
                "nothing came since {seen}; ordinary since {since}: something in {ordinary} of 100 hours"
            ),
        }
    }

    /// As [`Self::explained`], in Japanese.
    pub fn explained_in_japanese(self, seen: &str, ordinary: &str, since: &str) -> String {
        let known = |what: &str| match ordinary {
            "" => format!("{what}。{since}から学習した中に通常の値はありません"),
            _ => format!("{what}。通常（{since}から）：{ordinary}"),
        };
        match self {
            Self::Rate => {
                format!("1時間に{seen}件のメッセージ。通常（{since}から）は{ordinary}件まで")
            }
            Self::Size => {
                format!("{seen}バイトのメッセージ。通常（{since}から）は{ordinary}バイトまで")
            }
            Self::Hour => known(&format!("{seen}時台（UTC）のメッセージ")),
            Self::Place => known(&format!("{seen}からの接続")),
            Self::Door => known(&format!("入口{seen}からのメッセージ")),
            Self::Topic => known(&format!("トピック{seen}へのメッセージ")),
            Self::Firmware => known(&format!("機器が申告したバージョン{seen}")),
            Self::Silence => format!(
                "{seen}から何も届いていません。通常（{since}から）は100時間中{ordinary}時間で何か届きます"
            ),
        }
    }
}

fn number(text: &str) -> Option<String> {
    let number: u32 = text.parse().ok()?;
    (1..=4_000_000_000).contains(&number).then(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        let good = [
            (Aspect::Rate, "120", "120"),
            (Aspect::Hour, "7", "07"),
            (Aspect::Place, "192.0.2.0/24", "192.0.2.0/24"),
            (Aspect::Door, "coap", "coap"),
            (Aspect::Topic, "up/job/#", "up/job/#"),
            (Aspect::Firmware, " 1.2.3 ", "1.2.3"),
            (Aspect::Silence, "any", "any"),
        ];
        for (aspect, text, kept) in good {
            assert_eq!(aspect.value(text).as_deref(), Ok(kept), "{text}");
        }
        let wrong = [
            (Aspect::Rate, "0"),
            (Aspect::Size, "-1"),
            (Aspect::Hour, "24"),
            (Aspect::Place, "192.0.2.1/24"),
            (Aspect::Door, "telnet"),
            (Aspect::Topic, ""),
            (Aspect::Topic, "a\nb"),
            (Aspect::Silence, "x"),
        ];
        for (aspect, text) in wrong {
            assert!(aspect.value(text).is_err(), "{text}");
        }
        let long = "é".repeat(128);
        assert_eq!(Aspect::Firmware.value(&long), Ok(long));
        let room: usize = Aspect::ALL.iter().map(|aspect| aspect.observed_max()).sum();
        assert_eq!(room, crate::OBSERVED_MAX);
        for aspect in Aspect::ALL {
            assert_eq!(Aspect::from_name(aspect.name()), Some(*aspect));
            assert_eq!(Aspect::from_what(aspect.what()), Some(*aspect));
        }
    }
}
