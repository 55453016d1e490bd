//! Crockford's base 32 with a check symbol, for codes that people type.

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Doubles in GF(32) = GF(2)[x]/(x⁵+x²+1), whose generator is x.
fn times_generator(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled & 32 == 0 { doubled } else { doubled ^ 0b10_0101 }
}

/// The symbols as a polynomial over GF(32), at the generator: notices every single wrong symbol and
/// every exchange of two, up to 31 symbols.
fn check_symbol(symbols: &[u8]) -> u8 {
    symbols.iter().fold(0, |sum, symbol| times_generator(sum ^ symbol))
}

fn letter(symbol: u8) -> char {
    ALPHABET.get(usize::from(symbol & 31)).map_or('0', |byte| char::from(*byte))
}

fn symbol(letter: char) -> Option<u8> {
    let letter = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let place = ALPHABET.iter().position(|byte| char::from(*byte) == letter)?;
    u8::try_from(place).ok()
}

/// 15 bytes as 24 symbols and a check symbol, in five groups of five.
pub(crate) fn encode(bytes: &[u8; 15]) -> String {
    let mut symbols = Vec::with_capacity(25);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            symbols.push(((bits >> held) & 31) as u8);
        }
    }
    symbols.push(check_symbol(&symbols));
    let mut text = String::with_capacity(29);
    for (index, symbol) in symbols.into_iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            text.push('-');
        }
        text.push(letter(symbol));
    }
    text
}

/// Why a text is not such a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Shape,
    Check,
}

/// Reads a code as people type it: lower case, spaces and hyphens anywhere, O for 0, I and L for 1.
pub(crate) fn decode(text: &str) -> Result<[u8; 15], Unreadable> {
    let mut symbols = Vec::with_capacity(25);
    for character in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
        if symbols.len() == 25 {
            return Err(Unreadable::Shape);
        }
        symbols.push(symbol(character).ok_or(Unreadable::Shape)?);
    }
    let Some((check, data)) = symbols.split_last().filter(|(_, data)| data.len() == 24) else {
        return Err(Unreadable::Shape);
    };
    if check_symbol(data) != *check {
        return Err(Unreadable::Check);
    }
    let mut bytes = [0; 15];
    let mut out = bytes.iter_mut();
    let (mut bits, mut held) = (0_u32, 0);
    for symbol in data {
        bits = (bits << 5) | u32::from(*symbol);
        held += 5;
        if held >= 8 {
            held -= 8;
            if let Some(byte) = out.next() {
                *byte = ((bits >> held) & 255) as u8;
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_come_back_as_typed_by_people(bytes: [u8; 15]) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len(), 29);
            prop_assert_eq!(decode(&text), Ok(bytes));
            let typed = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            prop_assert_eq!(decode(&typed), Ok(bytes));
        }

        #[test]
        fn one_wrong_symbol_or_two_exchanged_are_noticed(
            bytes: [u8; 15], first in 0..25_usize, second in 0..25_usize, other in 0..32_u8,
        ) {
            let text: Vec<char> = encode(&bytes).replace('-', "").chars().collect();
            let mut wrong = text.clone();
            wrong[first] = letter(other);
            if wrong != text {
                prop_assert_eq!(decode(&wrong.iter().collect::<String>()), Err(Unreadable::Check));
            }
            let mut swapped = text.clone();
            swapped.swap(first, second);
            if swapped != text {
                prop_assert_eq!(decode(&swapped.iter().collect::<String>()), Err(Unreadable::Check));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(decode(&encode(&bytes)), Ok(bytes));
            }
        }
    }
}
