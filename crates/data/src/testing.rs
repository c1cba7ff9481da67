//! A small data set with an origin of its own, and a server on this machine that does as it is told.

use crate::catalog::{Digest, FILES, Origin};
use crate::{Dataset, Split, hash, synthetic};
use sha2::Digest as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

/// 30 training and 20 test images.
pub(crate) fn dataset() -> Dataset {
    synthetic::digits(30, 20)
}

/// The four files, plain.
pub(crate) fn plain(dataset: &Dataset) -> [Vec<u8>; 4] {
    let both = |split: &Split| {
        let (images, labels) = split.to_idx();
        [images.to_bytes(), labels.to_bytes()]
    };
    let ([a, b], [c, d]) = (both(dataset.train()), both(dataset.test()));
    [a, b, c, d]
}

/// The four files, compressed.
pub(crate) fn compressed(dataset: &Dataset) -> [Vec<u8>; 4] {
    plain(dataset).map(|bytes| crate::gzip::deflate(&bytes))
}

/// [`dataset`] as if it were published at these mirrors.
pub(crate) fn origin<const N: usize>(mirrors: [&Server; N]) -> Origin {
    let digest = |bytes: Vec<u8>| Digest::Content(hash::hex(&sha2::Sha256::digest(bytes)).leak());
    Origin {
        name: "small",
        mirrors: mirrors.map(|server| server.url.clone()).to_vec(),
        digests: plain(&dataset()).map(digest),
    }
}

/// Writes four files, with this ending to their names.
pub(crate) fn write(folder: &Path, files: &[Vec<u8>; 4], ending: &str) {
    std::fs::create_dir_all(folder).unwrap();
    for (stem, bytes) in FILES.iter().zip(files) {
        std::fs::write(folder.join(format!("{stem}{ending}")), bytes).unwrap();
    }
}

/// A server that lives as long as the test.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request with `answer(path, count, stream)`, `count` being how often the path was asked for before.
    pub(crate) fn new(answer: impl Fn(&str, usize, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (requests.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer) = (log.clone(), answer.clone());
                thread::spawn(move || serve(stream, &log, answer.as_ref()));
            }
        });
        Self { url, requests }
    }

    /// Gives [`dataset`]'s compressed files.
    pub(crate) fn good() -> Self {
        let files = compressed(&dataset());
        Self::new(move |path, _, stream| ok(stream, find(&files, path)))
    }

    /// Nobody listens there.
    pub(crate) fn gone() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { url: format!("http://{}", listener.local_addr().unwrap()), requests: Arc::default() }
    }

    /// The first lines of the requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<String>>,
    answer: &(impl Fn(&str, usize, &mut TcpStream) + ?Sized),
) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let count = {
        let mut log = log.lock().unwrap();
        log.push(line.clone());
        log.iter().filter(|&other| *other == line).count() - 1
    };
    answer(&path, count, &mut stream);
}

/// Of four files, the one that a path ends with.
pub(crate) fn find<'a>(files: &'a [Vec<u8>; 4], path: &str) -> &'a [u8] {
    let which = FILES.iter().position(|stem| path.ends_with(&format!("/{stem}.gz"))).unwrap();
    &files[which]
}

/// Answers with a body.
pub(crate) fn ok(stream: &mut TcpStream, body: &[u8]) {
    promise(stream, body.len());
    let _ = stream.write_all(body);
}

/// Answers with the head of a body of this length.
pub(crate) fn promise(stream: &mut TcpStream, length: usize) {
    head(stream, "200 OK", &format!("Content-Length: {length}\r\n"));
}

/// Answers with a head, and an end of the connection to come.
pub(crate) fn head(stream: &mut TcpStream, status: &str, headers: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n");
}
