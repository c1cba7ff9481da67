use crate::LatentDistribution;

impl LatentDistribution {
    /// The latent at `time`, from 0 to 1, on the way between two. At 0 and 1 it is the one and the other, to the bit.
    ///
    /// Normal latents go along the great circle through their directions, their length going over from the one's to the other's: a
    /// latent of many components has a length of about the square root of their number, and so have all on this way,
    /// while the straight line passes through the middle of the ball, where no latent of training was (White, *Sampling
    /// generative networks*, 2016). Those that point the same way, or opposite ways, have no one great circle, and go straight.
    /// So do uniform latents, whose cube has no middle that is empty.
    ///
    /// The result is as long as the shorter of the two.
    pub fn between(self, from: &[f32], to: &[f32], time: f32) -> Vec<f32> {
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let cosine = dot(from, to) / (dot(from, from) * dot(to, to)).sqrt();
        let angle = cosine.clamp(-1., 1.).acos();
        let time = f64::from(time);
        let (a, b) = match self == Self::Normal && angle.sin() > STRAIGHT {
            true => (((1. - time) * angle).sin() / angle.sin(), (time * angle).sin() / angle.sin()),
            false => (1. - time, time),
        };
        from.iter().zip(to).map(|(from, to)| (a * f64::from(*from) + b * f64::from(*to)) as f32).collect()
    }
}

/// The sine of an angle that is as good as none: the ways are divided by it.
const STRAIGHT: f64 = 1e-3;

#[cfg(test)]
mod tests {
    use crate::LatentDistribution::{Normal, Uniform};

    #[test]
    fn the_way_is_a_great_circle_from_one_to_the_other() {
        let (from, to) = ([3f32, 0., 0.], [0f32, 1.8, 2.4]);
        assert_eq!(Normal.between(&from, &to, 0.), from);
        assert_eq!(Normal.between(&from, &to, 1.), to);
        for time in [0.1f32, 0.5, 0.8] {
            let z = Normal.between(&from, &to, time);
            let length = z.iter().map(|x| x * x).sum::<f32>().sqrt();
            assert!((length - 3.).abs() < 1e-6, "{length}");
            // At an even speed.
            let angle = (z[0] / length).acos();
            assert!((angle - time * std::f32::consts::FRAC_PI_2).abs() < 1e-6, "{angle}");
        }
        assert_eq!(Uniform.between(&from, &to, 0.5), [1.5, 0.9, 1.2]);
        let opposite = Normal.between(&[1., 0.], &[-1., 0.], 0.25);
        assert!((opposite[0] - 0.5).abs() < 1e-6 && opposite[1] == 0., "{opposite:?}");
        assert_eq!(Normal.between(&from, &from, 0.3).len(), 3);
        assert_eq!(Normal.between(&[0., 0.], &[2., 2.], 0.5), [1., 1.]);
    }
}
