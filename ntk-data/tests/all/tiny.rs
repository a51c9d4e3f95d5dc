//! A data set of a few images and a server for it on this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use ntk_data::idx::{Element, encode};
use ntk_data::registry::{Content, Entry, File, Half};
use ntk_data::{Network, Places};
use sha2::{Digest, Sha256};

/// Number of training images, large enough that the file does not fit one buffer.
pub(crate) const TRAIN: u32 = 600;
/// Number of test images.
pub(crate) const TEST: u32 = 7;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// Pixels that do not compress, so that the gzip file is about as long as its content.
fn noise(n: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[0]
    };
    (0..n).map(|_| next()).collect()
}

/// The files of the data set: name and decompressed bytes.
pub(crate) fn files() -> Vec<(&'static str, Vec<u8>)> {
    let images = |n: u32| encode(Element::U8, &[n, 28, 28], &noise(n as usize * 28 * 28));
    let labels = |n: u32| {
        let labels: Vec<u8> = (0..n).map(|i| u8::try_from(i % 10).unwrap()).collect();
        encode(Element::U8, &[n], &labels)
    };
    vec![
        ("train-images", images(TRAIN)),
        ("train-labels", labels(TRAIN)),
        ("test-images", images(TEST)),
        ("test-labels", labels(TEST)),
    ]
}

/// A registry entry for [`files`].
pub(crate) fn entry() -> &'static Entry {
    let kinds = [
        (Half::Train, Content::IdxImages),
        (Half::Train, Content::IdxLabels),
        (Half::Test, Content::IdxImages),
        (Half::Test, Content::IdxLabels),
    ];
    let file = |((name, bytes), (half, content)): ((_, Vec<u8>), _)| File {
        name,
        half,
        content,
        size: bytes.len() as u64,
        sha256: sha256(&bytes).leak(),
    };
    let files: Vec<File> = files().into_iter().zip(kinds).map(file).collect();
    Box::leak(Box::new(Entry {
        name: "tiny",
        classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        terms: "none",
        files: files.leak(),
        archive: None,
        mirrors: &[],
        embedded: None,
    }))
}

/// Places with a cache, these mirrors, and short waits.
pub(crate) fn places(cache: &Path, mirrors: &[&str]) -> Places {
    Places {
        cache_dir: Some(cache.to_owned()),
        system_dirs: Vec::new(),
        network: Network {
            connect: Duration::from_millis(500),
            silence: Duration::from_millis(400),
            unreachable: Duration::from_secs(1),
            proxy: None,
            mirrors: Some(mirrors.iter().map(|&m| m.to_owned()).collect()),
        },
        ..Places::default()
    }
}

/// How a server behaves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// As it should, ranges included.
    Good,
    /// Sends all of the file whatever range is asked for.
    IgnoresRange,
    /// 404 for everything.
    Missing,
    /// Announces all and breaks off in the middle of every body.
    Truncates,
    /// Sends something else of the right length.
    Wrong,
    /// Sends more than any such file can have, without announcing a length.
    Endless,
    /// Accepts, and says nothing.
    Silent,
    /// Sends a small part of each body and then nothing.
    Stalls,
}

/// Path and range of each request, in order of arrival.
pub(crate) type Requests = Arc<Mutex<Vec<(String, Option<u64>)>>>;

/// A server on a port of its own; it ends with the process.
pub(crate) struct Server {
    /// Base address for [`Network::mirrors`].
    pub(crate) base: String,
    /// What it was asked for.
    pub(crate) requests: Requests,
}

impl Server {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::default();
        let log = Arc::clone(&requests);
        let files = Arc::new(files());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, files) = (Arc::clone(&log), Arc::clone(&files));
                thread::spawn(move || answer(stream, manner, &files, &log));
            }
        });
        Self { base, requests }
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn answer(mut stream: TcpStream, manner: Manner, files: &[(&str, Vec<u8>)], log: &Requests) {
    let mut lines = BufReader::new(stream.try_clone().unwrap())
        .lines()
        .map_while(Result::ok);
    let Some(request) = lines.next() else { return };
    let path = request.split(' ').nth(1).unwrap_or("/")[1..].to_owned();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let from: Option<u64> = headers.iter().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("range: bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    });
    log.lock().unwrap().push((path.clone(), from));
    let known = files.iter().find(|(name, _)| format!("{name}.gz") == path);
    let (Some((_, content)), false) = (known, manner == Manner::Missing) else {
        let _ = stream.write_all(
            b"HTTP/1.1 404 Not Location\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
        return;
    };
    let mut body = gzip(content);
    if manner == Manner::Wrong {
        body = gzip(&vec![7; content.len()]);
    }
    let start = match from {
        Some(from) if manner != Manner::IgnoresRange => from,
        _ => 0,
    };
    let total = body.len() as u64;
    if start > 0 && start >= total {
        let _ = stream.write_all(
            b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
        return;
    }
    let rest = body.split_off(usize::try_from(start).unwrap());
    let status = if start > 0 {
        format!(
            "206 Partial Content\r\nContent-Range: bytes {start}-{}/{total}",
            total - 1
        )
    } else {
        "200 OK".to_owned()
    };
    let length = rest.len();
    let announce =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = match manner {
        Manner::Silent => hold(&mut stream),
        Manner::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while stream.write_all(&[0; 4096]).is_ok() {}
            Ok(())
        }
        Manner::Truncates => stream
            .write_all(announce.as_bytes())
            .and_then(|()| stream.write_all(&rest[..length / 2])),
        Manner::Stalls => stream
            .write_all(announce.as_bytes())
            .and_then(|()| stream.write_all(&rest[..length / 4]))
            .and_then(|()| hold(&mut stream)),
        _ => stream
            .write_all(announce.as_bytes())
            .and_then(|()| stream.write_all(&rest)),
    };
}

/// Keeps the connection open until the other side closes it.
fn hold(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.read(&mut [0]).map(drop)
}
