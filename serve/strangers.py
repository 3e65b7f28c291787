"""Variables of the environment that look like settings and are none: they are named, as most of them are misspelt."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping

from model_zoo.nearest import nearest
from serve.process.settings import PREFIX as JOB_PREFIX
from serve.process.settings import JobSettings
from serve.settings import Settings

PREFIX = "REELWARDEN_"
ELSEWHERE = (  # read by scripts, Compose files and tests
    *("REELWARDEN_ADDRESS", "REELWARDEN_TMP_SIZE", "REELWARDEN_REGISTRY", "REELWARDEN_BASE_TAR"),
    *("REELWARDEN_REQUIRE", "REELWARDEN_TEST_FLAVOR", "REELWARDEN_TEST_MEDIA", "REELWARDEN_TEST_URL"),
)
# Kubernetes tells every container of every service, here of one whose name begins with reelwarden
_OF_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT)(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$|_PORT$")

log = logging.getLogger(__name__)


def known_variables() -> tuple[str, ...]:
    """Return every variable that means something."""
    settings = (PREFIX + name.upper() for name in Settings.model_fields)
    return (*settings, *(JOB_PREFIX + name.upper() for name in JobSettings.model_fields), *ELSEWHERE)


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return name -> the nearest that means something, or nothing, of variables that are ignored."""
    known = {name.removeprefix(PREFIX): name for name in known_variables()}
    unknown = {}
    for variable in sorted(environment):
        name = variable.upper()  # small letters count as well
        rest = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and rest not in known and not _OF_KUBERNETES.search(name):
            unknown[variable] = known.get(nearest(rest, known), "")
    return unknown


def in_words(unknown: Mapping[str, str]) -> list[str]:
    """Return what to say of each."""
    return [name + (f" (did you mean {near}?)" if near else "") for name, near in unknown.items()]


def warn_of_unknown_variables() -> None:
    """Log a warning for each; no error, as the same environment may be for images of other versions."""
    for words in in_words(unknown_variables(os.environ)):
        log.warning("no setting is called %s; it is ignored", words)
