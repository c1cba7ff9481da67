//! Real MNIST, where `GANLET_DATA_DIR` says it is.

use ganlet_data::{Error, Name, Request, fetch, load, verify};

#[test]
fn mnist_is_found_known_and_verified() {
    let env_dir = Request::from_env().env_dir;
    let request = Request { name: Some(Name::Mnist), env_dir, offline: true, ..Request::default() };
    let Ok(loaded) = load(&request, &mut |_| {}) else {
        assert!(request.env_dir.is_none(), "GANLET_DATA_DIR names a folder without MNIST");
        return;
    };
    let dataset = loaded.dataset;
    assert_eq!((dataset.train().len(), dataset.test().len(), dataset.pixels()), (60_000, 10_000, 784));
    assert_eq!(Some(dataset.digest().as_str()), Name::Mnist.digest());

    // Every verb finds it there.
    assert!(verify(Name::Mnist, &request).unwrap().iter().all(|verdict| verdict.outcome.is_ok()));
    let fetched = fetch(Name::Mnist, &request, &mut |_| {}).unwrap();
    assert!(fetched.files.len() == 4 && fetched.files.iter().all(|file| !file.downloaded));

    // Its files are not taken for damaged files of a data set that has the same file names.
    assert!(matches!(verify(Name::FashionMnist, &request), Err(Error::NotFound { .. })));

    // A folder of folders is as good as the folder itself.
    let folder = loaded.source.folder().unwrap();
    if folder.file_name().is_some_and(|name| name == "mnist") {
        let parent = folder.parent().map(Into::into);
        let unnamed = load(&Request { data_dir: parent, ..Request::default() }, &mut |_| {}).unwrap();
        assert_eq!(unnamed.dataset.name(), "mnist");
    }
}
