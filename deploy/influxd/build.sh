#!/bin/sh
# Build InfluxDB OSS from its published Go module into a cache outside the tree; do nothing when it is there.
# Prints the path of the program. Usage: build.sh
set -eu

version=2.7.12
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/seiren/influxd-$version
program=$cache/influxd

if [ -x "$program" ]; then
    echo "$program"
    exit 0
fi

fail() {
    printf 'ERROR %s\nnext  %s\n' "$1" "$2" >&2
    exit 3
}

command -v go >/dev/null || fail "Go is missing: InfluxDB $version needs Go 1.23 or newer." \
    "apt-get install golang-go, where that is 1.23 or newer (Debian 13); else see go.dev/doc/install"
go_version=$(GOTOOLCHAIN=local go env GOVERSION)
case $go_version in
    go1.[0-9] | go1.[0-9].* | go1.1[0-9]* | go1.2[0-2]*)
        fail "$go_version is too old: InfluxDB $version needs Go 1.23 or newer." \
            "install a newer Go (Debian 13 has one), see go.dev/doc/install" ;;
esac
command -v cargo >/dev/null || fail "Rust is missing: InfluxDB's query engine is built by cargo 1.72 or newer." \
    "apt-get install cargo, where that is 1.72 or newer (Debian 13); else see rustup.rs"
command -v cc >/dev/null || fail "A C compiler is missing." "apt-get install gcc libc6-dev"

echo "building InfluxDB $version, 5 to 8 minutes on two cores, log: $cache/build.log" >&2
mkdir -p "$cache"
cd "$here"

# Flux is a Rust library that cgo finds through InfluxData's own pkg-config, which calls $CARGO. Flux asks rustup for one
# old toolchain: the one at hand is used instead.
if ! {
    go build -trimpath -o "$cache/pkg-config" github.com/influxdata/pkg-config &&
        PKG_CONFIG=$cache/pkg-config CARGO=$here/cargo.sh RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-stable} \
            go build -trimpath -tags sqlite_foreign_keys,sqlite_json \
            -ldflags "-s -w -X main.version=v$version" \
            -o "$program.new" github.com/influxdata/influxdb/v2/cmd/influxd
} >"$cache/build.log" 2>&1; then
    tail -n 20 "$cache/build.log" >&2
    fail "InfluxDB $version was not built." "read $cache/build.log"
fi
mv "$program.new" "$program"
echo "$program"
