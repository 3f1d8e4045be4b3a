#!/bin/sh
# What pre-training on all pictures without labels is worth where a tenth of the labels is there: docs/studies/masked-pictures.md.
#   docs/studies/masked-pictures.sh DATA [OUTPUT]
# DATA holds the sets mnist-12k, noto-emoji-captions and nlvr, with the files that the recipes of recipes/experiments
# name. OUTPUT (runs/masked-pictures) is gone on with where it stopped: a model or a line of results.csv that is there
# is not made again, so that whoever changes a recipe removes what came of it. TASKS and SEEDS choose a part.
set -eu
data=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
out=${2:-runs/masked-pictures}
tasks=${TASKS:-digits emoji boxes captions}
seeds=${SEEDS:-1 2 3}
mkdir -p "$out"

masked() { # TASK PICTURES SHAPE PASSES: pre-trains a ViT-MAE of that shape on the pictures
    [ -d "$out/$1/model" ] || ./espalier pretrain recipes/experiments/sign-language-mae.yaml --quiet --resume \
        --set "data.sources[0].path=$2" --set "output=$out/$1" --set "training.for=$4 epochs" \
        --set "model={type: vit-mae, $3, decoder-width: 64, decoder-layers: 2, decoder-heads: 4}" \
        --set 'objective={type: masked-image, ratio: 0.75, augment: {crop: {area: [0.5, 1], shape: 0.8}}}' \
        --set "evaluate.every=$4 epochs"
}
told() { # TASK WAY SEED METRIC... : appends a line for each of the test's metrics, from the JSON that comes in
    task=$1 way=$2 seed=$3
    shift 3
    result=$(cat)
    for metric in "$@"; do
        value=$(echo "$result" | sed -n "s/.*\"data\":\"test\",\"metric\":\"$metric\",\"value\":\([-0-9.eE]*\).*/\1/p")
        [ -n "$value" ] || { echo "$task, $way, seed $seed: no $metric" >&2; exit 1; }
        echo "$task,$way,$seed,$metric,$value"
    done >>"$out/results.csv"
}
done_already() { grep -qs "^$1,$2,$3," "$out/results.csv"; }
tenth() { awk -v s="$1" 'NR % 10 == s % 10'; }

for task in $tasks; do
    case $task in
    digits)
        shape='image: 28, patch: 4, width: 64, layers: 4, heads: 4'
        masked digits "$data/mnist-12k/train-images-idx3-ubyte.gz" "$shape" 20
        train="$data/mnist-12k/train-images-idx3-ubyte.gz" test="$data/mnist-12k/t10k-images-idx3-ubyte.gz"
        ./espalier compare recipes/experiments/mnist.yaml --quiet --arms scratch,frozen,full --rates 1 --labels 1000 \
            --seeds "$(echo "$seeds" | wc -w)" --set "data.train=$train" --set "data.test=$test" \
            --set "model={path: $out/digits/model}" --set "output=$out/digits-compared" --set "training.for=30 epochs"
        ;;
    emoji)
        shape='image: 72, patch: 9, width: 96, layers: 4, heads: 4'
        set=$data/noto-emoji-captions
        # Those of the test are not among the pictures that are learnt from.
        mkdir -p "$out/emoji-pictures"
        jq -r .file "$set/train.jsonl" | sed "s|^|$set/png72/|" | tr '\n' '\0' | xargs -0 sh -c 'ln -sf "$@" "$0"' "$out/emoji-pictures"
        masked emoji "$out/emoji-pictures" "$shape" 60
        ./espalier compare recipes/experiments/emoji-categories.yaml --quiet --arms scratch,frozen,full --rates 1 --labels 144 \
            --seeds "$(echo "$seeds" | wc -w)" --set "data.train=$set/train.jsonl" --set "data.test=$set/test.jsonl" \
            --set "task.pictures=$set/png72" --set "model={path: $out/emoji/model}" --set "output=$out/emoji-compared"
        ;;
    boxes)
        shape='image: 200, patch: 20, width: 96, layers: 4, heads: 4'
        masked boxes "$data/nlvr/images/dev" "$shape" 60
        for seed in $seeds; do
            some=$data/nlvr/tenth-$seed.json
            jq --argjson s "$seed" '.images |= [.[range($s; length; 10)]] | (.images | map(.id)) as $ids
                | .annotations |= map(select(.image_id as $i | $ids | index($i)))' "$data/nlvr/instances_dev.json" >"$some"
            for way in masked scratch; do
                done_already boxes $way "$seed" && continue
                model="{path: $out/boxes/model, detections: 24}"
                [ $way = masked ] || model='{type: yolos, image: [200, 200], patch: 20, width: 96, layers: 4, heads: 4, detections: 24}'
                rm -rf "$out/cell"
                ./espalier finetune recipes/experiments/nlvr-boxes.yaml --json --quiet --set "data.train=$some" \
                    --set "data.test=$data/nlvr/instances_test.json" --set "model=$model" --set "output=$out/cell" \
                    --set "seed=$seed" --set "training.for=60 epochs" --set "evaluate.every=60 epochs" \
                    --set "save.every=60 epochs" >"$out/cell.json"
                told boxes $way "$seed" map-50 map <"$out/cell.json"
            done
        done
        ;;
    captions)
        shape='image: 96, patch: 12, width: 96, layers: 3, heads: 3'
        masked captions "$data/nlvr/images/dev" "$shape" 60
        for seed in $seeds; do
            some=$data/nlvr/captions-tenth-$seed.jsonl
            tenth "$seed" <"$data/nlvr/captions-dev.jsonl" >"$some"
            for way in masked scratch; do
                done_already captions $way "$seed" && continue
                encoder="{path: $out/captions/model}"
                [ $way = masked ] || encoder="{type: vit, $shape}"
                rm -rf "$out/cell"
                ./espalier finetune recipes/experiments/nlvr-captions.yaml --json --quiet --set "data.train=$some" \
                    --set "data.test=$data/nlvr/captions-test.jsonl" --set "output=$out/cell" --set "seed=$seed" \
                    --set "model={type: vision-encoder-decoder, encoder: $encoder, decoder: {type: gpt2, layers: 3, heads: 3, width: 96, context: 64, dropout: 0.1}}" \
                    --set "tokenizer={type: bpe, vocabulary: 320}" --set "evaluate.every=40 epochs" >"$out/cell.json"
                told captions $way "$seed" bleu cider exact-match <"$out/cell.json"
            done
        done
        ;;
    *) echo "no task $task: digits, emoji, boxes, captions" >&2; exit 2 ;;
    esac
done
[ ! -f "$out/results.csv" ] || cat "$out/results.csv"
