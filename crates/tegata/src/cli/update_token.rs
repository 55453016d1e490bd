//! Commands about tokens of devices that have no certificate (docs/ddi.md).

use super::ServerArgs;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum UpdateTokenCommand {
    /// Make a token for one device; an older one of the device ends
    New {
        #[command(flatten)]
        server: ServerArgs,
        /// Device id
        device: device::DeviceId,
        /// Days of life
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
    },
    /// Make a token for a gateway that speaks for devices
    Gateway {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation that owns the devices
        organisation: String,
        /// Name of the gateway
        #[arg(long)]
        name: String,
        /// Device id (repeat for more)
        #[arg(long = "device", required = true)]
        devices: Vec<device::DeviceId>,
        /// Days of life
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
    },
    /// List tokens that have not ended
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
    },
    /// End a token
    Revoke {
        #[command(flatten)]
        server: ServerArgs,
        /// Its identifier
        id: String,
    },
    /// Show or set how devices of an organisation come through the hawkBit DDI door
    Door {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        organisation: String,
        /// Accept tokens beside certificates; `false` ends every token
        #[arg(long)]
        tokens: Option<bool>,
        /// Whether "closed with success" says that the new software was booted, as SWUpdate says it
        #[arg(long)]
        closed_confirms: Option<bool>,
        /// Seconds between polls where there is nothing to do
        #[arg(long)]
        poll_s: Option<u32>,
    },
}
