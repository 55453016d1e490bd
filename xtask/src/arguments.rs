//! The command line of `cargo xtask`, read without a parser crate.

use crate::test;
use anyhow::{Result, anyhow, bail};

/// What `cargo xtask help` prints.
pub(crate) const HELP: &str = "\
cargo xtask COMMAND

  tidy                         rules that a compiler does not check: directions, invariants, docs
  test [--only STEP] [--skip STEP] [--list]
                               everything that must hold before a change lands; both flags repeat
  fuzz [TARGET] [--seconds N]  run every fuzz target, or one, for N seconds (10)
  fuzz-list [--write]          every fuzz target has its entry in fuzz/Cargo.toml; --write adds it
  interop [SCRIPT]             the tests against foreign software, or one of them
  screens [PAGE ...]           pictures of the console's pages, in target/screens
  bench [ARGUMENTS]            release build, then `tegata bench ARGUMENTS`
  release                      release build with completions and manual pages in target/dist
";

/// One parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arguments {
    Help,
    Tidy,
    Test(test::Selection),
    Fuzz { target: Option<String>, seconds: u32 },
    FuzzList { write: bool },
    Interop { script: Option<String> },
    Screens(Vec<String>),
    Bench(Vec<String>),
    Release,
}

/// Reads the arguments after `cargo xtask`.
pub(crate) fn parse(given: &[String]) -> Result<Arguments> {
    let Some((command, rest)) = given.split_first() else {
        return Ok(Arguments::Help);
    };
    let mut rest = rest.iter();
    let parsed = match command.as_str() {
        "help" | "--help" | "-h" => Arguments::Help,
        "tidy" => Arguments::Tidy,
        "release" => Arguments::Release,
        "screens" => return Ok(Arguments::Screens(rest.cloned().collect())),
        "bench" => return Ok(Arguments::Bench(rest.cloned().collect())),
        "test" => {
            let mut selection = test::Selection::default();
            while let Some(flag) = rest.next() {
                match flag.as_str() {
                    "--only" => selection.only.push(step(rest.next())?),
                    "--skip" => selection.skip.push(step(rest.next())?),
                    "--list" => selection.list = true,
                    other => return Err(unknown(other)),
                }
            }
            Arguments::Test(selection)
        }
        "fuzz" => {
            let (mut target, mut seconds) = (None, 10);
            while let Some(word) = rest.next() {
                match word.as_str() {
                    "--seconds" => {
                        seconds = rest
                            .next()
                            .ok_or_else(|| anyhow!("--seconds needs a number"))?
                            .parse()?;
                    }
                    other if other.starts_with('-') => return Err(unknown(other)),
                    other => target = Some(other.to_owned()),
                }
            }
            Arguments::Fuzz { target, seconds }
        }
        "fuzz-list" => {
            Arguments::FuzzList { write: rest.next().is_some_and(|flag| flag == "--write") }
        }
        "interop" => Arguments::Interop { script: rest.next().cloned() },
        other => bail!("no command {other:?}; see `cargo xtask help`"),
    };
    match rest.next() {
        Some(extra) => Err(unknown(extra)),
        None => Ok(parsed),
    }
}

fn step(name: Option<&String>) -> Result<String> {
    let name = name.ok_or_else(|| anyhow!("a step's name must follow"))?;
    if test::STEPS.iter().any(|step| step.name == name) {
        return Ok(name.clone());
    }
    let known: Vec<&str> = test::STEPS.iter().map(|step| step.name).collect();
    bail!("no step {name:?}; there are {}", known.join(", "))
}

fn unknown(word: &str) -> anyhow::Error {
    anyhow!("{word:?} is not understood here; see `cargo xtask help`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn reads_commands_and_refuses_what_it_does_not_know() {
        assert_eq!(parse(&[]).unwrap(), Arguments::Help);
        let test = parse(&words("test --only tidy --skip fuzz")).unwrap();
        let Arguments::Test(selection) = test else { panic!("not a test") };
        assert_eq!((selection.only, selection.skip), (words("tidy"), words("fuzz")));
        assert_eq!(
            parse(&words("fuzz csr --seconds 3")).unwrap(),
            Arguments::Fuzz { target: Some("csr".into()), seconds: 3 }
        );
        for wrong in ["tset", "test --only nonsense", "test --only", "fuzz --second 3", "tidy x"] {
            assert!(parse(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
