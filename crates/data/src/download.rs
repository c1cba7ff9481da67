//! Files over the network: from the first mirror that has them, verified before they are kept.
//!
//! Only https, but for servers on this machine. A proxy is taken from the environment (`ALL_PROXY`, `HTTPS_PROXY`,
//! `HTTP_PROXY`, unless `NO_PROXY` names the host), but never for this machine itself.
//!
//! Whatever the network does, it ends: where no mirror answers at all, all of them together take no longer than
//! [`Patience::answer`].

use crate::catalog::{FILES, Origin};
use crate::files;
use crate::{Error, Result, locate};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};
use ureq::http::{Response, Uri, header};
use ureq::{Agent, Body, Proxy};

/// No file of any known data set is half as large.
const MAX_BYTES: u64 = 64 << 20;

/// How often a server may point to another address.
const MAX_REDIRECTS: usize = 5;

/// How much is read at a time.
const CHUNK: usize = 64 << 10;

/// How long to wait for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until the first answer from any mirror, all mirrors together; once one has answered, for each further request.
    pub answer: Duration,
    /// Until the next bytes of a file that has begun to arrive.
    pub stall: Duration,
    /// For one file, however steadily it trickles.
    pub file: Duration,
    /// How often to try again after a fault that may pass: a cut connection, a 5xx status, a stall.
    pub retries: u32,
    /// Before the first retry; doubled for each further one.
    pub backoff: Duration,
}

impl Default for Patience {
    /// 8 s for an answer, 15 s for more bytes, 10 minutes for a file, two retries after 0.3 s and 0.6 s.
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(8),
            stall: Duration::from_secs(15),
            file: Duration::from_secs(600),
            retries: 2,
            backoff: Duration::from_millis(300),
        }
    }
}

/// How far the download of one file has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The file's name.
    pub file: &'a str,
    /// Where it comes from.
    pub url: &'a str,
    /// How many bytes have arrived; goes back to 0 where another attempt begins.
    pub bytes: u64,
    /// How many there will be, where the server says so.
    pub total: Option<u64>,
}

/// What one mirror said to the last request for a file.
#[derive(Debug)]
pub struct Attempt {
    /// The address that was asked.
    pub url: String,
    /// Why it gave nothing.
    pub fault: Fault,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.fault)?;
        let mut source = std::error::Error::source(&self.fault);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// Why a request gave no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing can be fetched over plain http, but from this machine.
    #[error("https is required (plain http is for loopback addresses only)")]
    Insecure,
    /// There is no answer.
    #[error("no answer within {:.1} s", waited.as_secs_f32())]
    NoAnswer {
        /// How long was waited.
        waited: Duration,
    },
    /// The server answers with something else than the file.
    #[error("status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The bytes stop coming.
    #[error("stalled after {received} bytes")]
    Stalled {
        /// How many bytes had come.
        received: u64,
    },
    /// The bytes come, but too slowly.
    #[error("too slow: {received} bytes in {:.0} s", waited.as_secs_f32())]
    TooSlow {
        /// How many bytes had come.
        received: u64,
        /// In this time.
        waited: Duration,
    },
    /// The connection ends inside the file.
    #[error("cut off after {received} bytes{}", total.map(|n| format!(" of {n}")).unwrap_or_default())]
    Cut {
        /// How many bytes had come.
        received: u64,
        /// How many the server had promised.
        total: Option<u64>,
        /// What the connection says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server sends more than any of the files has.
    #[error("more than the {MAX_BYTES} bytes that any file may have")]
    TooLarge,
    /// The file arrived, and is not the right one.
    #[error("the wrong file")]
    Content {
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// The Hugging Face hub does not help either.
    #[cfg(feature = "hub")]
    #[error("not from the hub either")]
    Hub {
        /// Why.
        source: Box<Error>,
    },
    /// The connection cannot be made.
    #[error("no connection")]
    Connection {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Fault {
    /// Whether the same request may succeed a moment later.
    fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer { .. } | Self::Stalled { .. } | Self::Cut { .. } | Self::Connection { .. } => true,
            Self::Status { status } => matches!(status, 408 | 429 | 500..),
            Self::Insecure | Self::TooSlow { .. } | Self::TooLarge | Self::Content { .. } => false,
            #[cfg(feature = "hub")]
            Self::Hub { .. } => false,
        }
    }
}

/// Downloads the files of `origin` that `folder` lacks, and with `repair` those that are not as published.
///
/// Returns which of [`FILES`] were downloaded, and are now in `folder`, verified.
pub(crate) fn missing(
    origin: &Origin,
    folder: &Path,
    repair: bool,
    patience: &Patience,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<[bool; 4]> {
    let mut session = Session {
        mirrors: origin.mirrors.clone(),
        patience,
        begun: Instant::now(),
        answered: false,
        progress,
    };
    let mut downloaded = [false; 4];
    for which in 0..FILES.len() {
        let present = locate::file(folder, FILES[which]);
        let good = present.is_some_and(|path| !repair || files::verify(&path, which, origin).is_ok());
        if !good {
            session.file(origin, which, folder)?;
            downloaded[which] = true;
        }
    }
    Ok(downloaded)
}

/// What is learnt about the mirrors while one data set is downloaded.
struct Session<'a> {
    /// The one that last gave a file goes first.
    mirrors: Vec<String>,
    patience: &'a Patience,
    begun: Instant,
    /// Whether any mirror has answered anything.
    answered: bool,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Session<'_> {
    fn file(&mut self, origin: &Origin, which: usize, folder: &Path) -> Result<PathBuf> {
        let name = format!("{}.gz", FILES[which]);
        let write = |path: &Path, source| Error::Write { path: path.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(|source| write(folder, source))?;

        let mut attempts = Vec::new();
        for (at, mirror) in self.mirrors.clone().iter().enumerate() {
            let url = format!("{mirror}/{name}");
            let mirrors_left = self.mirrors.len() - at;
            match self.ask_mirror(&url, &name, mirrors_left, origin, which, folder) {
                Ok(file) => {
                    let path = folder.join(&name);
                    file.persist(&path).map_err(|error| write(&path, error.error))?;
                    self.mirrors[..=at].rotate_right(1);
                    return Ok(path);
                }
                Err(Failure::Here(source)) => return Err(write(folder, source)),
                Err(Failure::There(fault)) => attempts.push(Attempt { url, fault }),
            }
        }
        Err(Error::Download { name: origin.name, file: name, attempts })
    }

    /// Asks one mirror, again where the fault may pass; gives a verified temporary file in `folder`.
    fn ask_mirror(
        &mut self,
        url: &str,
        name: &str,
        mirrors_left: usize,
        origin: &Origin,
        which: usize,
        folder: &Path,
    ) -> Result<tempfile::NamedTempFile, Failure> {
        let mut retry = 0;
        loop {
            let mut file = temporary(folder)?;
            match self.request(url, name, mirrors_left, &mut file) {
                Ok(()) => {
                    let bytes = std::fs::read(file.path())?;
                    let verified = files::verify_bytes(&bytes, &folder.join(name), which, origin);
                    verified.map_err(|source| Fault::Content { source: Box::new(source) })?;
                    return Ok(file);
                }
                Err(Failure::There(fault)) if fault.may_pass() && retry < self.patience.retries => {
                    let pause = self.patience.backoff.saturating_mul(2u32.saturating_pow(retry));
                    let out_of_time = matches!(fault, Fault::NoAnswer { .. }) || pause >= self.time_left();
                    if !self.answered && out_of_time {
                        return Err(fault.into());
                    }
                    thread::sleep(pause);
                    retry += 1;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Of the time in which somebody must answer.
    fn time_left(&self) -> Duration {
        self.patience.answer.saturating_sub(self.begun.elapsed())
    }

    /// Sends one request and writes what comes to `file`.
    fn request(
        &mut self,
        url: &str,
        name: &str,
        mirrors_left: usize,
        file: &mut impl Write,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let wait = match self.answered {
            true => self.patience.answer,
            // Each of the silent mirrors gets its share.
            false => self.time_left() / mirrors_left as u32,
        };
        let uri: Uri = url.parse().map_err(|source| Fault::Connection { source: Box::new(source) })?;
        let limits = self.patience.clone();

        // The transfer has a thread of its own, so that nothing in it, name resolution for one, can outlast our patience.
        let (sender, receiver) = mpsc::sync_channel(4);
        thread::Builder::new().name("download".to_owned()).spawn(move || {
            let end = transfer(uri, wait, &limits, &sender);
            // Nobody listens any more where patience ran out.
            let _ = sender.send(end.map_or_else(News::Failed, |()| News::Complete));
        })?;

        let (mut received, mut total) = (0, None);
        let mut answered = false;
        loop {
            let patience = if answered { self.patience.stall } else { wait };
            match receiver.recv_timeout(patience) {
                Ok(News::Answer { length }) => {
                    (self.answered, answered, total) = (true, true, length);
                    if length.is_some_and(|n| n > MAX_BYTES) {
                        return Err(Fault::TooLarge.into());
                    }
                    (self.progress)(Progress { file: name, url, bytes: 0, total });
                }
                Ok(News::Bytes(bytes)) => {
                    received += bytes.len() as u64;
                    if received > MAX_BYTES {
                        return Err(Fault::TooLarge.into());
                    }
                    file.write_all(&bytes)?;
                    (self.progress)(Progress { file: name, url, bytes: received, total });
                }
                Ok(News::Complete) => return Ok(file.flush()?),
                Ok(News::Failed(ureq::Error::Timeout(_))) | Err(RecvTimeoutError::Timeout) => {
                    let waited = begun.elapsed();
                    return Err(match answered {
                        true if waited >= self.patience.file => Fault::TooSlow { received, waited },
                        true => Fault::Stalled { received },
                        false => Fault::NoAnswer { waited },
                    }
                    .into());
                }
                Ok(News::Failed(ureq::Error::StatusCode(status))) => {
                    self.answered = true;
                    return Err(Fault::Status { status }.into());
                }
                Ok(News::Failed(ureq::Error::RequireHttpsOnly(_))) => return Err(Fault::Insecure.into()),
                Ok(News::Failed(source)) if answered => {
                    return Err(Fault::Cut { received, total, source: Box::new(source) }.into());
                }
                Ok(News::Failed(source)) => {
                    return Err(Fault::Connection { source: Box::new(source) }.into());
                }
                Err(source @ RecvTimeoutError::Disconnected) => {
                    return Err(Fault::Connection { source: Box::new(source) }.into());
                }
            }
            if begun.elapsed() > self.patience.file {
                return Err(Fault::TooSlow { received, waited: begun.elapsed() }.into());
            }
        }
    }
}

/// What stops a request: a fault of the mirror, where another one may help, or of this machine.
enum Failure {
    There(Fault),
    Here(io::Error),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::There(fault)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Here(error)
    }
}

/// What the transfer reports.
enum News {
    Answer { length: Option<u64> },
    Bytes(Vec<u8>),
    Complete,
    Failed(ureq::Error),
}

fn transfer(
    mut uri: Uri,
    wait: Duration,
    patience: &Patience,
    sender: &SyncSender<News>,
) -> Result<(), ureq::Error> {
    for _ in 0..=MAX_REDIRECTS {
        if !is_allowed(&uri) {
            return Err(ureq::Error::RequireHttpsOnly(uri.to_string()));
        }
        let response = agent(&uri, wait, patience).get(&uri).call()?;
        if !response.status().is_redirection() {
            return receive(response.into_body(), sender);
        }
        let next = target(&response, &uri).ok_or(ureq::Error::RedirectFailed)?;
        if is_https(&uri) && !is_https(&next) {
            return Err(ureq::Error::RequireHttpsOnly(next.to_string()));
        }
        uri = next;
    }
    Err(ureq::Error::TooManyRedirects)
}

/// Where a redirection leads: to an address, or to a path on the same server.
fn target(response: &Response<Body>, from: &Uri) -> Option<Uri> {
    let location: Uri = response.headers().get(header::LOCATION)?.to_str().ok()?.parse().ok()?;
    let mut parts = location.into_parts();
    parts.scheme = parts.scheme.or_else(|| from.scheme().cloned());
    parts.authority = parts.authority.or_else(|| from.authority().cloned());
    Uri::from_parts(parts).ok()
}

fn receive(body: Body, sender: &SyncSender<News>) -> Result<(), ureq::Error> {
    if sender.send(News::Answer { length: body.content_length() }).is_err() {
        return Ok(());
    }
    let mut body = body.into_reader();
    loop {
        let mut bytes = vec![0; CHUNK];
        let n = body.read(&mut bytes)?;
        bytes.truncate(n);
        if n == 0 || sender.send(News::Bytes(bytes)).is_err() {
            return Ok(());
        }
    }
}

/// Whether anything answers at an address, if only with an error status.
#[cfg(feature = "hub")]
pub(crate) fn probe(url: &str, wait: Duration) -> Result<(), Fault> {
    let connection = |source: Box<dyn std::error::Error + Send + Sync>| Fault::Connection { source };
    let uri: Uri = url.parse().map_err(|source| connection(Box::new(source)))?;
    let agent = agent(&uri, wait, &Patience::default());
    let (sender, receiver) = mpsc::sync_channel(1);
    let spawned = thread::Builder::new().spawn(move || {
        let _ = sender.send(agent.head(&uri).call());
    });
    spawned.map_err(|source| connection(Box::new(source)))?;
    match receiver.recv_timeout(wait) {
        Ok(Ok(_) | Err(ureq::Error::StatusCode(_))) => Ok(()),
        Ok(Err(ureq::Error::Timeout(_))) | Err(_) => Err(Fault::NoAnswer { waited: wait }),
        Ok(Err(source)) => Err(connection(Box::new(source))),
    }
}

fn agent(uri: &Uri, wait: Duration, patience: &Patience) -> Agent {
    Agent::config_builder()
        .https_only(is_https(uri))
        .proxy(if is_loopback(uri) { None } else { Proxy::try_from_env() })
        // Each address that a redirection leads to is looked at first.
        .max_redirects(0)
        .user_agent(concat!("ganlet/", env!("CARGO_PKG_VERSION")))
        // Patience is kept by the receiver of the transfer; these end a transfer that nobody waits for any more.
        .timeout_resolve(Some(wait))
        .timeout_connect(Some(wait))
        .timeout_recv_response(Some(wait))
        .timeout_per_read(Some(patience.stall))
        .timeout_global(Some(patience.file))
        .build()
        .new_agent()
}

/// Whether an address may be asked at all.
fn is_allowed(uri: &Uri) -> bool {
    is_https(uri) || (uri.scheme_str() == Some("http") && is_loopback(uri))
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// A file that is gone unless it is persisted.
pub(crate) fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".download-");
    #[cfg(unix)]
    {
        // As any file that the user makes: the data may be shared.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests;
