//! One file over HTTP: resumed, bounded, watched.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use ureq::http::header::{ACCEPT_ENCODING, CONTENT_RANGE, RANGE};

use crate::error::{DataError, FailureKind};
use crate::observer::{Observer, check};
use crate::places::Network;

/// The number of bytes between two questions whether to stop.
const BLOCK: usize = 1 << 16;
/// The server sends the rest that was asked for.
const PARTIAL_CONTENT: u16 = 206;
/// There is no rest: what is on disk is complete, or of another file.
const RANGE_NOT_SATISFIABLE: u16 = 416;

/// The longest that anything is waited for.
const DAY: Duration = Duration::from_hours(24);

/// A `Transfer` says what a transfer that was not refused left in the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// All of it came from this server.
    Whole,
    /// The rest came, after bytes that were there before.
    Resumed,
}

/// Asks servers one after the other and keeps account of time lost on those out of reach.
pub(crate) struct Client<'a> {
    network: &'a Network,
    observer: &'a dyn Observer,
    lost: Duration,
}

impl<'a> Client<'a> {
    pub(crate) fn new(network: &'a Network, observer: &'a dyn Observer) -> Self {
        Self {
            network,
            observer,
            lost: Duration::ZERO,
        }
    }

    /// Downloads `url` into `part`, going on where it ends; never leaves more than `limit` bytes.
    ///
    /// The outer error ends everything (the disk, a request to stop), the
    /// inner one is this server's and another may do better.
    pub(crate) fn transfer(
        &mut self,
        url: &str,
        part: &Path,
        limit: u64,
    ) -> Result<Result<Transfer, FailureKind>, DataError> {
        check(self.observer)?;
        // Beyond a day the client's clock might overflow.
        let allowed = self
            .network
            .connect
            .min(DAY)
            .min(self.network.unreachable.saturating_sub(self.lost));
        if allowed.is_zero() {
            return Ok(Err(FailureKind::NotAsked));
        }
        let have = std::fs::metadata(part).map_or(0, |file| file.len());
        let begun = Instant::now();
        let response = match self.request(url, have, allowed) {
            Ok(response) => response,
            Err(error) => {
                if is_out_of_reach(&error) {
                    self.lost = self.lost.saturating_add(begun.elapsed());
                }
                return Ok(Err(error.into()));
            }
        };
        let status = response.status();
        let have = match status.as_u16() {
            RANGE_NOT_SATISFIABLE if have > 0 => return Ok(Ok(Transfer::Resumed)),
            PARTIAL_CONTENT if continues(&response, have) => have,
            PARTIAL_CONTENT => return Ok(Err(FailureKind::Status(PARTIAL_CONTENT))),
            _ if status.is_success() => 0,
            other => return Ok(Err(FailureKind::Status(other))),
        };
        // Made only now, so that servers out of reach leave no empty file.
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(part);
        let mut file = file.map_err(DataError::io("write", part))?;
        if have == 0 {
            file.set_len(0).map_err(DataError::io("write", part))?;
        }
        let received = self.receive(response, &mut file, part, have, limit)?;
        file.sync_all().map_err(DataError::io("write", part))?;
        Ok(received.map(|()| {
            if have > 0 {
                Transfer::Resumed
            } else {
                Transfer::Whole
            }
        }))
    }

    fn request(
        &self,
        url: &str,
        have: u64,
        allowed: Duration,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        // Set in either case: left alone, the client takes the environment's.
        let proxy = self
            .network
            .proxy
            .as_deref()
            .map(ureq::Proxy::new)
            .transpose()?;
        let silence = self.network.silence.min(DAY);
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(proxy)
            .timeout_resolve(Some(allowed))
            .timeout_connect(Some(allowed))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .user_agent(concat!("ntk-data/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let request = agent.get(url).header(ACCEPT_ENCODING, "identity");
        if have > 0 {
            request.header(RANGE, format!("bytes={have}-"))
        } else {
            request
        }
        .call()
    }

    fn receive(
        &self,
        response: ureq::http::Response<ureq::Body>,
        file: &mut File,
        part: &Path,
        have: u64,
        limit: u64,
    ) -> Result<Result<(), FailureKind>, DataError> {
        let body = response.into_body();
        let announced = body
            .content_length()
            .map(|length| have.saturating_add(length));
        if announced.is_some_and(|total| total > limit) {
            return Ok(Err(FailureKind::TooLong { limit }));
        }
        let name = part.file_stem().unwrap_or_default().to_string_lossy();
        self.observer
            .begin(&format!("download {name}"), announced.unwrap_or(0));
        self.observer.advance(have);
        let mut got = have;
        let mut reader = body.into_reader();
        let mut block = vec![0; BLOCK];
        loop {
            check(self.observer)?;
            let length = match reader.read(&mut block) {
                Ok(0) => break,
                Ok(length) => length,
                Err(source) => return Ok(Err(FailureKind::Broken { got, source })),
            };
            if got.saturating_add(length as u64) > limit {
                return Ok(Err(FailureKind::TooLong { limit }));
            }
            file.write_all(&block[..length])
                .map_err(DataError::io("write", part))?;
            got += length as u64;
            self.observer.advance(length as u64);
        }
        Ok(match announced {
            Some(announced) if got < announced => Err(FailureKind::Short { got, announced }),
            _ => Ok(()),
        })
    }
}

/// Tells whether no server answered, as on a machine without network.
fn is_out_of_reach(error: &ureq::Error) -> bool {
    use ureq::{Error, Timeout};
    matches!(
        error,
        Error::Timeout(Timeout::Resolve | Timeout::Connect)
            | Error::HostNotFound
            | Error::ConnectionFailed
            | Error::Io(_)
    )
}

/// Tells whether a partial answer begins where the file on disk ends.
fn continues(response: &ureq::http::Response<ureq::Body>, have: u64) -> bool {
    let range = response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
}
