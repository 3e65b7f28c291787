"""Read a policy file; what is wrong with it is said with the line where it stands."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

import model_zoo
from model_zoo.catalog import catalog
from model_zoo.errors import PolicyError
from model_zoo.nearest import did_you_mean
from model_zoo.vocabulary import Vocabulary, vocabularies
from serve.policy.rules import DomainRules, Policy, Rule
from serve.policy.strangers import Place, Problem, strangers
from serve.settings import Settings

DEFAULT = "default"
NO_POLICY = "none"
SHIPPED = Path(model_zoo.__file__).parent / "policies"
MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy, the sha256 of its file, and the labels its rules can be about."""

    policy: Policy
    sha256: str
    vocabularies: Mapping[str, Vocabulary]  # by domain
    shipped: bool  # with the project; else it is the user's own

    def speaks_of(self, domains: Collection[str]) -> bool:
        """Tell whether it decides about an analysis with these domains.

        The project's own policy has nothing to say where nobody asked for any of its domains; one of the user's own
        decides always, and can call for a person where a domain did not run.
        """
        return not self.shipped or any(domain in domains for domain in self.policy.domains)


def find_policy(settings: Settings) -> NamedPolicy | None:
    """Return the policy of the settings, or None where they want none; raises PolicyError."""
    return None if settings.policy == NO_POLICY else read_policy(policy_path(settings.policy), settings)


def policy_path(name: str) -> Path:
    """Return the file of a policy: `default` is shipped, anything else is a path."""
    return SHIPPED / f"{DEFAULT}.yaml" if name == DEFAULT else Path(name)


def read_policy(path: Path, settings: Settings) -> NamedPolicy:
    """Read a policy file and check every key, value, domain and label; raises PolicyError naming all that is wrong."""
    content = _content(path)
    tree = _tree(path, content)
    document = _plain(path, tree)
    known = vocabularies(catalog(settings.manifests))
    unknown = list(strangers(document, known))
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        raise _refused(path, tree, [*map(_problem, error.errors()), *unknown]) from error
    if unknown:
        raise _refused(path, tree, unknown)
    return NamedPolicy(policy, hashlib.sha256(content).hexdigest(), known, path.parent == SHIPPED)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PolicyError(f"{path}: larger than {MOST_BYTES} bytes, which no policy is")
        return path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read as a policy ({error.strerror})") from error


def _tree(path: Path, content: bytes) -> yaml.Node:
    """Return the YAML as nodes, which know their lines."""
    try:
        for event in yaml.parse(content, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):  # a few of them can stand for gigabytes
                raise PolicyError(f"{path}:{_line(event.start_mark)}: YAML aliases (*name) are not read; write it out")
        tree = yaml.compose(content, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = _line(error.problem_mark) if error.problem_mark else 1
        raise PolicyError(f"{path}:{line}: no YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise PolicyError(f"{path}: no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, yaml.MappingNode):
        raise PolicyError(f"{path}:1: a policy begins with `schema: reelwarden.policy/1`; see docs/policy.md")
    return tree


def _plain(path: Path, node: yaml.Node) -> Any:
    """Return what a node says; a key that stands twice is refused, as one of the two would be lost."""
    if isinstance(node, yaml.MappingNode):
        values: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(path, key_node)
            if key in values:
                raise PolicyError(f"{path}:{_line(key_node.start_mark)}: {key!r} stands here a second time")
            values[key] = _plain(path, value_node)
        return values
    if isinstance(node, yaml.SequenceNode):
        return [_plain(path, item) for item in node.value]
    return _scalar(path, node)


def _scalar(path: Path, node: yaml.Node) -> Any:
    try:
        if isinstance(node, yaml.ScalarNode):
            return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        raise PolicyError(f"{path}:{_line(node.start_mark)}: {' '.join(str(error).split())}") from error
    raise PolicyError(f"{path}:{_line(node.start_mark)}: a key must be a word or a number")


def _problem(error: Any) -> Problem:
    """Return what pydantic found, in the words of a policy."""
    place: Place = tuple(part for part in error["loc"] if part != "[key]")
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _keys_at(place)
        message = f"unknown key{did_you_mean(str(place[-1]), known)}; there are {', '.join(known)}"
    elif error["type"] == "missing":
        message = "is missing"
    elif error["type"] != "value_error" and not isinstance(error["input"], dict):
        message += f", not {error['input']!r}"
    return Problem(place, message)


def _keys_at(place: Place) -> list[str]:
    """Return the keys that may stand beside an unknown one."""
    owner: Any = Policy if len(place) == 1 else DomainRules if len(place) == 3 else Rule
    return [field.alias or name for name, field in owner.model_fields.items()]


def _refused(path: Path, tree: yaml.Node, problems: Iterable[Problem]) -> PolicyError:
    """Return the error that lists what is wrong, in the order of the lines."""
    found = sorted({(_line_of(tree, problem.place), _dotted(problem.place), problem.text) for problem in problems})
    return PolicyError(*(f"{path}:{line}: {place}: {text}" for line, place, text in found))


def _dotted(place: Place) -> str:
    return ".".join(map(str, place)) or "policy"


def _line_of(tree: yaml.Node, place: Place) -> int:
    """Return the line of a key, or of the nearest key above it that is there."""
    node, line = tree, _line(tree.start_mark)
    for part in place:
        if not isinstance(node, yaml.MappingNode):
            break
        entry = next((pair for pair in node.value if pair[0].value == str(part)), None)
        if entry is None:
            break
        line, node = _line(entry[0].start_mark), entry[1]
    return line


def _line(mark: Any) -> int:
    return int(mark.line) + 1
