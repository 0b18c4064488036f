//! One message to many: processor time of the server for each of them.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::{Processor, size};
use crate::{
    Outcome,
    contestants::{Contestant, Idiom},
    options::Options,
    process::Server,
    rounds,
    serve::Purpose,
    wire,
};

const SIZES: [usize; 3] = [64, 1 << 10, 16 << 10];
const RECIPIENTS: [usize; 4] = [1, 10, 100, 1000];
/// Messages are sent for so long before it is measured, at least.
const WARM_UP: Duration = Duration::from_millis(100);
/// A server that is silent for so long has forgotten somebody.
const PATIENCE_MILLIS: u16 = 20_000;

pub fn measure(options: &Options, processor: Processor) {
    for bytes in SIZES {
        for recipients in RECIPIENTS {
            let name = format!("broadcast {} to {recipients}", size(bytes));
            if !options.wants_scenario(&name) {
                continue;
            }
            // There is one way only to send one message at a time: the best.
            let takes_part =
                |contestant: &Contestant| contestant.broadcasts && contestant.idiom == Idiom::Best;
            let contestants = rounds::contestants(options, takes_part);
            let measured = rounds::medians(options.rounds, &name, contestants, |contestant| {
                broadcast(contestant, bytes, recipients, options.time, processor)
            });
            for (contestant, [cpu]) in measured {
                rounds::tell(&name, &contestant, cpu, "ns");
            }
        }
    }
}

fn broadcast(
    contestant: &Contestant,
    bytes: usize,
    recipients: usize,
    time: Duration,
    processor: Processor,
) -> Outcome<[f64; 1]> {
    let mut server = Server::start(contestant, Purpose::Broadcast, processor)?;
    let orders = server.orders.ok_or("it takes no orders")?;
    let mut audience = Audience::gather(contestant, server.port, orders, recipients, bytes)?;
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < WARM_UP {
        audience.hear()?;
        count += 1;
    }
    let count =
        (time.as_secs_f64() / start.elapsed().as_secs_f64() * f64::from(count)).max(1.) as u32;
    let before = server.cpu()?;
    for _ in 0..count {
        audience.hear()?;
    }
    let cpu = server.cpu()? - before;
    // Before its clients go: nothing fails by that.
    drop(server);
    Ok([cpu.as_nanos() as f64 / f64::from(count) / recipients as f64])
}

/// Everybody who is sent the messages, and who has them sent.
struct Audience {
    orders: TcpStream,
    epoll: Epoll,
    streams: Vec<TcpStream>,
    /// What each has read of the message that is on its way.
    read: Vec<usize>,
    /// What it has to be: its payload begins with its number.
    frame: Vec<u8>,
    header_len: usize,
    size: usize,
    number: u64,
    buffer: Vec<u8>,
}

impl Audience {
    fn gather(
        contestant: &Contestant,
        port: u16,
        orders: u16,
        recipients: usize,
        size: usize,
    ) -> Outcome<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut streams = Vec::new();
        for number in 0..recipients {
            let stream = wire::open(port, contestant.wire)?;
            stream.set_nonblocking(true)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
            streams.push(stream);
        }
        let orders = TcpStream::connect(("127.0.0.1", orders))?;
        orders.set_nodelay(true)?;
        let frame = wire::unmasked(&vec![0; size]);
        let header_len = frame.len() - size;
        let (read, buffer) = (vec![0; recipients], vec![0; frame.len() + 1]);
        Ok(Self {
            orders,
            epoll,
            streams,
            read,
            frame,
            header_len,
            size,
            number: 0,
            buffer,
        })
    }

    /// Has one message sent, and waits until everybody has got it.
    fn hear(&mut self) -> Outcome<()> {
        self.frame[self.header_len..][..8].copy_from_slice(&self.number.to_be_bytes());
        self.number += 1;
        self.read.fill(0);
        self.orders
            .write_all(&u32::try_from(self.size)?.to_be_bytes())?;
        let mut events = [EpollEvent::empty(); 256];
        let mut waiting = self.streams.len();
        while waiting > 0 {
            let count = self
                .epoll
                .wait(&mut events, EpollTimeout::from(PATIENCE_MILLIS))?;
            if count == 0 {
                return Err("somebody has got nothing".into());
            }
            for event in &events[..count] {
                waiting -= usize::from(self.receive(usize::try_from(event.data())?)?);
            }
        }
        Ok(())
    }

    /// Whether the message is complete now.
    fn receive(&mut self, number: usize) -> Outcome<bool> {
        let n = match self.streams[number].read(&mut self.buffer) {
            Ok(0) => return Err("it hung up".into()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let expected = &self.frame[self.read[number]..];
        if expected.get(..n) != Some(&self.buffer[..n]) {
            return Err(format!("message {} is another one, or too long", self.number - 1).into());
        }
        self.read[number] += n;
        Ok(self.read[number] == self.frame.len())
    }
}
