#!/bin/sh
# cargo without Flux's feature "strict", which makes an error of every warning that newer compilers have learned.
exec cargo "$@" --no-default-features --features cffi
