//! One digit, written by one hand.

use super::SIDE;
use super::strokes::{DIGITS, Stroke, Style};
use ganlet_random::Stream;

/// The side of the box that the digit is fitted into, in pixels; MNIST's.
const BOX: f32 = 20.;

/// Straight pieces per piece of a stroke between two knots.
const PIECES: usize = 6;

/// No stroke has more knots.
const MAX_KNOTS: usize = 16;

/// A point in the plane.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    x: f32,
    y: f32,
}

impl Point {
    fn plus(self, other: Self, scale: f32) -> Self {
        Self { x: self.x + other.x * scale, y: self.y + other.y * scale }
    }

    fn minus(self, other: Self) -> Self {
        self.plus(other, -1.)
    }

    fn length(self) -> f32 {
        (self.x * self.x + self.y * self.y).sqrt()
    }
}

/// Writes `digit` (0 to 9) on a black image of [`SIDE`] by [`SIDE`].
pub(super) fn write(digit: usize, random: &mut Stream, image: &mut [u8]) {
    let style = choose(DIGITS[digit], random);
    let hand = Hand::new(random);
    let mut lines: Vec<Vec<Point>> = style.strokes.iter().map(|stroke| hand.follow(stroke, random)).collect();
    fit(&mut lines, hand.ink.reach());
    hand.ink.draw(&lines, image);
}

fn choose(styles: &'static [Style], random: &mut Stream) -> &'static Style {
    let mut at = random.below(styles.iter().map(|style| style.weight).sum());
    for style in styles {
        if at < style.weight {
            return style;
        }
        at -= style.weight;
    }
    &styles[0]
}

/// What is the same for all strokes of a digit.
struct Hand {
    /// How far a knot strays, in parts of the box.
    shake: f32,
    /// The image of the x and of the y direction: rotation, slant and proportions.
    across: Point,
    down: Point,
    /// How lines bend, as multiples of x^2, xy, y^2 about the middle of the box.
    bend: [Point; 3],
    ink: Ink,
}

impl Hand {
    fn new(random: &mut Stream) -> Self {
        let mut z = [0.; 16];
        random.fill_normal(&mut z);
        let [turn, slant, narrow, radius, soft, shake, pressure, ..] = z;

        // The rotation by twice the angle whose tangent is t, without a sine.
        let t = 0.06 * turn;
        let (cos, sin) = ((1. - t * t) / (1. + t * t), 2. * t / (1. + t * t));
        // Right-handed writing leans to the right.
        let slant = (-0.18 + 0.26 * slant).clamp(-0.65, 0.35);
        let narrow = (0.86 + 0.18 * narrow).clamp(0.5, 1.5);
        let bend = |x: f32, y: f32| Point { x: 0.15 * x, y: 0.15 * y };
        Self {
            shake: (0.038 + 0.012 * shake).clamp(0.01, 0.07),
            across: Point { x: narrow * cos, y: narrow * sin },
            down: Point { x: slant * cos - sin, y: slant * sin + cos },
            bend: [bend(z[7], z[8]), bend(z[9], z[10]), bend(z[11], z[12])],
            ink: Ink {
                radius: (1.32 + 0.34 * radius).clamp(0.7, 2.3),
                soft: (1.25 + 0.15 * soft).clamp(0.9, 1.7),
                pressure: (0.12 * pressure).clamp(-0.25, 0.25),
            },
        }
    }

    /// The line that the pen draws where `stroke` is meant.
    fn follow(&self, stroke: Stroke, random: &mut Stream) -> Vec<Point> {
        // How far the stroke as a whole strays, and each of its knots.
        let mut normals = [[0.; 2]; 1 + MAX_KNOTS];
        random.fill_normal(normals.as_flattened_mut());
        let [whole, knots @ ..] = normals;
        let knots: Vec<Point> = stroke
            .iter()
            .zip(knots)
            .map(|(knot, by)| {
                let x = knot.x - 0.5 + self.shake * (by[0] + whole[0]);
                let y = knot.y - 0.5 + self.shake * (by[1] + whole[1]);
                let [xx, xy, yy] = self.bend;
                let bent = Point { x, y }.plus(xx, x * x).plus(xy, x * y).plus(yy, y * y);
                Point::default().plus(self.across, bent.x).plus(self.down, bent.y)
            })
            .collect();
        spline(&knots, stroke)
    }
}

/// A smooth line through the knots, with corners where the stroke has them.
fn spline(knots: &[Point], stroke: Stroke) -> Vec<Point> {
    // The velocity at a knot, as of a point that takes one unit of time per unit of length: from the parabola through
    // it and its two neighbours.
    let velocity = |at: usize, piece: usize| {
        let ahead = knots[piece + 1].minus(knots[piece]);
        let along = Point::default().plus(ahead, 1. / ahead.length().max(1e-6));
        if at == 0 || at + 1 == knots.len() || stroke[at].corner {
            return along;
        }
        let (before, after) = (knots[at].minus(knots[at - 1]), knots[at + 1].minus(knots[at]));
        let (b, a) = (before.length().max(1e-6), after.length().max(1e-6));
        Point::default().plus(before, a / (b * (a + b))).plus(after, b / (a * (a + b)))
    };
    let mut line = vec![knots[0]];
    for piece in 0..knots.len() - 1 {
        let (from, to) = (knots[piece], knots[piece + 1]);
        let length = to.minus(from).length();
        let (leaving, arriving) = (velocity(piece, piece), velocity(piece + 1, piece));
        for step in 1..=PIECES {
            // Hermite's cubic.
            let t = step as f32 / PIECES as f32;
            let u = 1. - t;
            line.push(
                Point::default()
                    .plus(from, u * u * (1. + 2. * t))
                    .plus(to, t * t * (1. + 2. * u))
                    .plus(leaving, u * u * t * length)
                    .plus(arriving, -t * t * u * length),
            );
        }
    }
    line
}

/// Scales the lines to [`BOX`], ink included, and moves their centre of mass to the middle of the image, or as near to it
/// as leaves the border black.
fn fit(lines: &mut [Vec<Point>], reach: f32) {
    let bounds = |of: fn(&Point) -> f32| {
        let values = lines.iter().flatten().map(of);
        values.fold((f32::MAX, f32::MIN), |(low, high), x| (low.min(x), high.max(x)))
    };
    let ((left, right), (top, bottom)) = (bounds(|p| p.x), bounds(|p| p.y));
    let scale = (BOX - 2. * reach) / (right - left).max(bottom - top).max(1e-6);

    let (mut mass, mut sum) = (0., Point::default());
    for pair in lines.iter().flat_map(|line| line.windows(2)) {
        let length = pair[1].minus(pair[0]).length();
        mass += length;
        sum = sum.plus(pair[0], length / 2.).plus(pair[1], length / 2.);
    }
    let centre = Point::default().plus(sum, 1. / f32::max(mass, 1e-6));

    let middle = |centre: f32, low: f32, high: f32| {
        // MNIST's is at pixel 14, counted from 0, whose own middle is half a pixel further.
        let at = SIDE as f32 / 2. + 0.5;
        let (before, after) = ((centre - low) * scale + reach, (high - centre) * scale + reach);
        at.min(SIDE as f32 - 1. - after).max(1. + before)
    };
    let middle = Point { x: middle(centre.x, left, right), y: middle(centre.y, top, bottom) };
    for point in lines.iter_mut().flatten() {
        *point = middle.plus(point.minus(centre), scale);
    }
}

/// How the pen inks; lengths in pixels.
struct Ink {
    /// Half the width of a line.
    radius: f32,
    /// The width of the grey edge.
    soft: f32,
    /// By how much the line gets thicker towards its end, relative to its width.
    pressure: f32,
}

impl Ink {
    /// How far ink goes from the middle of a line.
    fn reach(&self) -> f32 {
        self.radius + self.soft / 2.
    }

    fn draw(&self, lines: &[Vec<Point>], image: &mut [u8]) {
        for line in lines {
            let pieces = (line.len() - 1).max(1) as f32;
            for (at, pair) in line.windows(2).enumerate() {
                let along = (at as f32 + 0.5) / pieces;
                let radius = self.radius * (1. + self.pressure * (2. * along - 1.));
                self.segment(pair[0], pair[1], radius, image);
            }
        }
    }

    /// Inks each pixel by its centre's distance from the segment; ink does not add up.
    fn segment(&self, from: Point, to: Point, radius: f32, image: &mut [u8]) {
        let reach = radius + self.soft / 2.;
        let span = |a: f32, b: f32| {
            // Pixel i has its centre at i + 0.5.
            let low = (a.min(b) - reach - 0.5).max(0.) as usize;
            let high = (a.max(b) + reach + 0.5).clamp(0., SIDE as f32) as usize;
            low..high.max(low)
        };
        let along = to.minus(from);
        let square = (along.x * along.x + along.y * along.y).max(1e-12);
        for row in span(from.y, to.y) {
            for col in span(from.x, to.x) {
                let pixel = Point { x: col as f32 + 0.5, y: row as f32 + 0.5 };
                let offset = pixel.minus(from);
                let t = ((offset.x * along.x + offset.y * along.y) / square).clamp(0., 1.);
                let distance = offset.plus(along, -t).length();
                let ink = ((reach - distance) / self.soft).clamp(0., 1.);
                let value = (ink * 255. + 0.5) as u8;
                let pixel = &mut image[row * SIDE + col];
                *pixel = value.max(*pixel);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stroke_is_a_line_of_few_enough_knots() {
        let strokes = DIGITS.iter().flat_map(|styles| styles.iter()).flat_map(|style| style.strokes);
        for stroke in strokes {
            assert!((2..=MAX_KNOTS).contains(&stroke.len()));
        }
    }
}
