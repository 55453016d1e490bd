//! Words and signs of a CDDL text.

use super::Literal;
use admission::{Problem, Problems, place_of};
use base64::Engine as _;

/// What stands in a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Literal(Literal),
    /// a control operator, without its point
    Control(String),
    /// `#`, with the figure and the number behind it
    Hash(Option<u8>, Option<u64>),
    /// an occurrence: how often at least, and at most
    Occurs(u64, u64),
    Sign(&'static str),
}

/// Signs, the longer ones first.
const SIGNS: [&str; 22] = [
    "...", "..", "//=", "/=", "//", "/", "=>", "=", "(", ")", "[", "]", "{", "}", "<", ">", ",",
    ":", "~", "&", "^", "?",
];

/// Tokens with where they begin.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Problems> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    while let Some(next) = lexer.next()? {
        found.push(next);
    }
    Ok(found)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

fn starts_name(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '@' | '_' | '$')
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, message: &str, hint: &str) -> Problems {
        Problem::new(place_of(self.text, self.at), message, hint).into()
    }

    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            self.at = self.at.saturating_add(rest.len().saturating_sub(trimmed.len()));
            if !trimmed.starts_with(';') {
                return;
            }
            let line = trimmed.find('\n').unwrap_or(trimmed.len());
            self.at = self.at.saturating_add(line);
        }
    }

    fn while_(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at = self.at.saturating_add(end);
        rest.get(..end).unwrap_or_default()
    }

    fn next(&mut self) -> Result<Option<(Token, usize)>, Problems> {
        self.skip();
        let begins = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let token = match first {
            '"' => self.text_literal()?,
            '\'' => {
                self.at = self.at.saturating_add(1);
                Token::Literal(Literal::Bytes(self.quoted()?.into_bytes()))
            }
            'h' | 'b' if rest.starts_with("h'") || rest.starts_with("b64'") => self.bytes()?,
            '#' => self.hash()?,
            '*' | '+' => self.occurs()?,
            '.' if !rest.starts_with("..") => {
                self.at = self.at.saturating_add(1);
                let name = self.while_(|c| c.is_ascii_alphanumeric() || c == '-');
                Token::Control(name.to_owned())
            }
            c if starts_name(c) => Token::Name(self.name()),
            c if c.is_ascii_digit() || c == '-' => self.number()?,
            _ => {
                let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) else {
                    return Err(self.wrong("this sign is not known", "see RFC 8610 appendix B"));
                };
                self.at = self.at.saturating_add(sign.len());
                if sign == "?" { Token::Occurs(0, 1) } else { Token::Sign(sign) }
            }
        };
        Ok(Some((token, begins)))
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let mut end = 0;
        for (at, c) in rest.char_indices() {
            if starts_name(c) || c.is_ascii_digit() {
                end = at.saturating_add(1);
            } else if !matches!(c, '-' | '.') {
                break;
            }
        }
        self.at = self.at.saturating_add(end);
        rest.get(..end).unwrap_or_default().to_owned()
    }

    /// What stands before the quote that ends it.
    fn quoted(&mut self) -> Result<String, Problems> {
        let mut found = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at = self.at.saturating_add(at).saturating_add(1);
                    return Ok(found);
                }
                '\\' => found.extend(chars.next().map(|(_, c)| c)),
                c => found.push(c),
            }
        }
        Err(self.wrong("the quotation does not end", "close it with a quotation mark"))
    }

    fn text_literal(&mut self) -> Result<Token, Problems> {
        // Escapes are those of JSON (RFC 8610 appendix B, SESC).
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    let end = at.saturating_add(1);
                    let read = rest.get(..end).map(serde_json::from_str::<String>);
                    let Some(Ok(text)) = read else {
                        return Err(self.wrong("the text has an escape that is none", "as in JSON"));
                    };
                    self.at = self.at.saturating_add(end);
                    return Ok(Token::Literal(Literal::Text(text)));
                }
                _ => {}
            }
        }
        Err(self.wrong("the text does not end", "close it with a quotation mark"))
    }

    fn bytes(&mut self) -> Result<Token, Problems> {
        let hexadecimal = self.rest().starts_with('h');
        self.at = self.at.saturating_add(if hexadecimal { 2 } else { 4 });
        let mut text = self.quoted()?;
        text.retain(|c| !c.is_ascii_whitespace());
        let read = if hexadecimal {
            hex::decode(&text).ok()
        } else {
            let text = text.trim_end_matches('=');
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
        };
        let read = read.ok_or_else(|| self.wrong("these are no bytes", "h'00ff' or b64'AP8'"))?;
        Ok(Token::Literal(Literal::Bytes(read)))
    }

    fn hash(&mut self) -> Result<Token, Problems> {
        self.at = self.at.saturating_add(1);
        let major = self.rest().chars().next().and_then(|c| c.to_digit(10));
        let Some(major) = major else { return Ok(Token::Hash(None, None)) };
        self.at = self.at.saturating_add(1);
        let mut number = None;
        let rest = self.rest();
        if let Some(rest) = rest.strip_prefix('.')
            && rest.starts_with(|c: char| c.is_ascii_digit())
        {
            self.at = self.at.saturating_add(1);
            let figures = self.while_(|c| c.is_ascii_digit());
            let read = figures.parse().ok();
            number = Some(read.ok_or_else(|| self.wrong("the number is too large", "below 2^64"))?);
        }
        Ok(Token::Hash(u8::try_from(major).ok(), number))
    }

    fn occurs(&mut self) -> Result<Token, Problems> {
        let plus = self.rest().starts_with('+');
        self.at = self.at.saturating_add(1);
        if plus {
            return Ok(Token::Occurs(1, u64::MAX));
        }
        let most = self.count()?;
        Ok(Token::Occurs(0, most.unwrap_or(u64::MAX)))
    }

    fn count(&mut self) -> Result<Option<u64>, Problems> {
        let figures = self.while_(|c| c.is_ascii_digit());
        if figures.is_empty() {
            return Ok(None);
        }
        let read = figures.parse().ok();
        read.map(Some).ok_or_else(|| self.wrong("the number is too large", "below 2^64"))
    }

    fn number(&mut self) -> Result<Token, Problems> {
        let begins = self.at;
        let negative = self.rest().starts_with('-');
        if negative {
            self.at = self.at.saturating_add(1);
        }
        let rest = self.rest();
        let radix = match rest.get(..2) {
            Some("0x" | "0X") => 16,
            Some("0b" | "0B") => 2,
            _ => 10,
        };
        let wrong = |lexer: &Self| lexer.wrong("this is no number", "such as 12, -3, 0x1f or 1.5");
        if radix != 10 {
            self.at = self.at.saturating_add(2);
            let figures = self.while_(|c| c.is_ascii_hexdigit());
            let value = i128::from(u64::from_str_radix(figures, radix).map_err(|_| wrong(self))?);
            let value = if negative { value.saturating_neg() } else { value };
            return Ok(Token::Literal(Literal::Int(value)));
        }
        let whole = self.while_(|c| c.is_ascii_digit());
        if whole.is_empty() {
            return Err(wrong(self));
        }
        let rest = self.rest();
        let fraction =
            rest.strip_prefix('.').is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()));
        if rest.starts_with('*') && !negative {
            self.at = self.at.saturating_add(1);
            let least = whole.parse().map_err(|_| wrong(self))?;
            let most = self.count()?.unwrap_or(u64::MAX);
            return Ok(Token::Occurs(least, most));
        }
        if fraction {
            self.at = self.at.saturating_add(1);
            self.while_(|c| c.is_ascii_digit());
        }
        let rest = self.rest();
        let exponent = rest.strip_prefix(['e', 'E']).is_some_and(|it| {
            it.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit())
        });
        if exponent {
            self.at = self.at.saturating_add(1);
            self.while_(|c| c.is_ascii_digit() || matches!(c, '+' | '-'));
        }
        let text = self.text.get(begins..self.at).unwrap_or_default();
        if fraction || exponent {
            let value = text.parse().map_err(|_| wrong(self))?;
            return Ok(Token::Literal(Literal::Float(value)));
        }
        let value: i128 = text.parse().map_err(|_| wrong(self))?;
        let most = i128::from(u64::MAX);
        if value > most || value < most.saturating_neg().saturating_sub(1) {
            return Err(wrong(self));
        }
        Ok(Token::Literal(Literal::Int(value)))
    }
}
