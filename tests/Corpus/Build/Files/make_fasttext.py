# Writes fasttext.json: tiny classifiers that Debian's program fasttext (0.9.2) trained, one for each loss, and the probabilities that it
# gives. Usage: make_fasttext.py PROGRAM > fasttext.json
import base64
import json
import os
import subprocess
import sys
import tempfile

TEXTS = ["the cat sat on the mat", "a dog and a cat", "der Hund läuft über die Straße", "die Katze schläft", "le chat est là",
         "un chien à côté", "the dog", "straße und läufer", "être ou ne pas être"]
LABELS = ["en", "en", "de", "de", "fr", "fr", "en", "de", "fr"]
ASKED = ["the cat", "eine Katze über der Straße", "le chien", "unknownword", "the\ttabbed\ndog", "日本語 chat", ""]

program, models = sys.argv[1], []
with tempfile.TemporaryDirectory() as folder:
    train = os.path.join(folder, "train.txt")
    with open(train, "w") as f:
        f.writelines(f"__label__{label} {text}\n" for label, text in zip(LABELS, TEXTS) for _ in range(2 if label == "en" else 1))
    for loss, character, words in [("softmax", (0, 0), 1), ("hs", (2, 3), 2), ("ns", (0, 0), 2), ("ova", (1, 2), 3)]:
        out = os.path.join(folder, loss)
        subprocess.run([program, "supervised", "-input", train, "-output", out, "-dim", "4", "-epoch", "60", "-lr", "0.5", "-minCount", "1",
                        "-loss", loss, "-bucket", "40", "-minn", str(character[0]), "-maxn", str(character[1]), "-wordNgrams", str(words),
                        "-thread", "1"], check=True, capture_output=True)
        predictions = []
        for text in ASKED:
            line = " ".join(text.split())
            answer = subprocess.run([program, "predict-prob", out + ".bin", "-", "3"], input=line + "\n", check=True, capture_output=True,
                                    text=True).stdout.split()
            predictions.append({"text": text, "probabilities": dict(zip(answer[0::2], map(float, answer[1::2])))})
        with open(out + ".bin", "rb") as f:
            models.append({"loss": loss, "model": base64.b64encode(f.read()).decode(), "predictions": predictions})
json.dump(models, sys.stdout, ensure_ascii=False, indent=1)
