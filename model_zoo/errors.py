"""Every error that a user may meet; each message names the value and the fix."""


class ReelwardenError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(ReelwardenError):
    """A setting, an option or an argument is wrong."""

    exit_code = 2


class MediaError(ReelwardenError):
    """The media cannot be used: the message says why, and what would be accepted."""


class MediaNotFoundError(MediaError):
    """There is no such file, or no media in the folder."""


class UnsupportedMediaError(MediaError):
    """The container or codec is not one that can be decoded here."""


class CorruptMediaError(MediaError):
    """The bytes break off or make no sense before the first frame."""


class MediaLimitError(MediaError):
    """The media is larger, longer or has more pixels than the limits allow."""


class FetchError(MediaError):
    """Media named by an address cannot be had; the message never holds credentials or a query."""


class FetchRefusedError(FetchError):
    """The settings, or the safety of the network, forbid to fetch from there."""


class TemporaryFetchError(FetchError):
    """A server or the network failed in a way that may pass: trying again later can help."""

    exit_code = 75


class FormError(UsageError):
    """A report cannot be written in a form: the form does not exist, or its domain has no results."""


class NotAcceptableError(FormError):
    """No output form is what the caller accepts; the message lists what there is."""


class ManifestError(ReelwardenError):
    """A models.toml entry is wrong."""

    exit_code = 2


class MisfitError(ManifestError):
    """A model cannot fill the role that its manifest entry names, or its file is not what the entry says."""

    exit_code = 3


class GalleryError(ReelwardenError):
    """A gallery of known people cannot be built or read, or does not fit the model that would use it."""

    exit_code = 2


class PolicyError(ReelwardenError):
    """A policy is wrong; every problem says the file and the line."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class LicenceError(ReelwardenError):
    """The licence gate refuses a model; the message names the licence and the setting."""

    exit_code = 2


class WeightsError(ReelwardenError):
    """Weights are missing, could not be fetched or do not have the expected sha256."""

    exit_code = 3


class BackendError(ReelwardenError):
    """The wanted device or inference backend cannot be used here, or a model does not load."""

    exit_code = 3


class DeviceLostError(BackendError):
    """The device failed in a way that only a restart of the process mends; nothing else may catch it."""
