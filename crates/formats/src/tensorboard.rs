//! TensorBoard's event files: scalars and pictures over the steps, one record after another, so that a file can grow while
//! TensorBoard reads it.
//!
//! A record is a TFRecord (`tensorflow/core/lib/io/record_writer.h`): length, its checksum, content, its checksum. The content is an
//! `Event` (`tensorboard/compat/proto/event.proto`). TensorBoard finds a file by `tfevents` in its name, and calls the run by
//! the folder that it is in.
//!
//! ```
//! use ganlet_formats::tensorboard::{self, Moment};
//!
//! let moment = Moment { step: 300, wall_time: 1_795_535_113.0 };
//! let mut file = tensorboard::header(moment.wall_time);
//! file.extend(tensorboard::scalars(moment, [("training/d_loss", 0.7)]));
//! assert!(file.len() > 50);
//! ```

use crc::{CRC_32_ISCSI, Crc};

use crate::protobuf::Message;

/// The version of the format, which a file begins with.
const VERSION: &str = "brain.Event:2";

/// The checksum of a TFRecord is a CRC-32C.
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// When something was so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// The step of the training.
    pub step: u64,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub wall_time: f64,
}

/// The record that a file begins with.
pub fn header(wall_time: f64) -> Vec<u8> {
    record(&event(Moment { step: 0, wall_time }).bytes(3, VERSION).into_bytes())
}

/// The record of some numbers, each with its tag: `training/d_loss` is the curve `d_loss` in the group `training`.
pub fn scalars<'a>(moment: Moment, values: impl IntoIterator<Item = (&'a str, f32)>) -> Vec<u8> {
    let summary = Message::new().each(values, |summary, (tag, value)| {
        summary.message(1, Message::new().bytes(1, tag).float(2, value))
    });
    record(&event(moment).message(5, summary).into_bytes())
}

/// The record of a grey picture of `[rows, columns]` pixels, the bytes of a PNG file.
pub fn picture(moment: Moment, tag: &str, png: &[u8], [rows, columns]: [u32; 2]) -> Vec<u8> {
    /// The number of channels.
    const GREY: i64 = 1;
    let picture =
        Message::new().int(1, i64::from(rows)).int(2, i64::from(columns)).int(3, GREY).bytes(4, png);
    let summary = Message::new().message(1, Message::new().bytes(1, tag).message(4, picture));
    record(&event(moment).message(5, summary).into_bytes())
}

/// The beginning of an `Event`.
fn event(Moment { step, wall_time }: Moment) -> Message {
    let event = Message::new().double(1, wall_time);
    match step {
        // What a field is where it is left out.
        0 => event,
        step => event.int(2, step.cast_signed()),
    }
}

fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(content.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend_from_slice(content);
    record.extend(masked(content).to_le_bytes());
    record
}

/// The checksum as TFRecords store it: turned and shifted, so that the checksum of bytes that hold checksums is not degenerate.
fn masked(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_published() {
        // RFC 3720, appendix B.4, and the check value that catalogues of checksums give.
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        assert_eq!(CRC.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CRC.checksum(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(CRC.checksum(&rising), 0x46dd_794e);
        assert_eq!(CRC.checksum(&falling), 0x113f_db5c);
        assert_eq!(CRC.checksum(b"123456789"), 0xe306_9283);
    }
}
