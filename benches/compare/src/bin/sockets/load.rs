//! The client: many connections, each with so many messages on their way at all times.
//!
//! Messages lie ready in memory, a batch of them is one write, whatever has come is one read, and it is
//! compared with what must come as it lies there: less than any server has to do.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::{
    Outcome,
    wire::{self, Cycle, Wire},
};

/// Larger than any socket's buffer hands out at once, mostly.
const READ: usize = 256 * 1024;
/// A server that is silent for so long has forgotten a message.
const PATIENCE_MILLIS: u16 = 20_000;

/// How a server is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub connections: usize,
    /// How many messages each of them keeps on their way.
    pub in_flight: usize,
    pub size: usize,
}

/// The open connections to one server.
#[derive(Debug)]
pub struct Load {
    shape: Shape,
    cycle: Cycle,
    epoll: Epoll,
    clients: Vec<Client>,
    buffer: Vec<u8>,
}

/// How it went.
#[derive(Debug)]
pub struct Run {
    pub elapsed: Duration,
    /// From before the write to behind the read, of each message; only where one at a time is on its way.
    pub latencies: Vec<u32>,
}

impl Load {
    pub fn open(port: u16, wire: Wire, shape: Shape) -> Outcome<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut clients = Vec::new();
        for number in 0..shape.connections {
            let stream = wire::open(port, wire)?;
            stream.set_nonblocking(true)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
            clients.push(Client::new(stream));
        }
        // A message that is lost, repeated or out of place is another one than expected.
        let messages = if shape.size < 64 * 1024 {
            shape.in_flight.max(4)
        } else {
            shape.in_flight
        };
        let cycle = Cycle::new(messages, shape.size, wire);
        Ok(Self {
            shape,
            cycle,
            epoll,
            clients,
            buffer: vec![0; READ],
        })
    }

    /// Sends so many messages on each connection, and gets all of them back.
    pub fn run(&mut self, per_connection: usize) -> Outcome<Run> {
        let Self {
            shape,
            cycle,
            epoll,
            clients,
            buffer,
        } = self;
        let mut latencies = Vec::new();
        let start = Instant::now();
        for (number, client) in clients.iter_mut().enumerate() {
            client.quota += per_connection;
            client.refill(shape, cycle)?;
            client.watch(epoll, number)?;
        }
        let mut busy = clients.len();
        let mut events = vec![EpollEvent::empty(); 256];
        while busy > 0 {
            let count = epoll.wait(&mut events, EpollTimeout::from(PATIENCE_MILLIS))?;
            if count == 0 {
                return Err("it does not answer".into());
            }
            for event in &events[..count] {
                let number = usize::try_from(event.data())?;
                let client = &mut clients[number];
                if event.events() != EpollFlags::EPOLLOUT && client.receive(cycle, buffer)? > 0 {
                    if shape.in_flight == 1 {
                        latencies.push(u32::try_from(client.sent_at.elapsed().as_nanos())?);
                    }
                    busy -= usize::from(client.answered == client.quota);
                }
                client.refill(shape, cycle)?;
                client.watch(epoll, number)?;
            }
        }
        Ok(Run {
            elapsed: start.elapsed(),
            latencies,
        })
    }
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    /// How many messages it has to send, of all runs, and how many it may send now.
    quota: usize,
    allowed: usize,
    /// How many messages have come back.
    answered: usize,
    /// Bytes.
    written: usize,
    read: usize,
    /// When the last batch was sent.
    sent_at: Instant,
    /// Whether the socket was full, and whether it is watched for that.
    is_full: bool,
    is_watched: bool,
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            quota: 0,
            allowed: 0,
            answered: 0,
            written: 0,
            read: 0,
            sent_at: Instant::now(),
            is_full: false,
            is_watched: false,
        }
    }

    /// Sends again when half of what may be on its way has come back, so that many leave together.
    fn refill(&mut self, shape: &Shape, cycle: &Cycle) -> io::Result<()> {
        let on_their_way = self.allowed - self.answered;
        let batch = (shape.in_flight / 2).max(1);
        if on_their_way + batch <= shape.in_flight && self.allowed < self.quota {
            self.allowed = self.quota.min(self.answered + shape.in_flight);
            self.sent_at = Instant::now();
        }
        let whole = cycle.sent.len() / 2;
        while self.written < self.allowed * cycle.sent_len() {
            let begin = self.written % whole;
            let end = begin + self.allowed * cycle.sent_len() - self.written;
            match self.stream.write(&cycle.sent[begin..end]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_full = true;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.is_full = false;
        Ok(())
    }

    /// Takes what has come, at most a buffer full, and compares it. How many messages are complete now
    /// that were not before.
    fn receive(&mut self, cycle: &Cycle, buffer: &mut [u8]) -> Outcome<usize> {
        let n = match self.stream.read(buffer) {
            Ok(0) => return Err(format!("it hung up after {} messages", self.answered).into()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let whole = cycle.back.len() / 2;
        let mut rest = &buffer[..n];
        while !rest.is_empty() {
            let expected = &cycle.back[self.read % whole..];
            let (piece, behind) = rest.split_at(rest.len().min(expected.len()));
            if *piece != expected[..piece.len()] {
                let number = self.read / cycle.back_len();
                return Err(format!("message {number} came back as another one").into());
            }
            self.read += piece.len();
            rest = behind;
        }
        let answered = self.read / cycle.back_len();
        if answered > self.allowed {
            return Err("it answered more than was sent".into());
        }
        let before = std::mem::replace(&mut self.answered, answered);
        Ok(answered - before)
    }

    /// Whether there is room is asked for only while there was none.
    fn watch(&mut self, epoll: &Epoll, number: usize) -> io::Result<()> {
        if self.is_full != self.is_watched {
            self.is_watched = self.is_full;
            let mut flags = EpollFlags::EPOLLIN;
            flags.set(EpollFlags::EPOLLOUT, self.is_full);
            epoll.modify(&self.stream, &mut EpollEvent::new(flags, number as u64))?;
        }
        Ok(())
    }
}
