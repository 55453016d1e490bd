//! What devices usually do (docs/behaviour.md).

use super::{ServerArgs, alert::WhoseArgs};
use clap::{Args, Subcommand, ValueEnum};
use device::DeviceId;

/// Something that a profile knows of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AspectArg {
    /// Messages in an hour of the clock, UTC
    Rate,
    /// Bytes of a message's payload
    Size,
    /// Hours of the day, UTC
    Hour,
    /// Networks that connections come from
    Place,
    /// Doors that messages come through
    Door,
    /// Topics that messages go to, by their first levels
    Topic,
    /// Versions that the device says it runs
    Firmware,
    /// That something comes each hour
    Silence,
}

/// Which profile.
#[derive(Debug, Args, Clone)]
pub struct LineArgs {
    #[command(flatten)]
    pub whose: WhoseArgs,
    /// Product line, MAKER/PRODUCT; `-` for devices of none
    pub line: String,
}

/// For whom something is ordinary.
#[derive(Debug, Args, Clone)]
pub struct OrdinaryArgs {
    #[command(flatten)]
    pub line: LineArgs,
    /// Of what
    #[arg(value_enum)]
    pub aspect: AspectArg,
    /// The value: a network, topic, hour, version; how much of a rate or size; `any` of silence
    pub value: String,
}

/// As that, for one device.
#[derive(Debug, Args, Clone)]
pub struct OrdinaryDeviceArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Device
    pub device: DeviceId,
    /// Of what
    #[arg(value_enum)]
    pub aspect: AspectArg,
    /// The value: a network, topic, hour, version; how much of a rate or size; `any` of silence
    pub value: String,
}

#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// List the profiles of an organisation's devices, by product line
    List {
        #[command(flatten)]
        whose: WhoseArgs,
    },
    /// Show what is ordinary for the devices of a product line
    Show {
        #[command(flatten)]
        which: LineArgs,
    },
    /// List the devices that a profile knows
    Devices {
        #[command(flatten)]
        which: LineArgs,
    },
    /// Forget what was learned and learn anew; what people accepted stays
    Learn {
        #[command(flatten)]
        which: LineArgs,
        /// For how many days, 1 to 90; as before where neither is said
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=90))]
        days: Option<u32>,
        /// For how many seconds, 60 to 7776000
        #[arg(long, conflicts_with = "days")]
        seconds: Option<u32>,
    },
    /// End learning: what was not learned deviates from now on
    Watch {
        #[command(flatten)]
        which: LineArgs,
    },
    /// As watch; new devices learn nothing of their own either
    Freeze {
        #[command(flatten)]
        which: LineArgs,
    },
    /// Learn nothing, and tell nothing
    Off {
        #[command(flatten)]
        which: LineArgs,
    },
    /// Choose how a profile learns and what it watches; what is not named stays as it is
    Set {
        #[command(flatten)]
        which: LineArgs,
        /// For how many seconds is learned, 60 to 7776000
        #[arg(long)]
        learn_seconds: Option<u32>,
        /// How many times what was learned of rates and sizes is ordinary still, in hundredths
        #[arg(long)]
        factor_percent: Option<u32>,
        /// How many devices must show something before it is ordinary for all
        #[arg(long)]
        devices: Option<u32>,
        /// Length of networks of IPv4, 8 to 32 bits
        #[arg(long)]
        bits_v4: Option<u8>,
        /// Length of networks of IPv6, 16 to 128 bits
        #[arg(long)]
        bits_v6: Option<u8>,
        /// What is not watched; repeat it, or `--all` for none
        #[arg(long, value_enum)]
        without: Vec<AspectArg>,
        /// Watch all aspects
        #[arg(long, conflicts_with = "without")]
        all: bool,
    },
    /// Say that something is ordinary from now on for all devices of a product line
    Accept {
        #[command(flatten)]
        what: OrdinaryArgs,
    },
    /// Take back that something is ordinary for them
    TakeBack {
        #[command(flatten)]
        what: OrdinaryArgs,
    },
    /// Show what a device usually does, and what left that
    Device {
        #[command(flatten)]
        server: ServerArgs,
        /// Device
        device: DeviceId,
    },
    /// Say that something is ordinary from now on for one device
    AcceptDevice {
        #[command(flatten)]
        what: OrdinaryDeviceArgs,
    },
    /// Take back that something is ordinary for one device
    TakeBackDevice {
        #[command(flatten)]
        what: OrdinaryDeviceArgs,
    },
    /// Forget what was learned of a device; it learns anew what its product says nothing about
    Relearn {
        #[command(flatten)]
        server: ServerArgs,
        /// Device
        device: DeviceId,
    },
}
