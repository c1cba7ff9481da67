//! What stands for [`crate::resident`] in a build without the feature `cuda`.

use ganlet_models::Network;

use crate::{Gan, Recipe, Result, StepLosses, TrainingSet};

/// Nothing: no training is resident.
pub(crate) enum Resident {}

impl Resident {
    pub(crate) fn new<G: Network, D: Network>(
        _: &Gan<G, D>,
        _: &TrainingSet,
        _: &Recipe,
    ) -> Result<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn begin<G, D>(&mut self, _: &Gan<G, D>, _: &Recipe, _: &[u32], _: usize) -> Result<()> {
        match *self {}
    }

    pub(crate) fn step<G: Network, D: Network>(
        &mut self,
        _: &mut Gan<G, D>,
        _: &Recipe,
    ) -> Result<StepLosses> {
        match *self {}
    }
}
