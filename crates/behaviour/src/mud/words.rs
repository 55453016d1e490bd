//! A description in plain words.

use super::{Ace, Direction, Mud, PeerMatch, Ports};

impl Mud {
    /// What it allows, in English: a line for each entry, what the device may open first.
    pub fn english(&self) -> Vec<String> {
        lines(self, english)
    }

    /// What it allows, in Japanese.
    pub fn japanese(&self) -> Vec<String> {
        lines(self, japanese)
    }
}

fn lines(mud: &Mud, line: fn(&Ace, bool) -> String) -> Vec<String> {
    let from = mud.from_device.iter().map(|ace| line(ace, true));
    let mut all: Vec<String> =
        from.chain(mud.to_device.iter().map(|ace| line(ace, false))).collect();
    // The same for both families is one line.
    all.dedup();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|line| seen.insert(line.clone()));
    all
}

fn protocol(ace: &Ace) -> String {
    match ace.protocol {
        Some(6) => "TCP".to_owned(),
        Some(17) => "UDP".to_owned(),
        Some(1 | 58) => "ICMP".to_owned(),
        Some(other) => format!("IP {other}"),
        None => "IP".to_owned(),
    }
}

fn ports(of: Ports) -> String {
    match of {
        Ports::Range(from, to) if from == to => from.to_string(),
        Ports::Range(from, to) => format!("{from}–{to}"),
        Ports::Not(port) => format!("≠{port}"),
    }
}

fn english(ace: &Ace, from_device: bool) -> String {
    let peer = match &ace.peer {
        PeerMatch::Any => "anybody".to_owned(),
        PeerMatch::Name(name) => name.clone(),
        PeerMatch::Network(network) => network.to_string(),
        PeerMatch::LocalNetworks => "local networks".to_owned(),
        PeerMatch::Controller(uri) => format!("controllers of the class {uri}"),
        PeerMatch::MyController => "its own controllers, which the owner names".to_owned(),
        PeerMatch::Manufacturer(name) => format!("devices of {name}"),
        PeerMatch::SameManufacturer => "devices of the same maker".to_owned(),
        PeerMatch::Model(url) => format!("devices of the model {url}"),
    };
    let verb = match (ace.accept, from_device) {
        (true, true) => "the device may send to",
        (true, false) => "the device may hear from",
        (false, true) => "the device must not send to",
        (false, false) => "the device must not hear from",
    };
    let mut text = format!("{verb} {peer} by {}", protocol(ace));
    if let Some(of) = ace.peer_port {
        text.push_str(&format!(", the peer's port {}", ports(of)));
    }
    if let Some(of) = ace.own_port {
        text.push_str(&format!(", its own port {}", ports(of)));
    }
    match ace.opened_by {
        Some(Direction::FromDevice) => text.push_str(", in connections that the device opens"),
        Some(Direction::ToDevice) => text.push_str(", in connections that the peer opens"),
        None => {}
    }
    text
}

fn japanese(ace: &Ace, from_device: bool) -> String {
    let peer = match &ace.peer {
        PeerMatch::Any => "任意の相手".to_owned(),
        PeerMatch::Name(name) => name.clone(),
        PeerMatch::Network(network) => network.to_string(),
        PeerMatch::LocalNetworks => "ローカルネットワーク".to_owned(),
        PeerMatch::Controller(uri) => format!("分類{uri}のコントローラー"),
        PeerMatch::MyController => "所有者が指定するこの機器のコントローラー".to_owned(),
        PeerMatch::Manufacturer(name) => format!("{name}の機器"),
        PeerMatch::SameManufacturer => "同じ製造者の機器".to_owned(),
        PeerMatch::Model(url) => format!("型式{url}の機器"),
    };
    let verb = match (ace.accept, from_device) {
        (true, true) => "へ送信できます",
        (true, false) => "から受信できます",
        (false, true) => "へ送信してはなりません",
        (false, false) => "から受信してはなりません",
    };
    let mut how = protocol(ace);
    if let Some(of) = ace.peer_port {
        how.push_str(&format!("、相手のポート{}", ports(of)));
    }
    if let Some(of) = ace.own_port {
        how.push_str(&format!("、機器のポート{}", ports(of)));
    }
    match ace.opened_by {
        Some(Direction::FromDevice) => how.push_str("、機器から開く接続"),
        Some(Direction::ToDevice) => how.push_str("、相手から開く接続"),
        None => {}
    }
    format!("機器は{peer}{verb}（{how}）")
}
