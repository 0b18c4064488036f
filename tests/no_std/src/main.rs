//! A program without the standard library: an opening handshake and an exchange of messages, in
//! memory, between a server and a client.
//!
//! That it links is the proof: it brings its own panic handler and allocator, and a second panic
//! handler, that of `std`, would be an error. A plain build of the library proves nothing, for any
//! dependency could bring `std` in unnoticed.
//!
//! ```text
//! cargo run --manifest-path tests/no_std/Cargo.toml
//! ```
//!
//! ends with the status 0 if everything went as it must.

#![no_std]
#![no_main]

extern crate alloc;

use core::{
    alloc::{GlobalAlloc, Layout},
    ffi::{c_int, c_void},
};

use bytes::Buf as _;
use framewire::{
    CloseCode, Event, RecvBuf, SendBuf,
    client::{self, Outcome, Request},
    server::{self, Opening},
};

unsafe extern "C" {
    fn abort() -> !;
    fn aligned_alloc(align: usize, size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

struct Libc;

// SAFETY: `aligned_alloc` takes powers of two from the size of a pointer on, and sizes that are
// multiples of them; what it gives is not in use, and `free` takes back what it gave.
unsafe impl GlobalAlloc for Libc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let align = layout.align().max(size_of::<usize>());
        unsafe { aligned_alloc(align, layout.size().next_multiple_of(align)).cast() }
    }

    unsafe fn dealloc(&self, memory: *mut u8, _layout: Layout) {
        unsafe { free(memory.cast()) }
    }
}

#[global_allocator]
static ALLOCATOR: Libc = Libc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe { abort() }
}

// The compiled `core` and `alloc` refer to these although nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    unsafe { abort() }
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    if exchange().is_some() { 0 } else { 1 }
}

/// Moves what is queued.
fn send(queue: &mut SendBuf, to: &mut RecvBuf) {
    while queue.has_remaining() {
        to.extend_from_slice(queue.chunk());
        queue.advance(queue.chunk().len());
    }
}

fn exchange() -> Option<()> {
    let (mut up, mut down) = (RecvBuf::new(), RecvBuf::new());
    let request = Request::new("ws://example.com/chat")
        .ok()?
        .subprotocol("chat")
        .ok()?;
    let mut asking = client::Handshake::with_seed(&request, &client::Config::new(), [7; 32]);
    let mut answering = server::Handshake::new(&server::Config::new());
    send(asking.send_buf(), &mut up);
    let Some(Opening::Upgrade(mut request)) = answering.receive(&mut up) else {
        return None;
    };
    request.choose_subprotocol(&["chat"])?;
    let mut server = request.upgrade();
    send(server.send_buf(), &mut down);
    let Some(Outcome::Connected(mut client, _)) = asking.receive(&mut down) else {
        return None;
    };
    (client.subprotocol()? == "chat").then_some(())?;

    client.send_text("Grüße ohne std").ok()?;
    client.send_binary(&[7; 100_000]).ok()?;
    send(client.send_buf(), &mut up);
    while let Some(event) = server.receive(&mut up) {
        match event {
            Event::Text(text) => server.send_text(text).ok()?,
            Event::Binary(data) => server.send_binary(data).ok()?,
            _ => return None,
        }
    }
    send(server.send_buf(), &mut down);
    (client.receive(&mut down)? == Event::Text("Grüße ohne std")).then_some(())?;
    (client.receive(&mut down)? == Event::Binary(&[7; 100_000])).then_some(())?;

    client.close(CloseCode::NORMAL, "done").ok()?;
    send(client.send_buf(), &mut up);
    matches!(server.receive(&mut up)?, Event::Close(_)).then_some(())?;
    send(server.send_buf(), &mut down);
    matches!(client.receive(&mut down)?, Event::Close(_)).then_some(())?;
    (server.is_closed() && client.closed()?.clean).then_some(())
}
