//! Weight files: there and back, PyTorch's, and everything that can be wrong with one.

use std::collections::{BTreeMap, HashMap};

use candle_core::Device;
use ganlet_models::{Discriminator, DiscriminatorConfig, Error, Generator, GeneratorConfig, Network};
use safetensors::tensor::{Dtype, TensorView};

fn generator() -> Generator {
    let config = GeneratorConfig::new(3, &[5, 4], [2, 3]);
    Generator::new(config, 0, &Device::Cpu).unwrap()
}

fn read(bytes: &[u8]) -> Result<ganlet_models::Loaded<Generator>, Error> {
    Generator::from_bytes(bytes, &Device::Cpu)
}

/// A file of f32 tensors as PyTorch's `save_file` writes it, all values one.
fn file(tensors: &[(&str, &[usize])], metadata: Option<&str>) -> Vec<u8> {
    let data: Vec<_> = tensors
        .iter()
        .map(|(name, shape)| (*name, shape.to_vec(), 1f32.to_le_bytes().repeat(shape.iter().product())))
        .collect();
    let views = data.iter().map(|(n, s, d)| (n, TensorView::new(Dtype::F32, s.clone(), d).unwrap()));
    let metadata = metadata.map(|json| HashMap::from([("ganlet".to_owned(), json.to_owned())]));
    safetensors::serialize(views, metadata).unwrap()
}

#[test]
fn a_network_survives_its_file() {
    let extra = BTreeMap::from([("step".to_owned(), "600".to_owned()), ("a".to_owned(), "b".to_owned())]);
    let bytes = generator().to_bytes(&extra).unwrap();
    assert_eq!(bytes, generator().to_bytes(&extra).unwrap(), "the same bytes each time");
    let loaded = read(&bytes).unwrap();
    assert_eq!((loaded.metadata, loaded.assumed), (extra, None));
    assert_eq!(loaded.network.config(), generator().config());
    let flat = |g: &Generator| {
        let all = g.parameters().iter().map(|(_, v)| v.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        all.collect::<Vec<_>>()
    };
    assert_eq!(flat(&loaded.network), flat(&generator()));

    let config = DiscriminatorConfig::new(&[5], [2, 3]);
    let discriminator = Discriminator::new(config.clone(), 0, &Device::Cpu).unwrap();
    let bytes = discriminator.to_bytes(&BTreeMap::new()).unwrap();
    assert_eq!(*Discriminator::from_bytes(&bytes, &Device::Cpu).unwrap().network.config(), config);
    assert!(matches!(read(&bytes), Err(Error::OtherNetwork { .. })));
}

#[test]
fn a_file_of_pytorchs_is_read_by_its_shapes() {
    let loaded = read(&file(
        &[("0.weight", &[7, 3]), ("0.bias", &[7]), ("2.weight", &[9, 7]), ("2.bias", &[9])],
        None,
    ));
    let loaded = loaded.unwrap();
    let expected = GeneratorConfig::new(3, &[7], [3, 3]);
    assert_eq!(*loaded.network.config(), expected);
    assert!(loaded.assumed.unwrap().contains("[3, 7, 9]"));
    let oblong = read(&file(&[("0.weight", &[6, 3]), ("0.bias", &[6])], None)).unwrap();
    assert_eq!(oblong.network.config().image, [1, 6]);
}

#[test]
fn each_way_to_be_wrong_has_its_error() {
    assert!(matches!(read(b""), Err(Error::NotSafetensors { length: 0, .. })));
    assert!(matches!(read(b"PK\x03\x04 a zip archive"), Err(Error::NotSafetensors { .. })));
    assert!(matches!(read(&file(&[], None)), Err(Error::MissingTensor { tensor }) if tensor == "0.weight"));
    assert!(matches!(read(&file(&[("0.weight", &[4])], None)), Err(Error::NotAMatrix { .. })));
    let missing = read(&file(&[("0.weight", &[4, 3])], None));
    assert!(matches!(missing, Err(Error::MissingTensor { tensor }) if tensor == "0.bias"));
    let shape = read(&file(&[("0.weight", &[4, 3]), ("0.bias", &[5])], None));
    assert!(matches!(shape, Err(Error::TensorShape { tensor, .. }) if tensor == "0.bias"));
    let unexpected = read(&file(&[("0.weight", &[4, 3]), ("0.bias", &[4]), ("1.weight", &[4])], None));
    assert!(matches!(unexpected, Err(Error::UnexpectedTensor { tensor }) if tensor == "1.weight"));

    // Metadata that lie: other widths, other words, a network too large to be held.
    let lie = |json: &str| read(&file(&[("0.weight", &[4, 3]), ("0.bias", &[4])], Some(json)));
    let config = r#"{"network":"generator","config":{"latent":3,"hidden":[],"image":[2,2]}}"#;
    assert!(lie(config).is_ok());
    assert!(matches!(lie(&config.replace("[]", "[8]")), Err(Error::TensorShape { .. })));
    assert!(matches!(lie(&config.replace("latent", "talent")), Err(Error::Metadata(_))));
    assert!(matches!(lie(&config.replace("[2,2]", "[4294967296,4294967296]")), Err(Error::TooLarge { .. })));
    assert!(matches!(lie(&config.replace("[2,2]", "[0,2]")), Err(Error::ZeroWidth { .. })));

    let bytes = generator().to_bytes(&BTreeMap::new()).unwrap();
    let mut nan = bytes.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(read(&nan), Err(Error::NotFinite { .. })));

    let data = [0u8; 8];
    let half = TensorView::new(Dtype::F16, vec![2, 2], &data).unwrap();
    let bias = TensorView::new(Dtype::F16, vec![2], &data[..4]).unwrap();
    let bytes = safetensors::serialize([("0.weight", half), ("0.bias", bias)], None).unwrap();
    assert!(matches!(read(&bytes), Err(Error::TensorDType { .. })));
}

#[test]
fn no_truncation_and_no_flipped_bit_is_more_than_an_error() {
    let bytes = generator().to_bytes(&BTreeMap::new()).unwrap();
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "cut at {length}");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            // A flipped weight is a weight; anything else must be said.
            let _ = read(&flipped);
        }
    }
}
