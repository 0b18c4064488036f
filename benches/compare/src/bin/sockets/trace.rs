//! How often a server reads and writes, from the record that strace keeps.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::Outcome;

/// What is recorded: everything that moves bytes through a socket.
pub const CALLS: &str = "trace=read,readv,recvfrom,recvmsg,recvmmsg,\
    write,writev,sendto,sendmsg,sendmmsg,sendfile";

/// Reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub reads: u64,
    pub writes: u64,
}

/// Whether there is a strace that may trace.
pub fn is_possible() -> bool {
    let mut strace = Command::new("strace");
    let strace = strace
        .args(["-qq", "-o", "/dev/null", "true"])
        .stdin(Stdio::null());
    strace
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The calls between the last two answers of the server, which are its last two writes to stdout.
pub fn read(record: &Path) -> Outcome<Calls> {
    count(&std::fs::read_to_string(record)?).ok_or_else(|| "the record is incomplete".into())
}

fn count(record: &str) -> Option<Calls> {
    let mut between = record.lines().rev().filter_map(call);
    between.by_ref().find(|&call| call == ANSWER)?;
    let mut calls = Calls::default();
    for (name, descriptor) in between {
        if (name, descriptor) == ANSWER {
            return Some(calls);
        }
        // Its questions come on stdin.
        if descriptor != "0" {
            let is_read = name.starts_with("read") || name.starts_with("recv");
            *(if is_read {
                &mut calls.reads
            } else {
                &mut calls.writes
            }) += 1;
        }
    }
    None
}

/// What a server answers with.
const ANSWER: (&str, &str) = ("write", "1");

/// The name of a call and its descriptor, where it begins: "1234  write(1, ...". A call during which
/// another thread was recorded has a second line, which does not begin with its name.
fn call(line: &str) -> Option<(&str, &str)> {
    let (_, call) = line.split_once(' ')?;
    let (name, rest) = call.trim_start().split_once('(')?;
    let (descriptor, _) = rest.split_once([',', ' '])?;
    name.chars()
        .all(char::is_alphanumeric)
        .then_some((name, descriptor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_between_the_answers_are_counted_once() {
        let record = "7 recvfrom(9, \"\"..., 9, 0, NULL, NULL) = 9\n\
            8  write(1, \"\"..., 6) = 6\n\
            8  read(0,  <unfinished ...>\n\
            7  recvfrom(9, \"\"..., 8192, 0, NULL, NULL) = 70\n\
            7  sendto(9, \"\"..., 66, MSG_NOSIGNAL, NULL, 0 <unfinished ...>\n\
            8  <... read resumed>\"\"..., 8192) = 4\n\
            7  <... sendto resumed>) = 66\n\
            7  recvfrom(9, 0x7f, 8192, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)\n\
            8  write(1, \"\"..., 6) = 6\n\
            7  recvfrom(9, \"\", 8192, 0, NULL, NULL) = 0\n";
        assert_eq!(
            count(record),
            Some(Calls {
                reads: 2,
                writes: 1
            })
        );
        assert_eq!(count("8  write(1, \"\"..., 6) = 6\n"), None);
    }
}
