//! RFC 6455 section 5: frames, fragmentation and the rules they have to keep.

mod support;

use support::{ROLES, trace::Seen, trace::trace_hex};

// req: F-01, F-02
#[test]
fn hello_is_received_whole_and_in_pieces() {
    for role in ROLES {
        let trace = trace_hex(role, "81 05 48656c6c6f");
        assert_eq!(trace.events, [Seen::Text("Hello".into())]);
    }
}
