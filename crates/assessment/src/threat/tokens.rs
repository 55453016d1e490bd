//! Words and signs of conditions.

use std::{collections::VecDeque, fmt};

/// Longest condition, in bytes.
const BYTES_MAX: usize = 2_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    Open,
    Close,
    Comma,
    Is,
    IsNot,
    AtLeast,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "{word:?}"),
            Self::Open => f.write_str("`(`"),
            Self::Close => f.write_str("`)`"),
            Self::Comma => f.write_str("`,`"),
            Self::Is => f.write_str("`=`"),
            Self::IsNot => f.write_str("`!=`"),
            Self::AtLeast => f.write_str("`>=`"),
        }
    }
}

/// Tokens that were not read yet.
pub(crate) struct Tokens(VecDeque<Token>);

impl Tokens {
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("longer than {BYTES_MAX} bytes"));
        }
        let mut tokens = VecDeque::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let token = match c {
                c if c.is_whitespace() => continue,
                '(' => Token::Open,
                ')' => Token::Close,
                ',' => Token::Comma,
                '=' => Token::Is,
                '!' if rest.next_if_eq(&'=').is_some() => Token::IsNot,
                '>' if rest.next_if_eq(&'=').is_some() => Token::AtLeast,
                c if is_word(c) => {
                    let mut word = String::from(c);
                    while let Some(c) = rest.next_if(|c| is_word(*c)) {
                        word.push(c);
                    }
                    Token::Word(word)
                }
                c => return Err(format!("{c:?} stands in no condition")),
            };
            tokens.push_back(token);
        }
        Ok(Self(tokens))
    }

    pub(crate) fn next(&mut self) -> Option<Token> {
        self.0.pop_front()
    }

    /// Takes the next token if it is this word.
    pub(crate) fn takes(&mut self, word: &str) -> bool {
        let is = matches!(self.0.front(), Some(Token::Word(one)) if one == word);
        is && self.next().is_some()
    }

    /// Takes the next token if it is this sign.
    pub(crate) fn takes_sign(&mut self, sign: &Token) -> bool {
        self.0.front() == Some(sign) && self.next().is_some()
    }

    pub(crate) fn expect(&mut self, sign: &Token) -> Result<(), String> {
        match self.next() {
            Some(token) if token == *sign => Ok(()),
            Some(token) => Err(format!("{token} where {sign} is expected")),
            None => Err(format!("{sign} is missing at the end")),
        }
    }

    pub(crate) fn word(&mut self, what: &str) -> Result<String, String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            Some(token) => Err(format!("{token} where {what} is expected")),
            None => Err(format!("{what} is missing at the end")),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.'
}
