//! The stream of a connection, with crash points where the first byte of a request leaves and where the last one has.

use crate::watch::crash;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What leaves first where the process is to die at the first byte: less than any request.
const FIRST_BYTES: usize = 100;

/// A stream that marks where a request begins and ends: it begins with a write, and ends with the flush after it.
#[derive(Debug)]
pub(super) struct Boundary<S> {
    stream: S,
    writing: bool,
}

impl<S> Boundary<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, writing: false }
    }

    fn wrote(&mut self) {
        if !self.writing {
            self.writing = true;
            crash::point("first_byte");
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Boundary<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Boundary<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let bytes = match bytes.get(..FIRST_BYTES) {
            Some(first) if crash::dies_at("first_byte") => first,
            _ => bytes,
        };
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.wrote();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.wrote();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored() && !crash::dies_at("first_byte")
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if std::mem::take(&mut self.writing) {
            crash::point("last_byte");
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
