//! Commands about campaigns.

use super::ServerArgs;
use clap::{Args, Subcommand, ValueHint};
use device::{OrganisationId, ProductId};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum CampaignCommand {
    /// Propose a campaign: its members are chosen now, and nobody gets anything
    Create(CreateArgs),
    /// Show a campaign with its progress
    Show(OneArgs),
    /// List campaigns, newest first
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Start a campaign; with more than ten members another administrator approves first
    Start(OneArgs),
    /// Approve what somebody else wants to start; that starts it
    Approve(OneArgs),
    /// Pause: nobody begins; who has begun goes on
    Pause(OneArgs),
    /// Go on with a paused campaign, in spite of its failures so far
    Resume(OneArgs),
    /// Stop a campaign for good, or drop one that was only proposed
    Cancel(OneArgs),
    /// Send devices that run the release back to the one before
    RollBack(OneArgs),
    /// How the devices stood over time
    History(OneArgs),
    /// List devices with their results
    Devices {
        #[command(flatten)]
        one: OneArgs,
        /// open, succeeded, failed, skipped, withdrawn or cancelled; all that began otherwise
        #[arg(long)]
        outcome: Option<String>,
    },
    /// Follow the progress until the campaign is over or paused
    Watch {
        #[command(flatten)]
        one: OneArgs,
        /// Seconds between looks
        #[arg(long, default_value_t = 2)]
        every: u64,
    },
    /// List the makers that you let update your devices
    Consents {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Let a maker update your devices of a product line, or end that at once
    Consent {
        #[command(flatten)]
        server: ServerArgs,
        /// The maker
        maker: OrganisationId,
        /// The product line
        product: ProductId,
        /// End the consent
        #[arg(long)]
        end: bool,
    },
}

/// Which campaign.
#[derive(Debug, Args, Clone)]
pub struct OneArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Campaign id
    pub campaign: String,
}

/// A campaign to be proposed.
#[derive(Debug, Args, Clone)]
pub struct CreateArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// What people call it
    pub name: String,
    /// The release: its id
    #[arg(long)]
    pub release: String,
    /// The release before: its id
    #[arg(long)]
    pub roll_back_to: Option<String>,
    /// Which devices of the release's product, as a query: `relation=maker&phase=operation`
    #[arg(long, default_value = "")]
    pub search: String,
    /// A stage as `PERCENT:SUCCESS:ERRORS[:SOAK]`, in percent and seconds; once per stage, all
    /// together 100 percent
    #[arg(long = "stage", default_value = "100:100:10")]
    pub stages: Vec<String>,
    /// A maintenance window as ZONE/DAYS/HH:MM-HH:MM, such as Asia/Tokyo/12345/22:00-04:00 (1 is
    /// Monday)
    #[arg(long)]
    pub window: Option<String>,
    /// How many devices may begin per minute
    #[arg(long)]
    pub starts_per_minute: Option<u32>,
    /// Seconds that a device has until a confirmed boot
    #[arg(long, default_value_t = 86_400)]
    pub deadline: i64,
    /// How often a device may download or install within one action
    #[arg(long, default_value_t = 3)]
    pub attempts: u16,
    /// On too many failures, send devices back to the release before
    #[arg(long)]
    pub roll_back: bool,
    /// Install without waiting for anybody at the device
    #[arg(long)]
    pub force: bool,
    /// Somebody at the device must agree first
    #[arg(long)]
    pub confirm: bool,
    /// Only say how many devices it would be over, stage by stage; propose nothing
    #[arg(long)]
    pub preview: bool,
    /// Take the whole plan from a JSON file instead
    #[arg(long, value_hint = ValueHint::FilePath)]
    pub plan: Option<PathBuf>,
}
