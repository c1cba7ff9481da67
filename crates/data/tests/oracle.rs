//! Our reader against candle-datasets', and there and back again.
#![cfg(feature = "hub")]

use candle_core::{Device, Result, Tensor};
use candle_datasets::vision;
use ganlet_data::{Dataset, Name, Patience, Request, hub, synthetic};
use std::time::{Duration, Instant};

fn equal(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.dims() == b.dims()
        && a.dtype() == b.dtype()
        && a.ne(b)?.to_dtype(candle_core::DType::U32)?.sum_all()?.to_scalar::<u32>()? == 0)
}

/// Writes plain files, which candle-datasets wants, and loads them with both.
fn agree(dataset: &Dataset) {
    let dir = tempfile::tempdir().unwrap();
    for (stem, split) in [("train", dataset.train()), ("t10k", dataset.test())] {
        let (images, labels) = split.to_idx();
        std::fs::write(dir.path().join(format!("{stem}-images-idx3-ubyte")), images.to_bytes()).unwrap();
        std::fs::write(dir.path().join(format!("{stem}-labels-idx1-ubyte")), labels.to_bytes()).unwrap();
    }
    let request = Request { data_dir: Some(dir.path().to_owned()), ..Request::default() };
    let ours = ganlet_data::load(&request, &mut |_| {}).unwrap().dataset;
    assert_eq!(ours.digest(), dataset.digest());

    let theirs = vision::mnist::load_dir(dir.path()).unwrap();
    let converted = hub::to_vision(&ours, &Device::Cpu).unwrap();
    assert!(equal(&converted.train_images, &theirs.train_images).unwrap());
    assert!(equal(&converted.train_labels, &theirs.train_labels).unwrap());
    assert!(equal(&converted.test_images, &theirs.test_images).unwrap());
    assert!(equal(&converted.test_labels, &theirs.test_labels).unwrap());
    assert_eq!(converted.labels, theirs.labels);
    assert_eq!(hub::from_vision("back", &theirs).unwrap().digest(), dataset.digest());
}

#[test]
fn candle_datasets_reads_what_we_read() {
    agree(&synthetic::digits(300, 50));
}

#[test]
fn on_mnist_too_where_it_is_at_hand() {
    let request = Request { name: Some(Name::Mnist), offline: true, ..Request::from_env() };
    match ganlet_data::load(&request, &mut |_| {}) {
        Ok(loaded) => agree(&loaded.dataset),
        Err(error) => eprintln!("skipped: {error}"),
    }
}

/// In a process of its own: the hub's address is in the environment.
#[test]
fn a_hub_that_never_answers_is_an_error_in_time() {
    if std::env::var_os("GANLET_TEST_HUB").is_some() {
        let patience = Patience { answer: Duration::from_millis(700), ..Patience::default() };
        let begun = Instant::now();
        let error = hub::load(Name::Mnist, &patience).unwrap_err();
        assert!(matches!(error, ganlet_data::Error::Hub(hub::Error::Unreachable { .. })), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(3));
        return;
    }
    // It accepts, and is silent.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let cache = tempfile::tempdir().unwrap();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_hub_that_never_answers_is_an_error_in_time"])
        .env("GANLET_TEST_HUB", "1")
        .env("HF_ENDPOINT", format!("http://{}", server.local_addr().unwrap()))
        .env("HF_HOME", cache.path())
        .status()
        .unwrap();
    assert!(status.success());
}
