//! From the arguments of `ganlet train`, or a file, to the recipe.

use std::path::Path;

use ganlet_train::Recipe;

use crate::args::TrainArgs;
use crate::error::{Error, Result};
use crate::{files, run_dir};

/// The recipe where none is named.
const DEFAULT_RECIPE: &str = "classic";

/// The recipe that is named or in the file, with the flags' values in it.
pub(crate) fn of(args: &TrainArgs) -> Result<Recipe> {
    let of_run = args.resume.as_ref().map(|run| run.join(run_dir::RECIPE));
    let mut recipe = match args.config.as_ref().or(of_run.as_ref()) {
        Some(path) => read(path)?,
        None => {
            let name = args.recipe.as_deref().unwrap_or(DEFAULT_RECIPE);
            Recipe::named(name).map_err(|source| Error::Recipe { name: name.into(), source })?
        }
    };
    recipe.dataset = args.dataset.clone().unwrap_or(recipe.dataset);
    recipe.epochs = args.epochs.unwrap_or(recipe.epochs);
    recipe.batch_size = args.batch_size.unwrap_or(recipe.batch_size);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    let recipe = with_settings(recipe, &args.set)?;
    recipe.validate()?;
    Ok(recipe)
}

/// The recipe with fields of it set: `r1=0.5`. A value is what TOML takes for one, or else a word.
fn with_settings(recipe: Recipe, settings: &[String]) -> Result<Recipe> {
    if settings.is_empty() {
        return Ok(recipe);
    }
    let mut fields = toml::Table::try_from(&recipe)?;
    for setting in settings {
        let (field, text) =
            setting.split_once('=').ok_or_else(|| Error::Setting { found: setting.clone() })?;
        let value = toml::from_str(&format!("value = {text}")).ok();
        let value = value.and_then(|mut table: toml::Table| table.remove("value"));
        let word = || toml::Value::String(text.trim().into());
        fields.insert(field.trim().into(), value.unwrap_or_else(word));
    }
    Recipe::from_toml(&toml::to_string(&fields)?).map_err(|source| Error::Settings { source })
}

/// The recipe in a file.
pub(crate) fn read(path: &Path) -> Result<Recipe> {
    let not_text = |_| Error::ConfigNotText { path: path.into() };
    let text = String::from_utf8(files::read(path)?).map_err(not_text)?;
    Recipe::from_toml(&text).map_err(|source| Error::Config { path: path.into(), source })
}
