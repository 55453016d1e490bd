//! Labels and what they lead to: parts of `tegata product` and `tegata device`.

use crate::{
    cli::{ChangeArgs, LabelArgs, SheetArgs},
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    client::{Call, percent_encode},
    wire::{
        Device, FirmwareVersion, LabelSheets, ProductChange, ProductPublic, Scans, SecurityLabel,
        scalar::{DeviceRef, Digest},
    },
};
use device::DeviceId;
use serde::de::DeserializeOwned;
use std::path::Path;

/// A word that the interface knows, from its name there.
fn word<T: DeserializeOwned>(what: &str, name: &str) -> anyhow::Result<T> {
    serde_json::from_value(serde_json::Value::from(name))
        .with_context(|| format!("{name:?} is no {what}; see the command's help"))
}

/// Runs `tegata product change`.
pub async fn change(remote: &Remote, args: ChangeArgs, output: Output) -> anyhow::Result<()> {
    let mut change = ProductChange {
        support_end: args.support_end.map(Some),
        gtin: args.gtin.map(Some),
        name_ja: args.name_ja.map(Some),
        name_en: args.name_en.map(Some),
        contact_url: args.contact_url.map(Some),
        firmware: None,
        labels: None,
    };
    if let Some(version) = args.firmware {
        let digest = args.firmware_digest.map(|digest| digest.parse::<Digest>());
        let digest = digest.transpose().map_err(anyhow::Error::msg)?;
        change.firmware = Some(Some(FirmwareVersion { version, digest }));
    }
    if !args.labels.is_empty() {
        change.labels =
            Some(args.labels.iter().map(|label| security_label(label)).collect::<Result<_, _>>()?);
    }
    for field in &args.clear {
        match field.as_str() {
            "support-end" => change.support_end = Some(None),
            "gtin" => change.gtin = Some(None),
            "name-ja" => change.name_ja = Some(None),
            "name-en" => change.name_en = Some(None),
            "contact-url" => change.contact_url = Some(None),
            "firmware" => change.firmware = Some(None),
            "labels" => change.labels = Some(Vec::new()),
            other => anyhow::bail!(
                "{other:?} cannot be cleared; choose from support-end gtin name-ja name-en \
                 contact-url firmware labels"
            ),
        }
    }
    let path = public_path(&args.organisation, &args.id);
    let call = Call::new(http::Method::PATCH, path).json(&change)?;
    let public: ProductPublic = remote.client().call(call).await?.json()?;
    output.one(&public, described)
}

/// Runs `tegata product show`.
pub async fn show(
    remote: &Remote,
    organisation: &str,
    id: &str,
    output: Output,
) -> anyhow::Result<()> {
    let public: ProductPublic = remote.get(&public_path(organisation, id)).await?;
    output.one(&public, described)
}

fn public_path(organisation: &str, id: &str) -> String {
    format!(
        "/v1/organisations/{}/products/{}/public",
        percent_encode(organisation),
        percent_encode(id)
    )
}

/// `SCHEME[,LEVEL[,NUMBER[,URL[,VALID-UNTIL]]]]`; an empty field is left out.
fn security_label(text: &str) -> anyhow::Result<SecurityLabel> {
    let mut fields = text.split(',').map(str::trim);
    let mut field = || fields.next().filter(|field| !field.is_empty()).map(str::to_owned);
    let label = SecurityLabel {
        scheme: field().context("a label begins with its scheme, such as jc-star")?,
        level: field(),
        number: field(),
        url: field(),
        valid_until: field().map(|time| time.parse().map_err(anyhow::Error::msg)).transpose()?,
    };
    anyhow::ensure!(field().is_none(), "a label has at most five fields: {text:?}");
    Ok(label)
}

fn described(public: &ProductPublic) -> String {
    let or_none = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
    let firmware = public.firmware.as_ref().map(|firmware| match &firmware.digest {
        Some(digest) => format!("{} ({digest})", firmware.version),
        None => firmware.version.clone(),
    });
    let mut text = format!(
        "name (en)          {}\nname (ja)          {}\nGTIN               {}\n\
         support end        {}\nnewest firmware    {}\ncontact            {}",
        or_none(public.name_en.as_ref()),
        or_none(public.name_ja.as_ref()),
        or_none(public.gtin.as_ref()),
        public.support_end.map_or_else(|| "-".to_owned(), |end| end.to_string()),
        firmware.unwrap_or_else(|| "-".to_owned()),
        or_none(public.contact_url.as_ref()),
    );
    for label in &public.labels {
        text.push_str(&format!(
            "\nlabel              {} {} {}",
            label.scheme,
            or_none(label.level.as_ref()),
            or_none(label.number.as_ref())
        ));
    }
    text
}

/// Runs `tegata product labels`.
pub async fn sheets(remote: &Remote, args: SheetArgs, output: Output) -> anyhow::Result<()> {
    let devices = if args.devices.is_empty() {
        let path = format!(
            "/v1/devices?limit=1000&relation=maker&organisation={}&product={}",
            percent_encode(&args.organisation),
            percent_encode(&args.id)
        );
        let all: Vec<Device> = remote.all(&path).await?;
        all.into_iter().map(|device| device.id).collect()
    } else {
        args.devices.into_iter().map(DeviceRef).collect::<Vec<_>>()
    };
    anyhow::ensure!(!devices.is_empty(), "this product line has no devices to print labels for");
    anyhow::ensure!(
        devices.len() <= 1000,
        "{} devices; a document has at most 1000 labels: name the devices with --device",
        devices.len()
    );
    let count = devices.len();
    let wanted = LabelSheets {
        devices,
        sheet: args.sheet,
        format: word("format", &args.format)?,
        code: word("code", &args.code)?,
        link: word("link", &args.link)?,
        text: args.text,
        module_um: args.module_um,
        skip: args.skip,
    };
    let call = Call::new(http::Method::POST, "/v1/label-sheets").json(&wanted)?;
    let bytes = remote.client().call(call).await?.body;
    write(&args.out, &bytes)?;
    let done = serde_json::json!({"file": args.out, "labels": count});
    output.one(&done, |_| format!("{} holds {count} labels", args.out.display()))
}

/// Runs `tegata device label`.
pub async fn one(remote: &Remote, args: LabelArgs, output: Output) -> anyhow::Result<()> {
    let mut path = format!(
        "/v1/devices/{}/label?format={}&code={}&link={}",
        args.device,
        percent_encode(&args.format),
        percent_encode(&args.code),
        percent_encode(&args.link)
    );
    for (name, value) in [("module_um", args.module_um), ("pixels", args.pixels)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={value}"));
        }
    }
    let bytes = remote.bytes(&path).await?;
    write(&args.out, &bytes)?;
    let done = serde_json::json!({"file": args.out, "device": args.device.to_string()});
    output.one(&done, |_| format!("{} holds the code of {}", args.out.display(), args.device))
}

/// Runs `tegata device scans`.
pub async fn scans(remote: &Remote, device: DeviceId, output: Output) -> anyhow::Result<()> {
    let scans: Scans = remote.get(&format!("/v1/devices/{device}/scans")).await?;
    output.one(&scans, |scans| {
        let concern = scans.concern.as_deref().unwrap_or("none");
        format!(
            "look-ups in 7 days  {}\nnetworks in a day   {}\njourneys too fast   {}\nconcern             {concern}",
            scans.sightings, scans.networks, scans.journeys
        )
    })
}

/// A file that may be made again: it holds nothing secret.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_field_by_field() {
        let label =
            security_label("jc-star,★1,,https://labels.example/1,2028-01-01T00:00:00Z").unwrap();
        assert_eq!((label.scheme.as_str(), label.level.as_deref()), ("jc-star", Some("★1")));
        assert_eq!(label.number, None);
        assert!(label.valid_until.is_some());
        assert!(security_label("").is_err());
        assert!(security_label("cls,1,2,https://a.example/,tomorrow").is_err());
        assert!(security_label("a,b,c,d,2028-01-01T00:00:00Z,f").is_err());
    }
}
