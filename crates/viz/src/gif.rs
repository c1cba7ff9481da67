use std::borrow::Cow;

use gif::{Encoder, Repeat};

use crate::{Colors, Error, Frame, Result, frame};

/// The frames as the bytes of a GIF file that plays over and over: each pixel is exact, as there are 256 shades and 256 colors.
///
/// # Errors
///
/// Where there are no frames, they differ in size, or are larger than the 65,535 pixels a side that the format can say.
pub fn encode_gif(frames: &[Frame], colors: Colors) -> Result<Vec<u8>> {
    let first = frame::check(frames)?;
    let side = |pixels: u32| {
        let too_large =
            |_| Error::TooLargePicture { width: first.width().into(), height: first.height().into() };
        u16::try_from(pixels).map_err(too_large)
    };
    let (width, height) = (side(first.width())?, side(first.height())?);

    let mut bytes = Vec::new();
    let write = |bytes: &mut Vec<u8>| {
        let palette = colors.palette();
        let mut encoder = Encoder::new(bytes, width, height, palette.as_flattened())?;
        encoder.set_repeat(Repeat::Infinite)?;
        for frame in frames {
            encoder.write_frame(&gif::Frame {
                delay: frame.hundredths,
                width,
                height,
                buffer: Cow::Borrowed(frame.picture.pixels()),
                ..gif::Frame::default()
            })?;
        }
        encoder.into_inner().map(drop)
    };
    write(&mut bytes).map_err(|source| Error::encode("GIF", source))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Picture, encode_apng};

    fn frames() -> Vec<Frame> {
        let picture = |shift: u8| {
            Picture::new(13, 20, (0..=255).map(|p: u8| p.wrapping_add(shift)).chain(0..4).collect())
        };
        [0, 100, 200]
            .map(|shift| Frame { picture: picture(shift).unwrap(), hundredths: 7 + u16::from(shift) })
            .into()
    }

    #[test]
    fn a_decoder_gives_the_frames_back() {
        let bytes = encode_gif(&frames(), Colors::Magma).unwrap();
        let mut decoder = gif::DecodeOptions::new().read_info(&bytes[..]).unwrap();
        assert_eq!(decoder.global_palette().unwrap(), Colors::Magma.palette().as_flattened());
        assert_eq!(decoder.repeat(), Repeat::Infinite);
        for expected in frames() {
            let frame = decoder.read_next_frame().unwrap().unwrap();
            assert_eq!((frame.delay, &frame.buffer[..]), (expected.hundredths, expected.picture.pixels()));
        }
        assert!(decoder.read_next_frame().unwrap().is_none());
    }

    #[test]
    fn so_does_one_of_animated_png() {
        let bytes = encode_apng(&frames(), Colors::Grey).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        assert_eq!(reader.info().animation_control().unwrap().num_frames, 3);
        for expected in frames() {
            let mut pixels = vec![0; 260];
            reader.next_frame(&mut pixels).unwrap();
            assert_eq!(pixels, expected.picture.pixels());
            let control = reader.info().frame_control().unwrap();
            assert_eq!((control.delay_num, control.delay_den), (expected.hundredths, 100));
        }
    }

    #[test]
    fn frames_that_do_not_fit_together_are_an_error() {
        let mut frames = frames();
        frames[2].picture = Picture::new(1, 260, vec![0; 260]).unwrap();
        for encode in [encode_gif, encode_apng] {
            assert!(matches!(encode(&[], Colors::Grey), Err(Error::NoFrames)));
            assert!(matches!(encode(&frames, Colors::Grey), Err(Error::FrameSize { frame: 2, .. })));
        }
        let wide = Picture::new(70_000, 1, vec![0; 70_000]).unwrap();
        let wide = [Frame { picture: wide, hundredths: 1 }];
        assert!(matches!(encode_gif(&wide, Colors::Grey), Err(Error::TooLargePicture { .. })));
    }
}
