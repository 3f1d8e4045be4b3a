#!/bin/sh
# What pre-training without labels is worth where labels are few: docs/studies/masked-hands.md.
#   docs/studies/masked-hands.sh DATASET [OUTPUT]
# DATASET is the folder of sign-language-digits with a folder of pictures for each digit. OUTPUT (runs/masked-hands)
# is gone on with where it stopped; its results.csv has a line for each training, which is made again where its recipe,
# its pictures or the model that it begins with have changed.
set -eu
data=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
out=${2:-runs/masked-hands}
labels=${LABELS:-5 10 20 40 80}
seeds=${SEEDS:-1 2 3}
scratch='model={type: vit, image: 48, patch: 6, width: 96, layers: 4, heads: 4}'

link() { # FOLDER DIGIT: makes links to the pictures whose names come in
    mkdir -p "$out/$1/$2"
    sed "s|^|$data/$2/|" | tr '\n' '\0' | xargs -0 sh -c 'ln -sf "$@" "$0"' "$out/$1/$2"
}
key() { # WORDS FILE_OR_FOLDER...: what goes into a training, as a hash
    words=$1
    shift
    { echo "$words"; find -L "$@" -type f | sort | tr '\n' '\0' | xargs -0 sha256sum; } | sha256sum | cut -c1-16
}
# Of each digit 20 pictures, scattered over their numbers, are the test; the others are learnt from.
for digit in 0 1 2 3 4 5 6 7 8 9; do
    order=$(ls "$data/$digit" | awk '{ n = $0; gsub(/[^0-9]/, "", n); print (n * 7919) % 10007, $0 }' | sort -n | cut -d' ' -f2)
    echo "$order" | head -n 20 | link test "$digit"
    echo "$order" | tail -n +21 | link pool "$digit"
    for n in $labels; do
        for seed in $seeds; do
            # Each seed learns from other pictures, as far as there are others.
            echo "$order" | tail -n +21 | awk -v n="$n" -v s="$seed" '
                { name[NR] = $0 }
                END { for (i = 0; i < n; i++) print name[((s - 1) * 27 + i) % NR + 1] }' | link "train-$n-$seed" "$digit"
        done
    done
done

mae=$(key mae recipes/experiments/sign-language-mae.yaml "$out/pool")
[ "$(cat "$out/mae.key" 2>/dev/null)" = "$mae" ] || rm -rf "$out/mae"
echo "$mae" >"$out/mae.key"
[ -d "$out/mae/model" ] || ./espalier pretrain recipes/experiments/sign-language-mae.yaml \
    --set "data.sources[0].path=$out/pool" --set "output=$out/mae" --resume

few=recipes/experiments/sign-language-few.yaml
for seed in $seeds; do
    for n in $labels; do
        for way in mae scratch; do
            if [ $way = mae ]; then
                model="model={path: $out/mae/model}"
                key=$(key "$model" $few "$out/train-$n-$seed" "$out/test" "$out/mae/model")
            else
                model=$scratch
                key=$(key "$model" $few "$out/train-$n-$seed" "$out/test")
            fi
            grep -qs "^$way,$n,$seed,[^,]*,$key$" "$out/results.csv" && continue
            rm -rf "$out/cell"
            right=$(./espalier finetune $few --json --quiet \
                --set "data.train=$out/train-$n-$seed" --set "data.test=$out/test" --set "output=$out/cell" \
                --set "seed=$seed" --set "$model" |
                sed -n 's/.*"data":"test","metric":"accuracy","value":\([0-9.]*\).*/\1/p')
            [ -n "$right" ] || { echo "$way, $n labels, seed $seed: failed" >&2; exit 1; }
            { grep -sv "^$way,$n,$seed," "$out/results.csv" || true; } >"$out/results.new"
            echo "$way,$n,$seed,$right,$key" >>"$out/results.new"
            mv "$out/results.new" "$out/results.csv"
        done
    done
done
cut -d, -f1-4 "$out/results.csv"
