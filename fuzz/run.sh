#!/usr/bin/env bash
# Fuzzes one target after the other: fuzz/run.sh [seconds for each] [target ...]
#
# It wants a nightly toolchain and cargo-fuzz (`cargo install cargo-fuzz --locked`). What is new goes
# to fuzz/corpus/, what breaks a target to fuzz/artifacts/; neither is committed.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(cd fuzz/fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
fi

# The code is without `unsafe`, so that a sanitizer would only slow it down.
cargo +nightly fuzz build --sanitizer none

for target in "${targets[@]}"; do
    dictionary=$target
    longest=1024
    case $target in
        frame_walker | direction) dictionary=frames longest=2048 ;;
        credential | http2_request | publish_request | request_head | response_head | settings) longest=4096 ;;
    esac
    mkdir -p "fuzz/corpus/$target"
    printf '\n=== %s, %s seconds\n' "$target" "$seconds"
    cargo +nightly fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "tests/fuzzing/seeds/$target" -- \
        -dict="fuzz/dictionaries/$dictionary.dict" -max_len="$longest" \
        -max_total_time="$seconds" -timeout=10 -print_final_stats=1
done
