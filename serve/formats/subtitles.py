"""Speech as SubRip, WebVTT and plain text. What was said can hold anything, also what these formats take for markup."""

from __future__ import annotations

from model_zoo.report import Report
from serve.formats.cues import DOMAIN, Cue, cues, plain, speech
from serve.formats.form import Form

# SubRip has no escapes: players read tags (<b>, {\an8}) and the arrow wherever they stand
SRT_LOOKALIKES = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})
VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def srt(report: Report) -> str:
    """Return SubRip subtitles; signs that players take for markup are replaced by their lookalikes."""
    blocks = [
        f"{number}\n{_clock(cue.start_seconds, ',')} --> {_clock(cue.end_seconds, ',')}\n"
        + "\n".join(cue.lines).translate(SRT_LOOKALIKES)
        + "\n"
        for number, cue in enumerate(cues(report), start=1)
    ]
    return "\n".join(blocks)


def vtt(report: Report) -> str:
    """Return WebVTT subtitles, with the speaker as a voice where speakers were told apart."""
    blocks = [
        f"{_clock(cue.start_seconds, '.')} --> {_clock(cue.end_seconds, '.')}\n{_voice(cue)}\n" for cue in cues(report)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _voice(cue: Cue) -> str:
    text = "\n".join(cue.lines).translate(VTT_ESCAPES)
    return f"<v {plain(cue.speaker).translate(VTT_ESCAPES)}>{text}" if cue.speaker else text


def txt(report: Report) -> str:
    """Return what was said, a stretch of speech a line, after the speaker where speakers were told apart."""
    lines = [
        f"{segment.speaker}: {plain(segment.text)}" if segment.speaker else plain(segment.text)
        for segment in speech(report)
    ]
    return "".join(line + "\n" for line in lines if line)


def _clock(seconds: float, point: str) -> str:
    """Return HH:MM:SS and milliseconds."""
    milliseconds = max(0, round(seconds * 1000))
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


SRT = Form("srt", "subtitles for SubRip players", ("application/x-subrip",), "srt", srt, needs=(DOMAIN,))
VTT = Form("vtt", "subtitles for the web", ("text/vtt",), "vtt", vtt, needs=(DOMAIN,))
TXT = Form("txt", "what was said", ("text/plain",), "txt", txt, needs=(DOMAIN,))
