"""How good answers are, against what people said is right: pure functions, one file a kind of answer."""
