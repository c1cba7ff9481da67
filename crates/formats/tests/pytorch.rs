//! Files of PyTorch's own (`scripts/golden_formats.py`), and everything that can be wrong with one.

use candle_core::Tensor;
use ganlet_formats::pytorch::{Error, Linear, Result, linear_layers, state_dict};

const ZIP: &[u8] = include_bytes!("golden/zip.pt");
const LEGACY: &[u8] = include_bytes!("golden/legacy.pt");
const MIXED: &[u8] = include_bytes!("golden/mixed.pt");
const MIXED_LEGACY: &[u8] = include_bytes!("golden/mixed-legacy.pt");

fn layers(bytes: &[u8]) -> Result<Vec<Linear>> {
    linear_layers(state_dict(bytes)?)
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn both_formats_and_every_kind_of_float_are_read() {
    for bytes in [ZIP, LEGACY, MIXED, MIXED_LEGACY] {
        let layers = layers(bytes).unwrap();
        let shapes: Vec<_> = layers.iter().map(|layer| layer.weight.dims()).collect();
        assert_eq!(shapes, [&[4, 3][..], &[6, 4]]);
        // As the script counts them.
        let numbers: Vec<f32> =
            layers.iter().flat_map(|layer| [flat(&layer.weight), flat(&layer.bias)].concat()).collect();
        let expected: Vec<f32> = (0..46).map(|n| (n % 17 - 8) as f32 / 8.).collect();
        assert_eq!(numbers, expected);
    }
    let names = |bytes| state_dict(bytes).unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(ZIP), ["0.weight", "0.bias", "2.weight", "2.bias"]);
    assert_eq!(names(MIXED_LEGACY)[0], "module.net.fc1.weight");
}

/// A pickle as `torch.save` begins one before version 1.6, but for the fourth, which is what was saved.
fn saved(pickle: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";
    let version = b"\x80\x02M\xe9\x03.";
    let about = b"\x80\x02}.";
    [&magic[..], version, about, pickle, b"\x80\x02]."].concat()
}

#[test]
fn nothing_that_a_pickle_names_is_run() {
    for (pickle, name) in [
        (&b"\x80\x02cos\nsystem\n(X\x04\x00\x00\x00true\x85R."[..], "os.system"),
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.", "posix.system"),
        (b"\x80\x02cbuiltins\neval\n.", "builtins.eval"),
        (b"\x80\x02ctorch.storage\n_load_from_bytes\n.", "torch.storage._load_from_bytes"),
        (b"\x80\x02ccollections\nOrderedDict.x\n.", "collections.OrderedDict.x"),
    ] {
        for bytes in [saved(pickle), pickle.to_vec()] {
            assert!(
                matches!(state_dict(&bytes), Err(Error::Forbidden { name: found }) if found == name),
                "{name}"
            );
        }
    }
    let module = state_dict(include_bytes!("golden/module.pt"));
    assert!(
        matches!(module, Err(Error::WholeModule { name }) if name == "torch.nn.modules.container.Sequential")
    );
}

#[test]
fn each_way_to_be_wrong_has_its_error() {
    let of = |bytes: &[u8]| state_dict(bytes).unwrap_err();
    assert!(matches!(of(b""), Error::NotPyTorch { length: 0, .. }));
    assert!(matches!(of(b"text"), Error::NotPyTorch { .. }));
    assert!(matches!(of(b"PK\x03\x04 and no more"), Error::Archive(_)));
    // `pickle.dumps` of a dictionary.
    assert!(matches!(of(b"\x80\x02}q\x00."), Error::NotPyTorch { .. }));
    assert!(matches!(of(&saved(b"\x80\x02K\x07.")), Error::NotAStateDict { .. }));
    assert!(matches!(of(&saved(b"\x80\x02}.")), Error::NoTensors { .. }));
    let nested = of(&saved(b"\x80\x02}(X\x01\x00\x00\x00G}u."));
    assert!(matches!(nested, Error::NoTensors { dictionaries } if dictionaries == ["G"]));
    assert!(matches!(of(&saved(b"\x80\x02}(K\x01K\x02u.")), Error::Key { .. }));
    for broken in ["R.", "(", "t.", "\u{1}.", "h\x05.", "}s.", "}(NNNu.", "Nb.", "NQ.", "X\x7f\x7f\x7f\x7f"] {
        let found = of(&saved(format!("\u{2}{broken}").replace('\u{2}', "N").as_bytes()));
        assert!(matches!(found, Error::Pickle { .. }), "{broken:?}: {found:?}");
    }
}

/// The legacy file with `from` replaced, wherever it is.
fn changed(from: &[u8], to: &[u8]) -> Error {
    let at = LEGACY.windows(from.len()).position(|window| window == from).expect("there");
    state_dict(&[&LEGACY[..at], to, &LEGACY[at + from.len()..]].concat()).unwrap_err()
}

#[test]
fn a_file_that_lies_about_its_numbers_is_refused_before_they_are_made() {
    // A tensor of 4 x 3 with the strides 3, 1: larger than its storage, or than the file, or beyond the end.
    let shape = b"K\x04K\x03\x86";
    assert!(matches!(changed(shape, b"K\x04K\x04\x86"), Error::View { tensor } if tensor == "0.weight"));
    assert!(matches!(changed(shape, b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"), Error::TooMany { .. }));
    assert!(matches!(changed(shape, b"J\xff\xff\xff\xffK\x03\x86"), Error::Pickle { .. }));
    assert!(matches!(changed(b"K\x03K\x01\x86", b"K\x04K\x01\x86"), Error::View { .. }));
    assert!(matches!(changed(b"FloatStorage", b"IntStorage"), Error::DType { .. }));
    let end = LEGACY.len();
    assert!(matches!(state_dict(&LEGACY[..end - 1]), Err(Error::Entry { .. })));
}

#[test]
fn what_is_no_chain_of_layers_is_named() {
    let tensor =
        |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
    let of = |tensors: &[(&str, &[usize])]| {
        linear_layers(tensors.iter().map(|(name, shape)| ((*name).to_owned(), tensor(shape))).collect())
    };
    assert_eq!(of(&[("weight", &[4, 3]), ("bias", &[4])]).unwrap().len(), 1);
    assert_eq!(
        of(&[("b.bias", &[4]), ("b.weight", &[4, 3]), ("a.weight", &[1, 4]), ("a.bias", &[1])])
            .unwrap()
            .len(),
        2
    );
    let error = |tensors: &[(&str, &[usize])]| of(tensors).unwrap_err();
    assert!(matches!(error(&[]), Error::NoTensors { .. }));
    assert!(matches!(error(&[("0.weight", &[4, 3])]), Error::Half { missing: "bias", .. }));
    assert!(matches!(error(&[("0.bias", &[4])]), Error::Half { missing: "weight", .. }));
    assert!(
        matches!(error(&[("0.weight", &[4, 3, 3, 3])]), Error::NotLinear { tensor, .. } if tensor == "0.weight")
    );
    assert!(matches!(error(&[("1.running_mean", &[4])]), Error::NotLinear { .. }));
    assert!(
        matches!(error(&[("0.weight", &[4, 3]), ("0.bias", &[3])]), Error::Shape { tensor, .. } if tensor == "0.bias")
    );
    let unchained =
        error(&[("0.weight", &[4, 3]), ("0.bias", &[4]), ("2.weight", &[1, 5]), ("2.bias", &[1])]);
    assert!(
        matches!(unchained, Error::Shape { tensor, expected, .. } if tensor == "2.weight" && expected == [1, 4])
    );
}

#[test]
fn no_truncation_and_no_flipped_bit_is_more_than_an_error() {
    for bytes in [ZIP, LEGACY, MIXED, MIXED_LEGACY] {
        for length in 0..bytes.len() {
            assert!(state_dict(&bytes[..length]).is_err(), "cut at {length}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // A flipped weight is a weight; anything else must be said.
            let _ = layers(&flipped);
        }
    }
}
