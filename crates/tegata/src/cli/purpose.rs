//! Commands about what data of devices is for, and who agreed to it (docs/consent.md).

use super::ServerArgs;
use clap::{Args, Subcommand};
use device::{DeviceId, OrganisationId, ProductId};
use std::str::FromStr;

/// A product line of a maker, MAKER/PRODUCT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineArg {
    /// whose
    pub maker: OrganisationId,
    /// which
    pub product: ProductId,
}

impl FromStr for LineArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no product line; write MAKER/PRODUCT");
        let (maker, product) = text.split_once('/').ok_or_else(wrong)?;
        let maker = maker.parse().map_err(|_| wrong())?;
        Ok(Self { maker, product: product.parse().map_err(|_| wrong())? })
    }
}

#[derive(Debug, Subcommand)]
pub enum PurposeCommand {
    /// Declare a purpose of a product line's data, or change what it says: owners have to agree anew then
    Declare(Box<DeclareArgs>),
    /// Purposes of a product line
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Product line, MAKER/PRODUCT
        line: LineArg,
    },
    /// Versions of a purpose, newest first
    History {
        #[command(flatten)]
        server: ServerArgs,
        /// Product line, MAKER/PRODUCT
        line: LineArg,
        /// What the purpose is called
        name: String,
    },
    /// End a purpose: nobody can agree to it any more, and its topics stay closed
    End {
        #[command(flatten)]
        server: ServerArgs,
        /// Product line, MAKER/PRODUCT
        line: LineArg,
        /// What the purpose is called
        name: String,
    },
}

#[derive(Debug, Args)]
pub struct DeclareArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Product line, MAKER/PRODUCT
    pub line: LineArg,
    /// What the purpose is called: small letters, digits and hyphens
    pub name: String,
    /// Title in English
    #[arg(long)]
    pub title_en: String,
    /// Title in Japanese
    #[arg(long)]
    pub title_ja: String,
    /// What is done with the data, in English
    #[arg(long)]
    pub explanation_en: String,
    /// The same in Japanese
    #[arg(long)]
    pub explanation_ja: String,
    /// Topics that carry the data: filters below a device's space, such as up/location/#
    #[arg(long = "topic", required = true)]
    pub topics: Vec<String>,
    /// Why no consent is needed: the contract, a law; without it the purpose is optional
    #[arg(long)]
    pub legal_basis: Option<String>,
    /// Who receives the data
    #[arg(long = "recipient", required = true)]
    pub recipients: Vec<String>,
    /// For how many days it is kept
    #[arg(long)]
    pub retention_days: u32,
}

#[derive(Debug, Subcommand)]
pub enum ConsentCommand {
    /// What there is to decide about devices' data, and what stands
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        #[arg(long)]
        organisation: OrganisationId,
        /// Of one device
        #[arg(long)]
        device: Option<DeviceId>,
    },
    /// Give consent to a purpose, to one version of its text
    Give {
        #[command(flatten)]
        what: ConsentArgs,
        /// The version that was read; `list` shows it
        #[arg(long)]
        version: u64,
    },
    /// Withdraw consent: every door refuses its messages from then on
    Withdraw {
        #[command(flatten)]
        what: ConsentArgs,
    },
    /// Let what the organisation decided for all of its devices hold for a device again
    Follow {
        #[command(flatten)]
        what: ConsentArgs,
    },
    /// Who decided what, newest first
    History {
        #[command(flatten)]
        server: ServerArgs,
        /// Organisation
        #[arg(long)]
        organisation: OrganisationId,
        /// Of one device
        #[arg(long)]
        device: Option<DeviceId>,
    },
}

#[derive(Debug, Args)]
pub struct ConsentArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// Product line, MAKER/PRODUCT
    pub line: LineArg,
    /// What the purpose is called
    pub purpose: String,
    /// Organisation
    #[arg(long)]
    pub organisation: OrganisationId,
    /// For this device alone
    #[arg(long)]
    pub device: Option<DeviceId>,
}
