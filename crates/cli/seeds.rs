//! Which samples: `7`, `0-63`, `1,5,9-12`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Seeds in the order they were named, as ranges, so that a million of them take no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seeds(Vec<RangeInclusive<u64>>);

impl Seeds {
    /// How many there are; at least one.
    pub(crate) fn count(&self) -> u128 {
        let length = |range: &RangeInclusive<u64>| u128::from(range.end() - range.start()) + 1;
        self.0.iter().map(length).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().cloned().flatten()
    }
}

impl From<RangeInclusive<u64>> for Seeds {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self(vec![range])
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (seed(first)?, seed(last)?);
    if first > last {
        return Err(format!("the range {text} runs backwards, did you mean {last}-{first}?"));
    }
    Ok(first..=last)
}

fn seed(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "`{text}` is not a seed: seeds are whole numbers and ranges of them, as in 1,5,9-12"
        ));
    }
    text.parse().map_err(|_| format!("{text} is too large, the largest seed is {}", u64::MAX))
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match range.start() == range.end() {
                true => write!(f, "{comma}{}", range.start())?,
                false => write!(f, "{comma}{}-{}", range.start(), range.end())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_ranges_and_lists() {
        let seeds = |text: &str| text.parse::<Seeds>().unwrap();
        assert_eq!(seeds("7").iter().collect::<Vec<_>>(), [7]);
        assert_eq!(seeds("3-5").iter().collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(seeds("1,5, 9-11,1").iter().collect::<Vec<_>>(), [1, 5, 9, 10, 11, 1]);
        assert_eq!(seeds("1,5,9-12").to_string(), "1,5,9-12");
        assert_eq!(seeds("0-18446744073709551615").count(), 1 << 64);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("", "not a seed"),
            ("1,", "not a seed"),
            ("-3", "not a seed"),
            ("+3", "not a seed"),
            ("3-", "not a seed"),
            ("1-2-3", "`2-3` is not a seed"),
            ("0..63", "`0..63` is not a seed"),
            ("a", "`a` is not a seed"),
            ("63-0", "did you mean 0-63"),
            ("18446744073709551616", "too large"),
        ] {
            let error = text.parse::<Seeds>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
