//! What becomes of a proxy's answer, however it is cut and however it ends.
#![allow(dead_code, reason = "every test crate uses a part of it")]

#[path = "http.rs"]
pub(crate) mod http;

use framewire::RecvBuf;
use framewire::client::{Config, Uri};
use framewire::connect::{Proxy, ProxyError, Tunnel};
use http::{cut, take};

/// Who is asked for what.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) proxy: Proxy,
    pub(crate) uri: Uri,
    pub(crate) config: Config,
}

/// What came of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Course {
    /// `None`: more bytes were needed.
    pub(crate) result: Option<Result<(), ProxyError>>,
    /// All that was written to the proxy.
    pub(crate) written: Vec<u8>,
    /// How many bytes had arrived by then.
    arrived: usize,
}

pub(crate) fn asking(proxy: &str, uri: &str) -> Asking {
    Asking {
        proxy: proxy.parse().expect("a proxy"),
        uri: uri.parse().expect("a URI"),
        config: Config::new(),
    }
}

impl Asking {
    pub(crate) fn tunnel(&self) -> Tunnel {
        Tunnel::new(&self.proxy, &self.uri, &self.config).expect("it can be asked for")
    }

    /// What is written before anything has arrived.
    pub(crate) fn first_bytes(&self) -> Vec<u8> {
        take(self.tunnel().send_buf())
    }

    /// What becomes of the answer: whole, byte by byte and cut anywhere, it must be the same; but of bytes
    /// that come too early, nothing is known where the cut is right before them.
    pub(crate) fn course(&self, answer: &[u8]) -> Course {
        let whole = self.run(&[answer]);
        let mut ways = vec![answer.chunks(1).collect()];
        ways.extend((1..=8).map(|seed| cut(answer, seed)));
        if answer.len() <= 300 {
            let halves = |place| <[&[u8]; 2]>::from(answer.split_at(place)).to_vec();
            ways.extend((1..answer.len()).map(halves));
        }
        for pieces in ways {
            let course = self.run(&pieces);
            let is_unseen = whole.result == Some(Err(ProxyError::EarlyBytes))
                && course.result == Some(Ok(()))
                && course.arrived < answer.len();
            assert!(
                course.result == whole.result || is_unseen,
                "{pieces:?}: {course:?}"
            );
            // What fails drops what was not written yet.
            assert!(
                course.written.starts_with(&whole.written),
                "{pieces:?}: {course:?}"
            );
            let is_failed = matches!(whole.result, Some(Err(_)));
            assert!(
                course.written == whole.written || is_failed,
                "{pieces:?}: {course:?}"
            );
        }
        whole
    }

    /// What is written if the answer opens the tunnel, to its last byte.
    #[track_caller]
    pub(crate) fn opened(&self, answer: &[u8]) -> Vec<u8> {
        let course = self.course(answer);
        assert_eq!(
            course.result,
            Some(Ok(())),
            "{}",
            String::from_utf8_lossy(answer)
        );
        course.written
    }

    #[track_caller]
    pub(crate) fn failed(&self, answer: &[u8]) -> ProxyError {
        match self.course(answer).result {
            Some(Err(error)) => error,
            other => panic!("{}: {other:?}", String::from_utf8_lossy(answer)),
        }
    }

    /// Every beginning of an answer that opens the tunnel is aborted by the end of the transport.
    pub(crate) fn is_aborted_anywhere(&self, answer: &[u8]) {
        self.opened(answer);
        for len in 0..answer.len() {
            assert_eq!(self.course(&answer[..len]).result, None, "{len} bytes");
        }
    }

    fn run(&self, pieces: &[&[u8]]) -> Course {
        let mut tunnel = self.tunnel();
        let mut rx = RecvBuf::new();
        assert_eq!(tunnel.receive(&mut rx), None);
        let mut written = take(tunnel.send_buf());
        let mut arrived = 0;
        let mut result = None;
        let mut pieces = pieces.iter();
        while result.is_none()
            && let Some(piece) = pieces.next()
        {
            rx.extend_from_slice(piece);
            arrived += piece.len();
            result = tunnel.receive(&mut rx);
            written.extend(take(tunnel.send_buf()));
            assert!(result.is_some() || tunnel.receive(&mut rx).is_none());
        }
        if result.is_none() {
            assert_eq!(
                tunnel.receive_eof(),
                Err(ProxyError::Aborted { received: arrived })
            );
        }
        // It is over, whatever comes; what comes through an open tunnel stays there.
        assert!(rx.is_empty() || result.is_none());
        let is_open = result == Some(Ok(()));
        rx.extend_from_slice(b"HTTP/1.1 101 x\r\n\r\n");
        for _ in 0..2 {
            assert_eq!(tunnel.receive(&mut rx), None);
            assert_eq!(rx.is_empty(), !is_open);
            assert!(tunnel.send_buf().is_empty());
            assert_eq!(tunnel.receive_eof(), Ok(()));
        }
        Course {
            result,
            written,
            arrived,
        }
    }
}
