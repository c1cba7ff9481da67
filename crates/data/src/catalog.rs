//! The data sets that have a name: their files, digests, mirrors and classes.

use crate::{Error, Result};
use std::{fmt, str::FromStr};

/// A data set that can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Name {
    /// Handwritten digits: LeCun, Cortes and Burges, 1998.
    Mnist,
    /// Clothes: Xiao, Rasul and Vollgraf, 2017.
    FashionMnist,
    /// Cursive Japanese: Clanuwat et al., 2018.
    Kmnist,
    /// Digits that [`synthetic`](crate::synthetic) draws, and that need no network.
    SyntheticDigits,
}

/// The classes of the data sets of digits.
pub(crate) const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

impl Name {
    /// All names.
    pub const ALL: [Self; 4] = [Self::Mnist, Self::FashionMnist, Self::Kmnist, Self::SyntheticDigits];

    /// The name as users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Kmnist => "kmnist",
            Self::SyntheticDigits => "synthetic-digits",
        }
    }

    /// What each of the ten classes shows.
    pub fn classes(self) -> [&'static str; 10] {
        match self {
            Self::Mnist | Self::SyntheticDigits => DIGITS,
            // https://github.com/zalandoresearch/fashion-mnist#labels
            Self::FashionMnist => [
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ],
            // The readings of the characters, as torchvision writes them.
            Self::Kmnist => ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
        }
    }

    /// The [digest](crate::Dataset::digest) of the data set, where it is known: it follows from those of the files.
    pub fn digest(self) -> Option<&'static str> {
        match self {
            Self::Mnist => Some("e9914cff2ade526da2ab1ac60c072f9173cc53e35b9411692de8207cb1b9009d"),
            Self::FashionMnist => Some("4d8e31d2057f6f938ff47097ba334038e7aafbaf24b67665d2dd1ecda01730a3"),
            Self::Kmnist => None,
            Self::SyntheticDigits => Some(crate::synthetic::DIGEST),
        }
    }

    /// Where the files are published, or nothing for a data set that is drawn.
    pub(crate) fn origin(self) -> Option<Origin> {
        let (mirrors, digests): (&[&str], _) = match self {
            Self::Mnist => (
                &[
                    "https://ossci-datasets.s3.amazonaws.com/mnist",
                    "https://storage.googleapis.com/cvdf-datasets/mnist",
                ],
                [
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                ]
                .map(Digest::Content),
            ),
            // Of the content of the published files, which are known by the MD5 of their gzip form in torchvision's
            // datasets/mnist.py: 8d4fb7e6..., 25c81989..., bef4ecab... and bb300cfd...
            Self::FashionMnist => (
                &[
                    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
                    // The address with TLS of the bucket behind http://fashion-mnist.s3-website.eu-central-1.amazonaws.com.
                    "https://fashion-mnist.s3.eu-central-1.amazonaws.com",
                ],
                [
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                ]
                .map(Digest::Content),
            ),
            // torchvision, datasets/mnist.py, class KMNIST.
            Self::Kmnist => (
                &["https://codh.rois.ac.jp/kmnist/dataset/kmnist"],
                [
                    "bdb82020997e1d708af4cf47b453dcf7",
                    "e144d726b3acfaa3e44228e80efcd344",
                    "5c965bf0a639b31b8f53240b1b52f4d7",
                    "7320c461ea6c1c855c0b718fb2a4b134",
                ]
                .map(Digest::GzipMd5),
            ),
            Self::SyntheticDigits => return None,
        };
        Some(Origin {
            name: self.as_str(),
            mirrors: mirrors.iter().map(|&mirror| mirror.to_owned()).collect(),
            digests,
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Error::UnknownName { found: text.to_owned() })
    }
}

/// Where a data set is published, and how its files are told from others.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) name: &'static str,
    /// Folders that hold the four `.gz` files.
    pub(crate) mirrors: Vec<String>,
    /// One for each of [`FILES`].
    pub(crate) digests: [Digest; 4],
}

impl Origin {
    /// Whether the files' MD5s are needed to check them.
    pub(crate) fn wants_md5(&self) -> bool {
        self.digests.iter().any(|digest| matches!(digest, Digest::GzipMd5(_)))
    }
}

/// The files of a data set, in order: training images and labels, test images and labels.
pub(crate) const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// The rank of each of [`FILES`].
pub(crate) const RANKS: [usize; 4] = [3, 1, 3, 1];

/// What is known of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Digest {
    /// The SHA-256 of the plain file; it does not matter how the file is compressed.
    Content(&'static str),
    /// The MD5 of the `.gz` as published; a plain file cannot be told from another.
    GzipMd5(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in Name::ALL {
            assert_eq!(name.to_string().parse::<Name>().ok(), Some(name));
        }
        let error = "cifar".parse::<Name>().unwrap_err().to_string();
        assert!(Name::ALL.iter().all(|name| error.contains(name.as_str())), "{error}");
    }

    #[test]
    fn a_data_set_s_digest_follows_from_its_files() {
        for name in [Name::Mnist, Name::FashionMnist] {
            let digests = name.origin().unwrap().digests;
            let bytes = digests.iter().flat_map(|digest| match digest {
                Digest::Content(hex) => {
                    (0..64).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                }
                Digest::GzipMd5(_) => unreachable!(),
            });
            let digest = crate::hash::hex(&Sha256::digest(bytes.collect::<Vec<_>>()));
            assert_eq!(name.digest(), Some(digest.as_str()));
        }
    }
}
