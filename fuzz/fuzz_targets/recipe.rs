#![no_main]
//! recipe.toml: what is read writes itself again, and is the same recipe.

use ganlet_train::Recipe;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(recipe) = ganlet_fuzz::within(256, bytes, |_| Recipe::from_toml(text)) {
        let again = recipe.to_toml().expect("a recipe can be written");
        assert_eq!(Recipe::from_toml(&again).expect("and read"), recipe);
    }
});
