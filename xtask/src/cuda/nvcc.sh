#!/bin/sh
# Stands in front of nvcc (see toolchain.rs). The kernels for quantised models and mixtures of experts take eight
# minutes and 37 MB, and nothing here calls them: they become empty object files. A program that did call one would
# fail to link.
out='' src='' last=''
for arg; do
    [ "$last" = -o ] && out=$arg
    case $arg in *.cu) src=${arg##*/} ;; esac
    last=$arg
done
case $src in
mmq_*.cu | mmvq_*.cu | moe_*.cu) [ -n "$out" ] && exec cc -c -x c /dev/null -fPIC -o "$out" ;;
esac
exec "$REAL_NVCC" "$@"
