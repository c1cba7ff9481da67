/// How the grey of a picture is shown: black to white, or as the colors of a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colors {
    /// Black to white, as the pictures are.
    #[default]
    Grey,
    /// White to black: ink on paper.
    Inverted,
    /// Dark blue over green to yellow, as even to the eye as a scale of grey; matplotlib's, by Smith and van der Walt (2015).
    Viridis,
    /// Black over purple and orange to light yellow; matplotlib's too.
    Magma,
}

impl Colors {
    /// Every one, in the order of their declaration.
    pub const ALL: [Self; 4] = [Self::Grey, Self::Inverted, Self::Viridis, Self::Magma];

    /// Red, green and blue of each of the 256 shades, from black to white.
    pub fn palette(self) -> [[u8; 3]; 256] {
        std::array::from_fn(|grey| {
            let of = |gradient: colorous::Gradient| gradient.eval_rational(grey, 256).as_array();
            // A shade is below 256.
            match self {
                Self::Grey => [grey as u8; 3],
                Self::Inverted => [255 - grey as u8; 3],
                Self::Viridis => of(colorous::VIRIDIS),
                Self::Magma => of(colorous::MAGMA),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_map_runs_from_dark_to_light_but_the_inverted() {
        for colors in Colors::ALL {
            let light = colors
                .palette()
                .map(|[r, g, b]| 299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b));
            match colors {
                Colors::Inverted => assert!(light.is_sorted_by(|a, b| a > b)),
                // Steps of one shade may round the other way.
                _ => assert!(light.windows(8).all(|w| w[0] < w[7]), "{colors:?}"),
            }
        }
        // The ends of matplotlib's maps.
        let ends = |colors: Colors| (colors.palette()[0], colors.palette()[255]);
        assert_eq!(ends(Colors::Viridis), ([68, 1, 84], [253, 231, 37]));
        assert_eq!(ends(Colors::Magma), ([0, 0, 4], [252, 253, 191]));
    }
}
