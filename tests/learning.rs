//! That training teaches: one number, better after it than any generator makes it that has not learned what digits are.

mod common;

use common::{Outcome, Room, SMALL, read_npy};
use ganlet_data::idx::Array;
use ganlet_data::{Dataset, Split, synthetic};
use ganlet_random::Stream;

/// The digits are halved in size, so that a narrow network learns them in seconds.
const SIDE: usize = 14;
const PIXELS: usize = SIDE * SIDE;

/// Pictures that each generator may draw.
const PICTURES: usize = 1000;

/// The mean distance from each image of `real` to the nearest of `pictures`, all `(N, PIXELS)` in [-1, 1].
///
/// It is small only where whatever is real has something like it among the pictures: drawing one thing over and over does
/// not help, nor does noise of any kind, whose pictures are far from everything.
fn coverage(real: &[f32], pictures: &[f32]) -> f32 {
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
    let nearest =
        |image: &[f32]| pictures.chunks(PIXELS).map(|p| distance(image, p)).fold(f32::MAX, f32::min);
    real.chunks(PIXELS).map(nearest).sum::<f32>() / (real.len() / PIXELS) as f32
}

/// As learned by seed 0, 4.14; by four other seeds at three quarters of the steps, 4.28 to 4.42. The best that a generator of
/// those below does is 4.79, with the class means as with the right covariance; real images make 3.38.
#[test]
fn training_teaches_what_digits_are() {
    let digits = synthetic::digits(10_000, 500);
    let digits = Dataset::new("custom", halved(digits.train()), halved(digits.test())).expect("a data set");
    let room = Room::new();
    room.write_dataset("data", &digits);
    let recipe = SMALL
        .replace("epochs = 2", "epochs = 20")
        .replace("batch_size = 20", "batch_size = 25")
        .replace("latent = 4", "latent = 16")
        .replace("[16]", "[128, 128]")
        .replace("[16, 8]", "[128, 128]")
        .replace("beta1 = 0.9", "beta1 = 0.5")
        .replace("report_every = 2", "report_every = 1000");
    room.write("recipe.toml", recipe);

    let held_out = pixels(digits.test());
    let draw = |run: &str, flags: &str| {
        let train = format!("train --config recipe.toml --data-dir data --quiet --out {run} {flags}");
        // One thread: for networks so narrow, more gain nothing, and lose much where other tests want the cores.
        Outcome::of(room.command(&train).env("CANDLE_NUM_THREADS", "1")).expect_success();
        room.run(&format!("sample {run} --seeds 0-{} --out {run}.npy", PICTURES - 1)).expect_success();
        coverage(&held_out, &read_npy(&room.path(&format!("{run}.npy"))).2)
    };
    let learned = draw("learned", "");

    let train = pixels(digits.train());
    let bound = coverage(&held_out, &train[..PICTURES * PIXELS]);
    assert!(bound < learned, "real images make {bound}, generated ones {learned}");
    for (generator, reached) in [
        ("one that did a single step", draw("untrained", "--epochs 1 --batch-size 10000")),
        ("the mean of all images", coverage(&held_out, &mean(train.chunks(PIXELS)))),
        ("the means of the ten classes", coverage(&held_out, &class_means(&train, digits.train()))),
        ("a single class", coverage(&held_out, &single_class(&train, digits.train()))),
        ("each pixel as it is in some image", coverage(&held_out, &shuffled(&train))),
        ("normal values of the right mean and covariance", coverage(&held_out, &gaussian(&train))),
    ] {
        println!("{generator}: {reached}");
        assert!(learned < 0.92 * reached, "{generator}: {reached}, a trained one {learned}");
    }
}

/// Each 2 x 2 pixels as one.
fn halved(split: &Split) -> Split {
    let (rows, columns) = (split.rows(), split.cols());
    assert_eq!((rows, columns), (2 * SIDE, 2 * SIDE));
    let image = |image: &[u8]| -> Vec<u8> {
        let at = |row: usize, column: usize| u32::from(image[row * columns + column]);
        let four = |r: usize, c: usize| at(r, c) + at(r, c + 1) + at(r + 1, c) + at(r + 1, c + 1);
        (0..PIXELS).map(|p| ((four(p / SIDE * 2, p % SIDE * 2) + 2) / 4) as u8).collect()
    };
    let images = split.image_bytes().chunks(rows * columns).flat_map(image).collect();
    let images = Array::new(vec![split.len(), SIDE, SIDE], images).expect("images");
    Split::new(images, Array::new(vec![split.len()], split.label_bytes().to_vec()).expect("labels"))
        .expect("a split")
}

/// `(N, PIXELS)` in [-1, 1].
fn pixels(split: &Split) -> Vec<f32> {
    split.image_bytes().iter().map(|&p| 2. * f32::from(p) / 255. - 1.).collect()
}

fn mean<'a>(images: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    let (mut sum, mut count) = (vec![0.; PIXELS], 0.);
    for image in images {
        count += 1.;
        sum.iter_mut().zip(image).for_each(|(sum, pixel)| *sum += pixel);
    }
    sum.iter().map(|sum| sum / count).collect()
}

fn class_means(train: &[f32], split: &Split) -> Vec<f32> {
    let of = |class| {
        mean(train.chunks(PIXELS).zip(split.label_bytes()).filter(|(_, l)| **l == class).map(|(i, _)| i))
    };
    (0..10).flat_map(of).collect()
}

fn single_class(train: &[f32], split: &Split) -> Vec<f32> {
    let members = train.chunks(PIXELS).zip(split.label_bytes()).filter(|(_, label)| **label == 3);
    members.take(PICTURES).flat_map(|(image, _)| image.to_vec()).collect()
}

/// Images whose every pixel comes from another real one: the distribution of each pixel is right, and nothing else.
fn shuffled(train: &[f32]) -> Vec<f32> {
    let mut pictures = train[..PICTURES * PIXELS].to_vec();
    for pixel in 0..PIXELS {
        let order = Stream::new(1, 0, pixel as u64).permutation(PICTURES as u32);
        for (to, from) in order.into_iter().enumerate() {
            pictures[to * PIXELS + pixel] = train[from as usize * PIXELS + pixel];
        }
    }
    pictures
}

/// The mean of the images, and a sum of their deviations with standard normal weights, which has their covariance.
fn gaussian(train: &[f32]) -> Vec<f32> {
    let images = &train[..2 * PICTURES * PIXELS];
    let (count, mean) = (images.len() / PIXELS, mean(images.chunks(PIXELS)));
    let picture = |index| {
        let mut weights = vec![0.; count];
        Stream::new(2, 0, index).fill_normal(&mut weights);
        let mut picture = mean.clone();
        for (image, weight) in images.chunks(PIXELS).zip(weights) {
            let scale = weight / (count as f32).sqrt();
            for ((picture, pixel), mean) in picture.iter_mut().zip(image).zip(&mean) {
                *picture += scale * (pixel - mean);
            }
        }
        picture.into_iter().map(|pixel| pixel.clamp(-1., 1.)).collect::<Vec<f32>>()
    };
    (0..PICTURES as u64).flat_map(picture).collect()
}
