use super::*;
use crate::testing::{Server, compressed, dataset, find, head, ok, origin, promise};

/// Patience that makes a test last a second.
fn brief() -> Patience {
    Patience {
        answer: Duration::from_millis(900),
        stall: Duration::from_millis(300),
        file: Duration::from_secs(20),
        retries: 2,
        backoff: Duration::from_millis(10),
    }
}

/// Downloads to a new folder; what became of it, and what is in the folder.
fn get(origin: &Origin, patience: &Patience) -> (Result<[bool; 4]>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let result = missing(origin, dir.path(), false, patience, &mut |_| {});
    (result, std::fs::read_dir(dir.path()).unwrap().count())
}

/// The faults of the mirrors of a download that must fail, and leave nothing behind.
fn faults(origin: &Origin, patience: &Patience) -> Vec<Fault> {
    let (result, left) = get(origin, patience);
    assert_eq!(left, 0, "files are left behind");
    match result.unwrap_err() {
        Error::Download { attempts, .. } => attempts.into_iter().map(|attempt| attempt.fault).collect(),
        error => panic!("{error:?}"),
    }
}

#[test]
fn files_arrive_once_and_are_watched() {
    let server = Server::good();
    let dir = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    let mut download = |repair| {
        missing(&origin([&server]), dir.path(), repair, &brief(), &mut |p: Progress<'_>| {
            seen.push((p.file.to_owned(), p.bytes, p.total));
        })
        .unwrap()
    };
    assert_eq!(download(false), [true; 4]);
    assert_eq!(download(true), [false; 4]);
    assert_eq!(server.requests().len(), 4);

    for (stem, bytes) in FILES.iter().zip(compressed(&dataset())) {
        let name = format!("{stem}.gz");
        assert_eq!(std::fs::read(dir.path().join(&name)).unwrap(), bytes);
        let n = bytes.len() as u64;
        assert!(seen.contains(&(name, n, Some(n))));
    }
    assert!(seen.is_sorted_by(|a, b| a.0 != b.0 || a.1 <= b.1));

    // One is damaged, one is gone: those two are fetched.
    std::fs::write(dir.path().join(format!("{}.gz", FILES[1])), "damage").unwrap();
    std::fs::remove_file(dir.path().join(format!("{}.gz", FILES[2]))).unwrap();
    let again = missing(&origin([&server]), dir.path(), true, &brief(), &mut |_| {}).unwrap();
    assert_eq!(again, [false, true, true, false]);
}

#[test]
fn what_a_mirror_lacks_or_has_wrong_comes_from_the_next() {
    let lacks = Server::new(|_, _, stream| head(stream, "404 Not Found", ""));
    let wrong = Server::new(|_, _, stream| ok(stream, b"<html>Welcome to this hotel's network</html>"));
    let other = compressed(&crate::synthetic::digits(30, 21));
    let other = Server::new(move |path, _, stream| ok(stream, find(&other, path)));
    let good = Server::good();
    let (result, left) = get(&origin([&lacks, &wrong, &good]), &brief());
    assert_eq!((result.unwrap(), left), ([true; 4], 4));
    // Neither was asked twice, and the mirror that had the first file was asked first for the others.
    assert_eq!([&lacks, &wrong, &good].map(|server| server.requests().len()), [1, 1, 4]);

    let found = faults(&origin([&lacks, &wrong]), &brief());
    let [Fault::Status { status: 404 }, Fault::Content { source }] = &found[..] else { panic!("{found:?}") };
    assert!(matches!(**source, Error::Idx { .. }));

    // The training files are the same; the digest tells the test images apart.
    let dir = tempfile::tempdir().unwrap();
    let result = missing(&origin([&other]), dir.path(), false, &brief(), &mut |_| {});
    let Err(Error::Download { attempts, .. }) = result else { panic!("{result:?}") };
    let Fault::Content { source } = &attempts[0].fault else { panic!("{attempts:?}") };
    assert!(matches!(**source, Error::Digest { .. }));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn passing_faults_are_retried() {
    let files = compressed(&dataset());
    let shaky = Server::new(move |path, count, stream| {
        let body = find(&files, path);
        match count {
            0 => head(stream, "503 Service Unavailable", ""),
            1 => {
                promise(stream, body.len());
                let _ = stream.write_all(&body[..body.len() / 2]);
            }
            _ => ok(stream, body),
        }
    });
    assert_eq!(get(&origin([&shaky]), &brief()).0.unwrap(), [true; 4]);
    assert_eq!(shaky.requests().len(), 12);

    let cut = Server::new(|_, _, stream| {
        promise(stream, 100);
        let _ = stream.write_all(&[0; 40]);
    });
    let found = faults(&origin([&cut]), &brief());
    assert!(matches!(found[..], [Fault::Cut { received: 40, total: Some(100), .. }]), "{found:?}");
    assert_eq!(cut.requests().len(), 3);
}

#[test]
fn stalls_and_trickles_end() {
    let stalls = Server::new(|_, _, stream| {
        promise(stream, 100);
        let _ = stream.write_all(&[0; 40]);
        thread::sleep(Duration::from_secs(30));
    });
    let begun = Instant::now();
    let found = faults(&origin([&stalls]), &Patience { retries: 1, ..brief() });
    assert!(matches!(found[..], [Fault::Stalled { received: 40 }]), "{found:?}");
    assert!(begun.elapsed() < Duration::from_secs(3));

    let trickles = Server::new(|_, _, stream| {
        promise(stream, 100_000);
        while stream.write_all(&[0]).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let found = faults(&origin([&trickles]), &Patience { file: Duration::from_millis(400), ..brief() });
    assert!(matches!(found[..], [Fault::TooSlow { .. }]), "{found:?}");
}

#[test]
fn silence_everywhere_ends_in_time() {
    let silent = || Server::new(|_, _, _| thread::sleep(Duration::from_secs(30)));
    let servers = [silent(), Server::gone(), silent()];
    let begun = Instant::now();
    let found = faults(&origin([&servers[0], &servers[1], &servers[2]]), &brief());
    let waited = begun.elapsed();
    assert!(
        matches!(found[..], [Fault::NoAnswer { .. }, Fault::Connection { .. }, Fault::NoAnswer { .. }]),
        "{found:?}"
    );
    assert!(waited < 2 * brief().answer, "{waited:?}");

    // One that speaks is heard, though the first is silent.
    let good = Server::good();
    assert_eq!(get(&origin([&servers[0], &good]), &brief()).0.unwrap(), [true; 4]);
}

#[test]
fn no_server_fills_the_disk() {
    let boasts = Server::new(|_, _, stream| promise(stream, 1 << 40));
    let endless = Server::new(|_, _, stream| {
        head(stream, "200 OK", "");
        while stream.write_all(&[0; 1 << 16]).is_ok() {}
    });
    let found = faults(&origin([&boasts, &endless]), &brief());
    assert!(matches!(found[..], [Fault::TooLarge, Fault::TooLarge]), "{found:?}");
}

#[test]
fn redirections_are_followed_to_safe_addresses_only() {
    let good = Server::good();
    let there = good.url.clone();
    let absolute = Server::new(move |path, _, stream| {
        head(stream, "302 Found", &format!("Location: {there}{path}\r\n"))
    });
    assert_eq!(get(&origin([&absolute]), &brief()).0.unwrap(), [true; 4]);

    let files = compressed(&dataset());
    let relative = Server::new(move |path, _, stream| match path.strip_prefix("/moved") {
        None => head(stream, "301 Moved Permanently", &format!("Location: /moved{path}\r\n")),
        Some(path) => ok(stream, find(&files, path)),
    });
    assert_eq!(get(&origin([&relative]), &brief()).0.unwrap(), [true; 4]);

    let away = Server::new(|path, _, stream| {
        head(stream, "302 Found", &format!("Location: http://example.com{path}\r\n"))
    });
    let circle = Server::new(|path, _, stream| head(stream, "302 Found", &format!("Location: {path}\r\n")));
    let found = faults(&origin([&away, &circle]), &brief());
    assert!(matches!(found[..], [Fault::Insecure, Fault::Connection { .. }]), "{found:?}");
}

#[test]
fn plain_http_is_for_this_machine() {
    let allowed = |url: &str| is_allowed(&url.parse().unwrap());
    for url in ["https://example.com/x", "http://127.0.0.1:80/x", "http://[::1]/x", "http://localhost:8000"] {
        assert!(allowed(url), "{url}");
    }
    for url in [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://127.0.0.1/",
    ] {
        assert!(!allowed(url), "{url}");
    }
}

/// In a process of its own: the proxy is in the environment.
#[test]
fn the_environment_s_proxy_is_used() {
    const NAME: &str = "download::tests::the_environment_s_proxy_is_used";
    if std::env::var_os("GANLET_TEST_PROXY").is_some() {
        let good = Server::good();
        assert_eq!(get(&origin([&good]), &brief()).0.unwrap(), [true; 4], "no proxy for this machine");
        let far = Origin { mirrors: vec!["https://mirror.invalid/small".to_owned()], ..origin([]) };
        assert!(matches!(faults(&far, &brief())[..], [Fault::Connection { .. }]));
        return;
    }
    let proxy = Server::new(|_, _, stream| head(stream, "502 Bad Gateway", ""));
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    for name in ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"]
    {
        child.env_remove(name);
    }
    child.env("GANLET_TEST_PROXY", "1").env("HTTPS_PROXY", &proxy.url).args(["--exact", NAME]);
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let requests = proxy.requests();
    assert!(
        !requests.is_empty() && requests.iter().all(|r| r.starts_with("CONNECT mirror.invalid:443 ")),
        "{requests:?}"
    );
}

/// An address whose packets go nowhere: the listener's queue is full.
#[cfg(target_os = "linux")]
#[test]
fn a_connection_that_is_never_made_ends_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let waiting: Vec<_> = (0..300)
        .map_while(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(20)).ok())
        .collect();
    let begun = Instant::now();
    let full = Origin { mirrors: vec![format!("http://{address}")], ..origin([]) };
    let found = faults(&full, &brief());
    assert!(matches!(found[..], [Fault::NoAnswer { .. }]), "{found:?} with {} waiting", waiting.len());
    assert!(begun.elapsed() < 2 * brief().answer);
}
