use crate::{Picture, Result};

/// Rows and columns of a letter, without the gap after it.
const LETTER: [usize; 2] = [5, 3];

/// Letters of 5 x 3 pixels, row by row from the top left, the first pixel in the highest of 15 bits.
const LETTERS: [(char, u16); 14] = [
    ('0', 0b111_101_101_101_111),
    ('1', 0b010_110_010_010_111),
    ('2', 0b111_001_111_100_111),
    ('3', 0b111_001_011_001_111),
    ('4', 0b101_101_111_001_001),
    ('5', 0b111_100_111_001_111),
    ('6', 0b111_100_111_101_111),
    ('7', 0b111_001_001_010_010),
    ('8', 0b111_101_111_101_111),
    ('9', 0b111_101_111_001_111),
    ('C', 0b111_100_100_100_111),
    ('E', 0b111_100_110_100_111),
    ('H', 0b101_101_111_101_101),
    ('P', 0b111_101_111_100_100),
];

/// Columns of black before the text, and rows above and below it.
const MARGIN: usize = 2;

/// Each of these pixels is a square of so many, to be read at a glance.
const ZOOM: usize = 2;

/// The picture with a strip below it that says `EPOCH 12` in small letters.
///
/// What does not fit the width is cut off.
///
/// # Errors
///
/// Where the picture would be too large.
pub fn with_epoch(picture: &Picture, epoch: u64) -> Result<Picture> {
    let width = picture.width() as usize;
    let [rows, columns] = LETTER;
    let below = ZOOM * (rows + 2 * MARGIN);
    let mut strip = vec![0; below * width];
    for (at, letter) in format!("EP0CH {epoch}").chars().enumerate() {
        let Some((_, bits)) = LETTERS.iter().find(|(known, _)| *known == letter) else { continue };
        for pixel in (0..rows * columns).filter(|pixel| bits >> (rows * columns - 1 - pixel) & 1 == 1) {
            let (top, left) = (MARGIN + pixel / columns, MARGIN + at * (columns + 1) + pixel % columns);
            for row in ZOOM * top..ZOOM * (top + 1) {
                let [from, to] =
                    [ZOOM * left, ZOOM * (left + 1)].map(|column| row * width + column.min(width));
                strip[from..to].fill(u8::MAX);
            }
        }
    }
    let height = picture.height().saturating_add(below as u32);
    Picture::new(picture.width(), height, [picture.pixels(), &strip].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_read() {
        let picture = Picture::new(80, 1, vec![9; 80]).unwrap();
        let shown = with_epoch(&picture, 47).unwrap();
        assert_eq!((shown.width(), shown.height()), (80, 1 + 2 * 9));
        assert_eq!(shown.pixels()[..80], [9; 80]);
        let text = |pixel: &u8| if *pixel > 0 { '#' } else { ' ' };
        let line =
            |rows: &[u8]| rows[..80].iter().step_by(2).map(text).collect::<String>().trim_end().to_owned();
        let lines: Vec<String> = shown.pixels()[80..].chunks(2 * 80).map(line).collect();
        #[rustfmt::skip]
        assert_eq!(lines, [
            "",
            "",
            "  ### ### ### ### # #     # # ###",
            "  #   # # # # #   # #     # #   #",
            "  ##  ### # # #   ###     ###   #",
            "  #   #   # # #   # #       #  #",
            "  ### #   ### ### # #       #  #",
            "",
            "",
        ]);
        // Narrow pictures have room for a part of it.
        assert_eq!(with_epoch(&Picture::new(5, 1, vec![0; 5]).unwrap(), 1).unwrap().width(), 5);
    }
}
