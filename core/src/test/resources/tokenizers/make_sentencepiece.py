"""Makes folders for TokenizerGoldenTest of real SentencePiece models, with the ids that Google's
library gives to a book's lines and to random strings.

python3 make_sentencepiece.py DATA DESTINATION, where DATA holds tok-sentencepiece and tok-mistral;
then ./mvnw -pl core test -Despalier.tokenizers=DESTINATION -Dtest=TokenizerGoldenTest. Written for
sentencepiece 0.2.2.
"""

import json
import pathlib
import random
import shutil
import sys
import unicodedata

import sentencepiece

HERE = pathlib.Path(__file__).parent
MODELS = {
    "sentencepiece-en": "tok-sentencepiece/python/test/test_model.model",
    "sentencepiece-ja": "tok-sentencepiece/python/test/test_ja_model.model",
    "mistral-1": "tok-mistral/tokenizer.model.v1",
}


def assigned():
    for line in (HERE / "unicode-12.txt").read_text().split():
        first, _, last = line.partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


def texts(data):
    book = (data / "tok-sentencepiece/data/botchan.txt").read_text("utf-8").split("\n")
    yield from book
    yield from (line.replace(" ", "   ").upper() for line in book[::10])
    draw = random.Random(1)
    points = [p for p in assigned() if not 0xD800 <= p < 0xE000]
    ranges = [points, points[:1000], range(0x20, 0x7F), range(0x3041, 0x30FF)]
    for _ in range(20_000):
        yield "".join(chr(draw.choice(draw.choice(ranges))) for _ in range(draw.randrange(24)))


def is_tied(model, text):
    """Whether the two best ways to divide a text are as likely: single precision decides."""
    scores = [sum(map(model.get_score, ids)) for ids in model.nbest_encode(text, nbest_size=2)]
    return len(scores) == 2 and abs(scores[0] - scores[1]) < 1e-4


def differs(text):
    """Whether the Hugging Face library, and so ours, normalizes a text otherwise: a mark is one with
    what it follows, and white space at the end is left out (docs/decisions/010)."""
    pairs = (text[i - 1 : i + 1] for i in range(1, len(text)))
    marked = any(
        unicodedata.category(unicodedata.normalize("NFKC", pair[1])[0]).startswith("M")
        and unicodedata.normalize("NFKC", pair) != pair
        for pair in pairs
    )
    return marked or text.rstrip() != text.rstrip(" ")


data, destination = map(pathlib.Path, sys.argv[1:])
for name, file in MODELS.items():
    model = sentencepiece.SentencePieceProcessor(model_file=str(data / file))
    unigram = name.startswith("sentencepiece")
    kept, tied, others = [], 0, 0
    for text in texts(data):
        if unigram and is_tied(model, text):
            tied += 1
        elif unigram and differs(text):
            others += 1
        else:
            kept.append({"text": text, "ids": model.encode(text)})
    (destination / name / "saved").mkdir(parents=True)
    shutil.copy(data / file, destination / name / "saved/tokenizer.model")
    (destination / name / "golden.json").write_text(json.dumps({"strings": kept}))
    print(f"{name}: {len(kept)} texts; left out: {tied} tied, {others} normalized otherwise")
