use crate::{
    cli::{Language, ProductCommand},
    commands::label,
    output::Output,
    remote::Remote,
};
use admission::{TopicFilter, TopicName, device_log::DEVICE_LOG_UP};
use api::{
    Rest,
    wire::{NewProduct, Product, SignedTopics},
};

/// Runs `tegata product …`.
pub async fn run(
    command: ProductCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    match command {
        ProductCommand::Create {
            server,
            organisation,
            id,
            name,
            model,
            kind,
            root_of_trust,
            support_end,
            ldevid_validity_s,
        } => {
            let remote = Remote::open(&server, language)?;
            let new = NewProduct {
                id: id.parse()?,
                name,
                model,
                kind: kind.into(),
                root_of_trust: root_of_trust.into(),
                support_end,
                ldevid_validity_s,
            };
            let path = format!("/v1/organisations/{organisation}/products");
            let product: Product = remote.post(&path, &new).await?;
            output.one(&product, |product| format!("{} of {organisation} exists", product.id))
        }
        ProductCommand::Show { server, organisation, id } => {
            let remote = Remote::open(&server, language)?;
            label::show(&remote, &organisation, &id, output).await
        }
        ProductCommand::Change(args) => {
            let remote = Remote::open(&args.server, language)?;
            label::change(&remote, args, output).await
        }
        ProductCommand::Labels(args) => {
            let remote = Remote::open(&args.server, language)?;
            label::sheets(&remote, args, output).await
        }
        ProductCommand::SignedTopics { server, organisation, id, set, set_encrypted, none } => {
            let rest = Rest::new(Remote::open(&server, language)?.client().clone());
            let mut found = rest.signed_topics(&organisation, &id).await?;
            if none || !set.is_empty() || !set_encrypted.is_empty() {
                // What is not named stays.
                let or = |new: Vec<String>, old| if none || !new.is_empty() { new } else { old };
                let wanted = SignedTopics {
                    topics: or(set, found.topics),
                    encrypted: Some(set_encrypted).filter(|new| none || !new.is_empty()),
                };
                found = rest.set_signed_topics(&organisation, &id, &wanted).await?;
            }
            output.one(&found, |found| {
                let encrypted = found.encrypted.clone().unwrap_or_default();
                let all = [found.topics.clone(), encrypted.clone()].concat();
                match (all.is_empty(), encrypted.is_empty()) {
                    (true, _) => "nothing needs to be signed".to_owned(),
                    (_, true) => {
                        format!("must be signed: {}{}", found.topics.join(" "), unsigned_hint(&all))
                    }
                    _ => format!(
                        "must be signed: {}\nmust be encrypted: {}{}",
                        found.topics.join(" "),
                        encrypted.join(" "),
                        unsigned_hint(&all)
                    ),
                }
            })
        }
        ProductCommand::List { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/organisations/{organisation}/products");
            let all: Vec<Product> = remote.all(&path).await?;
            output.list(&all, &["id", "name", "model", "kind", "root of trust"], |product| {
                vec![
                    product.id.to_string(),
                    product.name.clone(),
                    product.model.clone(),
                    product.kind.to_string(),
                    product.root_of_trust.to_string(),
                ]
            })
        }
    }
}

/// What `tegata-agent` says openly unless it is told otherwise, where that is refused from now on.
fn unsigned_hint(topics: &[String]) -> &'static str {
    let command = "up/commands/00000000000000000000000000000000";
    let said = [command, "up/configuration", DEVICE_LOG_UP].map(TopicName::new);
    let filters = topics.iter().filter_map(|topic| TopicFilter::new(topic.as_str()).ok());
    let silenced =
        filters.into_iter().any(|filter| said.iter().flatten().any(|name| filter.matches(name)));
    match silenced {
        true => {
            "\nhint: this takes in what devices say to commands, settings and logs; `tegata-agent` protects \
             that where its configuration has [messages] (docs/agent.md), and is refused otherwise"
        }
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_silences_the_agent_is_told() {
        for silenced in ["up/#", "up/commands/#", "up/commands/+"] {
            assert!(!unsigned_hint(&[silenced.to_owned()]).is_empty(), "{silenced}");
        }
        assert_eq!(unsigned_hint(&["up/meter/#".to_owned()]), "");
    }
}
