"""From texts to the numbers that networks take: whole words, or the pieces of words of BERT and its relatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_zoo.errors import ManifestError
from model_zoo.manifest import ModelSpec, TextInput

Ids = NDArray[np.int64]  # (N, T)
Tokenize = Callable[[Sequence[str]], Ids]

_STRIPPED = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', " "))
_FIRST, _LAST, _UNKNOWN = "[CLS]", "[SEP]", "[UNK]"


def tokenizer(spec: ModelSpec, folder: Path | None = None) -> Tokenize:
    """Return what turns texts into the input of a model, whose files lie in `folder`.

    Raises ManifestError for a vocabulary that cannot be used.
    """
    return _tokenizer(spec.reads(), spec.vocabulary_path(folder))


@cache
def _tokenizer(taken: TextInput, path: Path) -> Tokenize:
    from tokenizers import Tokenizer  # images without this domain do not have it

    try:
        if taken.tokenizer == "words":
            return _words(path, taken)
        made = Tokenizer.from_file(str(path)) if taken.tokenizer == "json" else _wordpiece(path)
    except Exception as error:  # the library raises plain Exception for a file that it cannot read
        raise ManifestError(f"{path}: this vocabulary_file cannot be read ({error})") from error
    made.no_padding()
    made.enable_truncation(taken.most_tokens)
    return lambda texts: _padded([row.ids for row in made.encode_batch(list(texts))], taken.pad_id)


def _words(path: Path, taken: TextInput) -> Tokenize:
    """Number the known words from 1, keep the last ones of a text, and fill up from the left."""
    numbers = {word: number for number, word in enumerate(path.read_text("utf-8").splitlines(), start=1)}

    def numbered(texts: Sequence[str]) -> Ids:
        ids = np.full((len(texts), taken.most_tokens), taken.pad_id, np.int64)
        for row, text in enumerate(texts):
            words = text.lower().translate(_STRIPPED).split(" ")
            known = [numbers[word] for word in words if word in numbers][-taken.most_tokens :]
            if known:
                ids[row, -len(known) :] = known
        return ids

    return numbered


def _wordpiece(path: Path) -> Any:
    """Build the tokenizer of uncased BERT from its vocabulary, one piece a line."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing

    pieces = {piece: number for number, piece in enumerate(path.read_text("utf-8").splitlines())}
    made = Tokenizer(WordPiece(pieces, unk_token=_UNKNOWN, max_input_chars_per_word=100))
    made.normalizer = BertNormalizer(lowercase=True)
    made.pre_tokenizer = BertPreTokenizer()
    made.post_processor = TemplateProcessing(
        single=f"{_FIRST} $A {_LAST}",
        special_tokens=[(_FIRST, pieces[_FIRST]), (_LAST, pieces[_LAST])],
    )
    return made


def _padded(rows: Sequence[Sequence[int]], pad_id: int) -> Ids:
    ids = np.full((len(rows), max((len(row) for row in rows), default=0)), pad_id, np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
    return ids
