//! The machine that a run was made on, as a list in Markdown.

use std::{fs, process::Command, thread};

use crate::{Outcome, process::kilobytes};

/// The settings of the system that set limits to connections.
const SETTINGS: [&str; 8] = [
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_mem",
    "net.netfilter.nf_conntrack_max",
    "fs.file-max",
    "kernel.threads-max",
];

pub(crate) fn describe() -> Outcome<String> {
    let mut text = String::new();
    let mut add = |name: &str, value: &str| {
        text += &format!("- {name}: {value}\n");
    };
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    add("date", String::from_utf8(date.stdout)?.trim());
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let field = |name| {
        let line = info.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(": ").nth(1))
            .unwrap_or("unknown")
    };
    let cores = thread::available_parallelism()?;
    add(
        "processor",
        &format!(
            "{cores} cores of {} (family {}, model {})",
            field("model name"),
            field("cpu family"),
            field("model\t")
        ),
    );
    let memory = kilobytes("/proc/meminfo", "MemTotal:")? as f64 / f64::from(1 << 30);
    add("memory", &format!("{memory:.1} GiB"));
    add(
        "kernel",
        fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
    );
    let load = fs::read_to_string("/proc/loadavg")?;
    let load: Vec<_> = load.split(' ').take(3).collect();
    add("load average before the first run", &load.join(", "));
    for name in SETTINGS {
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        // Not every kernel has all of them.
        if let Ok(value) = fs::read_to_string(file) {
            let value: Vec<_> = value.split_whitespace().collect();
            add(&format!("`{name}`"), &value.join(" "));
        }
    }
    Ok(text)
}
