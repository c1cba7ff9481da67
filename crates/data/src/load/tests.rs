use super::*;
use crate::catalog::{Digest, FILES};
use crate::download::Fault;
use crate::manage::{complete, inspect};
use crate::testing::{Server, compressed, dataset, origin, plain, write};
use crate::{Mismatch, hash, idx};
use std::time::Duration;
use tempfile::TempDir;

fn get(origin: &Origin, request: &Request) -> Result<Loaded> {
    published(origin, Name::Mnist, request, &mut |_| {})
}

/// Folders for data, environment and cache; all empty, no network.
fn three() -> ([TempDir; 3], Request) {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [data, env, cache] = dirs.each_ref().map(|dir| Some(dir.path().to_owned()));
    let request =
        Request { data_dir: data, env_dir: env, cache_dir: cache, offline: true, ..Request::default() };
    (dirs, request)
}

#[test]
fn folders_are_searched_in_order_for_every_spelling() {
    let ([data, env, cache], request) = three();
    let (small, plain, compressed) = (dataset(), plain(&dataset()), compressed(&dataset()));
    let origin = origin([]);
    let Err(Error::NotFound { looked, .. }) = get(&origin, &request) else { panic!("nothing is there") };
    assert_eq!(looked.len(), 5);

    // From the last place to the first, so that each one goes before those already there.
    let [data, env, cache] = [data, env, cache].map(|dir| dir.path().to_owned());
    let dotted = |folder: &Path, files: &[Vec<u8>; 4], ending: &str| {
        std::fs::create_dir_all(folder).unwrap();
        for (stem, bytes) in FILES.iter().zip(files) {
            std::fs::write(folder.join(stem.replace("-idx", ".idx") + ending), bytes).unwrap();
        }
    };
    let check = |source: Source| {
        let loaded = get(&origin, &request).unwrap();
        assert_eq!(loaded.source, source);
        assert_eq!((loaded.dataset.train(), loaded.dataset.test()), (small.train(), small.test()));
        assert_eq!(loaded.dataset.digest(), small.digest());
    };
    write(&cache.join("small"), &compressed, ".gz");
    check(Source::Cache(cache.join("small")));
    write(&env, &plain, "");
    check(Source::Folder(env.clone()));
    dotted(&env.join("small"), &plain, "");
    check(Source::Folder(env.join("small")));
    dotted(&data, &compressed, ".gz");
    check(Source::Folder(data.clone()));
    write(&data.join("small"), &compressed, ".gz");
    check(Source::Folder(data.join("small")));
}

#[test]
fn what_is_missing_is_downloaded_once_and_what_is_damaged_is_an_error_until_fetched() {
    let ([_data, _env, cache], request) = three();
    let request = Request { data_dir: None, offline: false, ..request };
    let server = Server::good();
    let origin = origin([&server]);
    let folder = cache.path().join("small");
    assert_eq!(get(&origin, &request).unwrap().source, Source::Downloaded(folder.clone()));
    assert_eq!(get(&origin, &request).unwrap().source, Source::Cache(folder.clone()));
    assert_eq!(server.requests().len(), 4);

    let labels = folder.join(format!("{}.gz", FILES[1]));
    std::fs::remove_file(&labels).unwrap();
    assert_eq!(get(&origin, &request).unwrap().source, Source::Downloaded(folder.clone()));
    assert_eq!(server.requests().len(), 5);

    let mut bytes = std::fs::read(&labels).unwrap();
    bytes.truncate(30);
    std::fs::write(&labels, bytes).unwrap();
    let Err(Error::Idx { path, source }) = get(&origin, &request) else { panic!("the file is damaged") };
    assert!(path == labels && matches!(source, idx::Error::GzipTruncated { .. }), "{source:?}");
    let bad: Vec<bool> = inspect(&origin, &request).unwrap().iter().map(|v| v.outcome.is_err()).collect();
    assert_eq!(bad, [false, true, false, false]);

    let fetched = complete(&origin, &request, &mut |_| {}).unwrap();
    let downloaded: Vec<bool> = fetched.files.iter().map(|file| file.downloaded).collect();
    assert_eq!((downloaded, fetched.folder), (vec![false, true, false, false], Some(folder)));
    assert!(get(&origin, &request).is_ok());
}

#[test]
fn another_data_set_is_refused_by_its_digest() {
    let (dirs, request) = three();
    write(&dirs[0].path().join("small"), &compressed(&synthetic::digits(30, 21)), ".gz");
    let Err(Error::Digest { path, expected, found, .. }) = get(&origin([]), &request) else {
        panic!("another data set")
    };
    assert!(path.ends_with("t10k-images-idx3-ubyte.gz"));
    assert!(expected.len() == 64 && found.len() == 64 && expected != found);
}

#[test]
fn where_only_the_compressed_files_are_known_only_they_are_taken() {
    let (dirs, request) = three();
    let md5s = compressed(&dataset()).map(|bytes| Digest::GzipMd5(hash::md5(&bytes).leak()));
    let origin = Origin { digests: md5s, ..origin([]) };
    write(dirs[0].path(), &plain(&dataset()), "");
    assert!(matches!(get(&origin, &request), Err(Error::Unverifiable { .. })));
    write(dirs[0].path(), &compressed(&dataset()), ".gz");
    assert!(get(&origin, &request).is_ok());
}

#[test]
fn a_folder_of_one_s_own_may_hold_any_images() {
    let own = |files: &[Vec<u8>; 4]| {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), files, "");
        load(&Request { data_dir: Some(dir.path().to_owned()), ..Request::default() }, &mut |_| {})
    };
    let images =
        |n: usize, side: usize| idx::Array::trusted(vec![n, side, side], vec![9; n * side * side]).to_bytes();
    let labels = |labels: &[u8]| idx::Array::trusted(vec![labels.len()], labels.to_vec()).to_bytes();

    let Loaded { dataset, source, fallback } =
        own(&[images(2, 5), labels(&[0, 9]), images(1, 5), labels(&[3])]).unwrap();
    assert_eq!((dataset.name(), dataset.train().len(), dataset.rows(), dataset.cols()), ("custom", 2, 5, 5));
    assert!(matches!(source, Source::Folder(_)) && fallback.is_none());
    let tensor = dataset.train().images(&candle_core::Device::Cpu).unwrap();
    assert_eq!((tensor.dims(), tensor.dtype()), (&[2, 25][..], candle_core::DType::U8));
    let (train, _) = dataset.into_splits();
    let moved = train.into_images(&candle_core::Device::Cpu).unwrap();
    assert_eq!(moved.to_vec2::<u8>().unwrap(), tensor.to_vec2::<u8>().unwrap());

    let mismatch = |files| match own(&files) {
        Err(Error::Mismatch { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    let wrong = mismatch([images(2, 5), labels(&[0, 9, 1]), images(1, 5), labels(&[3])]);
    assert!(matches!(wrong, Mismatch::Count { images: 2, labels: 3 }));
    let wrong = mismatch([images(2, 5), labels(&[0, 10]), images(1, 5), labels(&[3])]);
    assert!(matches!(wrong, Mismatch::Label { index: 1, found: 10 }));
    let wrong = mismatch([images(2, 5), labels(&[0, 1]), images(1, 6), labels(&[3])]);
    assert!(matches!(wrong, Mismatch::Size { train: (5, 5), test: (6, 6) }));
    let swapped = own(&[labels(&[0, 1]), images(2, 5), images(1, 6), labels(&[3])]);
    assert!(matches!(swapped, Err(Error::Idx { source: idx::Error::Rank { expected: 3, found: 1 }, .. })));
}

#[test]
fn what_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere");
    let open =
        |dir: &Path| load(&Request { data_dir: Some(dir.to_owned()), ..Request::default() }, &mut |_| {});
    let error = open(&missing).unwrap_err();
    assert!(matches!(&error, Error::MissingFolder { path } if *path == missing));
    assert!(FILES.iter().all(|file| error.to_string().contains(file)));

    write(dir.path(), &plain(&dataset()), "");
    std::fs::remove_file(dir.path().join(FILES[3])).unwrap();
    assert!(matches!(open(dir.path()), Err(Error::MissingFile { missing, .. }) if missing == FILES[3]));
}

#[test]
fn the_synthetic_digits_stand_in_for_mnist_and_are_known_by_content() {
    let (dirs, request) = three();
    // No data set is asked for, MNIST is not at hand, and there is nowhere to look.
    let nothing = Request { offline: true, ..Request::default() };
    let Loaded { dataset, source, fallback } = load(&nothing, &mut |_| {}).unwrap();
    assert_eq!((dataset.name(), source), ("synthetic-digits", Source::Drawn));
    assert!(fallback.unwrap().contains("mnist"));
    let named = Request { name: Some(Name::Mnist), ..nothing };
    assert!(matches!(load(&named, &mut |_| {}), Err(Error::NotFound { .. })));

    // The same where the mirrors are silent.
    let gone = Server::gone();
    let patience = Patience { answer: Duration::from_millis(300), ..Patience::default() };
    let unreachable = Request {
        cache_dir: request.cache_dir.clone(),
        mirror: Some(format!("{}/", gone.url)),
        patience,
        ..Request::default()
    };
    assert!(load(&unreachable, &mut |_| {}).unwrap().fallback.is_some());
    let named = Request { name: Some(Name::Kmnist), ..unreachable };
    let Err(Error::Download { attempts, .. }) = load(&named, &mut |_| {}) else { panic!("no server") };
    assert_eq!(attempts[0].url, format!("{}/kmnist/train-images-idx3-ubyte.gz", gone.url));
    assert!(matches!(attempts[0].fault, Fault::Connection { .. } | Fault::NoAnswer { .. }));

    // In files, they are still the synthetic digits, and not taken for a damaged MNIST where they lie in the open.
    write(dirs[0].path(), &plain(&dataset), "");
    let own = Request { data_dir: request.data_dir.clone(), ..Request::default() };
    assert_eq!(load(&own, &mut |_| {}).unwrap().dataset.name(), "synthetic-digits");
    let mnist = Request { name: Some(Name::Mnist), offline: true, ..own };
    assert!(matches!(load(&mnist, &mut |_| {}), Err(Error::NotFound { .. })));
}
