#!/bin/sh
# The training step on an NVIDIA GPU beside PyTorch and JAX, and what has a target beside it. `cargo xtask bench --device cuda`
# puts this script into a folder with what it runs, and runs it; see usage() below. docs/performance.md says how to read the table.

usage() {
    cat <<'END'
usage: ./bench.sh [--python PYTHON] [--data-dir DIR] [--quick]

Needs an NVIDIA GPU, a driver from 580 on, and CUDA 13's cuBLAS and cuRAND, where the system finds libraries or where
PyTorch brings them. CUDA_VISIBLE_DEVICES chooses among several GPUs.

--python PYTHON  an interpreter that has torch and, for its row, jax and optax; default python3. What it lacks is not
                 measured, and the script says so
--data-dir DIR   folder with MNIST's four IDX files, for the 200 epochs; default: synthetic digits, which need no files
--quick          few steps of small sizes: shows whether all of it runs, and measures nothing

Numbers and logs are kept in the folder `results` beside the script. Exits with 1 if something failed; a target that is
missed is no failure.
END
}

here=$(cd "$(dirname "$0")" && pwd) || exit 1
python=python3 data_dir='' quick=''
while [ $# -gt 0 ]; do
    case $1 in
    --python | --data-dir)
        [ $# -gt 1 ] || { echo "error: $1 needs a value" >&2; usage >&2; exit 2; }
        case $1 in --python) python=$2 ;; *) data_dir=$2 ;; esac
        shift ;;
    --quick) quick=yes ;;
    --help | -h) usage; exit ;;
    *) echo "error: there is no argument $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

# All steps are of recipe `classic`, and losses are read once in as many steps by all.
rounds='1 2 3' interval=300 intervals=30 size='--hidden 256 --batch 100'
large='--hidden 4096 --batch 8192 --turn 14 --steps 140 --square 8192' training='--epochs 200'
if [ $quick ]; then
    rounds=1 interval=2 intervals=2 size='--hidden 16 --batch 20'
    large='--hidden 32 --batch 200 --turn 2 --steps 6 --square 64'
    training='--epochs 1 --batch-size 6000 --set generator_hidden=[16] --set discriminator_hidden=[16]'
fi

results=$here/results
rm -rf "$results" && mkdir "$results" || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# PyTorch's CUDA libraries come last, for where the system has none.
libraries=$("$python" -c 'import nvidia; print(nvidia.__path__[0])' 2>/dev/null)/cu13/lib
ours() {
    program=$1
    shift
    LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$libraries "$here/bin/$program" "$@"
}

# run NAME COMMAND...: its output goes to results/NAME.txt. What fails or cannot be run is not tried again.
run() {
    name=$1
    shift
    [ -e "$results/$name.missing" ] || [ -e "$results/$name.failed" ] && return 1
    echo "$name: $*" >&2
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    cat "$work/err" >>"$results/$name.log"
    case $status in
    0) cat "$work/out" >>"$results/$name.txt" && return ;;
    # The peers' scripts, where they cannot run.
    3) tail -n 1 "$work/err" >"$results/$name.missing" ;;
    *)
        reason=$(grep -m 1 '^error' "$work/err" || tail -n 1 "$work/err")
        echo "exit status $status: $reason" >"$results/$name.failed"
        cat "$work/out" "$work/err" >&2 ;;
    esac
    return 1
}

peer() {
    if ! command -v "$python" >/dev/null; then
        echo "expected a Python, found no $python: --python names another" >"$results/$1-$2.missing"
    fi
    run "$1-$2" "$python" -B "$here/peers/$1_step.py" "$2" --device cuda --interval $interval --intervals $intervals $size
}

for round in $rounds; do
    run step ours step --device cuda --turn $interval --steps $((interval * (intervals + 1))) $size
    peer torch best
    peer torch published
    peer torch graph
    peer jax scan
done
run large ours step --device cuda $large --tf32

if [ "$data_dir" ]; then
    digits=MNIST
    set -- --dataset mnist --offline --data-dir "$data_dir"
else
    digits='synthetic digits'
    set -- --dataset synthetic-digits
fi
# train NAME ARGS...: how many seconds the process takes.
train() {
    name=$1
    shift
    start=$(date +%s.%N)
    run "$name" ours ganlet train --device cuda --recipe classic $training --out "$work/$name" --quiet "$@" || return
    echo "$start $(date +%s.%N)" | awk '{ printf "%.2f\n", $2 - $1 }' >"$results/$name.txt"
}
train training "$@" --eval-every 0
train training-measured "$@"

# The table. Numbers are medians over the rounds; what is missing is "-".
median() { sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)]; else print "-" }'; }
of() { cat "$results/$1.txt" 2>/dev/null; }
# figure NAME LABEL: the first number of the benchmark's line.
figure() { of "$1" | awk -F '\t' -v label="$2" '$1 == label { print $2 }' | median; }
# A peer prints its name and its time, and may say something else before.
time_of() { of "$1" | awk -F '\t' 'NF == 2 { print $2 }' | median; }
name_of() { of "$1" | awk -F '\t' -v known="$2" 'NF == 2 { known = $1 } END { print known }'; }
# row WHAT OURS THEIRS FIGURE UNIT most|least TARGET: FIGURE is what is held against the target; without, it only stands there.
row() {
    awk -v quick="$quick" -v what="$1" -v ours="$2" -v theirs="$3" -v figure="$4" -v unit="$5" -v kind="$6" -v target="$7" 'BEGIN {
        reached = kind == "most" ? figure + 0 <= target : figure + 0 >= target
        verdict = figure == "-" ? "not measured" : quick ? "not judged" : reached ? "reached" : "missed"
        if (target == "")
            verdict = figure == "-" ? verdict : ""
        else
            target = "at " kind " " target unit
        printf "| %-52s | %9s | %9s | %7s | %13s | %s |\n", what, ours, theirs, figure, target, verdict
    }'
}
quotient() { awk -v a="$1" -v b="$2" 'BEGIN { if (a == "-" || b == "-") print "-"; else printf "%.3f\n", a / b }'; }
scaled() { awk -v a="$1" -v by="$2" 'BEGIN { if (a == "-") print a; else printf "%.4f\n", a * by }'; }

card=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1)
step=$(scaled "$(figure step step)" 0.001)
host=$(scaled "$(figure step 'host: asking for a step')" 0.001)
{
    [ -z $quick ] || echo "Few steps of small sizes: these numbers say that all of it runs, and nothing else."
    echo "${card:-a GPU whose name nvidia-smi does not tell}; targets are for one NVIDIA H200"
    echo
    echo "| recipe classic | Ganlet | beside it | figure | target | |"
    echo "|---|---|---|---|---|---|"
    against() {
        theirs=$(time_of "$1")
        row "ms/step / $(name_of "$1" "$2")" "$step" "$theirs" "$(quotient "$step" "$theirs")" '' most "$3"
    }
    against torch-best 'PyTorch, best' 0.08
    against torch-published 'PyTorch, published' 0.08
    against torch-graph 'PyTorch, graph' 0.5
    against jax-scan 'JAX, scan' 0.6
    row 'ms in which the host asks for a step / ms/step' "$host" "$step" "$(quotient "$host" "$step")"
    seconds=$(of training | median)
    row '200 epochs, pictures and checkpoints included, s' "$seconds" '' "$seconds" ' s' most 15
    seconds=$(of training-measured | median)
    row 'the same, the quality measured each 20 epochs, s' "$seconds" '' "$seconds"
    row "TFLOP/s, hidden 4096, batch 8192, TF32 / square" "$(figure large TFLOP/s)" \
        "$(figure large 'square products: TFLOP/s')" "$(figure large share)" '' least 0.60
    echo
    echo "ms/step: the median over processes of Ganlet and the peers in turns, rounds: $rounds; losses read once in $interval steps."
    echo "f32 but for the last row. A figure is a quotient, or the seconds themselves."
    echo "The epochs are those of \`ganlet train $training\` on $digits, from start to end of the process."
    for file in "$results"/*.missing "$results"/*.failed; do
        [ -e "$file" ] || continue
        name=${file##*/}
        case $name in
        *.missing) echo "Not measured: ${name%.missing}: $(cat "$file")" ;;
        *) echo "Failed: ${name%.failed}: $(cat "$file"); see $results/${name%.failed}.log" ;;
        esac
    done
} | tee "$results/table.md"

for file in "$results"/*.failed; do
    [ -e "$file" ] && exit 1
done
exit 0
