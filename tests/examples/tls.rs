//! `echo_tokio` with TLS and `client` with a root of its own: they speak to each other, and to nobody who is not
//! trusted.

use std::{fs, path::PathBuf};

use crate::{
    assert_done,
    programs::{PATIENCE, Program},
};

/// A certificate for 127.0.0.1 and its key, in files.
fn identity(name: &str) -> [String; 2] {
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let written = [
        (format!("{name}.pem"), pair.cert.pem()),
        (format!("{name}.key"), pair.signing_key.serialize_pem()),
    ];
    written.map(|(name, text)| {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&file, text).expect("it can be written");
        file.to_str().expect("Unicode").to_owned()
    })
}

#[test]
fn echo_with_and_without_tls_is_heard_by_who_trusts_it() {
    let ([cert, key], [other, _]) = (identity("trusted"), identity("other"));
    let args = [
        "--tls-listen",
        "127.0.0.1:0",
        "--cert",
        &cert,
        "--key",
        &key,
    ];
    let (mut server, plain) = Program::serve("echo_tokio", &args);
    let line = server.line();
    let address = line
        .strip_prefix("listening on ")
        .and_then(|line| line.strip_suffix(" with TLS"));
    let address = address.unwrap_or_else(|| panic!("no address: {line}"));
    let secure = format!("wss://{address}/path");

    for (uri, args) in [
        (format!("ws://{plain}/"), &[][..]),
        (secure.clone(), &["--ca", &*cert][..]),
        (secure.clone(), &["--deflate", "--ca", &*cert]),
    ] {
        let mut client = Program::start("client", &[&[&*uri][..], args].concat());
        client.say("Hello\nκόσμε\n");
        client.end_stdin();
        assert_done(&client.finish(), "Hello\nκόσμε\n");
    }
    for (uri, args, why) in [
        (&*secure, &[][..], "no TLS with 127.0.0.1"),
        (&secure, &["--ca", &*other], "invalid peer certificate"),
        // A server that has no TLS, and one that has nothing else.
        (
            &format!("wss://{plain}/"),
            &["--ca", &*cert],
            "no TLS with 127.0.0.1",
        ),
        (
            &format!("ws://{address}/"),
            &[],
            "the server's handshake failed",
        ),
    ] {
        let ended = Program::start("client", &[&[uri][..], args].concat()).finish();
        assert_eq!((ended.status, &*ended.stdout), (Some(1), &b""[..]));
        assert!(ended.tell().contains(why), "{}", ended.tell());
    }
    server.kill();
}

/// Without a word about whom to trust. The variable is what stands for the platform's roots on Linux.
#[test]
#[cfg(target_os = "linux")]
fn whom_the_platform_trusts_is_trusted() {
    let ([cert, key], [other, _]) = (identity("platform"), identity("stranger"));
    let args = [
        "--tls-listen",
        "127.0.0.1:0",
        "--cert",
        &cert,
        "--key",
        &key,
    ];
    let (mut server, _) = Program::serve("echo_tokio", &args);
    let line = server.line();
    let address = line.trim_start_matches("listening on ");
    let uri = format!("wss://{}/", address.trim_end_matches(" with TLS"));
    let connect = |roots: &str| {
        Program::start_with("client", PATIENCE, |command| {
            let command = command.arg(&uri).env("SSL_CERT_FILE", roots);
            command.env_remove("SSL_CERT_DIR")
        })
    };

    let mut client = connect(&cert);
    client.say("Hello\n");
    client.end_stdin();
    assert_done(&client.finish(), "Hello\n");
    for (roots, why) in [
        (&*other, "invalid peer certificate"),
        (&key, "No CA certificates were loaded from the system"),
    ] {
        let ended = connect(roots).finish();
        assert_eq!((ended.status, &*ended.stdout), (Some(1), &b""[..]));
        assert!(ended.tell().contains(why), "{}", ended.tell());
    }
    server.kill();
}

#[test]
fn servers_tell_what_is_wrong_with_their_files() {
    let ([cert, key], [_, other]) = (identity("one"), identity("two"));
    let cases: [(&[&str], &str); 6] = [
        (&["--cert", &cert, "--key", &key], "usage"),
        (&["--tls-listen", "127.0.0.1:0", "--cert", &cert], "usage"),
        (
            &[
                "--tls-listen",
                "127.0.0.1:0",
                "--cert",
                "nowhere",
                "--key",
                &key,
            ],
            "nowhere",
        ),
        (
            &["--tls-listen", "127.0.0.1:0", "--cert", &key, "--key", &key],
            "no certificate",
        ),
        (
            &[
                "--tls-listen",
                "127.0.0.1:0",
                "--cert",
                &cert,
                "--key",
                &cert,
            ],
            "no private key",
        ),
        (
            &[
                "--tls-listen",
                "127.0.0.1:0",
                "--cert",
                &cert,
                "--key",
                &other,
            ],
            "keys may not be consistent",
        ),
    ];
    for (args, why) in cases {
        let ended = Program::start("echo_tokio", args).finish();
        assert_eq!(ended.status, Some(1), "{}", ended.tell());
        let told = ended.tell();
        assert!(told.contains(why), "{told}");
    }
}
