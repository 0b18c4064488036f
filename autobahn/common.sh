# shellcheck shell=bash
# What run-server and run-client share: arguments, the folder of a run, its spec and its verdict.
# Each of them sets `direction` and then sources this.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
wstest=$(realpath -m "${WSTEST:-$root/target/wstest}")/bin/wstest
time_limit=${TIME_LIMIT:-1200}
name=framewire
example=autobahn_$direction
features=()
selection=()
command=()
started=()

fail() {
    # shellcheck disable=SC2154  # `direction` is set by who sources this
    echo "autobahn/run-$direction: FAILED: $1" >&2
    exit 1
}

# Everything that is started leads a process group (setsid), so that a wrapper's children end with
# it; and it runs in the background, so that a signal ends the script at once and not after it.
# shellcheck disable=SC2317,SC2329  # the trap calls it
stop() {
    local pid
    # Itself too, if it was still on its way to lead its group.
    for pid in "${started[@]}"; do kill -KILL -- "-$pid" "$pid" 2> /dev/null || true; done
}
trap stop EXIT

while (($#)); do
    case $1 in
        --name | --case)
            [[ ${2-} ]] || fail "give $1 a value"
            if [[ $1 == --name ]]; then name=$2; else selection+=("$1" "$2"); fi
            shift 2
            ;;
        --quick) selection+=(--quick) && shift ;;
        --tokio)
            name=tokio features=(--features tokio)
            if [[ $direction == server ]]; then example=echo_tokio; else example=autobahn_client_tokio; fi
            shift
            ;;
        --) shift && command=("$@") && break ;;
        *) fail "read the argument $1" ;;
    esac
done
# It is part of wstest's file names, and of a path that is removed below.
[[ $name =~ ^[A-Za-z0-9-]+$ ]] || fail "use the name '$name': only letters, digits and -"
[[ -x $wstest ]] || fail "find $wstest: run autobahn/install first"

if ((${#command[@]} == 0)); then
    (cd "$root" && cargo build --release "${features[@]}" --example "$example")
    command=("${CARGO_TARGET_DIR:-$root/target}/release/examples/$example" --deflate)
    if [[ $direction == server ]]; then command+=(--listen 127.0.0.1:0); fi
fi

# An old report would survive a run that wrote none, and be checked in its place. Each direction has
# its own folder, so that both can run at the same time.
out=$root/target/autobahn/$direction/$name
rm -rf "$out"
mkdir -p "$out"

# write_spec SPEC PORT: this run's spec, made of a committed one.
write_spec() {
    python3 "$here/spec.py" "$here/$1" --name "$name" --port "$2" "${selection[@]}" > "$out/spec.json" || exit 1
}

# timed_out STATUS: whether `timeout` ended the tests, by a signal (124) or, if that did not help, by
# another (137). This and the next count on SECONDS having been set to 0 when the tests began.
timed_out() {
    (($1 == 124 || ($1 == 137 && SECONDS >= time_limit)))
}

# Wants every case of the spec to be in the report and OK.
check_report() {
    echo "autobahn/run-$direction: $SECONDS s; details are in $out/reports/index.html"
    python3 "$here/check.py" "$out/reports/index.json" "$out/spec.json"
}
