use crate::{
    cli::{Language, TokenCommand},
    output::Output,
    remote::Remote,
};
use api::wire::{IssuedToken, NewToken, Token};

/// Runs `tegata token …`.
pub async fn run(command: TokenCommand, output: Output, language: Language) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create { server, roles, seconds } => {
            let remote = Remote::open(&server, language)?;
            let new = NewToken {
                roles: roles
                    .iter()
                    .map(|role| role.parse().map_err(anyhow::Error::msg))
                    .collect::<Result<_, _>>()?,
                lifetime_s: seconds,
            };
            let token: IssuedToken = remote.post("/v1/tokens", &new).await?;
            output.one(&token, |token| token.token.clone())
        }
        TokenCommand::List { server, organisation } => {
            let remote = Remote::open(&server, language)?;
            let all: Vec<Token> =
                remote.all(&format!("/v1/organisations/{organisation}/tokens")).await?;
            output.list(&all, &["id", "member", "roles", "expires"], |token| {
                let roles: Vec<_> = token.roles.iter().map(ToString::to_string).collect();
                vec![
                    token.id.to_string(),
                    token.member.clone(),
                    roles.join(" "),
                    token.expires.to_string(),
                ]
            })
        }
        TokenCommand::Revoke { server, id } => {
            let remote = Remote::open(&server, language)?;
            let path = format!("/v1/tokens/{}", api::client::percent_encode(&id));
            remote.delete(&path).await?;
            output.one(&id, |id| format!("token {id} ended"))
        }
    }
}
