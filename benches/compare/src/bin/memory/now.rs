//! An executor for futures that never wait.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What `future` comes to.
///
/// # Panics
///
/// If it waits: a wire always has something to read and always takes what is written.
#[inline]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits, although there is nothing to wait for"),
    }
}

/// The same over a wire [with pauses](crate::wire::Wire::with_pauses): it is asked again when it waits.
pub(crate) fn now_and_again<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return output;
        }
    }
}
