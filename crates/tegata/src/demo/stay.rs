//! Leaves everything running for a look.

use crate::{
    commands::{serve::told_to_stop, write_private},
    demo::{thing::Thing, world::Site},
    output::Output,
};
use device::DeviceId;
use std::fmt::Write as _;

/// File of a device's credential.
const EXAMPLE: &str = "device.pem";

/// Says where everything is, and waits for Ctrl-C.
pub(super) async fn wait(
    site: &Site,
    example: &Thing,
    links: &[(String, String)],
    output: Output,
) -> anyhow::Result<()> {
    let credential = site.credentials.join(EXAMPLE);
    write_private(&credential, example.credential()?.expose())?;
    let mut text = text(site, example.id, &credential.display().to_string());
    text.push_str("\n\nConsole: open one of these links, each works once");
    for (organisation, link) in links {
        write!(text, "\n  {organisation:<17} {link}")?;
    }
    if output.json {
        // Standard output holds the one summary.
        eprintln!("{text}");
    } else {
        output.line(&text)?;
    }
    told_to_stop().await
}

fn text(site: &Site, device: DeviceId, identity: &str) -> String {
    let dir = site.dir.display();
    let credential = |name: &str| site.credentials.join(name).display().to_string();
    format!(
        "\nRunning until Ctrl-C\n  REST, EST       {tls}\n  OCSP, CRL, log  {public}\n  \
         witness         {witness}\n  data            {dir}/server\n  \
         root key        {dir}/root (sealed; its passphrase is beside it)\n  \
         credentials     {credentials}/*.pem\n  passports       {dir}/passports\n  \
         what to trust   {dir}/trust.json\n\nTry\n  \
         export TEGATA_SERVER={tls} TEGATA_ROOTS={dir}/root.pem\n  \
         export TEGATA_CREDENTIAL={operator}\n  \
         tegata device list\n  tegata log checkpoint\n  \
         TEGATA_CREDENTIAL={administrator} tegata org list\n  \
         curl -s {public}/log/checkpoint\n  \
         tegata device show {device}\n  tegata event list {device}\n  \
         tegata device verify {device} --prove-with {identity}\n  \
         tegata verify --operate --trust {dir}/trust.json {dir}/passports/{device}.tegata",
        tls = site.tls_url,
        public = site.public_url,
        witness = site.witness_url,
        credentials = site.credentials.display(),
        operator = credential("kawa-waterworks-operator.pem"),
        administrator = credential("platform-administrator.pem"),
    )
}
